// SPDX-License-Identifier: Apache-2.0
// Packs plain numbers (f32 f16 bf16) and the formats with blocks of 32 elements (q4_0 q4_1 q5_0
// q5_1 q8_0 iq4_nl). A chunk takes two blocks of a row. Rows are walked inside the chunk, so that
// the chunk being written stays in the first-level cache while sixteen rows stream by.
#include "numeric/packed_rows.h"

#include "numeric/blocks.h"

enum { CHUNK = 64, FLOAT_STEP = 16 };

// Words of 32 bits: f32, and two bf16 at a time. Sixteen of a row at once: one line.
static void transpose_words(const struct row_block *in, int n_words, uint8_t *panel) {
    for (int begin = 0; begin < n_words; begin += FLOAT_STEP) {
        const int n = n_words - begin < FLOAT_STEP ? n_words - begin : FLOAT_STEP;
        uint8_t *lines = panel + (size_t)begin * LINE_BYTES;
        if (in->n_rows < PANEL_ROWS) memset(lines, 0, (size_t)n * LINE_BYTES);
        for (int r = 0; r < in->n_rows; r++) {
            const uint8_t *src = in->rows + (size_t)r * in->row_bytes + (size_t)begin * 4;
            for (int i = 0; i < n; i++)
                store_word(lines + i * LINE_BYTES + 4 * r, load_word(src + 4 * i));
        }
    }
}

void pack_f32(const struct row_block *in, uint8_t *panel) {
    transpose_words(in, in->k, panel);
}

static uint16_t load_half(const uint8_t *src) {
    return (uint16_t)(src[0] | src[1] << 8);
}

// The last line of an odd k: one element a row, then a zero.
static const uint8_t *last_half(const struct row_block *in, int r) {
    return in->rows + (size_t)r * in->row_bytes + (size_t)(in->k - 1) * 2;
}

void pack_bf16(const struct row_block *in, uint8_t *panel) {
    transpose_words(in, in->k / 2, panel);
    if (in->k % 2 == 0) return;
    uint8_t *line = panel + (size_t)(in->k / 2) * LINE_BYTES;
    memset(line, 0, LINE_BYTES);
    for (int r = 0; r < in->n_rows; r++)
        store_word(line + 4 * r, load_half(last_half(in, r)));
}

void pack_f16(const struct row_block *in, uint8_t *panel) {
    const int n_lines = in->k / 2;
    if (in->n_rows < PANEL_ROWS) memset(panel, 0, (size_t)n_lines * LINE_BYTES);
    for (int begin = 0; begin < n_lines; begin += FLOAT_STEP) {
        const int n = n_lines - begin < FLOAT_STEP ? n_lines - begin : FLOAT_STEP;
        uint8_t *lines = panel + (size_t)begin * LINE_BYTES;
        for (int r = 0; r < in->n_rows; r++) {
            const uint8_t *src = in->rows + (size_t)r * in->row_bytes + (size_t)begin * 4;
            for (int i = 0; i < n; i++) {
                uint32_t pair = load_word(src + 4 * i);
                store_half(lines + i * LINE_BYTES, r, (uint16_t)pair);
                store_half(lines + i * LINE_BYTES, PANEL_ROWS + r, (uint16_t)(pair >> 16));
            }
        }
    }
    if (in->k % 2 == 0) return;
    uint8_t *line = panel + (size_t)n_lines * LINE_BYTES;
    memset(line, 0, LINE_BYTES);
    for (int r = 0; r < in->n_rows; r++)
        store_half(line, r, load_half(last_half(in, r)));
}

// Sixteen bytes of a block of 32 hold quads 0-3 in the low nibbles and 4-7 in the high ones; a
// nibble line wants quads 2j and 2j + 1.
static inline void regroup_nibbles(const uint8_t qs[16], uint8_t *lines, int r) {
    const uint32_t low = 0x0f0f0f0fu, high = 0xf0f0f0f0u;
    uint32_t w0 = load_word(qs), w1 = load_word(qs + 4);
    uint32_t w2 = load_word(qs + 8), w3 = load_word(qs + 12);
    store_word(lines + 4 * r, (w0 & low) | (w1 & low) << 4);
    store_word(lines + LINE_BYTES + 4 * r, (w2 & low) | (w3 & low) << 4);
    store_word(lines + 2 * LINE_BYTES + 4 * r, (w0 >> 4 & low) | (w1 & high));
    store_word(lines + 3 * LINE_BYTES + 4 * r, (w2 >> 4 & low) | (w3 & high));
}

