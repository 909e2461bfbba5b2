// SPDX-License-Identifier: Apache-2.0
// A set of byte strings that can be walked byte by byte: which of them start here, which is the
// longest. Edges live in one hash table, so a quarter of a million strings stay compact.
#ifndef XL_TOKENIZER_BYTE_TRIE_H
#define XL_TOKENIZER_BYTE_TRIE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct byte_trie_edge {
    uint32_t key;   // parent node << 8 | byte
    uint32_t child; // 0: free slot
};

struct byte_trie {
    struct byte_trie_edge *edges;
    int32_t *values; // [n_nodes]: -1 where no string ends
    uint32_t mask, n_nodes, capacity;
    uint32_t roots[256]; // first step, 0: none
};

enum status byte_trie_init(struct byte_trie *trie, struct error *err);
void byte_trie_deinit(struct byte_trie *trie);
// The first value of a string stays. Empty strings are ignored.
enum status byte_trie_add(struct byte_trie *trie, const char *data, size_t size_bytes,
                          int32_t value, struct error *err);
// From node 0 (the root) one byte down; 0: no string goes on like this.
uint32_t byte_trie_step(const struct byte_trie *trie, uint32_t node, uint8_t byte);
// The value of the longest string that is a prefix of the text (-1: none) and its length.
int32_t byte_trie_longest(const struct byte_trie *trie, const char *text, size_t text_bytes,
                          size_t *length_bytes);

#ifdef __cplusplus
}
#endif
#endif
