// SPDX-License-Identifier: Apache-2.0
// Packs the formats with super-blocks of 256 elements: q2_k q3_k q4_k q5_k q6_k iq4_xs. A
// super-block of a row becomes 256 bytes of quants in order first, then words of lines. The 6-bit
// scales are unpacked to bytes: kernels then need no bit arithmetic for them.
#include "numeric/packed_rows.h"

#include "numeric/blocks.h"

enum { PLANE = PANEL_ROWS }; // bytes of one group's scales or minima

static inline void store_d(uint8_t *line, int r, uint16_t d, uint16_t dmin) {
    store_half(line, r, d);
    store_half(line, PANEL_ROWS + r, dmin);
}

// 64 bytes hold the 2-bit parts of elements 128 h + 32 i + e in byte 32 h + e at bit 2 i. Line j
// wants elements 16 j + 4 i + 0 .. 3 at bit 2 i.
static inline void store_pairs(const uint8_t qs[64], uint8_t *lines, int r) {
    for (int part = 0; part < 4; part++) {
        const int h = part / 2, half = part % 2; // 16 of every 32 elements
        uint32_t word[4];
        for (int i = 0; i < 4; i++)
            word[i] = load_word(qs + 32 * h + 16 * half + 4 * i);
        transpose_pairs(word);
        for (int i = 0; i < 4; i++)
            store_word(lines + (8 * h + 2 * i + half) * LINE_BYTES + 4 * r, word[i]);
    }
}

// 32 bytes hold the 1-bit parts of elements 32 run + e in byte e at bit `run`.
static inline void store_bits(const uint8_t *first, const uint8_t *second, uint8_t *lines,
                              int pair) {
    for (int q = 0; q < 8; q++) {
        uint64_t mask = load_word(first + 4 * q);
        if (second) mask |= (uint64_t)load_word(second + 4 * q) << 32;
        for (int run = 0; run < 8; run++)
            lines[(8 * run + q) * 8 + pair] = gather_bits(mask >> run);
    }
}

static inline void q2_k_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    (void)n_blocks;
    struct block_q2_k block;
    memcpy(&block, src, sizeof block);
    store_pairs(block.qs, chunk, r);
    uint8_t *planes = chunk + 16 * LINE_BYTES;
    for (int g = 0; g < 16; g++)
        planes[g * PLANE + r] = block.scales[g];
    store_d(planes + 16 * PLANE, r, block.d, block.dmin);
}

static inline void q3_k_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    (void)n_blocks;
    struct block_q3_k block;
    memcpy(&block, src, sizeof block);
    store_pairs(block.qs, chunk, r);
    uint8_t *planes = chunk + 24 * LINE_BYTES;
    for (int g = 0; g < 16; g++) { // as in dequantize_k.c
        int low = block.scales[g % 8] >> (g / 8 * 4) & 15;
        int high = block.scales[8 + g % 4] >> (g / 4 * 2) & 3;
        planes[g * PLANE + r] = (uint8_t)((low | high << 4) - 32);
    }
    store_d(planes + 16 * PLANE, r, block.d, 0);
}

static inline void q3_k_bits(const uint8_t *first, const uint8_t *second, int n_blocks, int pair,
                             uint8_t *chunk) {
    (void)n_blocks;
    const size_t at = offsetof(struct block_q3_k, hmask);
    store_bits(first + at, second ? second + at : NULL, chunk + 16 * LINE_BYTES, pair);
}

static inline void expand_nibbles(const uint8_t *qs, uint8_t *quants, int n_bytes) {
    for (int e = 0; e < n_bytes; e++) {
        quants[e] = qs[e] & 15;
        quants[n_bytes + e] = qs[e] >> 4;
    }
}

static inline void store_scale_min(const uint8_t scales[12], uint8_t *planes, int r) {
    for (int g = 0; g < 8; g++)
        block_k_scale_min(scales, g, &planes[g * PLANE + r], &planes[(8 + g) * PLANE + r]);
}

static inline void q4_k_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    (void)n_blocks;
    struct block_q4_k block;
    uint8_t quants[BLOCK_SUPER];
    memcpy(&block, src, sizeof block);
    for (int p = 0; p < 4; p++)
        expand_nibbles(block.qs + 32 * p, quants + 64 * p, 32);
    store_nibbles(chunk, r, quants, BLOCK_SUPER);
    uint8_t *planes = chunk + 32 * LINE_BYTES;
    store_scale_min(block.scales, planes, r);
    store_d(planes + 16 * PLANE, r, block.d, block.dmin);
}

static inline void q5_k_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    (void)n_blocks;
    struct block_q5_k block;
    uint8_t quants[BLOCK_SUPER];
    memcpy(&block, src, sizeof block);
    for (int p = 0; p < 4; p++)
        expand_nibbles(block.qs + 32 * p, quants + 64 * p, 32);
    store_nibbles(chunk, r, quants, BLOCK_SUPER);
    uint8_t *planes = chunk + 40 * LINE_BYTES;
    store_scale_min(block.scales, planes, r);
    store_d(planes + 16 * PLANE, r, block.d, block.dmin);
}

static inline void q5_k_bits(const uint8_t *first, const uint8_t *second, int n_blocks, int pair,
                             uint8_t *chunk) {
    (void)n_blocks;
    const size_t at = offsetof(struct block_q5_k, qh);
    store_bits(first + at, second ? second + at : NULL, chunk + 32 * LINE_BYTES, pair);
}

// Halves of 128: the low nibbles of 64 bytes, then the high ones; the top bits as in q2_k.
static inline void q6_k_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    (void)n_blocks;
    struct block_q6_k block;
    uint8_t quants[BLOCK_SUPER];
    memcpy(&block, src, sizeof block);
    for (int h = 0; h < 2; h++)
        expand_nibbles(block.ql + 64 * h, quants + 128 * h, 64);
    store_nibbles(chunk, r, quants, BLOCK_SUPER);
    store_pairs(block.qh, chunk + 32 * LINE_BYTES, r);
    uint8_t *planes = chunk + 48 * LINE_BYTES;
    for (int g = 0; g < 16; g++)
        planes[g * PLANE + r] = (uint8_t)block.scales[g];
    store_d(planes + 16 * PLANE, r, block.d, 0);
}

static inline void iq4_xs_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    (void)n_blocks;
    struct block_iq4_xs block;
    uint8_t quants[BLOCK_SUPER];
    memcpy(&block, src, sizeof block);
    for (int g = 0; g < 8; g++)
        expand_nibbles(block.qs + 16 * g, quants + 32 * g, 16);
    store_nibbles(chunk, r, quants, BLOCK_SUPER);
    uint8_t *planes = chunk + 32 * LINE_BYTES;
    for (int g = 0; g < 8; g++) {
        int low = block.scales_l[g / 2] >> (g % 2 * 4) & 15;
        int high = block.scales_h >> (2 * g) & 3;
        planes[g * PLANE + r] = (uint8_t)((low | high << 4) - 32);
    }
    store_d(planes + 8 * PLANE, r, block.d, 0);
}

void pack_q2_k(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q2_K, q2_k_chunk, NULL, panel);
}

void pack_q3_k(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q3_K, q3_k_chunk, q3_k_bits, panel);
}

void pack_q4_k(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q4_K, q4_k_chunk, NULL, panel);
}

void pack_q5_k(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q5_K, q5_k_chunk, q5_k_bits, panel);
}

void pack_q6_k(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q6_K, q6_k_chunk, NULL, panel);
}

void pack_iq4_xs(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_IQ4_XS, iq4_xs_chunk, NULL, panel);
}
