// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm (squares summed in double: no overflow for any float) and rotary position
// embedding.
#include "kernels/avx2/operations.h"
#include "kernels/avx2/vec_avx2.h"

#include <math.h>

void avx2_rmsnorm(const float *x, const float *w, float *y, int n, float eps) {
    __m256d low = _mm256_setzero_pd(), high = low;
    for (int i = 0; i < n; i += 8) {
        __m256 v = vec_load(x + i, n - i);
        __m256d a = vec_low_f64(v), b = vec_high_f64(v);
        low = _mm256_fmadd_pd(a, a, low);
        high = _mm256_fmadd_pd(b, b, high);
    }
    double squares = vec_sum_f64(_mm256_add_pd(low, high));
    __m256 factor = _mm256_set1_ps((float)(1.0 / sqrt(squares / n + (double)eps)));
    for (int i = 0; i < n; i += 8) {
        __m256 v = _mm256_mul_ps(vec_load(x + i, n - i), factor);
        vec_store(y + i, _mm256_mul_ps(v, vec_load(w + i, n - i)), n - i);
    }
}

// The sum of (x - mean)^2, in double.
VEC_INLINE double sum_squares(const float *x, int n, double mean) {
    __m256d low = _mm256_setzero_pd(), high = low, m = _mm256_set1_pd(mean);
    for (int i = 0; i < n; i += 8) {
        __m256 v = vec_load(x + i, n - i);
        __m256d a = _mm256_sub_pd(vec_low_f64(v), m), b = _mm256_sub_pd(vec_high_f64(v), m);
        if (n - i < 8) { // what is behind the end is no element, but would count as one of 0
            __m256i mask = vec_mask(n - i);
            __m128i left = _mm256_castsi256_si128(mask), right = _mm256_extracti128_si256(mask, 1);
            a = _mm256_and_pd(a, _mm256_castsi256_pd(_mm256_cvtepi32_epi64(left)));
            b = _mm256_and_pd(b, _mm256_castsi256_pd(_mm256_cvtepi32_epi64(right)));
        }
        low = _mm256_fmadd_pd(a, a, low);
        high = _mm256_fmadd_pd(b, b, high);
    }
    return vec_sum_f64(_mm256_add_pd(low, high));
}

void avx2_layernorm(const float *x, const float *w, const float *b, float *y, int n, float eps) {
    __m256d low = _mm256_setzero_pd(), high = low;
    for (int i = 0; i < n; i += 8) {
        __m256 v = vec_load(x + i, n - i);
        low = _mm256_add_pd(low, vec_low_f64(v));
        high = _mm256_add_pd(high, vec_high_f64(v));
    }
    double mean = vec_sum_f64(_mm256_add_pd(low, high)) / n;
    double variance = sum_squares(x, n, mean) / n;
    __m256 factor = _mm256_set1_ps((float)(1.0 / sqrt(variance + (double)eps)));
    __m256 center = _mm256_set1_ps((float)mean);
    for (int i = 0; i < n; i += 8) {
        __m256 v = _mm256_mul_ps(_mm256_sub_ps(vec_load(x + i, n - i), center), factor);
        v = _mm256_fmadd_ps(v, vec_load(w + i, n - i), vec_load(b + i, n - i));
        vec_store(y + i, v, n - i);
    }
}

// Pairs (a[i], b[i]), at most 8 at a time.
VEC_INLINE void rotate_halves(float *a, float *b, const float *cosine, const float *sine, int n) {
    for (int i = 0; i < n; i += 8) {
        __m256 c = vec_load(cosine + i, n - i), s = vec_load(sine + i, n - i);
        __m256 x = vec_load(a + i, n - i), y = vec_load(b + i, n - i);
        vec_store(a + i, _mm256_fmsub_ps(x, c, _mm256_mul_ps(y, s)), n - i);
        vec_store(b + i, _mm256_fmadd_ps(x, s, _mm256_mul_ps(y, c)), n - i);
    }
}

// Pairs (x[2i], x[2i+1]): 4 a vector; cosine and sine are spread to both elements of their pair.
VEC_INLINE void rotate_neighbours(float *x, const float *cosine, const float *sine, int n) {
    __m256i spread = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    for (int i = 0; i < n; i += 4) {
        int left = n - i < 4 ? n - i : 4;
        __m256 c = _mm256_permutevar8x32_ps(vec_load(cosine + i, left), spread);
        __m256 s = _mm256_permutevar8x32_ps(vec_load(sine + i, left), spread);
        __m256 v = vec_load(x + 2 * i, 2 * left);
        __m256 swapped = _mm256_permute_ps(v, 0xb1);
        // even lanes: v c - swapped s, odd lanes: v c + swapped s
        vec_store(x + 2 * i, _mm256_fmaddsub_ps(v, c, _mm256_mul_ps(swapped, s)), 2 * left);
    }
}

void avx2_rope(float *x, const float *cosine, const float *sine, int n_heads, int head_dim,
               int n_rot, bool halves) {
    int n_pairs = n_rot / 2;
    for (int h = 0; h < n_heads; h++, x += head_dim) {
        if (halves)
            rotate_halves(x, x + n_pairs, cosine, sine, n_pairs);
        else
            rotate_neighbours(x, cosine, sine, n_pairs);
    }
}
