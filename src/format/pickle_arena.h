// SPDX-License-Identifier: Apache-2.0
// The values of one pickle, freed together whatever they refer to; counts what a file may build.
#ifndef XL_FORMAT_PICKLE_ARENA_H
#define XL_FORMAT_PICKLE_ARENA_H

#include "format/pickle.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PICKLE_VALUES_MAX = 1 << 21, PICKLE_ITEMS_MAX = 1 << 22 };

struct pickle_arena {
    struct pickle_block *blocks;
    struct pickle_value **containers; // whose items are to be freed
    size_t n_containers, containers_capacity;
    size_t n_values, n_items; // items: over all containers
};

// STATUS_NO_MEMORY, or STATUS_BAD_INPUT when the pickle has built too much; *value is else zero
// but for its kind.
enum status pickle_arena_value(struct pickle_arena *arena, enum pickle_kind kind,
                               struct pickle_value **value);
enum status pickle_arena_append(struct pickle_arena *arena, struct pickle_value *container,
                                struct pickle_value *const *items, size_t n_items);
void pickle_arena_deinit(struct pickle_arena *arena);

#ifdef __cplusplus
}
#endif
#endif
