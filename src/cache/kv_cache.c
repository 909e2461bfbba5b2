// SPDX-License-Identifier: Apache-2.0
// The memory of a KV cache: one block, reserved once and touched only where positions are written,
// so that a large context costs nothing until it is used. Knows nothing of models or attention.
#include "cache/kv_cache.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT_BYTES = 64 };

static size_t element_bytes(enum dtype dtype) {
    return dtype == DTYPE_F16 ? 2 : 4;
}

// One head's keys (or values) over all positions.
static size_t head_bytes(const struct kv_cache *cache) {
    return (size_t)cache->n_positions_max * kv_cache_stride_bytes(cache);
}

enum status kv_cache_init(struct kv_cache *cache, enum dtype dtype, int n_layers, int n_kv_heads,
                          int head_dim, int n_positions_max, struct error *err) {
    memset(cache, 0, sizeof *cache);
    if (dtype != DTYPE_F32 && dtype != DTYPE_F16)
        return error_set(err, STATUS_UNSUPPORTED, "a KV cache holds f32 or f16, not type %d",
                         (int)dtype);
    if (n_layers < 1 || n_kv_heads < 1 || head_dim < 1 || n_positions_max < 1)
        return error_set(err, STATUS_USAGE,
                         "KV cache of %d layers, %d heads of %d and %d positions makes no sense",
                         n_layers, n_kv_heads, head_dim, n_positions_max);
    uint64_t size = 2 * element_bytes(dtype);
    if (!size_multiply(size, (uint64_t)n_layers, &size) ||
        !size_multiply(size, (uint64_t)n_kv_heads, &size) ||
        !size_multiply(size, (uint64_t)head_dim, &size) ||
        !size_multiply(size, (uint64_t)n_positions_max, &size) ||
        !size_add(size, ALIGNMENT_BYTES - 1, &size) || size > SIZE_MAX / 2)
        return error_set(err, STATUS_NO_MEMORY, "KV cache of %d positions is too large to address",
                         n_positions_max);
    size -= size % ALIGNMENT_BYTES;
    cache->memory = aligned_alloc(ALIGNMENT_BYTES, (size_t)size);
    if (!cache->memory) return error_no_memory(err, "the KV cache", size);
    cache->dtype = dtype;
    cache->n_layers = n_layers;
    cache->n_kv_heads = n_kv_heads;
    cache->head_dim = head_dim;
    cache->n_positions_max = n_positions_max;
    cache->size_bytes = (size_t)size;
    return STATUS_OK;
}

void kv_cache_deinit(struct kv_cache *cache) {
    if (cache->memory) {
        size_t written_bytes = (size_t)cache->n_written * kv_cache_stride_bytes(cache);
        for (int layer = 0; layer < cache->n_layers; layer++) {
            for (int head = 0; head < cache->n_kv_heads; head++) {
                explicit_bzero(kv_cache_keys(cache, layer, head), written_bytes);
                explicit_bzero(kv_cache_values(cache, layer, head), written_bytes);
            }
        }
        free(cache->memory);
    }
    memset(cache, 0, sizeof *cache);
}

size_t kv_cache_stride_bytes(const struct kv_cache *cache) {
    return (size_t)cache->head_dim * element_bytes(cache->dtype);
}

void *kv_cache_keys(const struct kv_cache *cache, int layer, int kv_head) {
    size_t index = (size_t)layer * 2 * (size_t)cache->n_kv_heads + (size_t)kv_head;
    return cache->memory + index * head_bytes(cache);
}

void *kv_cache_values(const struct kv_cache *cache, int layer, int kv_head) {
    size_t index = ((size_t)layer * 2 + 1) * (size_t)cache->n_kv_heads + (size_t)kv_head;
    return cache->memory + index * head_bytes(cache);
}

void kv_cache_rewind(struct kv_cache *cache, int n_positions) {
    if (n_positions < 0) n_positions = 0;
    if (n_positions < cache->n_used) cache->n_used = n_positions;
}
