// SPDX-License-Identifier: Apache-2.0
// Keys and values of one timeline, all layers, preallocated once; written in place by the forward
// pass (no copy), rewound by lowering n_used.
//
//   per layer:  keys   [n_kv_heads][n_positions_max][head_dim]   of dtype (F32 or F16)
//               values [n_kv_heads][n_positions_max][head_dim]
#ifndef XL_CACHE_KV_CACHE_H
#define XL_CACHE_KV_CACHE_H

#include "base/status.h"
#include "numeric/dtype.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kv_cache {
    enum dtype dtype;
    int n_layers, n_kv_heads, head_dim;
    int n_positions_max;
    int n_used;    // positions that hold valid data, the same in all layers
    int n_written; // the most positions that ever held data; what deinit must wipe
    uint8_t *memory;
    size_t size_bytes;
};

enum status kv_cache_init(struct kv_cache *cache, enum dtype dtype, int n_layers, int n_kv_heads,
                          int head_dim, int n_positions_max, struct error *err);
void kv_cache_deinit(struct kv_cache *cache); // wipes the memory: it holds patient text
// Start of a head's keys or values: [n_positions_max][head_dim] of dtype.
void *kv_cache_keys(const struct kv_cache *cache, int layer, int kv_head);
void *kv_cache_values(const struct kv_cache *cache, int layer, int kv_head);
// Bytes of one position of one head.
size_t kv_cache_stride_bytes(const struct kv_cache *cache);
// Forgets positions n_positions and later.
void kv_cache_rewind(struct kv_cache *cache, int n_positions);

#ifdef __cplusplus
}
#endif
#endif
