// SPDX-License-Identifier: Apache-2.0
// The memory of many timelines: pages of KV_PAGE positions of all layers and KV heads, counted by
// who refers to them. One stretch of address space, reserved once and touched only where positions
// are written. A page is wiped when its last reference goes, so a page that is handed out holds
// zeros. Knows neither tokens nor who shares what. One owner: calls are not locked.
//
// A page is a block in every plane: keys and values of each layer and KV head have planes of their
// own, so that a timeline whose pages are neighbours is read as one stream of keys and one of
// values. With all of a page in one place attention reads pieces of some KiB from many places, and
// decoding at depth is 15 % slower (the processor's own prefetching stops at every piece).
//
//   plane [layer][KV head][keys, values]: blocks [page]
//   block: keys or values (tiles, numeric/kv_tiles.h) of KV_PAGE positions; behind them, at a
//   multiple of 64 bytes, their scales (I8)
#ifndef XL_CACHE_KV_POOL_H
#define XL_CACHE_KV_POOL_H

#include "base/status.h"
#include "cache/page_shape.h"
#include "numeric/kv_tiles.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What a page holds and where.
struct kv_layout {
    enum dtype dtype; // F32, F16, BF16 or I8
    int n_layers, n_kv_heads, head_dim;
    size_t offsets[KV_PARTS]; // of a head's parts from the first block
    size_t block_bytes;       // the same for keys and values
    size_t page_bytes;        // of all blocks
    size_t plane_bytes;       // from a block to the page's next one
};

struct kv_pool {
    struct kv_layout layout;
    int n_pages, n_free;
    uint8_t *memory; // a page is called by its block in the first plane
    size_t memory_bytes;
    int32_t *n_references; // [n_pages]
    int32_t *free_pages;   // [n_free] the next one last
};

// Refuses types and sizes that make no sense. The planes' distance follows with the pool.
enum status kv_layout_init(struct kv_layout *layout, enum dtype dtype, int n_layers, int n_kv_heads,
                           int head_dim, struct error *err);
static inline struct page_shape kv_layout_shape(const struct kv_layout *layout) {
    return (struct page_shape){layout->page_bytes, layout->block_bytes, layout->plane_bytes};
}

enum status kv_pool_init(struct kv_pool *pool, const struct kv_layout *layout, int n_pages,
                         struct error *err);
void kv_pool_deinit(struct kv_pool *pool); // wipes what is still held: it is patient text
// A page with one reference, all zeros; NULL: none is free.
uint8_t *kv_pool_take(struct kv_pool *pool);
void kv_pool_retain(struct kv_pool *pool, const uint8_t *page);
void kv_pool_release(struct kv_pool *pool, uint8_t *page); // wipes and frees it if it was the last
int kv_pool_references(const struct kv_pool *pool, const uint8_t *page);

static inline int kv_pool_used(const struct kv_pool *pool) {
    return pool->n_pages - pool->n_free;
}

static inline uint8_t *kv_pool_page(const struct kv_pool *pool, int index) {
    return pool->memory + (size_t)index * pool->layout.block_bytes;
}

// Where a part of a head begins, from the page on.
static inline size_t kv_layout_offset(const struct kv_layout *layout, int layer, int kv_head,
                                      enum kv_part part) {
    size_t plane = 2 * ((size_t)layer * (size_t)layout->n_kv_heads + (size_t)kv_head);
    if (part == KV_VALUES || part == KV_VALUE_SCALES) plane++;
    return plane * layout->plane_bytes + layout->offsets[part];
}
// Its bytes for the first n_positions of the page, rounded up to whole tiles; 0: the type has no
// such part.
size_t kv_layout_part_bytes(const struct kv_layout *layout, enum kv_part part, int n_positions);

#ifdef __cplusplus
}
#endif
#endif
