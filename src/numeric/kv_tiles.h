// SPDX-License-Identifier: Apache-2.0
// How keys and values of one KV head lie in memory: in pages of 64 positions, which hold tiles
// along the positions, so that attention reads whole cache lines of 16 positions (keys) or 16
// elements (values) and never adds across a register. In a page:
//
//   f32, f16   keys [pos / 16][head_dim][16]           values [pos][head_dim]
//   bf16       keys [pos / 16][head_dim / 2][16][2]    values [pos / 2][head_dim][2]
//   i8         keys [pos / 16][head_dim / 4][16][4]    values [pos][head_dim]
//
// head_dim / 2 and / 4 are rounded up; the keys of bf16 and i8 are padded with zeros. i8 is signed
// with one float scale a position: x = scale * q, scale = max|x| / 127, q rounded half to even; a
// vector with an infinity or a NaN has scale NaN, so that damage shows. The keys of i8 are rotated
// first (kv_rotate): some models' keys have a few channels far larger than the others, which would
// leave the others few of the 8 bits.
#ifndef XL_NUMERIC_KV_TILES_H
#define XL_NUMERIC_KV_TILES_H

#include "numeric/dtype.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KV_TILE = 16, KV_PAGE = 64 }; // positions

// The parts of a head, in the order in which they lie in a page.
enum kv_part { KV_KEYS, KV_VALUES, KV_KEY_SCALES, KV_VALUE_SCALES, KV_PARTS };

struct kv_head {
    enum dtype dtype;         // DTYPE_F32, DTYPE_F16, DTYPE_BF16 or DTYPE_I8
    uint8_t *const *pages;    // page p has positions KV_PAGE * p .. KV_PAGE * (p + 1) - 1
    size_t offsets[KV_PARTS]; // of the head's parts in every page, multiples of 64; scales: i8 only
};

// What a page holds of one head.
struct kv_page {
    void *keys, *values;              // 64-byte aligned
    float *key_scales, *value_scales; // [KV_PAGE]; i8 only
};

// The page of a position.
static inline struct kv_page kv_page_at(const struct kv_head *head, int position) {
    uint8_t *page = head->pages[position / KV_PAGE];
    return (struct kv_page){page + head->offsets[KV_KEYS], page + head->offsets[KV_VALUES],
                            (float *)(void *)(page + head->offsets[KV_KEY_SCALES]),
                            (float *)(void *)(page + head->offsets[KV_VALUE_SCALES])};
}

bool kv_dtype_is_known(enum dtype dtype);
// Bytes of one head's keys, values, and either's scales (i8; else 0), for n_positions rounded up to
// KV_TILE. The caller sees to it that they fit a size_t.
size_t kv_keys_bytes(enum dtype dtype, int head_dim, int n_positions);
size_t kv_values_bytes(enum dtype dtype, int head_dim, int n_positions);
size_t kv_scales_bytes(enum dtype dtype, int n_positions);
// How many elements of a head are rotated together: the largest power of two, at most
// KV_ROTATION_MAX, that divides head_dim.
enum { KV_ROTATION_MAX = 256 };
int kv_rotation_size(int head_dim);
// out = every `size` of the n elements of x times the Hadamard matrix, not scaled: the product of
// two rotated vectors is `size` times that of the vectors. The same bytes on every level. out is
// not x.
void kv_rotate(const float *x, float *out, int n, int size);
// Zeros at positions [begin, end) of a page, end at most begin rounded up to KV_TILE: what is left
// of other texts in a tile that is to be copied as a whole.
void kv_tile_clear(const struct kv_page *page, enum dtype dtype, int head_dim, int begin, int end);

#ifdef __cplusplus
}
#endif
#endif
