// SPDX-License-Identifier: Apache-2.0
// Remembers masks by a key of words, up to a size; then it forgets all and begins anew.
#ifndef XL_GRAMMAR_MASK_STORE_H
#define XL_GRAMMAR_MASK_STORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mask_entry {
    uint64_t hash;
    uint32_t n_key;
    uint32_t *key; // NULL: free; the mask lies before it in the same allocation
    uint64_t *mask;
};

enum { MASK_SLOTS = 1 << 12, MASK_STORE_BYTES_MAX = 8 << 20 };

struct mask_store {
    size_t n_words;             // of a mask
    struct mask_entry *entries; // [MASK_SLOTS], NULL: nothing yet
    size_t n_entries, size_bytes;
};

void mask_store_init(struct mask_store *store, size_t n_words);
void mask_store_deinit(struct mask_store *store);
// NULL: not known. Valid until the next call.
const uint64_t *mask_store_find(const struct mask_store *store, const uint32_t *key,
                                uint32_t n_key);
// A mask that there is no memory for is not remembered.
void mask_store_put(struct mask_store *store, const uint32_t *key, uint32_t n_key,
                    const uint64_t *mask);

#ifdef __cplusplus
}
#endif
#endif
