// SPDX-License-Identifier: Apache-2.0
// One function a format, from GGUF rows to a panel. Private to numeric/: everybody else calls
// pack_panel (numeric/packed.h).
#ifndef XL_NUMERIC_PACKED_ROWS_H
#define XL_NUMERIC_PACKED_ROWS_H

#include "numeric/packed.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct row_block {
    const uint8_t *rows; // row r at rows + r * row_bytes, unaligned
    size_t row_bytes;
    int n_rows; // 1 .. PANEL_ROWS
    int k;
};

// Plain numbers and blocks of 32 elements: packed_small.c
void pack_f32(const struct row_block *in, uint8_t *panel);
void pack_f16(const struct row_block *in, uint8_t *panel);
void pack_bf16(const struct row_block *in, uint8_t *panel);
void pack_q4_0(const struct row_block *in, uint8_t *panel);
void pack_q4_1(const struct row_block *in, uint8_t *panel);
void pack_q5_0(const struct row_block *in, uint8_t *panel);
void pack_q5_1(const struct row_block *in, uint8_t *panel);
void pack_q8_0(const struct row_block *in, uint8_t *panel);
void pack_iq4_nl(const struct row_block *in, uint8_t *panel);

// Super-blocks of 256 elements: packed_k.c
void pack_q2_k(const struct row_block *in, uint8_t *panel);
void pack_q3_k(const struct row_block *in, uint8_t *panel);
void pack_q4_k(const struct row_block *in, uint8_t *panel);
void pack_q5_k(const struct row_block *in, uint8_t *panel);
void pack_q6_k(const struct row_block *in, uint8_t *panel);
void pack_iq4_xs(const struct row_block *in, uint8_t *panel);

// Four neighbouring quants of one row travel as one 32-bit word: word r of a quad line.
static inline uint32_t load_word(const uint8_t *src) {
    uint32_t word;
    memcpy(&word, src, sizeof word);
    return word;
}

static inline void store_word(uint8_t *dst, uint32_t word) {
    memcpy(dst, &word, sizeof word);
}

static inline void store_half(uint8_t *plane, int r, uint16_t half) {
    memcpy(plane + 2 * r, &half, sizeof half);
}

// Row r of nibble lines from n quants (bytes, in order; only bits 0-3 are used).
static inline void store_nibbles(uint8_t *lines, int r, const uint8_t *quants, int n) {
    for (int j = 0; j < n / 8; j++) {
        uint32_t low = load_word(quants + 8 * j) & 0x0f0f0f0fu;
        uint32_t high = load_word(quants + 8 * j + 4) & 0x0f0f0f0fu;
        store_word(lines + j * LINE_BYTES + 4 * r, low | high << 4);
    }
}

// Row r of 2-bit lines: bits shift and shift + 1 of each quant.
static inline void store_pairs(uint8_t *lines, int r, const uint8_t *quants, int n, int shift) {
    for (int j = 0; j < n / 16; j++) {
        uint32_t word = 0;
        for (int i = 0; i < 4; i++)
            word |= (load_word(quants + 16 * j + 4 * i) >> shift & 0x03030303u) << (2 * i);
        store_word(lines + j * LINE_BYTES + 4 * r, word);
    }
}

// Row r of 1-bit lines, which must hold zeros for that row: bit `shift` of each quant. The product
// gathers the bits of four bytes, 0, 8, 16 and 24, at 24 .. 27.
static inline void store_bits(uint8_t *lines, int r, const uint8_t *quants, int n, int shift) {
    for (int q = 0; q < n / 4; q++) {
        uint32_t ones = load_word(quants + 4 * q) >> shift & 0x01010101u;
        uint32_t four = ones * 0x01020408u >> 24 & 15;
        lines[q * 8 + r / 2] |= (uint8_t)(four << (r % 2 * 4));
    }
}

typedef void pack_chunk_fn(const uint8_t *src, int n_blocks, int r, uint8_t *chunk);

// Runs pack over every chunk and row. The chunk is cleared first: that makes the padding zero
// weights, and 1-bit lines want it.
static inline void pack_chunks(const struct row_block *in, enum dtype dtype, pack_chunk_fn *pack,
                               uint8_t *panel) {
    const struct packed_info *info = packed_info(dtype);
    const struct dtype_info *blocks = dtype_info(dtype);
    const int per_chunk = info->chunk_elements / blocks->block_elements;
    const int n_blocks = in->k / blocks->block_elements;
    for (int b = 0; b < n_blocks; b += per_chunk, panel += info->chunk_bytes) {
        const int n = n_blocks - b < per_chunk ? n_blocks - b : per_chunk;
        memset(panel, 0, (size_t)info->chunk_bytes);
        for (int r = 0; r < in->n_rows; r++) {
            const uint8_t *row = in->rows + (size_t)r * in->row_bytes;
            pack(row + (size_t)b * (size_t)blocks->block_bytes, n, r, panel);
        }
    }
}

#ifdef __cplusplus
}
#endif
#endif
