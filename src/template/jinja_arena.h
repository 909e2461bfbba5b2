// SPDX-License-Identifier: Apache-2.0
// Budgets of one compilation or one rendering. Memory is taken in chunks, given back all at once,
// and never exceeds a cap that was fixed before the first byte of the template was read; every walk
// over values pays for its length in steps.
#ifndef XL_TEMPLATE_JINJA_ARENA_H
#define XL_TEMPLATE_JINJA_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; // newest first
    size_t used_bytes;          // taken from the system so far
    size_t max_bytes;
    size_t steps_left; // 0: exhausted, for good
    char *last;        // the newest allocation, which arena_grow can extend in place
    size_t last_bytes;
};

void arena_init(struct arena *arena, size_t max_bytes, size_t steps_max);
void arena_deinit(struct arena *arena);
// Pays n steps; false when they are exhausted.
bool arena_spend(struct arena *arena, size_t n_steps);
// Zeroed, aligned for any type; NULL past the cap or when the system has no memory.
void *arena_alloc(struct arena *arena, size_t size_bytes);
// An array of n elements; NULL also when n * element_bytes overflows.
void *arena_array(struct arena *arena, size_t n, size_t element_bytes);
// A block of new_bytes that begins with the old_bytes at `old` (which may be NULL); in place where
// `old` is the newest allocation. The old block stays valid.
void *arena_grow(struct arena *arena, void *old, size_t old_bytes, size_t new_bytes);
// Did this address come from this arena?
bool arena_holds(const struct arena *arena, const void *address);

#ifdef __cplusplus
}
#endif
#endif
