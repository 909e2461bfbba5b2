// SPDX-License-Identifier: Apache-2.0
// Values that already lie on a format's grid: found, and written as the one block that stands for
// them. So a quantizer changes nothing the second time, and weights trained on the grid
// (quantization-aware training) are stored without any loss. Private to quantize/.
//
// Several blocks can mean the same values (twice the scale, half the integers); each function
// chooses one of them by the values alone, so it gives the same bytes wherever the values came
// from.
#ifndef XL_QUANTIZE_GRID_H
#define XL_QUANTIZE_GRID_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// x [32], finite, of any magnitude.
// x = d * q with q in lo..hi, d a half float; lo < 0 < hi <= -lo.
bool grid_find_scale(const float *x, int lo, int hi, uint16_t *d, int *q);
// x = d * q + m with q in 0..hi; d, m half floats, d >= 0.
bool grid_find_affine(const float *x, int hi, uint16_t *d, uint16_t *m, int *q);
// The d and m whose sum is near a value in units of 2^-24: what a block of one value is made of.
void grid_constant(float value, uint16_t *d, uint16_t *m);
// Makes d and m coarser where a float could not hold d * q + m exactly, which happens if one is
// millions of times the other. Both stay half floats.
void grid_align(int hi, uint16_t *d, uint16_t *m);

// x [256] = d * scale * q in 16 groups of 16, scale -128..127, q -32..31.
struct grid_groups {
    uint16_t d;
    int8_t scale[16];
    int8_t q[256];
};
bool grid_find_groups(const float *x, struct grid_groups *found);

#ifdef __cplusplus
}
#endif
#endif
