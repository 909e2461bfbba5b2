// SPDX-License-Identifier: Apache-2.0
// The table of pages of one timeline. Knows nothing of models or attention but the tiles in which a
// head's keys and values lie.
#include "cache/kv_cache.h"

#include "base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool kv_cache_bytes(enum dtype dtype, int n_layers, int n_kv_heads, int head_dim,
                    int n_positions_max, uint64_t *size_bytes) {
    struct kv_layout layout;
    return kv_layout_init(&layout, dtype, n_layers, n_kv_heads, head_dim, NULL) == STATUS_OK &&
           size_multiply(layout.page_bytes, (uint64_t)kv_pages_of(n_positions_max), size_bytes) &&
           *size_bytes <= SIZE_MAX / 2;
}

enum status kv_cache_init_on(struct kv_cache *cache, struct kv_pool *pool, int n_positions_max,
                             struct error *err) {
    memset(cache, 0, sizeof *cache);
    if (n_positions_max < 1)
        return error_set(err, STATUS_USAGE, "a KV cache of %d positions makes no sense",
                         n_positions_max);
    size_t n_pages = (size_t)kv_pages_of(n_positions_max);
    cache->pages = calloc(n_pages, sizeof *cache->pages);
    if (!cache->pages)
        return error_no_memory(err, "a table of pages", n_pages * sizeof *cache->pages);
    cache->layout = pool->layout;
    cache->pool = pool;
    cache->n_positions_max = n_positions_max;
    return STATUS_OK;
}

static enum status init_on_own_pool(struct kv_cache *cache, struct kv_pool *pool,
                                    const struct kv_layout *layout, int n_positions_max,
                                    struct error *err) {
    TRY(kv_pool_init(pool, layout, kv_pages_of(n_positions_max), err));
    enum status status = kv_cache_init_on(cache, pool, n_positions_max, err);
    if (status != STATUS_OK) kv_pool_deinit(pool);
    return status;
}

enum status kv_cache_init(struct kv_cache *cache, enum dtype dtype, int n_layers, int n_kv_heads,
                          int head_dim, int n_positions_max, struct error *err) {
    struct kv_layout layout;
    memset(cache, 0, sizeof *cache);
    TRY(kv_layout_init(&layout, dtype, n_layers, n_kv_heads, head_dim, err));
    if (n_positions_max < 1)
        return error_set(err, STATUS_USAGE, "a KV cache of %d positions makes no sense",
                         n_positions_max);
    struct kv_pool *pool = malloc(sizeof *pool);
    if (!pool) return error_no_memory(err, "the KV cache", sizeof *pool);
    enum status status = init_on_own_pool(cache, pool, &layout, n_positions_max, err);
    if (status != STATUS_OK)
        free(pool);
    else
        cache->owns_pool = true;
    return status;
}

void kv_cache_deinit(struct kv_cache *cache) {
    if (cache->owns_pool) {
        kv_pool_deinit(cache->pool); // wipes the pages
        free(cache->pool);
    } else if (cache->pages) {
        cache->n_used = 0;
        kv_cache_trim(cache);
    }
    free(cache->pages);
    memset(cache, 0, sizeof *cache);
}

// ---- Writing -----------------------------------------------------------------------------------

static bool is_shared(const struct kv_cache *cache, int page) {
    return kv_pool_references(cache->pool, cache->pages[page]) > 1;
}

// The pages that hold positions n_used .. n_used + n_tokens - 1.
static void pages_written(const struct kv_cache *cache, int n_tokens, int *begin, int *end) {
    *begin = cache->n_used / KV_PAGE;
    *end = n_tokens > 0 ? kv_pages_of(cache->n_used + n_tokens) : *begin;
}

int kv_cache_pages_wanted(const struct kv_cache *cache, int n_tokens) {
    int begin, end, n = 0;
    pages_written(cache, n_tokens, &begin, &end);
    for (int page = begin; page < end; page++)
        n += page >= cache->n_pages || is_shared(cache, page);
    return n;
}

// Zeros what tiles that are used in part hold behind the first n_positions of a page.
static void clear_page_rest(const struct kv_cache *cache, int page, int n_positions) {
    int end = (n_positions + KV_TILE - 1) / KV_TILE * KV_TILE;
    for (int layer = 0; layer < cache->layout.n_layers; layer++)
        for (int head = 0; head < cache->layout.n_kv_heads; head++) {
            struct kv_head one = kv_cache_head(cache, layer, head);
            struct kv_page at = kv_page_at(&one, page * KV_PAGE);
            kv_tile_clear(&at, cache->layout.dtype, cache->layout.head_dim, n_positions, end);
        }
}

