// SPDX-License-Identifier: Apache-2.0
// What attention does with the scores of one query row and tile in AVX2: the online softmax
// (Milakov & Gimelshein 2018).
#ifndef XL_KERNELS_AVX2_ATTEND_SOFTEN_H
#define XL_KERNELS_AVX2_ATTEND_SOFTEN_H

#include "kernels/attend_blocks.h"
#include "kernels/avx2/vec_avx2.h"
#include "kernels/unroll.h"

#include <math.h>

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

enum { ATTEND_VECTORS = ATTEND_TILE / 8 };

// All ones in the lanes of vector i that lie in [begin, end) of the tile.
VEC_INLINE __m256i attend_mask(int i, int begin, int end) {
    return _mm256_andnot_si256(vec_mask(begin - 8 * i), vec_mask(end - 8 * i));
}

// scores [8] of a row become weights; those outside the masks become 0. max, rescale and sums
// follow.
VEC_INLINE void attend_soften(const struct attend_block *block, int row, const __m256i *masks,
                              __m256 *scores) {
    __m256 lowest = _mm256_set1_ps(-INFINITY), highest = lowest;
    float softcap = block->args->softcap, max = block->max[row];
    if (softcap > 0) {
        __m256 cap = _mm256_set1_ps(softcap);
        UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) scores[i] =
            _mm256_mul_ps(cap, vec_tanh(scores[i]));
    }
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        scores[i] = _mm256_blendv_ps(lowest, scores[i], _mm256_castsi256_ps(masks[i]));
        highest = _mm256_max_ps(scores[i], highest);
    }
    float largest = vec_max(highest);
    block->rescale[row] = 1.0f;
    if (largest > max) {
        block->rescale[row] = _mm256_cvtss_f32(vec_exp(_mm256_set1_ps(max - largest)));
        block->max[row] = max = largest;
    }
    __m256 base = _mm256_set1_ps(max), rescale = _mm256_set1_ps(block->rescale[row]);
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        __m256 weights = vec_exp(_mm256_sub_ps(scores[i], base));
        scores[i] = _mm256_and_ps(weights, _mm256_castsi256_ps(masks[i]));
    }
    float *sums = block->sums + (size_t)row * ATTEND_LANES;
    UNROLL for (int half = 0; half < 2; half++) {
        __m256 sum = _mm256_add_ps(_mm256_add_ps(scores[half], scores[half + 2]),
                                   _mm256_add_ps(scores[half + 4], scores[half + 6]));
        __m256 before = _mm256_load_ps(sums + 8 * half);
        _mm256_store_ps(sums + 8 * half, _mm256_fmadd_ps(before, rescale, sum));
    }
}

static inline float attend_sum_lanes(const float *x) {
    return vec_sum(_mm256_add_ps(_mm256_load_ps(x), _mm256_load_ps(x + 8)));
}

// In attend.c: the floats that bytes (or a converted tile) stand for.
void avx2_attend_weigh_i8(const struct attend_block *block, int first_row, int n_rows, int begin,
                          int end);
void avx2_attend_i8(const struct attend_args *args);

#endif
#endif
