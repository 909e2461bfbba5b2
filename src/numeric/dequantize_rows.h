// SPDX-License-Identifier: Apache-2.0
// One function a format, from stored blocks to floats. Private to numeric/: everybody else calls
// dequantize_row (numeric/blocks.h). src needs no alignment; n_blocks counts whole blocks.
#ifndef XL_NUMERIC_DEQUANTIZE_ROWS_H
#define XL_NUMERIC_DEQUANTIZE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Blocks of 32 elements: dequantize_small.c
void dequantize_q4_0(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_q4_1(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_q5_0(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_q5_1(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_q8_0(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_iq4_nl(const uint8_t *src, float *dst, size_t n_blocks);

// Super-blocks of 256 elements: dequantize_k.c
void dequantize_q2_k(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_q3_k(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_q4_k(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_q5_k(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_q6_k(const uint8_t *src, float *dst, size_t n_blocks);
void dequantize_iq4_xs(const uint8_t *src, float *dst, size_t n_blocks);

#ifdef __cplusplus
}
#endif
#endif
