// SPDX-License-Identifier: Apache-2.0
// Chunks double up to a limit, so that small templates stay small and large ones take few calls.
#include "template/jinja_arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_FIRST_BYTES = 8 * 1024, CHUNK_MAX_BYTES = 1024 * 1024 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size_bytes; // of data
    size_t used_bytes;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t max_bytes, size_t steps_max) {
    memset(arena, 0, sizeof *arena);
    arena->max_bytes = max_bytes;
    arena->steps_left = steps_max;
}

bool arena_spend(struct arena *arena, size_t n_steps) {
    if (n_steps >= arena->steps_left) {
        arena->steps_left = 0;
        return false;
    }
    arena->steps_left -= n_steps;
    return true;
}

void arena_deinit(struct arena *arena) {
    while (arena->chunks) {
        struct arena_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    arena->last = NULL;
}

bool arena_holds(const struct arena *arena, const void *address) {
    uintptr_t at = (uintptr_t)address;
    for (const struct arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->next)
        if (at >= (uintptr_t)chunk->data && at < (uintptr_t)chunk->data + chunk->size_bytes)
            return true;
    return false;
}

static size_t align_up(size_t size_bytes) {
    size_t mask = alignof(max_align_t) - 1;
    return (size_bytes + mask) & ~mask;
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t size_bytes) {
    size_t chunk_bytes = arena->chunks ? arena->chunks->size_bytes * 2 : CHUNK_FIRST_BYTES;
    if (chunk_bytes > CHUNK_MAX_BYTES) chunk_bytes = CHUNK_MAX_BYTES;
    if (chunk_bytes < size_bytes) chunk_bytes = size_bytes;
    size_t left = arena->max_bytes - arena->used_bytes;
    if (chunk_bytes > left) chunk_bytes = size_bytes;
    if (chunk_bytes > left) return NULL;
    struct arena_chunk *chunk = calloc(1, sizeof *chunk + chunk_bytes);
    if (!chunk) return NULL;
    chunk->size_bytes = chunk_bytes;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->used_bytes += chunk_bytes;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size_bytes) {
    if (size_bytes > arena->max_bytes) return NULL;
    size_bytes = align_up(size_bytes ? size_bytes : 1);
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || size_bytes > chunk->size_bytes - chunk->used_bytes) {
        chunk = add_chunk(arena, size_bytes);
        if (!chunk) return NULL;
    }
    char *block = chunk->data + chunk->used_bytes;
    chunk->used_bytes += size_bytes;
    arena->last = block;
    arena->last_bytes = size_bytes;
    return block;
}

void *arena_array(struct arena *arena, size_t n, size_t element_bytes) {
    if (n && element_bytes > arena->max_bytes / n) return NULL;
    return arena_alloc(arena, n * element_bytes);
}

void *arena_grow(struct arena *arena, void *old, size_t old_bytes, size_t new_bytes) {
    if (new_bytes > arena->max_bytes) return NULL;
    struct arena_chunk *chunk = arena->chunks;
    if (old && old == arena->last) {
        size_t wanted = align_up(new_bytes);
        size_t start = (size_t)(arena->last - chunk->data);
        if (wanted <= chunk->size_bytes - start) {
            if (wanted > arena->last_bytes) {
                chunk->used_bytes = start + wanted;
                arena->last_bytes = wanted;
            }
            return old;
        }
    }
    void *block = arena_alloc(arena, new_bytes);
    if (block && old_bytes) memcpy(block, old, old_bytes);
    return block;
}
