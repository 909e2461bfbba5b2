// SPDX-License-Identifier: Apache-2.0
// What the AVX-512 products need to know of each packed type (numeric/packed.h), as inline bodies.
// Kernels walk k in chunks of 256; `chunk` points to the panel at such a place, that is to one
// super chunk or to four chunks of 64.
//   lines(chunk, b, w)  the eight quad lines of block b (of 32) as unsigned bytes
//   scale(chunk, g)     the 16 rows' scales of block b = g, or of group g (of 16) if has_groups16
//   min(chunk, g)       minima of block g (MIN_32) or of group g (MIN_16)
// q2_k and q3_k have integer scales small enough to go into the bytes (quant * scale < 256): their
// lines are products, their blocks of 32 have the one scale d, and no group of 16 is left.
#ifndef XL_KERNELS_AVX512_FORMATS_H
#define XL_KERNELS_AVX512_FORMATS_H

#include "kernels/avx512/vec_avx512.h"
#include "kernels/unroll.h"
#include "numeric/blocks.h"
#include "numeric/packed.h"

#include <stdbool.h>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

typedef void (*lines_function)(const uint8_t *chunk, int b, __m512i w[8]);
typedef __m512 (*plane_function)(const uint8_t *chunk, int g);

enum min_kind { MIN_NONE, MIN_32, MIN_16 };

// Always a compile-time constant.
struct format {
    lines_function lines;
    plane_function scale;
    plane_function min; // unless MIN_NONE
    int step_bytes;     // of 256 elements along k
    int zero;           // the lines hold quant + zero
    enum min_kind min_kind;
    bool has_groups16;
};

VEC512_INLINE __m512i load_line(const uint8_t *line) {
    return _mm512_load_si512((const void *)line);
}

VEC512_INLINE __m512i byte_mask(int mask) {
    return _mm512_set1_epi8((char)mask);
}

VEC512_INLINE __m512i shift_right(__m512i v, int count) {
    return count > 0 ? _mm512_srli_epi16(v, (unsigned)count) : v;
}

VEC512_INLINE __m512i shift_left(__m512i v, int count) {
    return count > 0 ? _mm512_slli_epi16(v, (unsigned)count) : v;
}

// a | (b & mask)
VEC512_INLINE __m512i merge_bits(__m512i a, __m512i b, int mask) {
    return _mm512_ternarylogic_epi32(a, b, byte_mask(mask), 0xf8);
}

// Eight quad lines from four nibble lines.
VEC512_INLINE void nibble_lines(const uint8_t *lines, __m512i w[8]) {
    UNROLL for (int j = 0; j < 4; j++) {
        __m512i line = load_line(lines + j * LINE_BYTES);
        w[2 * j] = _mm512_and_si512(line, byte_mask(15));
        w[2 * j + 1] = _mm512_and_si512(shift_right(line, 4), byte_mask(15));
    }
}

// Adds `value` where the 1-bit line has a one.
VEC512_INLINE void add_bits(const uint8_t *line, __m512i value, __m512i w[8]) {
    UNROLL for (int j = 0; j < 8; j++) {
        uint64_t bits;
        memcpy(&bits, line + 8 * j, sizeof bits);
        w[j] = _mm512_mask_add_epi8(w[j], (__mmask64)bits, w[j], value);
    }
}

// Four-bit indices to codebook values + 128.
VEC512_INLINE void look_up(__m512i w[8]) {
    __m128i book = _mm_loadu_si128((const void *)iq4_codebook);
    __m512i table = _mm512_broadcast_i32x4(_mm_xor_si128(book, _mm_set1_epi8((char)0x80)));
    UNROLL for (int j = 0; j < 8; j++) w[j] = _mm512_shuffle_epi8(table, w[j]);
}

// Block b of a chunk of 64s.
VEC512_INLINE const uint8_t *small_chunk(const uint8_t *chunk, int b, int chunk_bytes) {
    return chunk + (size_t)(b / 2) * (size_t)chunk_bytes;
}

