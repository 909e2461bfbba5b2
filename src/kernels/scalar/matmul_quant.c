// SPDX-License-Identifier: Apache-2.0
// Quantized weights times ACT_Q8 activations: exact integer sums over each group that shares a
// weight scale, then double sums in the order of k.
#include "kernels/scalar/operations.h"
#include "kernels/scalar/unpack.h"

#include <assert.h>

enum { TOKENS_MAX = 64 }; // tokens that share one unpacking

// Elements begin .. end of an activation chunk, times as many of a weight chunk from its start.
ALWAYS_INLINE double dot_chunk(enum dtype dtype, const struct chunk_row *row,
                               const struct act_chunk_q8 *x, int begin, int end) {
    const int group = group_elements(dtype);
    const float *sums = group == 16 ? x->sum16 : x->sum;
    double total = 0;
    for (int i = begin, g = 0; i < end; i += group, g++) {
        int32_t dot = 0;
        for (int j = 0; j < group; j++)
            dot += row->q[g * group + j] * x->q[i + j];
        total += (double)row->scale[g] * (double)x->scale[i / 32] * dot;
        total -= (double)row->min[g] * (double)sums[i / group];
    }
    return total;
}

// Row r of a panel times up to TOKENS_MAX tokens.
ALWAYS_INLINE void multiply_row(enum dtype dtype, const struct matmul_args *args,
                                const uint8_t *panel, int r, int first_token, int n_tokens,
                                float *y) {
    const struct packed_info *info = packed_info(dtype);
    const int step = chunk_elements(dtype);
    const uint8_t *acts =
        (const uint8_t *)args->activations + (size_t)first_token * args->act_bytes;
    double sums[TOKENS_MAX] = {0};
    for (int k = 0; k < args->k; k += step, panel += info->chunk_bytes) {
        struct chunk_row row;
        unpack_chunk(dtype, panel, panel + info->tail_offset, r, &row);
        const int begin = k % ACT_CHUNK, n = args->k - k < step ? args->k - k : step;
        for (int t = 0; t < n_tokens; t++) {
            const struct act_chunk_q8 *x = (const void *)(acts + (size_t)t * args->act_bytes);
            sums[t] += dot_chunk(dtype, &row, &x[k / ACT_CHUNK], begin, begin + n);
        }
    }
    for (int t = 0; t < n_tokens; t++)
        y[(size_t)t * args->y_stride] = (float)sums[t];
}

ALWAYS_INLINE void multiply(enum dtype dtype, const struct matmul_args *args) {
    assert(args->k % dtype_info(dtype)->block_elements == 0);
    for (int t = 0; t < args->n_tokens; t += TOKENS_MAX) {
        const int n_tokens = args->n_tokens - t < TOKENS_MAX ? args->n_tokens - t : TOKENS_MAX;
        for (int r = 0; r < args->n_rows; r++) {
            const uint8_t *panel = args->panels + (size_t)(r / PANEL_ROWS) * args->panel_bytes;
            float *y = args->y + (size_t)t * args->y_stride + r;
            multiply_row(dtype, args, panel, r % PANEL_ROWS, t, n_tokens, y);
        }
    }
}

void scalar_matmul_q4_0(const struct matmul_args *args) {
    multiply(DTYPE_Q4_0, args);
}

void scalar_matmul_q4_1(const struct matmul_args *args) {
    multiply(DTYPE_Q4_1, args);
}

void scalar_matmul_q5_0(const struct matmul_args *args) {
    multiply(DTYPE_Q5_0, args);
}

void scalar_matmul_q5_1(const struct matmul_args *args) {
    multiply(DTYPE_Q5_1, args);
}

void scalar_matmul_q8_0(const struct matmul_args *args) {
    multiply(DTYPE_Q8_0, args);
}

void scalar_matmul_q2_k(const struct matmul_args *args) {
    multiply(DTYPE_Q2_K, args);
}

void scalar_matmul_q3_k(const struct matmul_args *args) {
    multiply(DTYPE_Q3_K, args);
}

void scalar_matmul_q4_k(const struct matmul_args *args) {
    multiply(DTYPE_Q4_K, args);
}

void scalar_matmul_q5_k(const struct matmul_args *args) {
    multiply(DTYPE_Q5_K, args);
}

void scalar_matmul_q6_k(const struct matmul_args *args) {
    multiply(DTYPE_Q6_K, args);
}

void scalar_matmul_iq4_nl(const struct matmul_args *args) {
    multiply(DTYPE_IQ4_NL, args);
}

void scalar_matmul_iq4_xs(const struct matmul_args *args) {
    multiply(DTYPE_IQ4_XS, args);
}
