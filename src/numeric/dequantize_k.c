// SPDX-License-Identifier: Apache-2.0
// Formats with super-blocks of 256 elements: q2_k q3_k q4_k q5_k q6_k iq4_xs. One half-float scale
// serves the super-block; each group of 16 or 32 elements refines it with a small integer.
#include "numeric/dequantize_rows.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"

// Twelve bytes hold eight 6-bit scales and eight 6-bit mins. Groups 0-3: scale in the low six bits
// of byte g, min in those of byte g + 4. Groups 4-7: low four bits in byte g + 4 (scale in its low
// nibble, min in its high one), top two bits in the spare bits 6-7 of bytes g - 4 (scale) and g
// (min).
void block_k_scale_min(const uint8_t scales[12], int g, uint8_t *scale, uint8_t *min) {
    if (g < 4) {
        *scale = scales[g] & 63;
        *min = scales[g + 4] & 63;
        return;
    }
    *scale = (uint8_t)((scales[g + 4] & 15) | scales[g - 4] >> 6 << 4);
    *min = (uint8_t)(scales[g + 4] >> 4 | scales[g] >> 6 << 4);
}

// Element e: 2 bits in byte 32 * (e / 128) + e % 32 of qs, at bit 2 * (e / 32 % 4). Group of 16
// number g: scale in the low nibble of scales[g], min in the high one.
void dequantize_q2_k(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, dst += BLOCK_SUPER) {
        struct block_q2_k block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d), dmin = float_from_f16(block.dmin);
        for (int e = 0; e < BLOCK_SUPER; e++) {
            uint8_t packed = block.scales[e / 16];
            int q = block.qs[e / 128 * 32 + e % 32] >> (e / 32 % 4 * 2) & 3;
            dst[e] = d * (float)(packed & 15) * (float)q - dmin * (float)(packed >> 4);
        }
    }
}

// Group of 16 number g, 6-bit scale: low four bits in nibble g / 8 of scales[g % 8], top two bits
// in scales[8 + g % 4] at bit 2 * (g / 4).
static int q3_k_scale(const uint8_t scales[12], int g) {
    int low = scales[g % 8] >> (g / 8 * 4) & 15;
    int high = scales[8 + g % 4] >> (g / 4 * 2) & 3;
    return (low | high << 4) - 32;
}

// Element e: low 2 bits as in q2_k; the third bit is bit e / 32 of hmask[e % 32] (bits stay where
// they are for the whole super-block, one bit plane per run of 32).
void dequantize_q3_k(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, dst += BLOCK_SUPER) {
        struct block_q3_k block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d);
        for (int e = 0; e < BLOCK_SUPER; e++) {
            int q = block.qs[e / 128 * 32 + e % 32] >> (e / 32 % 4 * 2) & 3;
            q |= (block.hmask[e % 32] >> (e / 32) & 1) << 2;
            dst[e] = d * (float)q3_k_scale(block.scales, e / 16) * (float)(q - 4);
        }
    }
}

// Groups of 32 go in pairs: bytes 32 p … 32 p + 31 of qs hold group 2 p in the low nibbles and
// group 2 p + 1 in the high ones.
void dequantize_q4_k(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++) {
        struct block_q4_k block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d), dmin = float_from_f16(block.dmin);
        for (int g = 0; g < 8; g++, dst += 32) {
            uint8_t scale, min;
            block_k_scale_min(block.scales, g, &scale, &min);
            float step = d * (float)scale, offset = dmin * (float)min;
            const uint8_t *qs = block.qs + g / 2 * 32;
            for (int i = 0; i < 32; i++) {
                dst[i] = step * (float)(qs[i] >> (g % 2 * 4) & 15) - offset;
            }
        }
    }
}

// As q4_k; the fifth bit of element i of group g is bit g of qh[i].
void dequantize_q5_k(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++) {
        struct block_q5_k block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d), dmin = float_from_f16(block.dmin);
        for (int g = 0; g < 8; g++, dst += 32) {
            uint8_t scale, min;
            block_k_scale_min(block.scales, g, &scale, &min);
            float step = d * (float)scale, offset = dmin * (float)min;
            const uint8_t *qs = block.qs + g / 2 * 32;
            for (int i = 0; i < 32; i++) {
                int q = (qs[i] >> (g % 2 * 4) & 15) | (block.qh[i] >> g & 1) << 4;
                dst[i] = step * (float)q - offset;
            }
        }
    }
}

// Halves of 128 elements, h = e / 128, each four runs of 32, r = e / 32 % 4. Low four bits: byte
// 64 h + 32 (r % 2) + e % 32 of ql, nibble r / 2. Top two bits: byte 32 h + e % 32 of qh at bit 2
// r.
void dequantize_q6_k(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++, dst += BLOCK_SUPER) {
        struct block_q6_k block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d);
        for (int e = 0; e < BLOCK_SUPER; e++) {
            int h = e / 128, r = e / 32 % 4, i = e % 32;
            int q = block.ql[64 * h + 32 * (r % 2) + i] >> (r / 2 * 4) & 15;
            q |= (block.qh[32 * h + i] >> (2 * r) & 3) << 4;
            dst[e] = d * (float)block.scales[e / 16] * (float)(q - 32);
        }
    }
}

// Group of 32 number g, 6-bit scale: low four bits in nibble g % 2 of scales_l[g / 2], top two at
// bit 2 g of scales_h. Its elements: bytes 16 g … 16 g + 15 of qs, nibbles as in iq4_nl.
void dequantize_iq4_xs(const uint8_t *src, float *dst, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; b++) {
        struct block_iq4_xs block;
        memcpy(&block, src + b * sizeof block, sizeof block);
        float d = float_from_f16(block.d);
        for (int g = 0; g < 8; g++, dst += 32) {
            int scale = block.scales_l[g / 2] >> (g % 2 * 4) & 15;
            scale |= (block.scales_h >> (2 * g) & 3) << 4;
            float step = d * (float)(scale - 32);
            for (int i = 0; i < 16; i++) {
                dst[i] = step * (float)iq4_codebook[block.qs[16 * g + i] & 15];
                dst[i + 16] = step * (float)iq4_codebook[block.qs[16 * g + i] >> 4];
            }
        }
    }
}
