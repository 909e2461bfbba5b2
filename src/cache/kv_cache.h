// SPDX-License-Identifier: Apache-2.0
// Keys and values of one timeline, all layers, preallocated once; written in place by the forward
// pass (no copy), rewound by lowering n_used. What lies behind n_used is whatever was there before.
//
//   per layer and KV head, each part at a multiple of 64 bytes, for n_positions_max rounded up to
//   KV_TILE: keys, values (tiles) and, for I8, key scales and value scales
#ifndef XL_CACHE_KV_CACHE_H
#define XL_CACHE_KV_CACHE_H

#include "base/status.h"
#include "numeric/kv_tiles.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The parts of a head, in the order in which they lie in memory.
enum kv_part { KV_KEYS, KV_VALUES, KV_KEY_SCALES, KV_VALUE_SCALES, KV_PARTS };

struct kv_cache {
    enum dtype dtype; // F32, F16, BF16 or I8
    int n_layers, n_kv_heads, head_dim;
    int n_positions_max;
    int n_used;    // positions that hold valid data, the same in all layers
    int n_written; // the most positions that ever held data; what deinit must wipe
    uint8_t *memory;
    size_t size_bytes, head_bytes; // of all, and of one head's parts together
    size_t part_offsets[KV_PARTS]; // in a head
};

// What kv_cache_init() would allocate; false if that cannot be addressed.
bool kv_cache_bytes(enum dtype dtype, int n_layers, int n_kv_heads, int head_dim,
                    int n_positions_max, uint64_t *size_bytes);
enum status kv_cache_init(struct kv_cache *cache, enum dtype dtype, int n_layers, int n_kv_heads,
                          int head_dim, int n_positions_max, struct error *err);
void kv_cache_deinit(struct kv_cache *cache); // wipes the memory: it holds patient text
// One head as the kernels want it.
struct kv_head kv_cache_head(const struct kv_cache *cache, int layer, int kv_head);
// The bytes of a head that hold its first n_positions, rounded up to whole tiles; *size_bytes is 0
// for parts that the type does not have.
uint8_t *kv_cache_part(const struct kv_cache *cache, int layer, int kv_head, enum kv_part part,
                       int n_positions, size_t *size_bytes);
// Zeros what the last tile of every head holds from n_used on.
void kv_cache_clear_rest(const struct kv_cache *cache);
// Forgets positions n_positions and later.
void kv_cache_rewind(struct kv_cache *cache, int n_positions);

#ifdef __cplusplus
}
#endif
#endif
