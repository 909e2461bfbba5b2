// SPDX-License-Identifier: Apache-2.0
// See name_index.h. Linear probing, at most half full.
#include "format/name_index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SLOTS_FIRST = 64 };

void name_index_init(struct name_index *index) {
    memset(index, 0, sizeof *index);
    // Without entropy the key stays a constant: lookups remain right, only the defence is gone.
    if (getrandom(&index->key, sizeof index->key, GRND_NONBLOCK) != (ssize_t)sizeof index->key)
        index->key = 0x9e3779b97f4a7c15u;
}

void name_index_deinit(struct name_index *index) {
    free(index->slots);
    index->slots = NULL;
    index->n_slots = index->n_used = 0;
}

static uint64_t mix(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(a ^ 0xa0761d6478bd642fu) * (b ^ 0xe7037ed1a0b428dbu);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(uint64_t key, const char *name, size_t size_bytes) {
    uint64_t hash = mix(key, size_bytes);
    while (size_bytes > 0) {
        uint64_t word = 0;
        size_t n = size_bytes < 8 ? size_bytes : 8;
        memcpy(&word, name, n);
        hash = mix(hash ^ key, word);
        name += n;
        size_bytes -= n;
    }
    return mix(hash, key);
}

// The slot that holds the name, or the free one where it belongs.
static struct name_slot *locate(const struct name_index *index, const char *name,
                                size_t size_bytes) {
    size_t mask = index->n_slots - 1;
    size_t at = (size_t)hash_bytes(index->key, name, size_bytes) & mask;
    while (index->slots[at].name) {
        struct name_slot *slot = &index->slots[at];
        if (slot->size_bytes == size_bytes && memcmp(slot->name, name, size_bytes) == 0)
            return slot;
        at = (at + 1) & mask;
    }
    return &index->slots[at];
}

static bool grow(struct name_index *index) {
    struct name_index larger = *index;
    larger.n_slots = index->n_slots ? index->n_slots * 2 : SLOTS_FIRST;
    larger.slots = calloc(larger.n_slots, sizeof *larger.slots);
    if (!larger.slots) return false;
    for (size_t i = 0; i < index->n_slots; i++) {
        const struct name_slot *slot = &index->slots[i];
        if (slot->name) *locate(&larger, slot->name, slot->size_bytes) = *slot;
    }
    free(index->slots);
    *index = larger;
    return true;
}

enum name_result name_index_add(struct name_index *index, const char *name, size_t size_bytes,
                                size_t value) {
    if (2 * (index->n_used + 1) > index->n_slots && !grow(index)) return NAME_NO_MEMORY;
    struct name_slot *slot = locate(index, name, size_bytes);
    if (slot->name) return NAME_EXISTS;
    *slot = (struct name_slot){.name = name, .size_bytes = size_bytes, .value = value};
    index->n_used++;
    return NAME_ADDED;
}

bool name_index_find(const struct name_index *index, const char *name, size_t size_bytes,
                     size_t *value) {
    if (index->n_slots == 0) return false;
    const struct name_slot *slot = locate(index, name, size_bytes);
    if (!slot->name) return false;
    *value = slot->value;
    return true;
}