// A page of the cache's own with the first n_positions of the one that it shares, nothing else.
static void replace_shared(struct kv_cache *cache, int page, int n_positions) {
    uint8_t *from = cache->pages[page], *to = kv_pool_take(cache->pool);
    for (int layer = 0; layer < cache->layout.n_layers; layer++)
        for (int head = 0; head < cache->layout.n_kv_heads; head++)
            for (int part = 0; part < KV_PARTS; part++) {
                size_t offset = kv_layout_offset(&cache->layout, layer, head, (enum kv_part)part);
                memcpy(to + offset, from + offset,
                       kv_layout_part_bytes(&cache->layout, (enum kv_part)part, n_positions));
            }
    cache->pages[page] = to;
    kv_pool_release(cache->pool, from);
    clear_page_rest(cache, page, n_positions);
}

enum status kv_cache_reserve(struct kv_cache *cache, int n_tokens, struct error *err) {
    int begin, end;
    if (n_tokens < 0 || n_tokens > cache->n_positions_max - cache->n_used)
        return error_set(err, STATUS_CONTEXT_FULL,
                         "%d tokens do not fit: %d of the context's %d positions are used",
                         n_tokens, cache->n_used, cache->n_positions_max);
    int n_wanted = kv_cache_pages_wanted(cache, n_tokens);
    if (n_wanted > cache->pool->n_free)
        return error_set(err, STATUS_NO_MEMORY,
                         "the KV memory has %d free pages of %d tokens, but %d are needed; raise "
                         "its budget or wait until others have ended",
                         cache->pool->n_free, KV_PAGE, n_wanted);
    pages_written(cache, n_tokens, &begin, &end);
    for (int page = begin; page < end; page++) {
        int n_kept = page == begin ? cache->n_used % KV_PAGE : 0;
        if (page >= cache->n_pages)
            cache->pages[cache->n_pages++] = kv_pool_take(cache->pool);
        else if (is_shared(cache, page))
            replace_shared(cache, page, n_kept);
    }
    return STATUS_OK;
}

void kv_cache_rewind(struct kv_cache *cache, int n_positions) {
    if (n_positions < 0) n_positions = 0;
    if (n_positions < cache->n_used) cache->n_used = n_positions;
}

void kv_cache_trim(struct kv_cache *cache) {
    while (cache->n_pages > kv_pages_of(cache->n_used))
        kv_pool_release(cache->pool, cache->pages[--cache->n_pages]);
}

// ---- Sharing -----------------------------------------------------------------------------------

void kv_cache_adopt_pages(struct kv_cache *cache, uint8_t *const *pages, int n_positions) {
    assert(cache->n_used == 0 && n_positions >= 0 && n_positions <= cache->n_positions_max);
    kv_cache_trim(cache);
    for (int page = 0; page < kv_pages_of(n_positions); page++) {
        kv_pool_retain(cache->pool, pages[page]);
        cache->pages[cache->n_pages++] = pages[page];
    }
    cache->n_used = n_positions;
}

void kv_cache_fork(struct kv_cache *cache, const struct kv_cache *from, int n_positions) {
    assert(cache->pool == from->pool && n_positions <= from->n_used);
    kv_cache_adopt_pages(cache, from->pages, n_positions);
}

// ---- Reading -----------------------------------------------------------------------------------

struct kv_head kv_cache_head(const struct kv_cache *cache, int layer, int kv_head) {
    struct kv_head head = {.dtype = cache->layout.dtype, .pages = cache->pages};
    for (int part = 0; part < KV_PARTS; part++)
        head.offsets[part] = kv_layout_offset(&cache->layout, layer, kv_head, (enum kv_part)part);
    return head;
}

uint8_t *kv_cache_part(const struct kv_cache *cache, int page, int layer, int kv_head,
                       enum kv_part part, int n_positions, size_t *size_bytes) {
    *size_bytes = kv_layout_part_bytes(&cache->layout, part, n_positions);
    return cache->pages[page] + kv_layout_offset(&cache->layout, layer, kv_head, part);
}

enum status kv_cache_clear_rest(struct kv_cache *cache, struct error *err) {
    int page = cache->n_used / KV_PAGE, n_positions = cache->n_used % KV_PAGE;
    if (n_positions % KV_TILE == 0) return STATUS_OK;
    if (is_shared(cache, page)) {
        if (cache->pool->n_free == 0)
            return error_set(err, STATUS_NO_MEMORY, "the KV memory has no free page for a copy");
        replace_shared(cache, page, n_positions); // clears
    } else {
        clear_page_rest(cache, page, n_positions);
    }
    return STATUS_OK;
}
