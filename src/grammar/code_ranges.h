// SPDX-License-Identifier: Apache-2.0
// A set of code points as sorted ranges: what is between brackets in GBNF and in patterns.
#ifndef XL_GRAMMAR_CODE_RANGES_H
#define XL_GRAMMAR_CODE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CODE_LAST = 0x10ffff, CODE_RANGES_MAX = 4096 };

struct code_range {
    uint32_t first, last; // both belong to it
};

// Starts as {0}. After a failed call (no memory, too many ranges) it stays failed.
struct code_ranges {
    struct code_range *items;
    uint32_t n, capacity;
    bool failed, no_memory; // no_memory: that is why it failed
};

void code_ranges_deinit(struct code_ranges *set);
void code_ranges_add(struct code_ranges *set, uint32_t first, uint32_t last);
void code_ranges_add_all(struct code_ranges *set, const struct code_ranges *other);
// Sorts and merges; the operations below want and leave sets like that.
void code_ranges_normalise(struct code_ranges *set);
void code_ranges_negate(struct code_ranges *set); // within 0 to CODE_LAST
// Removes first..last.
void code_ranges_remove(struct code_ranges *set, uint32_t first, uint32_t last);
bool code_ranges_has(const struct code_ranges *set, uint32_t code);

#ifdef __cplusplus
}
#endif
#endif
