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

// A transposition: field i (2 bits) of every byte of word j, to field j of word i.
static inline void transpose_pairs(uint32_t word[4]) {
    for (int i = 0; i < 4; i += 2) { // within (0, 1) and (2, 3)
        uint32_t change = (word[i] >> 2 ^ word[i + 1]) & 0x33333333u;
        word[i] ^= change << 2;
        word[i + 1] ^= change;
    }
    for (int i = 0; i < 2; i++) { // 0 with 2, 1 with 3
        uint32_t change = (word[i] >> 4 ^ word[i + 2]) & 0x0f0f0f0fu;
        word[i] ^= change << 4;
        word[i + 2] ^= change;
    }
}

// Bit 0 of byte i of the mask to bit i.
static inline uint8_t gather_bits(uint64_t mask) {
    return (uint8_t)((mask & 0x0101010101010101u) * 0x0102040810204080u >> 56);
}

// Packs row r of a chunk from its blocks at src.
typedef void pack_row_fn(const uint8_t *src, int n_blocks, int r, uint8_t *chunk);
// Packs the 1-bit lines of rows 2 pair and 2 pair + 1, whose nibbles share bytes. The second row is
// NULL if there is none.
typedef void pack_bits_fn(const uint8_t *first, const uint8_t *second, int n_blocks, int pair,
                          uint8_t *chunk);

// Runs the packers over every chunk and row; bits: NULL if the type has no 1-bit lines. A chunk is
// cleared first: that makes the padding zero weights.
static inline void pack_chunks(const struct row_block *in, enum dtype dtype, pack_row_fn *pack,
                               pack_bits_fn *bits, uint8_t *panel) {
    const struct packed_info *info = packed_info(dtype);
    const struct dtype_info *blocks = dtype_info(dtype);
    const int per_chunk = info->chunk_elements / blocks->block_elements;
    const int n_blocks = in->k / blocks->block_elements;
    for (int b = 0; b < n_blocks; b += per_chunk, panel += info->chunk_bytes) {
        const int n = n_blocks - b < per_chunk ? n_blocks - b : per_chunk;
        const uint8_t *row = in->rows + (size_t)b * (size_t)blocks->block_bytes;
        if (n < per_chunk || in->n_rows < PANEL_ROWS) memset(panel, 0, (size_t)info->chunk_bytes);
        for (int r = 0; r < in->n_rows; r++, row += in->row_bytes) {
            pack(row, n, r, panel);
            if (!bits || r % 2 == 0) continue;
            bits(row - in->row_bytes, row, n, r / 2, panel);
        }
        if (bits && in->n_rows % 2) bits(row - in->row_bytes, NULL, n, in->n_rows / 2, panel);
    }
}

#ifdef __cplusplus
}
#endif
#endif
