// SPDX-License-Identifier: Apache-2.0
#include "grammar/mask_store.h"

#include "base/hash64.h"

#include <stdlib.h>
#include <string.h>

void mask_store_init(struct mask_store *store, size_t n_words) {
    *store = (struct mask_store){.n_words = n_words};
}

static void forget(struct mask_store *store) {
    for (uint32_t i = 0; store->entries && i < MASK_SLOTS; i++)
        free(store->entries[i].mask);
    if (store->entries) memset(store->entries, 0, MASK_SLOTS * sizeof *store->entries);
    store->n_entries = store->size_bytes = 0;
}

void mask_store_deinit(struct mask_store *store) {
    forget(store);
    free(store->entries);
    store->entries = NULL;
}

static struct mask_entry *find(const struct mask_store *store, const uint32_t *key, uint32_t n_key,
                               uint64_t hash) {
    struct mask_entry *entry = &store->entries[hash & (MASK_SLOTS - 1)];
    while (entry->key && (entry->hash != hash || entry->n_key != n_key ||
                          memcmp(entry->key, key, n_key * sizeof *key) != 0))
        entry = &store->entries[(size_t)(entry - store->entries + 1) & (MASK_SLOTS - 1)];
    return entry;
}

const uint64_t *mask_store_find(const struct mask_store *store, const uint32_t *key,
                                uint32_t n_key) {
    if (!store->entries) return NULL;
    return find(store, key, n_key, hash64(key, n_key * sizeof *key, 0))->mask;
}

void mask_store_put(struct mask_store *store, const uint32_t *key, uint32_t n_key,
                    const uint64_t *mask) {
    size_t mask_bytes = store->n_words * sizeof *mask, key_bytes = n_key * sizeof *key;
    if (!store->entries) store->entries = calloc(MASK_SLOTS, sizeof *store->entries);
    if (!store->entries) return;
    if (store->n_entries >= MASK_SLOTS / 2 ||
        store->size_bytes + mask_bytes + key_bytes > MASK_STORE_BYTES_MAX)
        forget(store);
    uint64_t *memory = malloc(mask_bytes + key_bytes);
    if (!memory) return;
    uint64_t hash = hash64(key, key_bytes, 0);
    struct mask_entry *entry = find(store, key, n_key, hash);
    if (entry->key) { // known already
        free(memory);
        return;
    }
    memcpy(memory, mask, mask_bytes);
    *entry = (struct mask_entry){
        .hash = hash, .n_key = n_key, .key = (uint32_t *)(memory + store->n_words), .mask = memory};
    memcpy(entry->key, key, key_bytes);
    store->n_entries++;
    store->size_bytes += mask_bytes + key_bytes;
}
