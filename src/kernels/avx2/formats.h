// SPDX-License-Identifier: Apache-2.0
// What the AVX2 product needs to know of each stored format, as inline bodies:
//   quants(chunk, b)  the 32 quants of block b of a chunk of 256, a byte each, in order
//   scales(chunk, ..) floats so that x[i] = scale[i / 16] * q[i] - min[i / 16]
// A format with a zero point (q4_0: q - 8) is one with a minimum of offset * scale; a format whose
// quants are signed has no minimum. Formats with groups of 32 have each scale twice.
#ifndef XL_KERNELS_AVX2_FORMATS_H
#define XL_KERNELS_AVX2_FORMATS_H

#include "kernels/avx2/vec_avx2.h"
#include "numeric/blocks.h"

#include <stdbool.h>
#include <stddef.h>

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

struct row_scales {
    float scale[16];
    float min[16];
};

typedef __m256i (*quants_function)(const uint8_t *chunk, int b);
typedef void (*scales_function)(const uint8_t *chunk, int n_blocks, struct row_scales *out);

// Always a compile-time constant.
struct format {
    quants_function quants;
    scales_function scales;
    int block_elements; // 32, or 256 for super-blocks
    int chunk_bytes;
    bool is_signed;    // quants are int8_t and there is no minimum
    bool has_groups16; // scales differ within a block of 32
};

VEC_INLINE uint16_t load_u16(const uint8_t *src) {
    uint16_t value;
    memcpy(&value, src, sizeof value);
    return value;
}

VEC_INLINE __m256i load_32(const uint8_t *src) {
    return _mm256_loadu_si256((const void *)src);
}

// 16 bytes to 32 nibbles: the low ones in the low half.
VEC_INLINE __m256i nibbles(const uint8_t *src) {
    __m256i twice = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)src));
    __m256i shifted = _mm256_srlv_epi32(twice, _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4));
    return _mm256_and_si256(shifted, _mm256_set1_epi8(15));
}

// Bit i of the word at src to byte i, as 16.
VEC_INLINE __m256i fifth_bits(const uint8_t *src) {
    int32_t word;
    memcpy(&word, src, sizeof word);
    __m256i spread =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201u);
    __m256i bytes = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(word), spread), bit);
    return _mm256_and_si256(_mm256_cmpeq_epi8(bytes, bit), _mm256_set1_epi8(16));
}

VEC_INLINE __m256i codebook(__m256i indices) {
    __m128i table = _mm_loadu_si128((const void *)iq4_codebook);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), indices);
}

// Moves each byte's bits from position `from` to position `to` and keeps those of `mask`.
VEC_INLINE __m256i move_bits(__m256i bytes, int from, int to, int mask) {
    __m256i moved = from > to   ? _mm256_srli_epi16(bytes, from - to)
                    : from < to ? _mm256_slli_epi16(bytes, to - from)
                                : bytes;
    return _mm256_and_si256(moved, _mm256_set1_epi8((char)mask));
}

VEC_INLINE __m256i quants_q4_0(const uint8_t *chunk, int b) {
    return nibbles(chunk + b * 18 + 2);
}

VEC_INLINE __m256i quants_q4_1(const uint8_t *chunk, int b) {
    return nibbles(chunk + b * 20 + 4);
}

VEC_INLINE __m256i quants_q5_0(const uint8_t *chunk, int b) {
    return _mm256_or_si256(nibbles(chunk + b * 22 + 6), fifth_bits(chunk + b * 22 + 2));
}

VEC_INLINE __m256i quants_q5_1(const uint8_t *chunk, int b) {
    return _mm256_or_si256(nibbles(chunk + b * 24 + 8), fifth_bits(chunk + b * 24 + 4));
}

VEC_INLINE __m256i quants_q8_0(const uint8_t *chunk, int b) {
    return load_32(chunk + b * 34 + 2);
}

VEC_INLINE __m256i quants_iq4_nl(const uint8_t *chunk, int b) {
    return codebook(nibbles(chunk + b * 18 + 2));
}

VEC_INLINE __m256i quants_iq4_xs(const uint8_t *chunk, int b) {
    return codebook(nibbles(chunk + offsetof(struct block_iq4_xs, qs) + b * 16));
}

VEC_INLINE __m256i quants_q2_k(const uint8_t *chunk, int b) {
    return move_bits(load_32(chunk + offsetof(struct block_q2_k, qs) + b / 4 * 32), b % 4 * 2, 0,
                     3);
}

VEC_INLINE __m256i quants_q3_k(const uint8_t *chunk, int b) {
    __m256i qs = load_32(chunk + offsetof(struct block_q3_k, qs) + b / 4 * 32);
    __m256i high = load_32(chunk + offsetof(struct block_q3_k, hmask));
    return _mm256_or_si256(move_bits(qs, b % 4 * 2, 0, 3), move_bits(high, b, 2, 4));
}

