// SPDX-License-Identifier: Apache-2.0
// The few vector words that the AVX2 files share. Only static inline functions: nothing here may
// end up in code that runs on a CPU without AVX2.
#ifndef XL_KERNELS_VEC_AVX2_H
#define XL_KERNELS_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#define VEC_INLINE static inline __attribute__((always_inline))

// Fixed order: halves, then pairs.
VEC_INLINE float vec_sum(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

VEC_INLINE double vec_sum_f64(__m256d v) {
    __m128d s = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

VEC_INLINE float vec_max(__m256 v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

VEC_INLINE __m256d vec_low_f64(__m256 v) {
    return _mm256_cvtps_pd(_mm256_castps256_ps128(v));
}

VEC_INLINE __m256d vec_high_f64(__m256 v) {
    return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
}

// All ones in the first n of 8 lanes.
VEC_INLINE __m256i vec_mask(int n) {
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
}

// The next min(n, 8) floats, zeros behind them.
VEC_INLINE __m256 vec_load(const float *x, int n) {
    return n >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, vec_mask(n));
}

VEC_INLINE void vec_store(float *x, __m256 v, int n) {
    if (n >= 8)
        _mm256_storeu_ps(x, v);
    else
        _mm256_maskstore_ps(x, vec_mask(n), v);
}

VEC_INLINE __m256 vec_exponent(__m256i n) { // 2^n for -127 < n < 128
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

// e^x within 1 unit in the last place (normal results); 0 below -104, infinity above 88.73, NaN
// stays NaN. x = n ln 2 + r, |r| <= ln 2 / 2; e^r by its series to the 7th power (remainder < 6e-9
// e^r); 2^n in two factors, so that results near the ends of the range come out right.
VEC_INLINE __m256 vec_exp(__m256 x) {
    x = _mm256_max_ps(_mm256_set1_ps(-104.0f), x);
    x = _mm256_min_ps(_mm256_set1_ps(89.0f), x);
    __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.62e4p-1f), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.7f7d1cp-20f), r);
    __m256 p = _mm256_set1_ps(1.0f / 5040);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 720));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    __m256i whole = _mm256_cvtps_epi32(n);
    __m256i half = _mm256_srai_epi32(whole, 1);
    p = _mm256_mul_ps(p, vec_exponent(half));
    return _mm256_mul_ps(p, vec_exponent(_mm256_sub_epi32(whole, half)));
}

VEC_INLINE __m256 vec_tanh(__m256 x) { // absolute error below 2e-7
    __m256 one = _mm256_set1_ps(1.0f);
    __m256 e = vec_exp(_mm256_add_ps(x, x));
    __m256 part = _mm256_div_ps(_mm256_set1_ps(2.0f), _mm256_add_ps(e, one));
    return _mm256_sub_ps(one, part);
}

VEC_INLINE __m256 vec_from_f16(const void *x) { // 8 unaligned halves
    return _mm256_cvtph_ps(_mm_loadu_si128(x));
}

VEC_INLINE __m256 vec_from_bf16(const void *x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(x)), 16));
}

#endif
#endif
