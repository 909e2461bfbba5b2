// SPDX-License-Identifier: Apache-2.0
// The few vector words that the AVX-512 files share. Only static inline functions: nothing here may
// end up in code that runs on a CPU without AVX-512. Tails go through the same instructions under a
// mask, so an element's result does not depend on where it stands.
#ifndef XL_KERNELS_VEC_AVX512_H
#define XL_KERNELS_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

#define VEC512_INLINE static inline __attribute__((always_inline))

enum { VEC512_NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };

// Ones for the first n of 16 lanes; n may be any number.
VEC512_INLINE __mmask16 vec512_mask(int n) {
    return n >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << (n < 0 ? 0 : n)) - 1u);
}

// The next min(n, 16) floats, zeros behind them.
VEC512_INLINE __m512 vec512_load(const float *x, int n) {
    return n >= 16 ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(vec512_mask(n), x);
}

VEC512_INLINE void vec512_store(float *x, __m512 v, int n) {
    if (n >= 16)
        _mm512_storeu_ps(x, v);
    else
        _mm512_mask_storeu_ps(x, vec512_mask(n), v);
}

VEC512_INLINE __m256 vec512_low(__m512 v) {
    return _mm512_castps512_ps256(v);
}

VEC512_INLINE __m256 vec512_high(__m512 v) {
    return _mm512_extractf32x8_ps(v, 1);
}

// Fixed order: halves, halves of halves, pairs.
VEC512_INLINE float vec512_sum(__m512 v) {
    __m256 h = _mm256_add_ps(vec512_low(v), vec512_high(v));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

VEC512_INLINE double vec512_sum_f64(__m512d v) {
    __m256d h = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
    __m128d s = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

VEC512_INLINE float vec512_max(__m512 v) {
    __m256 h = _mm256_max_ps(vec512_low(v), vec512_high(v));
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

// e^x within 1 unit in the last place; 0 below -104, infinity above 88.73, NaN stays NaN.
// x = n ln 2 + r, |r| <= ln 2 / 2; e^r by its series to the 7th power (remainder < 6e-9 e^r); the
// scaling by 2^n rounds once, also into subnormal numbers.
VEC512_INLINE __m512 vec512_exp(__m512 x) {
    x = _mm512_max_ps(_mm512_set1_ps(-104.0f), x);
    x = _mm512_min_ps(_mm512_set1_ps(89.0f), x);
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), VEC512_NEAREST);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.62e4p-1f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.7f7d1cp-20f), r);
    __m512 p = _mm512_set1_ps(1.0f / 5040);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 720));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

VEC512_INLINE __m512 vec512_tanh(__m512 x) { // absolute error below 2e-7
    __m512 one = _mm512_set1_ps(1.0f);
    __m512 e = vec512_exp(_mm512_add_ps(x, x));
    return _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), _mm512_add_ps(e, one)));
}

VEC512_INLINE __m512 vec512_from_f16(const void *x) { // 16 unaligned halves
    return _mm512_cvtph_ps(_mm256_loadu_si256(x));
}

VEC512_INLINE __m512 vec512_widen_bf16(__m256i x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

VEC512_INLINE __m512 vec512_from_bf16(const void *x) { // 16 unaligned bfloat16
    return vec512_widen_bf16(_mm256_loadu_si256(x));
}

// To bfloat16, nearest even, NaN stays NaN: as numeric/float16.h and without AVX512_BF16, whose
// conversion flushes subnormal numbers.
VEC512_INLINE __m256i vec512_to_bf16(__m512 x) {
    __m512i bits = _mm512_castps_si512(x);
    __m512i high = _mm512_srli_epi32(bits, 16);
    __m512i bias =
        _mm512_add_epi32(_mm512_and_si512(high, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7fff));
    __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, bias), 16);
    __mmask16 is_nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, is_nan, high, _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(rounded);
}

#endif
#endif
