// SPDX-License-Identifier: Apache-2.0
// Conversions between number formats. The CPU's own half conversion keeps more of a NaN's payload
// than numeric/float16.h; every other value converts to the same bits.
#include "kernels/avx512/operations.h"
#include "kernels/avx512/vec_avx512.h"

// The next min(n, 16) halves, zeros behind them.
VEC512_INLINE __m256i load_halves(const uint16_t *x, int n) {
    return _mm256_maskz_loadu_epi16(vec512_mask(n), x);
}

VEC512_INLINE void store_halves(uint16_t *out, __m256i v, int n) {
    _mm256_mask_storeu_epi16(out, vec512_mask(n), v);
}

void avx512_to_f16(const float *x, uint16_t *out, int n) {
    for (int i = 0; i < n; i += 16)
        store_halves(out + i, _mm512_cvtps_ph(vec512_load(x + i, n - i), VEC512_NEAREST), n - i);
}

void avx512_from_f16(const uint16_t *x, float *out, int n) {
    for (int i = 0; i < n; i += 16)
        vec512_store(out + i, _mm512_cvtph_ps(load_halves(x + i, n - i)), n - i);
}

void avx512_to_bf16(const float *x, uint16_t *out, int n) {
    for (int i = 0; i < n; i += 16)
        store_halves(out + i, vec512_to_bf16(vec512_load(x + i, n - i)), n - i);
}

void avx512_from_bf16(const uint16_t *x, float *out, int n) {
    for (int i = 0; i < n; i += 16)
        vec512_store(out + i, vec512_widen_bf16(load_halves(x + i, n - i)), n - i);
}
