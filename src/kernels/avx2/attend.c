// SPDX-License-Identifier: Apache-2.0
// One query head against its cached keys and values in two passes over the positions: all scores
// (4 keys at a time), softmax, then the weighted sum of values with a stretch of 64 outputs held
// in registers. The order of every sum is fixed by head_dim and n_positions alone.
#include "kernels/avx2/operations.h"
#include "kernels/avx2/vec_avx2.h"
#include "kernels/unroll.h"

#include "numeric/float16.h"

#include <assert.h>

typedef __m256 (*load_function)(const void *x);

VEC_INLINE __m256 load_f32(const void *x) {
    return _mm256_loadu_ps(x);
}

VEC_INLINE __m256 load_f16(const void *x) {
    return vec_from_f16(x);
}

// The next min(n, 8) cached elements of `size` bytes, zeros behind them.
VEC_INLINE __m256 load_part(const uint8_t *x, int n, size_t size, load_function load) {
    if (n >= 8) return load(x);
    uint8_t padded[32] = {0};
    memcpy(padded, x, (size_t)n * size);
    return load(padded);
}

// Scores of n_keys (constant) consecutive positions.
VEC_INLINE void score(const struct attend_args *args, int position, int n_keys, size_t size,
                      load_function load) {
    __m256 sums[4];
    const uint8_t *keys[4];
    UNROLL for (int j = 0; j < n_keys; j++) {
        keys[j] = (const uint8_t *)args->keys + (size_t)(position + j) * args->stride_bytes;
        sums[j] = _mm256_setzero_ps();
    }
    for (int i = 0; i < args->head_dim; i += 8) {
        int left = args->head_dim - i;
        __m256 q = vec_load(args->q + i, left);
        UNROLL for (int j = 0; j < n_keys; j++) {
            __m256 key = load_part(keys[j] + (size_t)i * size, left, size, load);
            sums[j] = _mm256_fmadd_ps(q, key, sums[j]);
        }
    }
    UNROLL for (int j = 0; j < n_keys; j++) args->scores[position + j] =
        vec_sum(sums[j]) * args->scale;
}

static void cap_scores(float *scores, float softcap, int n) {
    __m256 cap = _mm256_set1_ps(softcap);
    for (int i = 0; i < n; i += 8) {
        __m256 v = _mm256_div_ps(vec_load(scores + i, n - i), cap);
        vec_store(scores + i, _mm256_mul_ps(cap, vec_tanh(v)), n - i);
    }
}

// 8 * n_vectors (constant) outputs from `offset` on; the last vector may be partial.
VEC_INLINE void weigh(const struct attend_args *args, int offset, int n_vectors, size_t size,
                      load_function load) {
    __m256 sums[8];
    UNROLL for (int j = 0; j < n_vectors; j++) sums[j] = _mm256_setzero_ps();
    const uint8_t *values = (const uint8_t *)args->values + (size_t)offset * size;
    int left = args->head_dim - offset;
    for (int p = 0; p < args->n_positions; p++, values += args->stride_bytes) {
        __m256 weight = _mm256_set1_ps(args->scores[p]);
        UNROLL for (int j = 0; j < n_vectors; j++) {
            __m256 v = n_vectors == 1 ? load_part(values, left, size, load)
                                      : load(values + (size_t)(8 * j) * size);
            sums[j] = _mm256_fmadd_ps(weight, v, sums[j]);
        }
    }
    UNROLL for (int j = 0; j < n_vectors; j++)
        vec_store(args->out + offset + 8 * j, sums[j], n_vectors == 1 ? left : 8);
}

VEC_INLINE void attend(const struct attend_args *args, size_t size, load_function load) {
    int n = args->n_positions, p = 0, offset = 0;
    for (; p + 4 <= n; p += 4)
        score(args, p, 4, size, load);
    for (; p < n; p++)
        score(args, p, 1, size, load);
    if (args->softcap > 0) cap_scores(args->scores, args->softcap, n);
    avx2_softmax(args->scores, n);
    for (; offset + 64 <= args->head_dim; offset += 64)
        weigh(args, offset, 8, size, load);
    for (; offset + 32 <= args->head_dim; offset += 32)
        weigh(args, offset, 4, size, load);
    for (; offset < args->head_dim; offset += 8)
        weigh(args, offset, 1, size, load);
}

void avx2_attend(const struct attend_args *args) {
    assert(args->kv_dtype == DTYPE_F32 || args->kv_dtype == DTYPE_F16);
    if (args->kv_dtype == DTYPE_F32)
        attend(args, sizeof(float), load_f32);
    else
        attend(args, sizeof(uint16_t), load_f16);
}
