// SPDX-License-Identifier: Apache-2.0
// Integer products of unsigned quants with int8 activations, and the tile of 16 rows x 6 tokens.
// It knows formats by their traits only; loops over matrices are in matmul_quant.c.
//
// One step multiplies a quad line (4 columns of 16 rows, two registers) by 4 columns of each token:
//   maddubs: u8 x s8 -> sums of 2 in int16; these are added up over all quads of a group in int16
//   maddwd:  by the group's integer scale (or 1) and to int32, once a group.
// Quants up to 15 fit as they are: 8 quads * 2 * 15 * 127 = 30480. Larger ones start from
// minus center * the sum of the same activations, so that the total is that of (quant - center);
// int16 additions wrap, hence only the total must fit. Signed bytes w are taken apart as
// 16 * high + low, both of 4 bits, high with center 8.
//
// Registers of the inner loop: 12 sums, 2 of weights, 1 of activations, 1 product: all 16.
#ifndef XL_KERNELS_AVX2_TILE_H
#define XL_KERNELS_AVX2_TILE_H

#include "kernels/avx2/formats.h"
#include "kernels/kernels.h"

enum { TILE_TOKENS = 6 };

// What the products need of a token's chunk beside the chunk itself.
struct token_side {
    float zero_sum[8]; // format.zero * sum of each block
    int32_t
        start[16]; // of each group: two int16 -center * sum of columns 0, 1 and 2, 3 of its quads
};

// One chunk of 256 columns of a panel, ready for any number of tiles.
struct unpacked {
    _Alignas(64) uint8_t q[64][64]; // quad lines
    uint8_t high[64][64];           // byte types: the high nibbles
    int16_t scale[16][2][16];       // of each group
    int16_t scale_high[16][2][16];  // byte types: 16 times those
    float d[8][2][8];               // of each block, or [0] of the chunk
    float offset[16][2][8];
};

VEC_INLINE __m256i load_vector(const void *x) {
    return _mm256_load_si256(x);
}

VEC_INLINE __m256i broadcast_quad(const int8_t *x) {
    int32_t quad;
    memcpy(&quad, x, sizeof quad);
    return _mm256_set1_epi32(quad);
}

