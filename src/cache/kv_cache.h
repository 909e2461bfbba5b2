// SPDX-License-Identifier: Apache-2.0
// Keys and values of one timeline: a table of pages of a pool (kv_pool.h), its own or one that many
// timelines share. The forward pass writes positions in place, behind kv_cache_reserve(); rewinding
// lowers n_used. What a page holds behind n_used is whatever was there before. A page that others
// refer to as well is never written: reserving replaces it by a copy.
#ifndef XL_CACHE_KV_CACHE_H
#define XL_CACHE_KV_CACHE_H

#include "base/status.h"
#include "cache/kv_pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kv_cache {
    struct kv_layout layout; // the pool's
    struct kv_pool *pool;
    bool owns_pool;
    int n_positions_max;
    int n_used;      // positions that hold valid data, the same in all layers
    int n_pages;     // that the table holds; at least those of n_used
    uint8_t **pages; // [n_positions_max / KV_PAGE, rounded up] page p: positions KV_PAGE * p ...
};

static inline int kv_pages_of(int n_positions) {
    return n_positions / KV_PAGE + (n_positions % KV_PAGE != 0);
}

// What a cache with a pool of its own would take at most; false if that cannot be addressed.
bool kv_cache_bytes(enum dtype dtype, int n_layers, int n_kv_heads, int head_dim,
                    int n_positions_max, uint64_t *size_bytes);
// A cache with a pool of its own, large enough for n_positions_max.
enum status kv_cache_init(struct kv_cache *cache, enum dtype dtype, int n_layers, int n_kv_heads,
                          int head_dim, int n_positions_max, struct error *err);
// An empty cache on a pool that outlives it.
enum status kv_cache_init_on(struct kv_cache *cache, struct kv_pool *pool, int n_positions_max,
                             struct error *err);
void kv_cache_deinit(struct kv_cache *cache); // releases its pages

// Sees to it that the next n_tokens positions can be written: pages there, and nobody else's.
// STATUS_CONTEXT_FULL: beyond n_positions_max; STATUS_NO_MEMORY: the pool has too few free pages
// (the cache is as it was).
enum status kv_cache_reserve(struct kv_cache *cache, int n_tokens, struct error *err);
// How many free pages of the pool kv_cache_reserve() would take.
int kv_cache_pages_wanted(const struct kv_cache *cache, int n_tokens);
// Forgets positions n_positions and later, but keeps the pages for what comes next.
void kv_cache_rewind(struct kv_cache *cache, int n_positions);
// Releases the pages behind n_used.
void kv_cache_trim(struct kv_cache *cache);
// Makes an empty cache begin with the n_positions that these pages hold, and refers to them too.
// A page that is used in part may hold positions of others behind: nobody sees them.
void kv_cache_adopt_pages(struct kv_cache *cache, uint8_t *const *pages, int n_positions);
// The same from another cache of the pool, n_positions of its n_used.
void kv_cache_fork(struct kv_cache *cache, const struct kv_cache *from, int n_positions);

// One head as the kernels want it. Valid until the table changes.
struct kv_head kv_cache_head(const struct kv_cache *cache, int layer, int kv_head);
// The bytes of a part of a head in page `page`, its first n_positions rounded up to whole tiles;
// *size_bytes is 0 for parts that the type does not have.
uint8_t *kv_cache_part(const struct kv_cache *cache, int page, int layer, int kv_head,
                       enum kv_part part, int n_positions, size_t *size_bytes);
// Zeros what the last tile of every head holds from n_used on, in a copy if others refer to the
// page (which may fail as kv_cache_reserve() does).
enum status kv_cache_clear_rest(struct kv_cache *cache, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
