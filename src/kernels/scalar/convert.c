// SPDX-License-Identifier: Apache-2.0
// Conversions between number formats, by numeric/float16.h.
#include "kernels/scalar/operations.h"

#include "numeric/float16.h"

void scalar_to_f16(const float *x, uint16_t *out, int n) {
    for (int i = 0; i < n; i++)
        out[i] = float_to_f16(x[i]);
}

void scalar_from_f16(const uint16_t *x, float *out, int n) {
    for (int i = 0; i < n; i++)
        out[i] = float_from_f16(x[i]);
}

void scalar_to_bf16(const float *x, uint16_t *out, int n) {
    for (int i = 0; i < n; i++)
        out[i] = float_to_bf16(x[i]);
}

void scalar_from_bf16(const uint16_t *x, float *out, int n) {
    for (int i = 0; i < n; i++)
        out[i] = float_from_bf16(x[i]);
}
