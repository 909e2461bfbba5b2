// SPDX-License-Identifier: Apache-2.0
// How the bytes of a page lie in memory: in equal blocks, one after another, a constant distance
// apart. What goes to a file is the blocks in their order.
#ifndef XL_CACHE_PAGE_SHAPE_H
#define XL_CACHE_PAGE_SHAPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct page_shape {
    size_t page_bytes, block_bytes; // page_bytes is a multiple of block_bytes
    size_t stride_bytes;            // from a block to the next
};

// Copies n bytes of the page from `at` on to `bytes`, or the other way.
static inline void page_shape_copy(const struct page_shape *shape, uint8_t *page, size_t at,
                                   uint8_t *bytes, size_t n, int to_page) {
    while (n > 0) {
        size_t within = at % shape->block_bytes, size = shape->block_bytes - within;
        uint8_t *memory = page + at / shape->block_bytes * shape->stride_bytes + within;
        if (size > n) size = n;
        memcpy(to_page ? memory : bytes, to_page ? bytes : memory, size);
        at += size;
        bytes += size;
        n -= size;
    }
}

// Zeros that no compiler leaves out.
static inline void page_shape_wipe(const struct page_shape *shape, uint8_t *page) {
    for (size_t at = 0; at < shape->page_bytes; at += shape->block_bytes) {
        explicit_bzero(page, shape->block_bytes);
        page += shape->stride_bytes;
    }
}

#ifdef __cplusplus
}
#endif
#endif
