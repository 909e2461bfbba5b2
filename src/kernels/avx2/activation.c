// SPDX-License-Identifier: Apache-2.0
// Element-wise operations and softmax, 8 floats at a time. A tail of fewer than 8 goes through the
// same instructions under a mask, so an element's result does not depend on where it stands.
#include "kernels/avx2/operations.h"
#include "kernels/avx2/vec_avx2.h"

#include <math.h>

// x / (1 + e^-z)
VEC_INLINE __m256 gate(__m256 x, __m256 z) {
    __m256 e = vec_exp(_mm256_sub_ps(_mm256_setzero_ps(), z));
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), e));
}

void avx2_silu_mul(float *x, const float *up, int n) {
    for (int i = 0; i < n; i += 8) {
        __m256 v = vec_load(x + i, n - i);
        vec_store(x + i, _mm256_mul_ps(gate(v, v), vec_load(up + i, n - i)), n - i);
    }
}

// See scalar/activation.c: x / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3).
void avx2_gelu_mul(float *x, const float *up, int n) {
    __m256 twice = _mm256_set1_ps(2 * 0.7978845608028654f);
    __m256 cubic = _mm256_set1_ps(0.044715f);
    for (int i = 0; i < n; i += 8) {
        __m256 v = vec_load(x + i, n - i);
        __m256 cube = _mm256_mul_ps(_mm256_mul_ps(v, v), v);
        __m256 z = _mm256_mul_ps(twice, _mm256_fmadd_ps(cubic, cube, v));
        vec_store(x + i, _mm256_mul_ps(gate(v, z), vec_load(up + i, n - i)), n - i);
    }
}

// max(x, 0) - a P(N(0, 1) <= -a) with a = |x|. That probability is e^(-a^2 / 2) times a polynomial
// in s = 1 / (1 + 0.3 a), fitted here with a relative error below 1.7e-7 up to a = 14.5, where it
// is 0.
VEC_INLINE __m256 gelu_erf(__m256 x) {
    __m256 one = _mm256_set1_ps(1.0f);
    __m256 a = _mm256_min_ps(_mm256_set1_ps(14.5f), _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x));
    __m256 s = _mm256_div_ps(one, _mm256_fmadd_ps(_mm256_set1_ps(0.3f), a, one));
    __m256 p = _mm256_set1_ps(0.0354243283f);
    p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(-0.156160759f));
    p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(0.204560473f));
    p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(-0.0520371289f));
    p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(0.127693265f));
    p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(0.100175541f));
    p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(0.120712194f));
    p = _mm256_fmadd_ps(p, s, _mm256_set1_ps(0.119632004f));
    __m256 e = vec_exp(_mm256_mul_ps(_mm256_mul_ps(a, a), _mm256_set1_ps(-0.5f)));
    __m256 tail = _mm256_mul_ps(_mm256_mul_ps(_mm256_mul_ps(p, s), e), a);
    return _mm256_sub_ps(_mm256_max_ps(_mm256_setzero_ps(), x), tail);
}

void avx2_gelu_erf(float *x, int n) {
    for (int i = 0; i < n; i += 8)
        vec_store(x + i, gelu_erf(vec_load(x + i, n - i)), n - i);
}

void avx2_add(float *x, const float *y, int n) {
    for (int i = 0; i < n; i += 8)
        vec_store(x + i, _mm256_add_ps(vec_load(x + i, n - i), vec_load(y + i, n - i)), n - i);
}

void avx2_scale(float *x, float factor, int n) {
    __m256 f = _mm256_set1_ps(factor);
    for (int i = 0; i < n; i += 8)
        vec_store(x + i, _mm256_mul_ps(vec_load(x + i, n - i), f), n - i);
}

static float largest(const float *x, int n) {
    __m256 max = _mm256_set1_ps(-INFINITY);
    int i = 0;
    for (; i + 8 <= n; i += 8)
        max = _mm256_max_ps(max, _mm256_loadu_ps(x + i));
    float result = vec_max(max);
    for (; i < n; i++)
        result = x[i] > result ? x[i] : result;
    return result;
}

void avx2_softmax(float *x, int n) {
    __m256 max = _mm256_set1_ps(largest(x, n));
    __m256d sum = _mm256_setzero_pd();
    for (int i = 0; i < n; i += 8) {
        __m256 e = vec_exp(_mm256_sub_ps(vec_load(x + i, n - i), max));
        if (n - i < 8) e = _mm256_and_ps(e, _mm256_castsi256_ps(vec_mask(n - i)));
        sum = _mm256_add_pd(sum, _mm256_add_pd(vec_low_f64(e), vec_high_f64(e)));
        vec_store(x + i, e, n - i);
    }
    avx2_scale(x, (float)(1.0 / vec_sum_f64(sum)), n);
}
