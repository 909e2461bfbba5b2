// SPDX-License-Identifier: Apache-2.0
// Two functions a format: write_* makes the best block for any floats, keep_* the exact one for
// floats that have it (false, and dst untouched, for others: see grid.h). Private to quantize/.
// x holds finite values, for write_* within quantize_magnitude_max; w [block] are weights or NULL;
// dst is unaligned.
#ifndef XL_QUANTIZE_BLOCK_WRITERS_H
#define XL_QUANTIZE_BLOCK_WRITERS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*block_writer)(const float *x, const float *w, uint8_t *dst);
typedef bool (*block_keeper)(const float *x, uint8_t *dst);

// 32 elements: quantize_small.c
void write_q4_0(const float *x, const float *w, uint8_t *dst);
void write_q4_1(const float *x, const float *w, uint8_t *dst);
void write_q5_0(const float *x, const float *w, uint8_t *dst);
void write_q5_1(const float *x, const float *w, uint8_t *dst);
void write_q8_0(const float *x, const float *w, uint8_t *dst);
bool keep_q4_0(const float *x, uint8_t *dst);
bool keep_q4_1(const float *x, uint8_t *dst);
bool keep_q5_0(const float *x, uint8_t *dst);
bool keep_q5_1(const float *x, uint8_t *dst);
bool keep_q8_0(const float *x, uint8_t *dst);

// 256 elements: quantize_k.c
void write_q4_k(const float *x, const float *w, uint8_t *dst);
void write_q5_k(const float *x, const float *w, uint8_t *dst);
void write_q6_k(const float *x, const float *w, uint8_t *dst);
bool keep_q6_k(const float *x, uint8_t *dst);

#ifdef __cplusplus
}
#endif
#endif
