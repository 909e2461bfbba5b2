// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm (squares summed in double: no overflow for any float) and rotary position
// embedding.
#include "kernels/avx512/operations.h"
#include "kernels/avx512/vec_avx512.h"

#include <math.h>

void avx512_rmsnorm(const float *x, const float *w, float *y, int n, float eps) {
    __m512d low = _mm512_setzero_pd(), high = low;
    for (int i = 0; i < n; i += 16) {
        __m512 v = vec512_load(x + i, n - i);
        __m512d a = _mm512_cvtps_pd(vec512_low(v)), b = _mm512_cvtps_pd(vec512_high(v));
        low = _mm512_fmadd_pd(a, a, low);
        high = _mm512_fmadd_pd(b, b, high);
    }
    double squares = vec512_sum_f64(_mm512_add_pd(low, high));
    __m512 factor = _mm512_set1_ps((float)(1.0 / sqrt(squares / n + (double)eps)));
    for (int i = 0; i < n; i += 16) {
        __m512 v = _mm512_mul_ps(vec512_load(x + i, n - i), factor);
        vec512_store(y + i, _mm512_mul_ps(v, vec512_load(w + i, n - i)), n - i);
    }
}

// The sum of (x - mean)^2, in double.
VEC512_INLINE double sum_squares(const float *x, int n, double mean) {
    __m512d low = _mm512_setzero_pd(), high = low, m = _mm512_set1_pd(mean);
    for (int i = 0; i < n; i += 16) {
        __mmask16 mask = vec512_mask(n - i);
        __m512 v = vec512_load(x + i, n - i);
        __m512d a = _mm512_maskz_sub_pd((__mmask8)mask, _mm512_cvtps_pd(vec512_low(v)), m);
        __m512d b = _mm512_maskz_sub_pd((__mmask8)(mask >> 8), _mm512_cvtps_pd(vec512_high(v)), m);
        low = _mm512_fmadd_pd(a, a, low);
        high = _mm512_fmadd_pd(b, b, high);
    }
    return vec512_sum_f64(_mm512_add_pd(low, high));
}

void avx512_layernorm(const float *x, const float *w, const float *b, float *y, int n, float eps) {
    __m512d low = _mm512_setzero_pd(), high = low;
    for (int i = 0; i < n; i += 16) {
        __m512 v = vec512_load(x + i, n - i);
        low = _mm512_add_pd(low, _mm512_cvtps_pd(vec512_low(v)));
        high = _mm512_add_pd(high, _mm512_cvtps_pd(vec512_high(v)));
    }
    double mean = vec512_sum_f64(_mm512_add_pd(low, high)) / n;
    double variance = sum_squares(x, n, mean) / n;
    __m512 factor = _mm512_set1_ps((float)(1.0 / sqrt(variance + (double)eps)));
    __m512 center = _mm512_set1_ps((float)mean);
    for (int i = 0; i < n; i += 16) {
        __m512 v = _mm512_mul_ps(_mm512_sub_ps(vec512_load(x + i, n - i), center), factor);
        v = _mm512_fmadd_ps(v, vec512_load(w + i, n - i), vec512_load(b + i, n - i));
        vec512_store(y + i, v, n - i);
    }
}

// Pairs (a[i], b[i]), at most 16 at a time.
VEC512_INLINE void rotate_halves(float *a, float *b, const float *cosine, const float *sine,
                                 int n) {
    for (int i = 0; i < n; i += 16) {
        __m512 c = vec512_load(cosine + i, n - i), s = vec512_load(sine + i, n - i);
        __m512 x = vec512_load(a + i, n - i), y = vec512_load(b + i, n - i);
        vec512_store(a + i, _mm512_fmsub_ps(x, c, _mm512_mul_ps(y, s)), n - i);
        vec512_store(b + i, _mm512_fmadd_ps(x, s, _mm512_mul_ps(y, c)), n - i);
    }
}

// Pairs (x[2i], x[2i+1]): 8 a vector; cosine and sine are spread to both elements of their pair.
VEC512_INLINE void rotate_neighbours(float *x, const float *cosine, const float *sine, int n) {
    const __m512i spread = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    for (int i = 0; i < n; i += 8) {
        int left = n - i < 8 ? n - i : 8;
        __m512 c = _mm512_permutexvar_ps(spread, vec512_load(cosine + i, left));
        __m512 s = _mm512_permutexvar_ps(spread, vec512_load(sine + i, left));
        __m512 v = vec512_load(x + 2 * i, 2 * left);
        __m512 swapped = _mm512_permute_ps(v, 0xb1);
        // even lanes: v c - swapped s, odd lanes: v c + swapped s
        vec512_store(x + 2 * i, _mm512_fmaddsub_ps(v, c, _mm512_mul_ps(swapped, s)), 2 * left);
    }
}

void avx512_rope(float *x, const float *cosine, const float *sine, int n_heads, int head_dim,
                 int n_rot, bool halves) {
    int n_pairs = n_rot / 2;
    for (int h = 0; h < n_heads; h++, x += head_dim) {
        if (halves)
            rotate_halves(x, x + n_pairs, cosine, sine, n_pairs);
        else
            rotate_neighbours(x, cosine, sine, n_pairs);
    }
}