enum {
    Q4_0_BYTES = 9 * LINE_BYTES, // of a chunk of 64
    Q4_1_BYTES = 10 * LINE_BYTES,
    Q5_0_BYTES = 11 * LINE_BYTES,
    Q5_1_BYTES = 12 * LINE_BYTES,
    Q8_0_BYTES = 17 * LINE_BYTES,
    Q4_K_BYTES = 37 * LINE_BYTES, // of a chunk of 256
    Q5_K_BYTES = 45 * LINE_BYTES,
    Q6_K_BYTES = 53 * LINE_BYTES,
    Q2_K_BYTES = 21 * LINE_BYTES,
    Q3_K_BYTES = 29 * LINE_BYTES,
    IQ4_XS_BYTES = 35 * LINE_BYTES
};

VEC512_INLINE void lines_q4_0(const uint8_t *chunk, int b, __m512i w[8]) {
    nibble_lines(small_chunk(chunk, b, Q4_0_BYTES) + b % 2 * 4 * LINE_BYTES, w);
}

VEC512_INLINE void lines_q4_1(const uint8_t *chunk, int b, __m512i w[8]) {
    nibble_lines(small_chunk(chunk, b, Q4_1_BYTES) + b % 2 * 4 * LINE_BYTES, w);
}

VEC512_INLINE void lines_iq4_nl(const uint8_t *chunk, int b, __m512i w[8]) {
    lines_q4_0(chunk, b, w);
    look_up(w);
}

VEC512_INLINE void lines_q5(const uint8_t *chunk, int b, __m512i w[8]) {
    nibble_lines(chunk + b % 2 * 4 * LINE_BYTES, w);
    add_bits(chunk + (8 + b % 2) * LINE_BYTES, byte_mask(16), w);
}

VEC512_INLINE void lines_q5_0(const uint8_t *chunk, int b, __m512i w[8]) {
    lines_q5(small_chunk(chunk, b, Q5_0_BYTES), b, w);
}

VEC512_INLINE void lines_q5_1(const uint8_t *chunk, int b, __m512i w[8]) {
    lines_q5(small_chunk(chunk, b, Q5_1_BYTES), b, w);
}

VEC512_INLINE void lines_q8_0(const uint8_t *chunk, int b, __m512i w[8]) {
    const uint8_t *lines = small_chunk(chunk, b, Q8_0_BYTES) + b % 2 * 8 * LINE_BYTES;
    UNROLL for (int j = 0; j < 8; j++) w[j] = load_line(lines + j * LINE_BYTES);
}

VEC512_INLINE void lines_q4_k(const uint8_t *chunk, int b, __m512i w[8]) {
    nibble_lines(chunk + b * 4 * LINE_BYTES, w);
}

VEC512_INLINE void lines_iq4_xs(const uint8_t *chunk, int b, __m512i w[8]) {
    lines_q4_k(chunk, b, w);
    look_up(w);
}

VEC512_INLINE void lines_q5_k(const uint8_t *chunk, int b, __m512i w[8]) {
    lines_q4_k(chunk, b, w);
    add_bits(chunk + (32 + b) * LINE_BYTES, byte_mask(16), w);
}

VEC512_INLINE void lines_q6_k(const uint8_t *chunk, int b, __m512i w[8]) {
    lines_q4_k(chunk, b, w);
    UNROLL for (int i = 0; i < 2; i++) {
        __m512i pairs = load_line(chunk + (32 + 2 * b + i) * LINE_BYTES);
        w[4 * i] = merge_bits(w[4 * i], shift_left(pairs, 4), 0x30);
        w[4 * i + 1] = merge_bits(w[4 * i + 1], shift_left(pairs, 2), 0x30);
        w[4 * i + 2] = merge_bits(w[4 * i + 2], pairs, 0x30);
        w[4 * i + 3] = merge_bits(w[4 * i + 3], shift_right(pairs, 2), 0x30);
    }
}

