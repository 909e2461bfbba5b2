// SPDX-License-Identifier: Apache-2.0
// Weights that are floats of 32 or 16 bits, times float activations. Sums in double, in the order
// of k.
#include "kernels/scalar/operations.h"

#include "numeric/float16.h"

#include <string.h>

typedef float (*element_function)(const uint8_t *row, int i);

static inline float element_f32(const uint8_t *row, int i) {
    float value;
    memcpy(&value, row + sizeof value * (size_t)i, sizeof value);
    return value;
}

static inline uint16_t element_u16(const uint8_t *row, int i) {
    uint16_t value;
    memcpy(&value, row + sizeof value * (size_t)i, sizeof value);
    return value;
}

static inline float element_f16(const uint8_t *row, int i) {
    return float_from_f16(element_u16(row, i));
}

static inline float element_bf16(const uint8_t *row, int i) {
    return float_from_bf16(element_u16(row, i));
}

static inline __attribute__((always_inline)) void multiply(const struct matmul_args *args,
                                                           element_function element) {
    for (int r = 0; r < args->n_rows; r++) {
        const uint8_t *row = (const uint8_t *)args->weights + (size_t)r * args->row_bytes;
        for (int t = 0; t < args->n_tokens; t++) {
            const uint8_t *x = (const uint8_t *)args->activations + (size_t)t * args->act_bytes;
            double sum = 0;
            for (int i = 0; i < args->k; i++)
                sum += (double)element(row, i) * (double)element_f32(x, i);
            args->y[(size_t)t * args->y_stride + (size_t)r] = (float)sum;
        }
    }
}

void scalar_matmul_f32(const struct matmul_args *args) {
    multiply(args, element_f32);
}

void scalar_matmul_f16(const struct matmul_args *args) {
    multiply(args, element_f16);
}

void scalar_matmul_bf16(const struct matmul_args *args) {
    multiply(args, element_bf16);
}
