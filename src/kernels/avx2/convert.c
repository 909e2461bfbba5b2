// SPDX-License-Identifier: Apache-2.0
// Conversions between number formats. F16C keeps more of a NaN's payload than numeric/float16.h;
// every other value converts to the same bits.
#include "kernels/avx2/operations.h"
#include "kernels/avx2/vec_avx2.h"

#include "numeric/float16.h"

enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };

void avx2_to_f16(const float *x, uint16_t *out, int n) {
    int i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((void *)(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), NEAREST));
    for (; i < n; i++)
        out[i] = (uint16_t)_cvtss_sh(x[i], NEAREST);
}

void avx2_from_f16(const uint16_t *x, float *out, int n) {
    int i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, vec_from_f16(x + i));
    for (; i < n; i++)
        out[i] = _cvtsh_ss(x[i]);
}

// Rounds 8 floats to bfloat16 in the upper halves of 32-bit lanes moved down.
VEC_INLINE __m256i round_bf16(__m256 x) {
    __m256i bits = _mm256_castps_si256(x);
    __m256i high = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    __m256i bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
    __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
    __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    __m256 is_nan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
    return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(is_nan));
}

void avx2_to_bf16(const float *x, uint16_t *out, int n) {
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i words = round_bf16(_mm256_loadu_ps(x + i));
        __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(words, words), 0xd8);
        _mm_storeu_si128((void *)(out + i), _mm256_castsi256_si128(packed));
    }
    for (; i < n; i++)
        out[i] = float_to_bf16(x[i]);
}

void avx2_from_bf16(const uint16_t *x, float *out, int n) {
    int i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, vec_from_bf16(x + i));
    for (; i < n; i++)
        out[i] = float_from_bf16(x[i]);
}
