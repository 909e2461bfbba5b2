// SPDX-License-Identifier: Apache-2.0
// Element-wise operations and softmax.
#include "kernels/scalar/operations.h"

#include <math.h>

void scalar_silu_mul(float *gate, const float *up, int n) {
    for (int i = 0; i < n; i++)
        gate[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

// gelu(x) = x / 2 (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3), which is x / (1 + e^-2u).
void scalar_gelu_mul(float *gate, const float *up, int n) {
    for (int i = 0; i < n; i++) {
        float x = gate[i];
        float u = 0.7978845608028654f * (x + 0.044715f * x * x * x);
        gate[i] = x / (1.0f + expf(-2.0f * u)) * up[i];
    }
}

void scalar_gelu_erf(float *x, int n) {
    for (int i = 0; i < n; i++)
        x[i] = (float)((double)x[i] * 0.5 * erfc((double)x[i] * -0.70710678118654752));
}

void scalar_add(float *x, const float *y, int n) {
    for (int i = 0; i < n; i++)
        x[i] += y[i];
}

void scalar_scale(float *x, float factor, int n) {
    for (int i = 0; i < n; i++)
        x[i] *= factor;
}

void scalar_softmax(float *x, int n) {
    float max = -INFINITY;
    for (int i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        x[i] = expf(x[i] - max);
        sum += (double)x[i];
    }
    float factor = (float)(1.0 / sum);
    for (int i = 0; i < n; i++)
        x[i] *= factor;
}