// The 16 bytes of a group plane, each in the four bytes of its row.
VEC512_INLINE __m512i spread_plane(const uint8_t *plane) {
    const __m512i order = _mm512_set_epi64(
        0x0f0f0f0f0e0e0e0e, 0x0d0d0d0d0c0c0c0c, 0x0b0b0b0b0a0a0a0a, 0x0909090908080808,
        0x0707070706060606, 0x0505050504040404, 0x0303030302020202, 0x0101010100000000);
    __m128i bytes = _mm_load_si128((const void *)plane);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(bytes), order);
}

// Four quad lines from a 2-bit line: bits v of row r become byte v of r's four in `table`. A lane
// of 16 bytes holds the tables of its own four rows, so one byte shuffle does all.
VEC512_INLINE void look_up_pairs(const uint8_t *line, __m512i table, __m512i w[4]) {
    const __m512i own =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
    __m512i pairs = load_line(line);
    UNROLL for (int i = 0; i < 4; i++) {
        __m512i index = merge_bits(own, shift_right(pairs, 2 * i), 3);
        w[i] = _mm512_shuffle_epi8(table, index);
    }
}

// scale * {0, 1, 2, 3} in each row's four bytes (modulo 256).
VEC512_INLINE __m512i multiples(__m512i scale) {
    __m512i odd = _mm512_and_si512(scale, _mm512_set1_epi32((int)0xff00ff00u));
    __m512i twice = _mm512_add_epi8(scale, scale);
    return _mm512_add_epi8(odd, _mm512_and_si512(twice, _mm512_set1_epi32((int)0xffff0000u)));
}

// quant * scale <= 3 * 15
VEC512_INLINE void lines_q2_k(const uint8_t *chunk, int b, __m512i w[8]) {
    UNROLL for (int i = 0; i < 2; i++) {
        __m512i plane = spread_plane(chunk + 16 * LINE_BYTES + (2 * b + i) * PANEL_ROWS);
        __m512i table = multiples(_mm512_and_si512(plane, byte_mask(15)));
        look_up_pairs(chunk + (2 * b + i) * LINE_BYTES, table, w + 4 * i);
    }
}

// (quant - 4) * scale + 127: from -4 * 31 + 127 = 3 to -4 * -32 + 127 = 255.
VEC512_INLINE void lines_q3_k(const uint8_t *chunk, int b, __m512i w[8]) {
    UNROLL for (int i = 0; i < 2; i++) {
        __m512i scale = spread_plane(chunk + 24 * LINE_BYTES + (2 * b + i) * PANEL_ROWS);
        __m512i twice = _mm512_add_epi8(scale, scale), fourfold = _mm512_add_epi8(twice, twice);
        __m512i lowest = _mm512_sub_epi8(byte_mask(127), fourfold);
        __m512i table = _mm512_add_epi8(multiples(scale), lowest);
        look_up_pairs(chunk + (2 * b + i) * LINE_BYTES, table, w + 4 * i);
        UNROLL for (int j = 0; j < 4; j++) {
            uint64_t bits;
            memcpy(&bits, chunk + (16 + b) * LINE_BYTES + 8 * (4 * i + j), sizeof bits);
            w[4 * i + j] =
                _mm512_mask_add_epi8(w[4 * i + j], (__mmask64)bits, w[4 * i + j], fourfold);
        }
    }
}

// Plane g of the f16 planes that end at `lines` lines into a chunk of 64.
VEC512_INLINE __m512 half_plane(const uint8_t *chunk, int g, int chunk_bytes, int line) {
    return vec512_from_f16(small_chunk(chunk, g, chunk_bytes) + line * LINE_BYTES +
                           g % 2 * (LINE_BYTES / 2));
}

VEC512_INLINE __m512 scale_q4_0(const uint8_t *chunk, int g) {
    return half_plane(chunk, g, Q4_0_BYTES, 8);
}

VEC512_INLINE __m512 scale_q4_1(const uint8_t *chunk, int g) {
    return half_plane(chunk, g, Q4_1_BYTES, 8);
}

