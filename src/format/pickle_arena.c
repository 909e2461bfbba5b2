// SPDX-License-Identifier: Apache-2.0
#include "format/pickle_arena.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_VALUES = 128 };

struct pickle_block {
    struct pickle_block *next;
    size_t n_used;
    struct pickle_value values[BLOCK_VALUES];
};

enum status pickle_arena_value(struct pickle_arena *arena, enum pickle_kind kind,
                               struct pickle_value **value) {
    if (arena->n_values == PICKLE_VALUES_MAX) return STATUS_BAD_INPUT;
    if (!arena->blocks || arena->blocks->n_used == BLOCK_VALUES) {
        struct pickle_block *block = malloc(sizeof *block);
        if (!block) return STATUS_NO_MEMORY;
        block->next = arena->blocks;
        block->n_used = 0;
        arena->blocks = block;
    }
    *value = &arena->blocks->values[arena->blocks->n_used++];
    memset(*value, 0, sizeof **value);
    (*value)->kind = kind;
    arena->n_values++;
    return STATUS_OK;
}

static enum status remember(struct pickle_arena *arena, struct pickle_value *container) {
    if (arena->n_containers == arena->containers_capacity) {
        size_t capacity = arena->containers_capacity ? 2 * arena->containers_capacity : 64;
        struct pickle_value **larger = realloc(arena->containers, capacity * sizeof *larger);
        if (!larger) return STATUS_NO_MEMORY;
        arena->containers = larger;
        arena->containers_capacity = capacity;
    }
    arena->containers[arena->n_containers++] = container;
    return STATUS_OK;
}

enum status pickle_arena_append(struct pickle_arena *arena, struct pickle_value *container,
                                struct pickle_value *const *items, size_t n_items) {
    if (n_items == 0) return STATUS_OK;
    if (n_items > PICKLE_ITEMS_MAX - arena->n_items) return STATUS_BAD_INPUT;
    arena->n_items += n_items;
    size_t needed = container->as.list.n + n_items;
    if (needed > container->as.list.capacity) {
        size_t capacity = container->as.list.capacity * 2;
        if (capacity < needed) capacity = needed;
        if (!container->as.list.items) TRY(remember(arena, container));
        struct pickle_value **larger = realloc(container->as.list.items, capacity * sizeof *larger);
        if (!larger) return STATUS_NO_MEMORY;
        container->as.list.items = larger;
        container->as.list.capacity = capacity;
    }
    memcpy(container->as.list.items + container->as.list.n, items, n_items * sizeof *items);
    container->as.list.n = needed;
    return STATUS_OK;
}

void pickle_arena_deinit(struct pickle_arena *arena) {
    for (size_t i = 0; i < arena->n_containers; i++)
        free(arena->containers[i]->as.list.items);
    free(arena->containers);
    while (arena->blocks) {
        struct pickle_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
