// SPDX-License-Identifier: Apache-2.0
// From a stored weight format to one common shape: 256 quants of a byte each, their scales and
// minima. Plain loops that say what the formats mean.
//
//   stored row  | d q q q .. | d q q q .. |        any of the block formats (numeric/blocks.h)
//                     | unpack_FORMAT: a chunk of 256 (8 blocks of 32, or a super-block)
//   panel_row   q[256] bytes, half[] and group integers as stored
//                     | matmul_quant.c, finish(): halves to floats
//               scale[16], min[16]: x[i] = scale[i / 16] * q[i] - min[i / 16]
//
// A format with a zero point (q4_0: q - 8) is one with a minimum of offset * scale. Formats with
// groups of 32 have each scale twice.
#ifndef XL_KERNELS_SCALAR_UNPACK_H
#define XL_KERNELS_SCALAR_UNPACK_H

#include "kernels/kernels.h"
#include "numeric/blocks.h"

#include <stdint.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

struct panel_row {
    _Alignas(32) uint8_t q[256]; // int8_t if the format is signed
    float scale[16];
    float min[16];
    uint16_t half[16];      // small blocks: d of block b at [b], m at [8 + b]; super: d, dmin
    int8_t group_scale[16]; // super-blocks: integers that refine d and dmin
    int8_t group_min[16];
};

// What distinguishes the formats after unpacking. Always a compile-time constant.
struct weight_form {
    int chunk_bytes;   // of 256 stored elements
    bool is_super;     // one super-block a chunk, else up to 8 small blocks
    bool is_signed;    // q is int8_t and there is no minimum
    bool has_min;      // stored minimum; else min = offset * scale
    bool has_groups16; // scales differ within 32
    int offset;
};

typedef void (*unpack_function)(const uint8_t *restrict src, int n_blocks,
                                struct panel_row *restrict row);

static const struct weight_form form_q4_0 = {.chunk_bytes = 8 * 18, .offset = 8};
static const struct weight_form form_q4_1 = {.chunk_bytes = 8 * 20, .has_min = true};
static const struct weight_form form_q5_0 = {.chunk_bytes = 8 * 22, .offset = 16};
static const struct weight_form form_q5_1 = {.chunk_bytes = 8 * 24, .has_min = true};
static const struct weight_form form_q8_0 = {.chunk_bytes = 8 * 34, .is_signed = true};
static const struct weight_form form_iq4_nl = {.chunk_bytes = 8 * 18, .is_signed = true};
static const struct weight_form form_q2_k = {
    .chunk_bytes = 84, .is_super = true, .has_min = true, .has_groups16 = true};
static const struct weight_form form_q3_k = {
    .chunk_bytes = 110, .is_super = true, .offset = 4, .has_groups16 = true};
static const struct weight_form form_q4_k = {.chunk_bytes = 144, .is_super = true, .has_min = true};
static const struct weight_form form_q5_k = {.chunk_bytes = 176, .is_super = true, .has_min = true};
static const struct weight_form form_q6_k = {
    .chunk_bytes = 210, .is_super = true, .offset = 32, .has_groups16 = true};
static const struct weight_form form_iq4_xs = {
    .chunk_bytes = 136, .is_super = true, .is_signed = true};

ALWAYS_INLINE uint16_t load_u16(const uint8_t *src) {
    uint16_t value;
    memcpy(&value, src, sizeof value);
    return value;
}

// 16 bytes to 32 nibbles: low ones first.
ALWAYS_INLINE void unpack_nibbles(const uint8_t *restrict src, uint8_t *restrict q) {
    for (int i = 0; i < 16; i++) {
        q[i] = src[i] & 15;
        q[i + 16] = src[i] >> 4;
    }
}

// Adds bit i of the 32-bit word at src, as 16, to element i.
ALWAYS_INLINE void unpack_fifth_bits(const uint8_t *restrict src, uint8_t *restrict q) {
    uint8_t spread[32];
    for (int i = 0; i < 32; i++)
        spread[i] = src[i / 8];
    for (int i = 0; i < 32; i++)
        q[i] |= (uint8_t)((spread[i] & 1 << i % 8) ? 16 : 0);
}

