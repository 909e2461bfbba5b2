// SPDX-License-Identifier: Apache-2.0
// The trie over hashed edges.
#include "tokenizer/byte_trie.h"

#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 1 << 24 };

static uint32_t slot_of(uint32_t key, uint32_t mask) {
    uint64_t hash = (uint64_t)key * 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 32) & mask;
}

static uint32_t find_edge(const struct byte_trie *trie, uint32_t key) {
    uint32_t i = slot_of(key, trie->mask);
    while (trie->edges[i].child != 0 && trie->edges[i].key != key)
        i = (i + 1) & trie->mask;
    return i;
}

enum status byte_trie_init(struct byte_trie *trie, struct error *err) {
    memset(trie, 0, sizeof *trie);
    trie->mask = 63;
    trie->capacity = 32;
    trie->n_nodes = 1;
    trie->edges = calloc((size_t)trie->mask + 1, sizeof *trie->edges);
    trie->values = malloc(trie->capacity * sizeof *trie->values);
    if (trie->edges == NULL || trie->values == NULL) {
        byte_trie_deinit(trie);
        return error_no_memory(err, "text trie", sizeof *trie);
    }
    trie->values[0] = -1;
    return STATUS_OK;
}

void byte_trie_deinit(struct byte_trie *trie) {
    free(trie->edges);
    free(trie->values);
    memset(trie, 0, sizeof *trie);
}

// Doubles nodes and edges together: there is one edge less than there are nodes.
static enum status grow(struct byte_trie *trie, struct error *err) {
    if (trie->n_nodes < trie->capacity) return STATUS_OK;
    if (trie->capacity >= NODES_MAX)
        return error_set(err, STATUS_BAD_INPUT, "vocabulary: its texts are too long for a trie");
    uint32_t capacity = trie->capacity * 2, mask = capacity * 2 - 1;
    int32_t *values = realloc(trie->values, capacity * sizeof *values);
    if (values == NULL) return error_no_memory(err, "text trie", capacity * sizeof *values);
    trie->values = values;
    struct byte_trie_edge *old = trie->edges;
    struct byte_trie_edge *edges = calloc((size_t)mask + 1, sizeof *edges);
    if (edges == NULL) return error_no_memory(err, "text trie", (size_t)mask * sizeof *edges);
    uint32_t old_mask = trie->mask;
    trie->edges = edges;
    trie->mask = mask;
    trie->capacity = capacity;
    for (uint32_t i = 0; i <= old_mask; i++)
        if (old[i].child != 0) edges[find_edge(trie, old[i].key)] = old[i];
    free(old);
    return STATUS_OK;
}

uint32_t byte_trie_step(const struct byte_trie *trie, uint32_t node, uint8_t byte) {
    if (node == 0) return trie->roots[byte];
    return trie->edges[find_edge(trie, node << 8 | byte)].child;
}

enum status byte_trie_add(struct byte_trie *trie, const char *data, size_t size_bytes,
                          int32_t value, struct error *err) {
    uint32_t node = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        uint8_t byte = (uint8_t)data[i];
        uint32_t child = byte_trie_step(trie, node, byte);
        if (child == 0) {
            TRY(grow(trie, err));
            child = trie->n_nodes++;
            trie->values[child] = -1;
            if (node == 0) {
                trie->roots[byte] = child;
            } else {
                uint32_t key = node << 8 | byte;
                trie->edges[find_edge(trie, key)] = (struct byte_trie_edge){key, child};
            }
        }
        node = child;
    }
    if (node != 0 && trie->values[node] < 0) trie->values[node] = value;
    return STATUS_OK;
}

int32_t byte_trie_longest(const struct byte_trie *trie, const char *text, size_t text_bytes,
                          size_t *length_bytes) {
    int32_t value = -1;
    uint32_t node = 0;
    *length_bytes = 0;
    for (size_t i = 0; i < text_bytes; i++) {
        node = byte_trie_step(trie, node, (uint8_t)text[i]);
        if (node == 0) break;
        if (trie->values[node] >= 0) {
            value = trie->values[node];
            *length_bytes = i + 1;
        }
    }
    return value;
}
