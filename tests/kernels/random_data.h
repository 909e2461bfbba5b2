// SPDX-License-Identifier: Apache-2.0
// Inputs for kernel checks: reproducible random numbers, float vectors and stored weights, ordinary
// and extreme.
#ifndef XL_TESTS_RANDOM_DATA_H
#define XL_TESTS_RANDOM_DATA_H

#include "numeric/dtype.h"

#include <stddef.h>
#include <stdint.h>

enum data_mode {
    DATA_RANDOM,
    DATA_EXACT,   // integers and power-of-two scales: every sum is exact in float
    DATA_EXTREME, // as exact, with all quants at one end and activations at +-127
    DATA_ZERO,
    DATA_DENORMAL,
    DATA_HUGE,
    DATA_DAMAGED, // random, with a NaN here and there
    DATA_MODES
};

extern const char *const data_mode_names[DATA_MODES];

void random_seed(uint64_t seed);
uint32_t random_bits(void);
int random_between(int low, int high); // both included
float random_float(float low, float high);
// A vector of activations. Exact and extreme ones have 127 or -127 in every block of 32.
void random_activations(float *x, int n, enum data_mode mode);
// n_elements (a multiple of the block) of any weight type.
void random_weights(uint8_t *out, enum dtype dtype, size_t n_elements, enum data_mode mode);

#endif