VEC_INLINE __m256i unpack_add(__m256i a, __m256i b) {
    return _mm256_add_epi16(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}

VEC_INLINE __m256i unpack_add64(__m256i a, __m256i b) {
    return _mm256_add_epi16(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}

// The start values: columns in pairs, then the quads of a group added up by a tree of unpacks.
VEC_INLINE void set_starts(const struct act_chunk_q8 *x, int group, int center, int32_t *start) {
    __m256i pairs[8];
    UNROLL for (int b = 0; b < 8; b++) pairs[b] = _mm256_maddubs_epi16(
        _mm256_set1_epi8(1), _mm256_loadu_si256((const void *)(x->q + 32 * b)));
    __m256i factor = _mm256_set1_epi16((int16_t)-center);
    __m256i quarter[4], half[2];
    UNROLL for (int i = 0; i < 4; i++) quarter[i] = unpack_add(pairs[2 * i], pairs[2 * i + 1]);
    UNROLL for (int i = 0; i < 2; i++) half[i] =
        _mm256_mullo_epi16(factor, unpack_add64(quarter[2 * i], quarter[2 * i + 1]));
    if (group == 16) { // half[i]: first groups of blocks 4i .. 4i+3, then their second groups
        UNROLL for (int i = 0; i < 2; i++) _mm256_storeu_si256((void *)(start + 8 * i), half[i]);
    } else {
        __m256i low = _mm256_permute2x128_si256(half[0], half[1], 0x20);
        __m256i high = _mm256_permute2x128_si256(half[0], half[1], 0x31);
        _mm256_storeu_si256((void *)start, _mm256_add_epi16(low, high));
    }
}

// Where set_starts put group i (0 or 1) of block b.
VEC_INLINE int start_index(int b, int i, int group) {
    return group == 16 ? b / 4 * 8 + 4 * i + b % 4 : b;
}

VEC_INLINE void set_token_side(const struct act_chunk_q8 *x, struct format format,
                               struct token_side *side) {
    if (format.zero)
        _mm256_storeu_ps(side->zero_sum, _mm256_mul_ps(_mm256_set1_ps((float)format.zero),
                                                       _mm256_loadu_ps(x->sum)));
    if (format.center) set_starts(x, format.group, format.center, side->start);
}

// 6 tokens' chunks, `stride` bytes apart.
struct tile_tokens {
    const uint8_t *chunks;
    size_t stride;
    const struct token_side *sides;
};

VEC_INLINE const struct act_chunk_q8 *tile_chunk(const struct tile_tokens *tokens, int t) {
    return (const struct act_chunk_q8 *)(const void *)(tokens->chunks + (size_t)t * tokens->stride);
}

// c[t][h] += one quad line times a quad of each of 3 tokens. Written in assembly because compilers
// move the broadcasts and products of several tokens together, run out of registers and spill sums:
// here a token's broadcast and products need two registers, whatever stands around them.
VEC_INLINE void add_quad(__m256i c[3][2], __m256i w0, __m256i w1, const int8_t *x0,
                         const int8_t *x1, const int8_t *x2) {
    __m256i x, p;
    __asm__("vpbroadcastd %[x0], %[x]\n\t"
            "vpmaddubsw %[x], %[w0], %[p]\n\t"
            "vpmaddubsw %[x], %[w1], %[x]\n\t"
            "vpaddw %[p], %[c0], %[c0]\n\t"
            "vpaddw %[x], %[c1], %[c1]\n\t"
            "vpbroadcastd %[x1], %[x]\n\t"
            "vpmaddubsw %[x], %[w0], %[p]\n\t"
            "vpmaddubsw %[x], %[w1], %[x]\n\t"
            "vpaddw %[p], %[c2], %[c2]\n\t"
            "vpaddw %[x], %[c3], %[c3]\n\t"
            "vpbroadcastd %[x2], %[x]\n\t"
            "vpmaddubsw %[x], %[w0], %[p]\n\t"
            "vpmaddubsw %[x], %[w1], %[x]\n\t"
            "vpaddw %[p], %[c4], %[c4]\n\t"
            "vpaddw %[x], %[c5], %[c5]"
            : [c0] "+x"(c[0][0]), [c1] "+x"(c[0][1]), [c2] "+x"(c[1][0]), [c3] "+x"(c[1][1]),
              [c4] "+x"(c[2][0]), [c5] "+x"(c[2][1]), [x] "=&x"(x), [p] "=&x"(p)
            : [w0] "x"(w0), [w1] "x"(w1), [x0] "m"(*(const int32_t *)(const void *)x0),
              [x1] "m"(*(const int32_t *)(const void *)x1),
              [x2] "m"(*(const int32_t *)(const void *)x2));
}

// Likewise for one token.
VEC_INLINE void add_quad1(__m256i c[2], __m256i w0, __m256i w1, const int8_t *x0) {
    __m256i x, p;
    __asm__("vpbroadcastd %[x0], %[x]\n\t"
            "vpmaddubsw %[x], %[w0], %[p]\n\t"
            "vpmaddubsw %[x], %[w1], %[x]\n\t"
            "vpaddw %[p], %[c0], %[c0]\n\t"
            "vpaddw %[x], %[c1], %[c1]"
            : [c0] "+x"(c[0]), [c1] "+x"(c[1]), [x] "=&x"(x), [p] "=&x"(p)
            : [w0] "x"(w0), [w1] "x"(w1), [x0] "m"(*(const int32_t *)(const void *)x0));
}

// c[t][h] = sum over the quads of one group; `column` is its first.
VEC_INLINE void sum_group(__m256i c[TILE_TOKENS][2], const uint8_t (*lines)[64],
                          const struct tile_tokens *tokens, int column, int n_quads, int start,
                          bool has_start) {
    __m256i w0 = load_vector(lines[0]), w1 = load_vector(lines[0] + 32);
    UNROLL for (int t = 0; t < TILE_TOKENS; t++) {
        __m256i x = broadcast_quad(tile_chunk(tokens, t)->q + column);
        c[t][0] = _mm256_maddubs_epi16(w0, x);
        c[t][1] = _mm256_maddubs_epi16(w1, x);
        if (!has_start) continue;
        x = _mm256_set1_epi32(tokens->sides[t].start[start]);
        c[t][0] = _mm256_add_epi16(c[t][0], x);
        c[t][1] = _mm256_add_epi16(c[t][1], x);
    }
    UNROLL for (int i = 1; i < n_quads; i++) {
        const int8_t *x[TILE_TOKENS];
        w0 = load_vector(lines[i]);
        w1 = load_vector(lines[i] + 32);
        UNROLL for (int t = 0; t < TILE_TOKENS; t++) x[t] =
            tile_chunk(tokens, t)->q + column + 4 * i;
        add_quad(c, w0, w1, x[0], x[1], x[2]);
        add_quad(c + 3, w0, w1, x[3], x[4], x[5]);
    }
}

VEC_INLINE void scale_group(__m256i s[TILE_TOKENS][2], __m256i c[TILE_TOKENS][2],
                            int16_t (*scale)[16], bool is_first) {
    UNROLL for (int t = 0; t < TILE_TOKENS; t++) UNROLL for (int h = 0; h < 2; h++) {
        __m256i p = _mm256_madd_epi16(c[t][h], load_vector(scale[h]));
        s[t][h] = is_first ? p : _mm256_add_epi32(s[t][h], p);
    }
}

// The integer sums of block b.
VEC_INLINE void sum_block(__m256i s[TILE_TOKENS][2], struct unpacked *w,
                          const struct tile_tokens *tokens, int b, struct format format) {
    __m256i c[TILE_TOKENS][2];
    int n_groups = 32 / format.group, n_quads = format.group / 4;
    UNROLL for (int i = 0; i < n_groups; i++) {
        int column = 32 * b + 16 * i, g = n_groups * b + i, start = start_index(b, i, format.group);
        sum_group(c, (const void *)w->q[column / 4], tokens, column, n_quads, start,
                  format.center && !format.is_byte);
        scale_group(s, c, w->scale[g], i == 0);
        if (!format.is_byte) continue;
        sum_group(c, (const void *)w->high[column / 4], tokens, column, n_quads, start, true);
        scale_group(s, c, w->scale_high[g], false);
    }
}

// acc += block b of a chunk of 64; for larger chunks acc += without their scale d.
VEC_INLINE void add_block(float (*acc)[16], __m256i s[TILE_TOKENS][2], const struct unpacked *w,
                          const struct tile_tokens *tokens, int b, struct format format) {
    __asm__("" : "+r"(acc)); // else a compiler keeps all of acc in registers that there are not
    UNROLL for (int t = 0; t < TILE_TOKENS; t++) {
        const struct act_chunk_q8 *x = tile_chunk(tokens, t);
        __m256 scale = _mm256_broadcast_ss(x->scale + b);
        UNROLL for (int h = 0; h < 2; h++) {
            __m256 sum = _mm256_cvtepi32_ps(s[t][h]);
            __m256 a = _mm256_load_ps(acc[t] + 8 * h);
            if (is_super(format)) {
                a = _mm256_fmadd_ps(sum, scale, a);
            } else {
                sum = format.zero
                          ? _mm256_fmsub_ps(sum, scale,
                                            _mm256_broadcast_ss(tokens->sides[t].zero_sum + b))
                          : _mm256_mul_ps(sum, scale);
                a = _mm256_fmadd_ps(_mm256_load_ps(w->d[b][h]), sum, a);
                if (format.has_min)
                    a = _mm256_fmadd_ps(_mm256_load_ps(w->offset[b][h]),
                                        _mm256_broadcast_ss(x->sum + b), a);
            }
            _mm256_store_ps(acc[t] + 8 * h, a);
        }
    }
}

// acc += d * part + the minima of a chunk of 256.
VEC_INLINE void add_super(float (*acc)[16], float (*part)[16], const struct unpacked *w,
                          const struct tile_tokens *tokens, struct format format) {
    __m256 a[TILE_TOKENS][2];
    UNROLL for (int t = 0; t < TILE_TOKENS; t++) UNROLL for (int h = 0; h < 2; h++) a[t][h] =
        _mm256_fmadd_ps(_mm256_load_ps(w->d[0][h]), _mm256_load_ps(part[t] + 8 * h),
                        _mm256_load_ps(acc[t] + 8 * h));
    if (format.has_min) {
        for (int g = 0; g < ACT_CHUNK / format.group; g++) {
            __m256 m0 = _mm256_load_ps(w->offset[g][0]), m1 = _mm256_load_ps(w->offset[g][1]);
            UNROLL for (int t = 0; t < TILE_TOKENS; t++) {
                const struct act_chunk_q8 *x = tile_chunk(tokens, t);
                __m256 sum = _mm256_broadcast_ss((format.group == 16 ? x->sum16 : x->sum) + g);
                a[t][0] = _mm256_fmadd_ps(m0, sum, a[t][0]);
                a[t][1] = _mm256_fmadd_ps(m1, sum, a[t][1]);
            }
        }
    }
    UNROLL for (int t = 0; t < TILE_TOKENS; t++) UNROLL for (int h = 0; h < 2; h++)
        _mm256_store_ps(acc[t] + 8 * h, a[t][h]);
}

// acc[6][16] += n_blocks blocks of an unpacked chunk times 6 tokens.
VEC_INLINE void run_tile(struct unpacked *w, const struct tile_tokens *tokens, int n_blocks,
                         float (*acc)[16], struct format format) {
    _Alignas(32) float part[TILE_TOKENS][16];
    if (is_super(format)) memset(part, 0, sizeof part);
    for (int b = 0; b < n_blocks; b++) {
        __m256i s[TILE_TOKENS][2];
        sum_block(s, w, tokens, b, format);
        add_block(is_super(format) ? part : acc, s, w, tokens, b, format);
    }
    if (is_super(format)) add_super(acc, part, w, tokens, format);
}

#endif