VEC512_INLINE __m512 negative(__m512 v) {
    return _mm512_xor_ps(v, _mm512_set1_ps(-0.0f));
}

VEC512_INLINE __m512 min_q4_1(const uint8_t *chunk, int g) {
    return negative(half_plane(chunk, g, Q4_1_BYTES, 9));
}

VEC512_INLINE __m512 scale_q5_0(const uint8_t *chunk, int g) {
    return half_plane(chunk, g, Q5_0_BYTES, 10);
}

VEC512_INLINE __m512 scale_q5_1(const uint8_t *chunk, int g) {
    return half_plane(chunk, g, Q5_1_BYTES, 10);
}

VEC512_INLINE __m512 min_q5_1(const uint8_t *chunk, int g) {
    return negative(half_plane(chunk, g, Q5_1_BYTES, 11));
}

VEC512_INLINE __m512 scale_q8_0(const uint8_t *chunk, int g) {
    return half_plane(chunk, g, Q8_0_BYTES, 16);
}

VEC512_INLINE __m128i load_plane(const uint8_t *plane) {
    return _mm_load_si128((const void *)plane);
}

// d (or dmin) times a plane of bytes; d stands in the last line of a super chunk, dmin behind it.
VEC512_INLINE __m512 times_unsigned(const uint8_t *halves, __m128i plane) {
    return _mm512_mul_ps(vec512_from_f16(halves), _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(plane)));
}

VEC512_INLINE __m512 times_signed(const uint8_t *halves, __m128i plane) {
    return _mm512_mul_ps(vec512_from_f16(halves), _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(plane)));
}

VEC512_INLINE __m512 scale_q4_k(const uint8_t *chunk, int g) {
    return times_unsigned(chunk + 36 * LINE_BYTES,
                          load_plane(chunk + 32 * LINE_BYTES + g * PANEL_ROWS));
}

VEC512_INLINE __m512 min_q4_k(const uint8_t *chunk, int g) {
    return times_unsigned(chunk + 36 * LINE_BYTES + LINE_BYTES / 2,
                          load_plane(chunk + 34 * LINE_BYTES + g * PANEL_ROWS));
}

VEC512_INLINE __m512 scale_q5_k(const uint8_t *chunk, int g) {
    return times_unsigned(chunk + 44 * LINE_BYTES,
                          load_plane(chunk + 40 * LINE_BYTES + g * PANEL_ROWS));
}

VEC512_INLINE __m512 min_q5_k(const uint8_t *chunk, int g) {
    return times_unsigned(chunk + 44 * LINE_BYTES + LINE_BYTES / 2,
                          load_plane(chunk + 42 * LINE_BYTES + g * PANEL_ROWS));
}

VEC512_INLINE __m512 scale_q6_k(const uint8_t *chunk, int g) {
    return times_signed(chunk + 52 * LINE_BYTES,
                        load_plane(chunk + 48 * LINE_BYTES + g * PANEL_ROWS));
}

VEC512_INLINE __m512 scale_iq4_xs(const uint8_t *chunk, int g) {
    return times_signed(chunk + 34 * LINE_BYTES,
                        load_plane(chunk + 32 * LINE_BYTES + g * PANEL_ROWS));
}

VEC512_INLINE __m512 scale_q2_k(const uint8_t *chunk, int g) {
    (void)g;
    return vec512_from_f16(chunk + 20 * LINE_BYTES);
}

VEC512_INLINE __m512 min_q2_k(const uint8_t *chunk, int g) {
    __m128i plane = load_plane(chunk + 16 * LINE_BYTES + g * PANEL_ROWS);
    plane = _mm_and_si128(_mm_srli_epi16(plane, 4), _mm_set1_epi8(15));
    return times_unsigned(chunk + 20 * LINE_BYTES + LINE_BYTES / 2, plane);
}

VEC512_INLINE __m512 scale_q3_k(const uint8_t *chunk, int g) {
    (void)g;
    return vec512_from_f16(chunk + 28 * LINE_BYTES);
}

#endif
#endif
