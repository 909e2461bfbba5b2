// SPDX-License-Identifier: Apache-2.0
// The hash table of texts: linear probing at half load, hash compared before bytes.
#include "tokenizer/text_map.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_bytes(const char *data, size_t size_bytes) {
    uint64_t hash = 0x9e3779b97f4a7c15u ^ size_bytes;
    while (size_bytes >= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        data += 8;
        size_bytes -= 8;
    }
    uint64_t tail = 0;
    if (size_bytes > 0) memcpy(&tail, data, size_bytes);
    hash = (hash ^ tail) * 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(hash ^ (hash >> 32));
}

enum status text_map_init(struct text_map *map, size_t n_keys, struct error *err) {
    uint64_t n_slots = 16;
    while (n_slots < 2 * (uint64_t)n_keys + 2)
        n_slots *= 2;
    memset(map, 0, sizeof *map);
    if (n_slots > UINT32_MAX)
        return error_set(err, STATUS_BAD_INPUT, "vocabulary: too many texts (%zu)", n_keys);
    map->slots = calloc((size_t)n_slots, sizeof *map->slots);
    if (map->slots == NULL)
        return error_no_memory(err, "vocabulary map", n_slots * sizeof *map->slots);
    map->mask = (uint32_t)n_slots - 1;
    return STATUS_OK;
}

void text_map_deinit(struct text_map *map) {
    free(map->slots);
    memset(map, 0, sizeof *map);
}

// The slot that holds the key, or the free slot where it would go.
static struct text_map_slot *find_slot(const struct text_map *map, const char *data,
                                       size_t size_bytes, uint32_t hash) {
    uint32_t i = hash & map->mask;
    while (map->slots[i].data != NULL) {
        struct text_map_slot *slot = &map->slots[i];
        if (slot->hash == hash && slot->size_bytes == size_bytes &&
            memcmp(slot->data, data, size_bytes) == 0)
            return slot;
        i = (i + 1) & map->mask;
    }
    return &map->slots[i];
}

int32_t text_map_put(struct text_map *map, const char *data, size_t size_bytes, int32_t value) {
    if (size_bytes > UINT32_MAX) return -1;
    uint32_t hash = hash_bytes(data, size_bytes);
    struct text_map_slot *slot = find_slot(map, data, size_bytes, hash);
    if (slot->data == NULL) {
        *slot = (struct text_map_slot){data, (uint32_t)size_bytes, hash, value};
        if (size_bytes > map->size_max_bytes) map->size_max_bytes = (uint32_t)size_bytes;
    }
    return slot->value;
}

int32_t text_map_get(const struct text_map *map, const char *data, size_t size_bytes) {
    if (map->slots == NULL || size_bytes > map->size_max_bytes) return -1;
    const struct text_map_slot *slot =
        find_slot(map, data, size_bytes, hash_bytes(data, size_bytes));
    return slot->data == NULL ? -1 : slot->value;
}
