// SPDX-License-Identifier: Apache-2.0
// Activations to ACT_Q8, 32 at a time; the same bytes as scalar/quantize_act.c.
#include "kernels/avx2/operations.h"
#include "kernels/avx2/vec_avx2.h"
#include "kernels/unroll.h"

#include "numeric/float16.h"

#include <assert.h>
#include <string.h>

#define SMALLEST_MAX 0x1p-120f // as in scalar

// The largest magnitude of 32 floats as bits, where a NaN is larger than infinity.
VEC_INLINE uint32_t largest_bits(const __m256 v[4]) {
    __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i max = _mm256_and_si256(_mm256_castps_si256(v[0]), magnitude);
    UNROLL for (int i = 1; i < 4; i++) {
        __m256i bits = _mm256_and_si256(_mm256_castps_si256(v[i]), magnitude);
        max = _mm256_max_epu32(max, bits);
    }
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(max), _mm256_extracti128_si256(max, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}

VEC_INLINE int32_t sum_of_16(__m256i a, __m256i b) {
    __m256i s = _mm256_add_epi32(a, b);
    __m128i t = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0x4e));
    t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0xb1));
    return _mm_cvtsi128_si32(t);
}

// Block b of a chunk.
VEC_INLINE void quantize_block(const float *x, struct act_chunk_q8 *chunk, int b) {
    __m256 v[4];
    UNROLL for (int i = 0; i < 4; i++) v[i] = _mm256_loadu_ps(x + 8 * i);
    uint32_t largest = largest_bits(v);
    float max = float_from_bits(largest);
    int8_t *q = chunk->q + 32 * b;
    if (largest >= 0x7f800000u || max < SMALLEST_MAX) {
        float scale = largest >= 0x7f800000u ? float_from_bits(0x7fc00000u) : 0;
        chunk->scale[b] = chunk->sum[b] = scale;
        chunk->sum16[2 * b] = chunk->sum16[2 * b + 1] = scale;
        memset(q, 0, 32);
        return;
    }
    __m256 inverse = _mm256_set1_ps(127.0f / max);
    __m256i w[4];
    UNROLL for (int i = 0; i < 4; i++) w[i] =
        _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse)); // rounds half to even
    float scale = max / 127.0f;
    int32_t first = sum_of_16(w[0], w[1]), second = sum_of_16(w[2], w[3]);
    chunk->scale[b] = scale;
    chunk->sum[b] = scale * (float)(first + second);
    chunk->sum16[2 * b] = scale * (float)first;
    chunk->sum16[2 * b + 1] = scale * (float)second;
    __m256i low = _mm256_packs_epi32(w[0], w[1]), high = _mm256_packs_epi32(w[2], w[3]);
    __m256i bytes = _mm256_packs_epi16(low, high); // groups of 4 in the order 0 2 4 6 1 3 5 7
    __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256((void *)q, _mm256_permutevar8x32_epi32(bytes, order));
}

void avx2_quantize_act(const float *x, struct act_chunk_q8 *row, int begin, int n) {
    assert(begin % 32 == 0 && n % 32 == 0);
    for (int i = 0; i < n; i += 32) {
        int block = (begin + i) / 32;
        quantize_block(x + i, row + block / ACT_CHUNK_BLOCKS, block % ACT_CHUNK_BLOCKS);
    }
}
