// SPDX-License-Identifier: Apache-2.0
// See kv_pool.h. Free pages are a stack: what was freed last, and lies in memory already, is handed
// out first.
#define _GNU_SOURCE // MAP_ANONYMOUS
#include "cache/kv_pool.h"

#include "base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT_BYTES = 64 };

static size_t lines_of(size_t n_bytes) { // rounded up
    return (n_bytes + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
}

size_t kv_layout_part_bytes(const struct kv_layout *layout, enum kv_part part, int n_positions) {
    if (part == KV_KEYS) return kv_keys_bytes(layout->dtype, layout->head_dim, n_positions);
    if (part == KV_VALUES) return kv_values_bytes(layout->dtype, layout->head_dim, n_positions);
    return kv_scales_bytes(layout->dtype, n_positions);
}

enum status kv_layout_init(struct kv_layout *layout, enum dtype dtype, int n_layers, int n_kv_heads,
                           int head_dim, struct error *err) {
    enum { MARGIN = 64 }; // of rounding up
    uint64_t bound = (uint64_t)2 * KV_PAGE * sizeof(float);
    memset(layout, 0, sizeof *layout);
    if (!kv_dtype_is_known(dtype))
        return error_set(err, STATUS_UNSUPPORTED,
                         "a KV cache holds f32, f16, bf16 or i8, not type %d", (int)dtype);
    if (n_layers < 1 || n_kv_heads < 1 || head_dim < 1)
        return error_set(err, STATUS_USAGE,
                         "KV cache of %d layers and %d heads of %d makes no sense", n_layers,
                         n_kv_heads, head_dim);
    // A bound first: what follows it cannot overflow.
    if (!size_multiply(bound, (uint64_t)head_dim + MARGIN, &bound) ||
        !size_multiply(bound, (uint64_t)n_layers, &bound) ||
        !size_multiply(bound, (uint64_t)n_kv_heads, &bound) || bound > SIZE_MAX / 4)
        return error_set(err, STATUS_NO_MEMORY,
                         "KV cache of %d layers and %d heads of %d is too large to address",
                         n_layers, n_kv_heads, head_dim);
    layout->dtype = dtype;
    layout->n_layers = n_layers;
    layout->n_kv_heads = n_kv_heads;
    layout->head_dim = head_dim;
    size_t keys_bytes = kv_layout_part_bytes(layout, KV_KEYS, KV_PAGE);
    size_t values_bytes = kv_layout_part_bytes(layout, KV_VALUES, KV_PAGE);
    layout->offsets[KV_KEY_SCALES] = lines_of(keys_bytes);
    layout->offsets[KV_VALUE_SCALES] = lines_of(values_bytes);
    layout->block_bytes = lines_of(keys_bytes > values_bytes ? keys_bytes : values_bytes) +
                          lines_of(kv_layout_part_bytes(layout, KV_KEY_SCALES, KV_PAGE));
    layout->page_bytes = layout->block_bytes * 2 * (size_t)n_layers * (size_t)n_kv_heads;
    return STATUS_OK;
}

enum status kv_pool_init(struct kv_pool *pool, const struct kv_layout *layout, int n_pages,
                         struct error *err) {
    uint64_t size;
    memset(pool, 0, sizeof *pool);
    if (n_pages < 1)
        return error_set(err, STATUS_USAGE, "a KV cache of %d pages makes no sense", n_pages);
    size_t n = (size_t)n_pages;
    if (!size_multiply(layout->page_bytes, n, &size) || size > SIZE_MAX / 2)
        return error_set(err, STATUS_NO_MEMORY, "a KV cache of %d pages is too large to address",
                         n_pages);
    pool->n_references = calloc(n, sizeof *pool->n_references);
    pool->free_pages = malloc(n * sizeof *pool->free_pages);
    if (!pool->n_references || !pool->free_pages) {
        kv_pool_deinit(pool);
        return error_no_memory(err, "the pages of the KV cache", n * sizeof *pool->free_pages);
    }
    void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        kv_pool_deinit(pool);
        return error_no_memory(err, "the KV cache", size);
    }
    pool->layout = *layout;
    pool->layout.plane_bytes = n * layout->block_bytes;
    pool->memory = memory;
    pool->memory_bytes = (size_t)size;
    pool->n_pages = pool->n_free = n_pages;
    for (int i = 0; i < n_pages; i++)
        pool->free_pages[i] = n_pages - 1 - i;
    return STATUS_OK;
}

void kv_pool_deinit(struct kv_pool *pool) {
    struct page_shape shape = kv_layout_shape(&pool->layout);
    for (int i = 0; pool->memory && i < pool->n_pages; i++)
        if (pool->n_references[i] > 0) page_shape_wipe(&shape, kv_pool_page(pool, i));
    if (pool->memory) munmap(pool->memory, pool->memory_bytes);
    free(pool->n_references);
    free(pool->free_pages);
    memset(pool, 0, sizeof *pool);
}

static int index_of(const struct kv_pool *pool, const uint8_t *page) {
    size_t offset = (size_t)(page - pool->memory), block_bytes = pool->layout.block_bytes;
    assert(page >= pool->memory && offset < pool->layout.plane_bytes && offset % block_bytes == 0);
    return (int)(offset / block_bytes);
}

uint8_t *kv_pool_take(struct kv_pool *pool) {
    if (pool->n_free == 0) return NULL;
    int index = pool->free_pages[--pool->n_free];
    pool->n_references[index] = 1;
    return kv_pool_page(pool, index);
}

void kv_pool_retain(struct kv_pool *pool, const uint8_t *page) {
    int32_t *n = &pool->n_references[index_of(pool, page)];
    assert(*n > 0 && *n < INT32_MAX);
    ++*n;
}

void kv_pool_release(struct kv_pool *pool, uint8_t *page) {
    int index = index_of(pool, page);
    assert(pool->n_references[index] > 0);
    if (--pool->n_references[index] > 0) return;
    struct page_shape shape = kv_layout_shape(&pool->layout);
    page_shape_wipe(&shape, page);
    pool->free_pages[pool->n_free++] = index;
}

int kv_pool_references(const struct kv_pool *pool, const uint8_t *page) {
    return pool->n_references[index_of(pool, page)];
}