ALWAYS_INLINE void unpack_codebook(const uint8_t *restrict src, uint8_t *restrict q) {
    for (int i = 0; i < 16; i++) {
        q[i] = (uint8_t)iq4_codebook[src[i] & 15];
        q[i + 16] = (uint8_t)iq4_codebook[src[i] >> 4];
    }
}

static inline void unpack_q4_0(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q4_0)) {
        row->half[b] = load_u16(src);
        unpack_nibbles(src + 2, row->q + 32 * b);
    }
}

static inline void unpack_q4_1(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q4_1)) {
        row->half[b] = load_u16(src);
        row->half[8 + b] = load_u16(src + 2);
        unpack_nibbles(src + 4, row->q + 32 * b);
    }
}

static inline void unpack_q5_0(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q5_0)) {
        row->half[b] = load_u16(src);
        unpack_nibbles(src + 6, row->q + 32 * b);
        unpack_fifth_bits(src + 2, row->q + 32 * b);
    }
}

static inline void unpack_q5_1(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q5_1)) {
        row->half[b] = load_u16(src);
        row->half[8 + b] = load_u16(src + 2);
        unpack_nibbles(src + 8, row->q + 32 * b);
        unpack_fifth_bits(src + 4, row->q + 32 * b);
    }
}

static inline void unpack_q8_0(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q8_0)) {
        row->half[b] = load_u16(src);
        memcpy(row->q + 32 * b, src + 2, 32);
    }
}

static inline void unpack_iq4_nl(const uint8_t *restrict src, int n_blocks,
                                 struct panel_row *restrict row) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_iq4_nl)) {
        row->half[b] = load_u16(src);
        unpack_codebook(src + 2, row->q + 32 * b);
    }
}

// The low two bits of q2_k and q3_k: run r of 32 in each half of 128 at bit 2 r.
ALWAYS_INLINE void unpack_pairs(const uint8_t *restrict qs, uint8_t *restrict q) {
    for (int run = 0; run < 8; run++)
        for (int i = 0; i < 32; i++)
            q[32 * run + i] = qs[run / 4 * 32 + i] >> (run % 4 * 2) & 3;
}

static inline void unpack_q2_k(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    (void)n_blocks;
    const uint8_t *scales = src + offsetof(struct block_q2_k, scales);
    for (int g = 0; g < 16; g++) {
        row->group_scale[g] = scales[g] & 15;
        row->group_min[g] = (int8_t)(scales[g] >> 4);
    }
    row->half[0] = load_u16(src + offsetof(struct block_q2_k, d));
    row->half[1] = load_u16(src + offsetof(struct block_q2_k, dmin));
    unpack_pairs(src + offsetof(struct block_q2_k, qs), row->q);
}

static inline void unpack_q3_k(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    (void)n_blocks;
    const uint8_t *hmask = src + offsetof(struct block_q3_k, hmask);
    const uint8_t *scales = src + offsetof(struct block_q3_k, scales);
    for (int g = 0; g < 16; g++) {
        int low = scales[g % 8] >> (g / 8 * 4) & 15;
        int high = scales[8 + g % 4] >> (g / 4 * 2) & 3;
        row->group_scale[g] = (int8_t)((low | high << 4) - 32);
    }
    row->half[0] = load_u16(src + offsetof(struct block_q3_k, d));
    unpack_pairs(src + offsetof(struct block_q3_k, qs), row->q);
    for (int run = 0; run < 8; run++)
        for (int i = 0; i < 32; i++)
            row->q[32 * run + i] |= (uint8_t)((hmask[i] >> run & 1) << 2);
}