VEC_INLINE __m256i quants_q4_k(const uint8_t *chunk, int b) {
    return move_bits(load_32(chunk + offsetof(struct block_q4_k, qs) + b / 2 * 32), b % 2 * 4, 0,
                     15);
}

VEC_INLINE __m256i quants_q5_k(const uint8_t *chunk, int b) {
    __m256i qs = load_32(chunk + offsetof(struct block_q5_k, qs) + b / 2 * 32);
    __m256i high = load_32(chunk + offsetof(struct block_q5_k, qh));
    return _mm256_or_si256(move_bits(qs, b % 2 * 4, 0, 15), move_bits(high, b, 4, 16));
}

VEC_INLINE __m256i quants_q6_k(const uint8_t *chunk, int b) {
    __m256i low = load_32(chunk + offsetof(struct block_q6_k, ql) + b / 4 * 64 + b % 2 * 32);
    __m256i high = load_32(chunk + offsetof(struct block_q6_k, qh) + b / 4 * 32);
    return _mm256_or_si256(move_bits(low, b % 4 / 2 * 4, 0, 15),
                           move_bits(high, b % 4 * 2, 4, 0x30));
}

// The half floats at src, src + step, ..; zeros for blocks past n.
VEC_INLINE __m256 strided_halves(const uint8_t *src, int step, int n) {
    uint16_t h[8] = {0};
    if (n == 8)
        return _mm256_cvtph_ps(
            _mm_setr_epi16((short)load_u16(src), (short)load_u16(src + step),
                           (short)load_u16(src + 2 * step), (short)load_u16(src + 3 * step),
                           (short)load_u16(src + 4 * step), (short)load_u16(src + 5 * step),
                           (short)load_u16(src + 6 * step), (short)load_u16(src + 7 * step)));
    for (int b = 0; b < n; b++)
        h[b] = load_u16(src + b * step);
    return vec_from_f16(h);
}

// 8 values, one per block, to 16, one per group of 16.
VEC_INLINE void store_twice(float out[16], __m256 v) {
    __m256 low = _mm256_unpacklo_ps(v, v), high = _mm256_unpackhi_ps(v, v);
    _mm256_storeu_ps(out, _mm256_permute2f128_ps(low, high, 0x20));
    _mm256_storeu_ps(out + 8, _mm256_permute2f128_ps(low, high, 0x31));
}

// Small blocks with a zero point; offset 0 for signed formats.
VEC_INLINE void scales_small(const uint8_t *chunk, int block_bytes, int n_blocks, float offset,
                             struct row_scales *out) {
    __m256 scale = strided_halves(chunk, block_bytes, n_blocks);
    store_twice(out->scale, scale);
    if (offset != 0) store_twice(out->min, _mm256_mul_ps(scale, _mm256_set1_ps(offset)));
}

// Small blocks with d and m.
VEC_INLINE void scales_small_min(const uint8_t *chunk, int block_bytes, int n_blocks,
                                 struct row_scales *out) {
    __m256 min = strided_halves(chunk + 2, block_bytes, n_blocks);
    store_twice(out->scale, strided_halves(chunk, block_bytes, n_blocks));
    store_twice(out->min, _mm256_xor_ps(min, _mm256_set1_ps(-0.0f)));
}

VEC_INLINE void scales_q4_0(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    scales_small(chunk, sizeof(struct block_q4_0), n_blocks, 8, out);
}

VEC_INLINE void scales_q4_1(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    scales_small_min(chunk, sizeof(struct block_q4_1), n_blocks, out);
}

VEC_INLINE void scales_q5_0(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    scales_small(chunk, sizeof(struct block_q5_0), n_blocks, 16, out);
}

VEC_INLINE void scales_q5_1(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    scales_small_min(chunk, sizeof(struct block_q5_1), n_blocks, out);
}

VEC_INLINE void scales_q8_0(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    scales_small(chunk, sizeof(struct block_q8_0), n_blocks, 0, out);
}

VEC_INLINE void scales_iq4_nl(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    scales_small(chunk, sizeof(struct block_iq4_nl), n_blocks, 0, out);
}

VEC_INLINE __m256 half_at(const uint8_t *src) {
    return _mm256_cvtph_ps(_mm_set1_epi16((short)load_u16(src)));
}

// factor * the 16 signed bytes.
VEC_INLINE void store_scaled(float out[16], __m256 factor, __m128i integers) {
    __m256i low = _mm256_cvtepi8_epi32(integers);
    __m256i high = _mm256_cvtepi8_epi32(_mm_srli_si128(integers, 8));
    _mm256_storeu_ps(out, _mm256_mul_ps(factor, _mm256_cvtepi32_ps(low)));
    _mm256_storeu_ps(out + 8, _mm256_mul_ps(factor, _mm256_cvtepi32_ps(high)));
}

