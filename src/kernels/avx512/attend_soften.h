// SPDX-License-Identifier: Apache-2.0
// What attention does with the scores of one query row and tile in AVX-512: the online softmax
// (Milakov & Gimelshein 2018).
#ifndef XL_KERNELS_AVX512_ATTEND_SOFTEN_H
#define XL_KERNELS_AVX512_ATTEND_SOFTEN_H

#include "kernels/attend_blocks.h"
#include "kernels/avx512/vec_avx512.h"
#include "kernels/unroll.h"

#include <math.h>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

enum { ATTEND_VECTORS = ATTEND_TILE / 16 };

// The lanes of vector i that lie in [begin, end) of the tile.
VEC512_INLINE __mmask16 attend_mask(int i, int begin, int end) {
    return vec512_mask(end - 16 * i) & (__mmask16)~vec512_mask(begin - 16 * i);
}

// scores [4] of a row become weights; those outside the masks become 0. max and rescale follow, the
// sum does not.
VEC512_INLINE void attend_soften(const struct attend_block *block, int row, const __mmask16 *masks,
                                 __m512 *scores) {
    __m512 lowest = _mm512_set1_ps(-INFINITY);
    float softcap = block->args->softcap, max = block->max[row];
    if (softcap > 0) {
        __m512 cap = _mm512_set1_ps(softcap);
        UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) scores[i] =
            _mm512_mul_ps(cap, vec512_tanh(scores[i]));
    }
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) scores[i] =
        _mm512_mask_mov_ps(lowest, masks[i], scores[i]);
    float largest = vec512_max(
        _mm512_max_ps(_mm512_max_ps(scores[0], scores[1]), _mm512_max_ps(scores[2], scores[3])));
    if (largest > max) {
        __m512 change = vec512_exp(_mm512_set1_ps(max - largest));
        block->rescale[row] = _mm512_cvtss_f32(change);
        block->max[row] = max = largest;
    } else {
        block->rescale[row] = 1.0f;
    }
    __m512 base = _mm512_set1_ps(max);
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) scores[i] =
        _mm512_maskz_mov_ps(masks[i], vec512_exp(_mm512_sub_ps(scores[i], base)));
}

// sums = sums * rescale + weights.
VEC512_INLINE void attend_add_weights(const struct attend_block *block, int row,
                                      const __m512 *weights) {
    float *sums = block->sums + (size_t)row * ATTEND_LANES;
    __m512 sum =
        _mm512_add_ps(_mm512_add_ps(weights[0], weights[1]), _mm512_add_ps(weights[2], weights[3]));
    _mm512_store_ps(
        sums, _mm512_fmadd_ps(_mm512_load_ps(sums), _mm512_set1_ps(block->rescale[row]), sum));
}

// acc = acc * rescale of n_rows rows and n_vectors vectors (constants) from element `offset` on.
VEC512_INLINE void attend_load_acc(const struct attend_block *block, int first_row, int n_rows,
                                   int offset, int n_vectors, __m512 (*acc)[ATTEND_GROUP]) {
    UNROLL for (int r = 0; r < n_rows; r++) {
        const float *x = block->acc + (size_t)(first_row + r) * (size_t)block->dim_padded + offset;
        __m512 factor = _mm512_set1_ps(block->rescale[first_row + r]);
        UNROLL for (int i = 0; i < n_vectors; i++) acc[i][r] =
            _mm512_mul_ps(_mm512_load_ps(x + 16 * i), factor);
    }
}

VEC512_INLINE void attend_store_acc(const struct attend_block *block, int first_row, int n_rows,
                                    int offset, int n_vectors, __m512 (*acc)[ATTEND_GROUP]) {
    UNROLL for (int r = 0; r < n_rows; r++) {
        float *x = block->acc + (size_t)(first_row + r) * (size_t)block->dim_padded + offset;
        UNROLL for (int i = 0; i < n_vectors; i++) _mm512_store_ps(x + 16 * i, acc[i][r]);
    }
}

// In attend.c: the floats that bytes (or a converted tile) stand for.
void avx512_attend_weigh_i8(const struct attend_block *block, int first_row, int n_rows, int begin,
                            int end);
void avx512_attend_i8(const struct attend_args *args);

static inline float attend_sum_lanes(const float *x) {
    return vec512_sum(_mm512_load_ps(x));
}

#endif
#endif
