// SPDX-License-Identifier: Apache-2.0
// RMSNorm, LayerNorm and rotary position embedding.
#include "kernels/scalar/operations.h"

#include <math.h>

void scalar_rmsnorm(const float *x, const float *w, float *y, int n, float eps) {
    double squares = 0;
    for (int i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    float factor = (float)(1.0 / sqrt(squares / n + (double)eps));
    for (int i = 0; i < n; i++)
        y[i] = x[i] * factor * w[i];
}

void scalar_layernorm(const float *x, const float *w, const float *b, float *y, int n, float eps) {
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i];
    double mean = sum / n;
    for (int i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    double factor = 1.0 / sqrt(squares / n + (double)eps);
    for (int i = 0; i < n; i++)
        y[i] = (float)(((double)x[i] - mean) * factor) * w[i] + b[i];
}

static void rotate(float *a, float *b, float cosine, float sine) {
    float x = *a, y = *b;
    *a = x * cosine - y * sine;
    *b = x * sine + y * cosine;
}

void scalar_rope(float *x, const float *cosine, const float *sine, int n_heads, int head_dim,
                 int n_rot, bool halves) {
    int n_pairs = n_rot / 2;
    for (int h = 0; h < n_heads; h++, x += head_dim)
        for (int i = 0; i < n_pairs; i++) {
            float *a = halves ? x + i : x + 2 * i;
            float *b = halves ? x + i + n_pairs : x + 2 * i + 1;
            rotate(a, b, cosine[i], sine[i]);
        }
}
