// SPDX-License-Identifier: Apache-2.0
// Memory layout of the block formats, as GGUF files store them, and their meaning.
// d, m are IEEE half floats. Element i of a block of 32 sits in the low nibble of byte i for i < 16
// and in the high nibble of byte i - 16 for i >= 16 (formats q4_*, q5_*, iq4_nl).
#ifndef XL_NUMERIC_BLOCKS_H
#define XL_NUMERIC_BLOCKS_H

#include "numeric/dtype.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BLOCK_SMALL = 32, BLOCK_SUPER = 256 };

struct block_q4_0 { // x = d * (q - 8)
    uint16_t d;
    uint8_t qs[16];
};

struct block_q4_1 { // x = d * q + m
    uint16_t d, m;
    uint8_t qs[16];
};

struct block_q5_0 { // x = d * (q - 16); bit i of qh is bit 4 of element i
    uint16_t d;
    uint8_t qh[4];
    uint8_t qs[16];
};

struct block_q5_1 { // x = d * q + m
    uint16_t d, m;
    uint8_t qh[4];
    uint8_t qs[16];
};

struct block_q8_0 { // x = d * q
    uint16_t d;
    int8_t qs[32];
};

// Super-blocks of 256. The bit order inside is described at dequantize.c, one function a format.
struct block_q2_k { // 16 groups of 16: x = d * scale * q - dmin * min, scale and min 4 bits
    uint8_t scales[16];
    uint8_t qs[64];
    uint16_t d, dmin;
};

struct block_q3_k { // 16 groups of 16: x = d * (scale - 32) * (q - 4), scale 6 bits
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint16_t d;
};

struct block_q4_k { // 8 groups of 32: x = d * scale * q - dmin * min, scale and min 6 bits
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qs[128];
};

struct block_q5_k { // as q4_k with a fifth bit in qh
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t qs[128];
};

struct block_q6_k { // 16 groups of 16: x = d * scale * (q - 32), scale 8 bits signed
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
};

struct block_iq4_nl { // x = d * codebook[q], see iq4_codebook
    uint16_t d;
    uint8_t qs[16];
};

struct block_iq4_xs { // 8 groups of 32: x = d * (scale - 32) * codebook[q], scale 6 bits
    uint16_t d;
    uint16_t scales_h;
    uint8_t scales_l[4];
    uint8_t qs[128];
};

extern const int8_t iq4_codebook[16];

// Group g's 6-bit scale and min of a q4_k or q5_k super-block, from its 12 packed bytes.
void block_k_scale_min(const uint8_t scales[12], int g, uint8_t *scale, uint8_t *min);

// Scalar reference: n elements (a multiple of the block) of `dtype` at src to floats at dst.
// src needs no alignment. False if dtype is no weight type.
bool dequantize_row(enum dtype dtype, const void *src, float *dst, size_t n_elements);

#ifdef __cplusplus
}
#endif
#endif
