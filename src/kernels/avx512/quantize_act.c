// SPDX-License-Identifier: Apache-2.0
// Activations to ACT_Q8, 32 at a time; the same bytes as scalar/quantize_act.c.
#include "kernels/avx512/operations.h"
#include "kernels/avx512/vec_avx512.h"

#include "numeric/float16.h"

#include <assert.h>

#define SMALLEST_MAX 0x1p-120f // as in scalar

// The largest magnitude of 32 floats as bits, where a NaN is larger than infinity.
VEC512_INLINE uint32_t largest_bits(__m512 low, __m512 high) {
    __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i max = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low), magnitude),
                                   _mm512_and_si512(_mm512_castps_si512(high), magnitude));
    __m256i h = _mm256_max_epu32(_mm512_castsi512_si256(max), _mm512_extracti64x4_epi64(max, 1));
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}

// The sum of 16 signed bytes.
VEC512_INLINE int32_t sum_of_16(__m128i bytes) {
    __m128i halves =
        _mm_sad_epu8(_mm_xor_si128(bytes, _mm_set1_epi8((char)0x80)), _mm_setzero_si128());
    return _mm_cvtsi128_si32(halves) + _mm_extract_epi32(halves, 2) - 16 * 128;
}

VEC512_INLINE void quantize_block(const float *x, struct act_chunk_q8 *chunk, int b) {
    __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
    __m128i *q = (void *)(chunk->q + 32 * b);
    uint32_t largest = largest_bits(low, high);
    float max = float_from_bits(largest);
    if (largest >= 0x7f800000u || max < SMALLEST_MAX) {
        float value = largest >= 0x7f800000u ? float_from_bits(0x7fc00000u) : 0;
        chunk->scale[b] = chunk->sum[b] = chunk->sum16[2 * b] = chunk->sum16[2 * b + 1] = value;
        memset(q, 0, 32);
        return;
    }
    __m512 inverse = _mm512_set1_ps(127.0f / max);
    // conversions round half to even; nothing exceeds 127
    __m128i first = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(low, inverse)));
    __m128i second = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(high, inverse)));
    _mm_storeu_si128(q, first);
    _mm_storeu_si128(q + 1, second);
    float scale = max / 127.0f;
    int32_t sums[2] = {sum_of_16(first), sum_of_16(second)};
    chunk->scale[b] = scale;
    chunk->sum[b] = scale * (float)(sums[0] + sums[1]);
    chunk->sum16[2 * b] = scale * (float)sums[0];
    chunk->sum16[2 * b + 1] = scale * (float)sums[1];
}

void avx512_quantize_act(const float *x, struct act_chunk_q8 *row, int begin, int n) {
    assert(begin % 32 == 0 && n % 32 == 0);
    for (int i = 0; i < n; i += 32) {
        int at = begin + i;
        quantize_block(x + i, &row[at / ACT_CHUNK], at % ACT_CHUNK / 32);
    }
}
