// SPDX-License-Identifier: Apache-2.0
// A compiled grammar: a network of nodes over bytes, in which a rule is entered by a call and a
// counted repetition is a loop with a counter, never a copy a count. Immutable once it is built.
// It knows neither text formats (grammar_gbnf, grammar_schema) nor tokens.
#ifndef XL_GRAMMAR_GRAMMAR_PROGRAM_H
#define XL_GRAMMAR_GRAMMAR_PROGRAM_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum grammar_node_kind {
    NODE_FAIL,   // nothing goes on here
    NODE_END,    // of a rule or of a loop's body
    NODE_PASS,   // to `next`; only while building
    NODE_BYTES,  // one byte of set `a`, then `next`
    NODE_CHOICE, // any of options[a .. a + n)
    NODE_CALL,   // rule `a`, then `next`
    NODE_LOOP    // body `a`, from `min` to `max` times, then `next`
};

enum {
    GRAMMAR_FAIL = 0, // the two nodes that every program begins with
    GRAMMAR_END = 1,
    GRAMMAR_REST_MAX = 250,  // rests above are not told apart
    GRAMMAR_REST_NONE = 255, // the end cannot be reached
    GRAMMAR_NODES_MAX = 1 << 18,
    GRAMMAR_RULES_MAX = 1 << 16,
    GRAMMAR_SETS_MAX = 1 << 15
};
#define GRAMMAR_NO_LIMIT UINT32_MAX // a loop's max

struct grammar_node {
    uint8_t kind;
    uint8_t rest; // bytes at least from here to the END of the rule or body it stands in
    uint32_t a, next;
    uint32_t min, max; // NODE_CHOICE: min = n
};

struct byte_set {
    uint64_t bits[4];
};

struct grammar_program {
    struct grammar_node *nodes;
    uint32_t *options, *rules; // rules: the node that each begins with
    struct byte_set *sets;
    uint32_t n_nodes, n_options, n_rules, n_sets;
    uint32_t start;      // node of the whole
    uint32_t lead_start; // the same after up to four white-space bytes
    // Bytes that no set tells apart are one class.
    uint8_t class_of[256], byte_of[256]; // and one byte of each class
    uint32_t n_classes;
};

void grammar_program_destroy(struct grammar_program *program); // NULL is allowed

static inline bool byte_set_has(const struct byte_set *set, uint8_t byte) {
    return (set->bits[byte >> 6] >> (byte & 63) & 1) != 0;
}

static inline void byte_set_add(struct byte_set *set, unsigned first, unsigned last) {
    for (unsigned byte = first; byte <= last; byte++)
        set->bits[byte >> 6] |= (uint64_t)1 << (byte & 63);
}

#ifdef __cplusplus
}
#endif
#endif
