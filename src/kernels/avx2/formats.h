// SPDX-License-Identifier: Apache-2.0
// How AVX2 reads each packed type (numeric/packed.h): quants of 16 columns as bytes, group scales
// as int16, block scales and minima as floats. It knows nothing of activations or tiles.
//
//   value of a weight = scale * (quant - center) - min
//
// The center is subtracted by the products in integers and keeps sums of 16 products within int16:
// 16 * 16 * 127 and, for 6 bits, 8 * 32 * 127 are below 32768. Types with a minimum and a center
// have it moved into the minimum. Byte types (8 bits, codebooks) have no center: signed bytes.
#ifndef XL_KERNELS_AVX2_FORMATS_H
#define XL_KERNELS_AVX2_FORMATS_H

#include "kernels/avx2/vec_avx2.h"
#include "kernels/unroll.h"

#include "numeric/blocks.h"
#include "numeric/packed.h"

#include <stdbool.h>

// Rows 8h .. 8h+7 of quad lines 4g .. 4g+3 of a chunk.
typedef void (*quads_function)(const uint8_t *chunk, int g, int h, __m256i w[4]);

enum scale_kind {
    SCALE_F16,    // an f16 plane a block of 32, chunks of 64
    SCALE_S8,     // d * s8 plane
    SCALE_U8_MIN, // d * u8 plane, dmin * u8 plane
    SCALE_U4_MIN  // d * low nibble, dmin * high nibble of one u8 plane
};

struct format {
    quads_function quads;
    int quant_bytes; // of a chunk; its scales follow
    int chunk_bytes;
    int group;  // 16 or 32 columns share a scale
    int center; // subtracted from the quants in integers; 0 or 16 .. 32
    int zero;   // subtracted through the activation sums; 0 or 8
    enum scale_kind scales;
    bool has_min;
    bool is_byte; // quads are signed bytes
};

VEC_INLINE __m256i load_half_line(const uint8_t *line, int h) {
    return _mm256_load_si256((const void *)(line + 32 * h));
}

VEC_INLINE __m256i mask_bytes(__m256i v, char mask) {
    return _mm256_and_si256(v, _mm256_set1_epi8(mask));
}

VEC_INLINE void quads_nibble(const uint8_t *chunk, int g, int h, __m256i w[4]) {
    UNROLL for (int i = 0; i < 4; i += 2) {
        __m256i v = load_half_line(chunk + (2 * g + i / 2) * LINE_BYTES, h);
        w[i] = mask_bytes(v, 15);
        w[i + 1] = mask_bytes(_mm256_srli_epi16(v, 4), 15);
    }
}

// 32 bits of a 1-bit line to 32 bytes of 0 or `value`.
VEC_INLINE __m256i expand_bits(const uint8_t *word, char value) {
    uint32_t bits;
    memcpy(&bits, word, sizeof bits);
    __m256i bytes =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    __m256i select = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    __m256i v = _mm256_shuffle_epi8(_mm256_set1_epi32((int32_t)bits), bytes);
    return mask_bytes(_mm256_cmpeq_epi8(_mm256_and_si256(v, select), select), value);
}

VEC_INLINE void add_bit(const uint8_t *lines, int g, int h, char value, __m256i w[4]) {
    UNROLL for (int i = 0; i < 4; i++) w[i] =
        _mm256_or_si256(w[i], expand_bits(lines + 32 * g + 8 * i + 4 * h, value));
}

VEC_INLINE void quads_q5_small(const uint8_t *chunk, int g, int h, __m256i w[4]) {
    quads_nibble(chunk, g, h, w);
    add_bit(chunk + 8 * LINE_BYTES, g, h, 16, w);
}

VEC_INLINE void quads_q5_k(const uint8_t *chunk, int g, int h, __m256i w[4]) {
    quads_nibble(chunk, g, h, w);
    add_bit(chunk + 32 * LINE_BYTES, g, h, 16, w);
}

VEC_INLINE void quads_q2_k(const uint8_t *chunk, int g, int h, __m256i w[4]) {
    __m256i v = load_half_line(chunk + g * LINE_BYTES, h);
    UNROLL for (int i = 0; i < 4; i++) w[i] = mask_bytes(_mm256_srli_epi16(v, 2 * i), 3);
}

VEC_INLINE void quads_q3_k(const uint8_t *chunk, int g, int h, __m256i w[4]) {
    quads_q2_k(chunk, g, h, w);
    add_bit(chunk + 16 * LINE_BYTES, g, h, 4, w);
}

