// SPDX-License-Identifier: Apache-2.0
// Weights that are floats of 32 or 16 bits, times float activations. Sums in double, in the order
// of k.
#include "kernels/scalar/operations.h"

#include "numeric/float16.h"
#include "numeric/packed.h"

#include <string.h>

typedef float (*element_function)(const uint8_t *panel, int r, int i);

static inline uint16_t load_half(const uint8_t *halves, int i) {
    uint16_t half;
    memcpy(&half, halves + 2 * i, sizeof half);
    return half;
}

static inline float element_f32(const uint8_t *panel, int r, int i) {
    float value;
    memcpy(&value, panel + (size_t)i * LINE_BYTES + 4 * (size_t)r, sizeof value);
    return value;
}

static inline float element_f16(const uint8_t *panel, int r, int i) {
    return float_from_f16(load_half(panel + (size_t)(i / 2) * LINE_BYTES, i % 2 * PANEL_ROWS + r));
}

static inline float element_bf16(const uint8_t *panel, int r, int i) {
    return float_from_bf16(load_half(panel + (size_t)(i / 2) * LINE_BYTES, 2 * r + i % 2));
}

static inline __attribute__((always_inline)) void multiply(const struct matmul_args *args,
                                                           element_function element) {
    for (int r = 0; r < args->n_rows; r++) {
        const uint8_t *panel = args->panels + (size_t)(r / PANEL_ROWS) * args->panel_bytes;
        for (int t = 0; t < args->n_tokens; t++) {
            const uint8_t *row = (const uint8_t *)args->activations + (size_t)t * args->act_bytes;
            double sum = 0;
            for (int i = 0; i < args->k; i++) {
                float x;
                memcpy(&x, row + (size_t)i * sizeof x, sizeof x);
                sum += (double)element(panel, r % PANEL_ROWS, i) * (double)x;
            }
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