// The 6-bit scales and minima of q4_k and q5_k, each for two groups of 16.
ALWAYS_INLINE void unpack_k_scales(const uint8_t *restrict scales, struct panel_row *restrict row) {
    uint32_t words[3], scale[2], min[2];
    memcpy(words, scales, sizeof words); // four groups a word: bytes are handled in parallel
    scale[0] = words[0] & 0x3f3f3f3fu;
    min[0] = words[1] & 0x3f3f3f3fu;
    scale[1] = (words[2] & 0x0f0f0f0fu) | (words[0] >> 6 & 0x03030303u) << 4;
    min[1] = (words[2] >> 4 & 0x0f0f0f0fu) | (words[1] >> 6 & 0x03030303u) << 4;
    uint8_t scale_bytes[8], min_bytes[8];
    memcpy(scale_bytes, scale, sizeof scale_bytes);
    memcpy(min_bytes, min, sizeof min_bytes);
    for (int g = 0; g < 16; g++) {
        row->group_scale[g] = (int8_t)scale_bytes[g / 2];
        row->group_min[g] = (int8_t)min_bytes[g / 2];
    }
}

// Bytes 32 p .. 32 p + 31 hold groups 2 p (low nibbles) and 2 p + 1 (high).
ALWAYS_INLINE void unpack_k_nibbles(const uint8_t *restrict qs, uint8_t *restrict q) {
    for (int pair = 0; pair < 4; pair++)
        for (int i = 0; i < 32; i++) {
            q[64 * pair + i] = qs[32 * pair + i] & 15;
            q[64 * pair + 32 + i] = qs[32 * pair + i] >> 4;
        }
}

static inline void unpack_q4_k(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    (void)n_blocks;
    row->half[0] = load_u16(src + offsetof(struct block_q4_k, d));
    row->half[1] = load_u16(src + offsetof(struct block_q4_k, dmin));
    unpack_k_scales(src + offsetof(struct block_q4_k, scales), row);
    unpack_k_nibbles(src + offsetof(struct block_q4_k, qs), row->q);
}

static inline void unpack_q5_k(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    (void)n_blocks;
    const uint8_t *qh = src + offsetof(struct block_q5_k, qh);
    row->half[0] = load_u16(src + offsetof(struct block_q5_k, d));
    row->half[1] = load_u16(src + offsetof(struct block_q5_k, dmin));
    unpack_k_scales(src + offsetof(struct block_q5_k, scales), row);
    unpack_k_nibbles(src + offsetof(struct block_q5_k, qs), row->q);
    for (int group = 0; group < 8; group++)
        for (int i = 0; i < 32; i++)
            row->q[32 * group + i] |= (uint8_t)((qh[i] >> group & 1) << 4);
}

static inline void unpack_q6_k(const uint8_t *restrict src, int n_blocks,
                               struct panel_row *restrict row) {
    (void)n_blocks;
    const uint8_t *ql = src + offsetof(struct block_q6_k, ql);
    const uint8_t *qh = src + offsetof(struct block_q6_k, qh);
    row->half[0] = load_u16(src + offsetof(struct block_q6_k, d));
    memcpy(row->group_scale, src + offsetof(struct block_q6_k, scales), 16);
    for (int half = 0; half < 2; half++)
        for (int run = 0; run < 4; run++)
            for (int i = 0; i < 32; i++) {
                int low = ql[64 * half + 32 * (run % 2) + i] >> (run / 2 * 4) & 15;
                int high = qh[32 * half + i] >> (2 * run) & 3;
                row->q[128 * half + 32 * run + i] = (uint8_t)(low | high << 4);
            }
}

static inline void unpack_iq4_xs(const uint8_t *restrict src, int n_blocks,
                                 struct panel_row *restrict row) {
    (void)n_blocks;
    const uint8_t *scales_l = src + offsetof(struct block_iq4_xs, scales_l);
    int scales_h = load_u16(src + offsetof(struct block_iq4_xs, scales_h));
    row->half[0] = load_u16(src + offsetof(struct block_iq4_xs, d));
    for (int g = 0; g < 16; g++) {
        int low = scales_l[g / 4] >> (g / 2 % 2 * 4) & 15;
        row->group_scale[g] = (int8_t)((low | (scales_h >> (g / 2 * 2) & 3) << 4) - 32);
    }
    for (int b = 0; b < 8; b++)
        unpack_codebook(src + offsetof(struct block_iq4_xs, qs) + 16 * b, row->q + 32 * b);
}

#endif
