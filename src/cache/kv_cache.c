// SPDX-License-Identifier: Apache-2.0
// The memory of a KV cache: one block, reserved once and touched only where positions are written,
// so that a large context costs nothing until it is used. Knows nothing of models or attention but
// the tiles in which a head's keys and values lie.
#include "cache/kv_cache.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT_BYTES = 64 };

static size_t part_bytes(enum dtype dtype, int head_dim, enum kv_part part, int n_positions) {
    if (part == KV_KEYS) return kv_keys_bytes(dtype, head_dim, n_positions);
    if (part == KV_VALUES) return kv_values_bytes(dtype, head_dim, n_positions);
    return kv_scales_bytes(dtype, n_positions);
}

// Where the parts of a head begin; returns what a head needs.
static size_t lay_out(enum dtype dtype, int head_dim, int n_positions, size_t offsets[KV_PARTS]) {
    size_t size = 0;
    for (int part = 0; part < KV_PARTS; part++) {
        offsets[part] = size;
        size += part_bytes(dtype, head_dim, (enum kv_part)part, n_positions);
        size = (size + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
    }
    return size;
}

bool kv_cache_bytes(enum dtype dtype, int n_layers, int n_kv_heads, int head_dim,
                    int n_positions_max, uint64_t *size_bytes) {
    enum { MARGIN = 64 }; // of rounding up, in any dimension
    size_t offsets[KV_PARTS];
    // A bound first: what follows it cannot overflow.
    uint64_t bound = 2 * sizeof(float);
    if (!size_multiply(bound, (uint64_t)head_dim + MARGIN, &bound) ||
        !size_multiply(bound, (uint64_t)n_positions_max + MARGIN, &bound) ||
        !size_multiply(bound, (uint64_t)n_layers, &bound) ||
        !size_multiply(bound, (uint64_t)n_kv_heads, &bound) || bound > SIZE_MAX / 2)
        return false;
    *size_bytes = (uint64_t)lay_out(dtype, head_dim, n_positions_max, offsets) *
                  (uint64_t)n_layers * (uint64_t)n_kv_heads;
    return true;
}

enum status kv_cache_init(struct kv_cache *cache, enum dtype dtype, int n_layers, int n_kv_heads,
                          int head_dim, int n_positions_max, struct error *err) {
    uint64_t size;
    memset(cache, 0, sizeof *cache);
    if (!kv_dtype_is_known(dtype))
        return error_set(err, STATUS_UNSUPPORTED,
                         "a KV cache holds f32, f16, bf16 or i8, not type %d", (int)dtype);
    if (n_layers < 1 || n_kv_heads < 1 || head_dim < 1 || n_positions_max < 1)
        return error_set(err, STATUS_USAGE,
                         "KV cache of %d layers, %d heads of %d and %d positions makes no sense",
                         n_layers, n_kv_heads, head_dim, n_positions_max);
    if (!kv_cache_bytes(dtype, n_layers, n_kv_heads, head_dim, n_positions_max, &size))
        return error_set(err, STATUS_NO_MEMORY, "KV cache of %d positions is too large to address",
                         n_positions_max);
    cache->memory = aligned_alloc(ALIGNMENT_BYTES, (size_t)size);
    if (!cache->memory) return error_no_memory(err, "the KV cache", size);
    cache->dtype = dtype;
    cache->n_layers = n_layers;
    cache->n_kv_heads = n_kv_heads;
    cache->head_dim = head_dim;
    cache->n_positions_max = n_positions_max;
    cache->size_bytes = (size_t)size;
    cache->head_bytes = lay_out(dtype, head_dim, n_positions_max, cache->part_offsets);
    return STATUS_OK;
}

void kv_cache_deinit(struct kv_cache *cache) {
    if (cache->memory) {
        for (int layer = 0; layer < cache->n_layers; layer++)
            for (int head = 0; head < cache->n_kv_heads; head++)
                for (int part = 0; part < KV_PARTS; part++) {
                    size_t n_bytes;
                    uint8_t *bytes = kv_cache_part(cache, layer, head, (enum kv_part)part,
                                                   cache->n_written, &n_bytes);
                    explicit_bzero(bytes, n_bytes);
                }
        free(cache->memory);
    }
    memset(cache, 0, sizeof *cache);
}

static uint8_t *head_memory(const struct kv_cache *cache, int layer, int kv_head) {
    size_t index = (size_t)layer * (size_t)cache->n_kv_heads + (size_t)kv_head;
    return cache->memory + index * cache->head_bytes;
}

struct kv_head kv_cache_head(const struct kv_cache *cache, int layer, int kv_head) {
    uint8_t *memory = head_memory(cache, layer, kv_head);
    struct kv_head head = {.dtype = cache->dtype,
                           .keys = memory + cache->part_offsets[KV_KEYS],
                           .values = memory + cache->part_offsets[KV_VALUES]};
    if (cache->dtype == DTYPE_I8) {
        head.key_scales = (float *)(void *)(memory + cache->part_offsets[KV_KEY_SCALES]);
        head.value_scales = (float *)(void *)(memory + cache->part_offsets[KV_VALUE_SCALES]);
    }
    return head;
}

uint8_t *kv_cache_part(const struct kv_cache *cache, int layer, int kv_head, enum kv_part part,
                       int n_positions, size_t *size_bytes) {
    *size_bytes = part_bytes(cache->dtype, cache->head_dim, part, n_positions);
    return head_memory(cache, layer, kv_head) + cache->part_offsets[part];
}

void kv_cache_clear_rest(const struct kv_cache *cache) {
    int end = (cache->n_used + KV_TILE - 1) / KV_TILE * KV_TILE;
    for (int layer = 0; layer < cache->n_layers; layer++)
        for (int head = 0; head < cache->n_kv_heads; head++) {
            struct kv_head one = kv_cache_head(cache, layer, head);
            kv_tile_clear(&one, cache->head_dim, cache->n_used, end);
        }
}

void kv_cache_rewind(struct kv_cache *cache, int n_positions) {
    if (n_positions < 0) n_positions = 0;
    if (n_positions < cache->n_used) cache->n_used = n_positions;
}