VEC_INLINE void store_offset(struct row_scales *out, float offset) {
    __m256 factor = _mm256_set1_ps(offset);
    _mm256_storeu_ps(out->min, _mm256_mul_ps(factor, _mm256_loadu_ps(out->scale)));
    _mm256_storeu_ps(out->min + 8, _mm256_mul_ps(factor, _mm256_loadu_ps(out->scale + 8)));
}

VEC_INLINE void scales_q2_k(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    (void)n_blocks;
    __m128i packed = _mm_loadu_si128((const void *)(chunk + offsetof(struct block_q2_k, scales)));
    __m128i low = _mm_set1_epi8(15);
    store_scaled(out->scale, half_at(chunk + offsetof(struct block_q2_k, d)),
                 _mm_and_si128(packed, low));
    store_scaled(out->min, half_at(chunk + offsetof(struct block_q2_k, dmin)),
                 _mm_and_si128(_mm_srli_epi16(packed, 4), low));
}

// 6-bit scales: low four bits in the nibbles of 8 bytes, high two in 4 bytes (see dequantize_k.c).
VEC_INLINE void scales_q3_k(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    (void)n_blocks;
    const uint8_t *scales = chunk + offsetof(struct block_q3_k, scales);
    uint64_t low;
    uint32_t high;
    memcpy(&low, scales, sizeof low);
    memcpy(&high, scales + 8, sizeof high);
    uint64_t nibble = 0x0f0f0f0f0f0f0f0fu;
    uint32_t pair = 0x03030303u;
    uint64_t high_first = (high & pair) | (uint64_t)(high >> 2 & pair) << 32;
    uint64_t high_second = (high >> 4 & pair) | (uint64_t)(high >> 6 & pair) << 32;
    __m128i integers = _mm_set_epi64x((long long)((low >> 4 & nibble) | high_second << 4),
                                      (long long)((low & nibble) | high_first << 4));
    store_scaled(out->scale, half_at(chunk + offsetof(struct block_q3_k, d)),
                 _mm_sub_epi8(integers, _mm_set1_epi8(32)));
    store_offset(out, 4);
}

// q4_k and q5_k: eight 6-bit scales and minima in 12 bytes (see dequantize_k.c), four at a time.
VEC_INLINE void scales_q4_k(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    (void)n_blocks;
    uint32_t words[3];
    memcpy(words, chunk + offsetof(struct block_q4_k, scales), sizeof words);
    uint32_t scale_high = (words[2] & 0x0f0f0f0fu) | (words[0] >> 6 & 0x03030303u) << 4;
    uint32_t min_high = (words[2] >> 4 & 0x0f0f0f0fu) | (words[1] >> 6 & 0x03030303u) << 4;
    uint64_t scale = (words[0] & 0x3f3f3f3fu) | (uint64_t)scale_high << 32;
    uint64_t min = (words[1] & 0x3f3f3f3fu) | (uint64_t)min_high << 32;
    __m128i scales = _mm_cvtsi64_si128((long long)scale), mins = _mm_cvtsi64_si128((long long)min);
    store_scaled(out->scale, half_at(chunk), _mm_unpacklo_epi8(scales, scales));
    store_scaled(out->min, half_at(chunk + 2), _mm_unpacklo_epi8(mins, mins));
}

VEC_INLINE void scales_q6_k(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    (void)n_blocks;
    const uint8_t *scales = chunk + offsetof(struct block_q6_k, scales);
    store_scaled(out->scale, half_at(chunk + offsetof(struct block_q6_k, d)),
                 _mm_loadu_si128((const void *)scales));
    store_offset(out, 32);
}

VEC_INLINE void scales_iq4_xs(const uint8_t *chunk, int n_blocks, struct row_scales *out) {
    (void)n_blocks;
    int32_t low;
    memcpy(&low, chunk + offsetof(struct block_iq4_xs, scales_l), sizeof low);
    __m128i packed = _mm_cvtsi32_si128(low);
    __m128i nibble = _mm_unpacklo_epi8(packed, _mm_srli_epi16(packed, 4));
    // bits 2 g and 2 g + 1 of the word to the top of lane g, then down
    __m128i word = _mm_set1_epi16((short)load_u16(chunk + offsetof(struct block_iq4_xs, scales_h)));
    __m128i place = _mm_setr_epi16(1 << 14, 1 << 12, 1 << 10, 1 << 8, 1 << 6, 1 << 4, 1 << 2, 1);
    __m128i high = _mm_slli_epi16(_mm_srli_epi16(_mm_mullo_epi16(word, place), 14), 4);
    __m128i bytes = _mm_and_si128(nibble, _mm_set1_epi8(15));
    bytes = _mm_or_si128(bytes, _mm_packus_epi16(high, high));
    bytes = _mm_sub_epi8(bytes, _mm_set1_epi8(32));
    store_scaled(out->scale, half_at(chunk), _mm_unpacklo_epi8(bytes, bytes));
}

#endif
#endif
