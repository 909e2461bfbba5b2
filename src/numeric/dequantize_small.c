// SPDX-License-Identifier: Apache-2.0
// Formats with blocks of 32 elements: q4_0 q4_1 q5_0 q5_1 q8_0 iq4_nl.
// Nibbles: byte i holds element i (low) and element i + 16 (high).
#include "numeric/dequantize_rows.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"

// Sixteen levels, denser around zero, where most weights are.
const int8_t iq4_codebook[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                 1,    13,   25,  38,  53,  69,  89,  113};

// Bytes: d (half), 16 bytes of nibbles. x = d * (q - 8).
void dequantize_q4_0(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, dst += BLOCK_SMALL) {
        struct block_q4_0 block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)((block.qs[i] & 15) - 8);
            dst[i + 16] = d * (float)((block.qs[i] >> 4) - 8);
        }
    }
}

// Bytes: d, m (halves), 16 bytes of nibbles. x = d * q + m.
void dequantize_q4_1(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, dst += BLOCK_SMALL) {
        struct block_q4_1 block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d), m = float_from_f16(block.m);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)(block.qs[i] & 15) + m;
            dst[i + 16] = d * (float)(block.qs[i] >> 4) + m;
        }
    }
}

// The fifth bits of a block: a little-endian word whose bit i belongs to element i.
static uint32_t load_fifth_bits(const uint8_t qh[4]) {
    return (uint32_t)qh[0] | (uint32_t)qh[1] << 8 | (uint32_t)qh[2] << 16 | (uint32_t)qh[3] << 24;
}

// Bytes: d (half), 4 bytes of fifth bits, 16 bytes of nibbles. x = d * (q - 16).
void dequantize_q5_0(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, dst += BLOCK_SMALL) {
        struct block_q5_0 block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d);
        uint32_t fifth = load_fifth_bits(block.qh);
        for (int i = 0; i < 16; i++) {
            int low = (block.qs[i] & 15) | (int)(fifth >> i & 1) << 4;
            int high = block.qs[i] >> 4 | (int)(fifth >> (i + 16) & 1) << 4;
            dst[i] = d * (float)(low - 16);
            dst[i + 16] = d * (float)(high - 16);
        }
    }
}

// Bytes: d, m (halves), 4 bytes of fifth bits, 16 bytes of nibbles. x = d * q + m.
void dequantize_q5_1(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, dst += BLOCK_SMALL) {
        struct block_q5_1 block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d), m = float_from_f16(block.m);
        uint32_t fifth = load_fifth_bits(block.qh);
        for (int i = 0; i < 16; i++) {
            int low = (block.qs[i] & 15) | (int)(fifth >> i & 1) << 4;
            int high = block.qs[i] >> 4 | (int)(fifth >> (i + 16) & 1) << 4;
            dst[i] = d * (float)low + m;
            dst[i + 16] = d * (float)high + m;
        }
    }
}

// Bytes: d (half), 32 signed bytes in order. x = d * q.
void dequantize_q8_0(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, dst += BLOCK_SMALL) {
        struct block_q8_0 block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d);
        for (int i = 0; i < BLOCK_SMALL; i++)
            dst[i] = d * (float)block.qs[i];
    }
}

// Bytes as q4_0; the nibble is an index into the codebook. x = d * codebook[q].
void dequantize_iq4_nl(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, dst += BLOCK_SMALL) {
        struct block_iq4_nl block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)iq4_codebook[block.qs[i] & 15];
            dst[i + 16] = d * (float)iq4_codebook[block.qs[i] >> 4];
        }
    }
}
