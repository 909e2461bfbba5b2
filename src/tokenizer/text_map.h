// SPDX-License-Identifier: Apache-2.0
// From a byte string to a number: an open-addressing hash table that is filled once and then only
// read. Keys are not copied; they must outlive the map.
#ifndef XL_TOKENIZER_TEXT_MAP_H
#define XL_TOKENIZER_TEXT_MAP_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct text_map_slot {
    const char *data; // NULL: free
    uint32_t size_bytes, hash;
    int32_t value;
};

struct text_map {
    struct text_map_slot *slots;
    uint32_t mask; // number of slots - 1
    uint32_t size_max_bytes;
};

// Room for n_keys keys, no more.
enum status text_map_init(struct text_map *map, size_t n_keys, struct error *err);
void text_map_deinit(struct text_map *map);
// The first value of a key stays. Returns the value that the key has now.
int32_t text_map_put(struct text_map *map, const char *data, size_t size_bytes, int32_t value);
int32_t text_map_get(const struct text_map *map, const char *data, size_t size_bytes); // -1: none

#ifdef __cplusplus
}
#endif
#endif