VEC_INLINE void quads_q6_k(const uint8_t *chunk, int g, int h, __m256i w[4]) {
    quads_nibble(chunk, g, h, w);
    __m256i v = load_half_line(chunk + (32 + g) * LINE_BYTES, h);
    w[0] = _mm256_or_si256(w[0], mask_bytes(_mm256_slli_epi16(v, 4), 0x30));
    w[1] = _mm256_or_si256(w[1], mask_bytes(_mm256_slli_epi16(v, 2), 0x30));
    w[2] = _mm256_or_si256(w[2], mask_bytes(v, 0x30));
    w[3] = _mm256_or_si256(w[3], mask_bytes(_mm256_srli_epi16(v, 2), 0x30));
}

VEC_INLINE void quads_codebook(const uint8_t *chunk, int g, int h, __m256i w[4]) {
    __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)iq4_codebook));
    quads_nibble(chunk, g, h, w);
    UNROLL for (int i = 0; i < 4; i++) w[i] = _mm256_shuffle_epi8(table, w[i]);
}

VEC_INLINE void quads_q8_0(const uint8_t *chunk, int g, int h, __m256i w[4]) {
    UNROLL for (int i = 0; i < 4; i++) w[i] = _mm256_xor_si256(
        load_half_line(chunk + (4 * g + i) * LINE_BYTES, h), _mm256_set1_epi8((char)0x80));
}

VEC_INLINE bool is_super(struct format format) { // chunks of 256
    return format.scales != SCALE_F16;
}

// 8 rows of a plane of bytes as int32.
VEC_INLINE __m256i load_plane_u8(const uint8_t *plane, int h) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(plane + 8 * h)));
}

VEC_INLINE __m256i load_plane_s8(const uint8_t *plane, int h) {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(plane + 8 * h)));
}

// The integer scale of group g of a chunk of 256, rows 8h .. 8h+7.
VEC_INLINE __m256i group_scale(const uint8_t *chunk, int g, int h, struct format format) {
    const uint8_t *plane = chunk + format.quant_bytes + PANEL_ROWS * g;
    if (format.scales == SCALE_S8) return load_plane_s8(plane, h);
    __m256i scale = load_plane_u8(plane, h);
    return format.scales == SCALE_U4_MIN ? _mm256_and_si256(scale, _mm256_set1_epi32(15)) : scale;
}

// As both int16 of every row: what maddwd multiplies sums of pairs by.
VEC_INLINE __m256i group_scale16(const uint8_t *chunk, int g, int h, struct format format) {
    __m256i scale = group_scale(chunk, g, h, format);
    return _mm256_blend_epi16(scale, _mm256_slli_epi32(scale, 16), 0xaa);
}

VEC_INLINE __m256 load_plane_f16(const uint8_t *plane, int h) {
    return vec_from_f16(plane + 16 * h);
}

// d of a chunk of 256.
VEC_INLINE __m256 super_scale(const uint8_t *chunk, int h, struct format format) {
    return load_plane_f16(chunk + format.chunk_bytes - LINE_BYTES, h);
}

// d of block b (0 or 1) of a chunk of 64.
VEC_INLINE __m256 block_scale(const uint8_t *chunk, int b, int h, struct format format) {
    return load_plane_f16(chunk + format.quant_bytes + 32 * b, h);
}

// The number that multiplies the sum of activations of block b of a chunk of 64 and is ADDED.
VEC_INLINE __m256 block_offset(const uint8_t *chunk, int b, int h, struct format format) {
    __m256 m = load_plane_f16(chunk + format.quant_bytes + LINE_BYTES + 32 * b, h);
    if (format.center == 0) return m;
    __m256 center = _mm256_set1_ps((float)format.center);
    return _mm256_fmadd_ps(center, block_scale(chunk, b, h, format), m);
}

// Likewise for group g of a chunk of 256.
VEC_INLINE __m256 group_offset(const uint8_t *chunk, int g, int h, struct format format) {
    const uint8_t *planes = chunk + format.quant_bytes;
    __m256 dmin = load_plane_f16(chunk + format.chunk_bytes - LINE_BYTES / 2, h);
    __m256i min = format.scales == SCALE_U4_MIN
                      ? _mm256_srli_epi32(load_plane_u8(planes + PANEL_ROWS * g, h), 4)
                      : load_plane_u8(planes + PANEL_ROWS * (8 + g), h);
    __m256 offset = _mm256_mul_ps(dmin, _mm256_cvtepi32_ps(min));
    offset = _mm256_sub_ps(_mm256_setzero_ps(), offset);
    if (format.center == 0) return offset;
    __m256i center =
        _mm256_mullo_epi32(group_scale(chunk, g, h, format), _mm256_set1_epi32(format.center));
    return _mm256_fmadd_ps(super_scale(chunk, h, format), _mm256_cvtepi32_ps(center), offset);
}

#endif