// Eight nibbles to the low halves of eight bytes.
static inline uint64_t spread_nibbles(uint32_t nibbles) {
    uint64_t x = nibbles;
    x = (x | x << 16) & 0x0000ffff0000ffffu;
    x = (x | x << 8) & 0x00ff00ff00ff00ffu;
    return (x | x << 4) & 0x0f0f0f0f0f0f0f0fu;
}

// The fifth bits of elements 4q .. 4q + 3 are bits 4q .. 4q + 3 of qh: already a nibble. Offset: of
// qh in the block.
static inline void store_fifth(const uint8_t *first, const uint8_t *second, int block_bytes,
                               int offset, int n_blocks, int pair, uint8_t *chunk) {
    for (int b = 0; b < n_blocks; b++) {
        const int at = b * block_bytes + offset;
        uint64_t bytes = spread_nibbles(load_word(first + at));
        if (second) bytes |= spread_nibbles(load_word(second + at)) << 4;
        for (int q = 0; q < 8; q++)
            chunk[(8 + b) * LINE_BYTES + q * 8 + pair] = (uint8_t)(bytes >> (8 * q));
    }
}

static inline void q5_0_bits(const uint8_t *first, const uint8_t *second, int n_blocks, int pair,
                             uint8_t *chunk) {
    store_fifth(first, second, sizeof(struct block_q5_0), 2, n_blocks, pair, chunk);
}

static inline void q5_1_bits(const uint8_t *first, const uint8_t *second, int n_blocks, int pair,
                             uint8_t *chunk) {
    store_fifth(first, second, sizeof(struct block_q5_1), 4, n_blocks, pair, chunk);
}

static inline uint8_t *plane_at(uint8_t *planes, int b) {
    return planes + (size_t)b * PANEL_ROWS * sizeof(uint16_t);
}

static inline void q4_0_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q4_0)) {
        regroup_nibbles(src + 2, chunk + b * 4 * LINE_BYTES, r);
        store_half(plane_at(chunk + 8 * LINE_BYTES, b), r, load_half(src));
    }
}

static inline void q4_1_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q4_1)) {
        regroup_nibbles(src + 4, chunk + b * 4 * LINE_BYTES, r);
        store_half(plane_at(chunk + 8 * LINE_BYTES, b), r, load_half(src));
        store_half(plane_at(chunk + 9 * LINE_BYTES, b), r, load_half(src + 2));
    }
}

static inline void q5_0_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q5_0)) {
        regroup_nibbles(src + 6, chunk + b * 4 * LINE_BYTES, r);
        store_half(plane_at(chunk + 10 * LINE_BYTES, b), r, load_half(src));
    }
}

static inline void q5_1_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q5_1)) {
        regroup_nibbles(src + 8, chunk + b * 4 * LINE_BYTES, r);
        store_half(plane_at(chunk + 10 * LINE_BYTES, b), r, load_half(src));
        store_half(plane_at(chunk + 11 * LINE_BYTES, b), r, load_half(src + 2));
    }
}

// Signed to unsigned: flipping the top bit adds the zero point of 128.
static inline void q8_0_chunk(const uint8_t *src, int n_blocks, int r, uint8_t *chunk) {
    for (int b = 0; b < n_blocks; b++, src += sizeof(struct block_q8_0)) {
        for (int q = 0; q < 8; q++) {
            uint32_t word = load_word(src + 2 + 4 * q) ^ 0x80808080u;
            store_word(chunk + (8 * b + q) * LINE_BYTES + 4 * r, word);
        }
        store_half(plane_at(chunk + 16 * LINE_BYTES, b), r, load_half(src));
    }
}

_Static_assert(CHUNK == 2 * BLOCK_SMALL, "a chunk is two blocks of a row");

void pack_q4_0(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q4_0, q4_0_chunk, NULL, panel);
}

void pack_q4_1(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q4_1, q4_1_chunk, NULL, panel);
}

void pack_q5_0(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q5_0, q5_0_chunk, q5_0_bits, panel);
}

void pack_q5_1(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q5_1, q5_1_chunk, q5_1_bits, panel);
}

void pack_q8_0(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_Q8_0, q8_0_chunk, NULL, panel);
}

// The bytes of q4_0 with another meaning.
void pack_iq4_nl(const struct row_block *in, uint8_t *panel) {
    pack_chunks(in, DTYPE_IQ4_NL, q4_0_chunk, NULL, panel);
}
