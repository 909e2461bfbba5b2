// SPDX-License-Identifier: Apache-2.0
// Quantized weights times ACT_Q8 activations: exact integer sums of groups of 16, then double sums
// in the order of k.
#include "kernels/scalar/operations.h"
#include "kernels/scalar/unpack.h"

#include "numeric/float16.h"

#include <assert.h>

enum { TOKENS_MAX = 64 }; // tokens that share one unpacking

// Scales and minima as floats; groups past the end of a short chunk get zeros.
ALWAYS_INLINE void finish(struct panel_row *row, int n_blocks, struct weight_form form) {
    float d = float_from_f16(row->half[0]), dmin = float_from_f16(row->half[1]);
    for (int g = 0; g < 16; g++) {
        int b = g / 2;
        if (b >= n_blocks) {
            row->scale[g] = row->min[g] = 0;
            continue;
        }
        if (form.is_super) {
            row->scale[g] = d * (float)row->group_scale[g];
            row->min[g] = form.has_min ? dmin * (float)row->group_min[g] : 0;
        } else {
            row->scale[g] = float_from_f16(row->half[b]);
            row->min[g] = form.has_min ? -float_from_f16(row->half[8 + b]) : 0;
        }
        if (form.offset) row->min[g] = row->scale[g] * (float)form.offset;
    }
}

ALWAYS_INLINE double dot_chunk(const struct panel_row *row, const struct act_chunk_q8 *x,
                               int n_blocks, bool is_signed) {
    double total = 0;
    for (int g = 0; g < 2 * n_blocks; g++) {
        int32_t sum = 0;
        for (int i = 16 * g; i < 16 * g + 16; i++)
            sum += (is_signed ? (int)(int8_t)row->q[i] : (int)row->q[i]) * x->q[i];
        total += (double)(row->scale[g] * x->scale[g / 2]) * sum;
        total -= (double)row->min[g] * (double)x->sum[g];
    }
    return total;
}

// One weight row times up to TOKENS_MAX tokens.
ALWAYS_INLINE void multiply_row(const struct matmul_args *args, const uint8_t *weights,
                                const uint8_t *acts, int n_tokens, float *y, unpack_function unpack,
                                struct weight_form form) {
    double sums[TOKENS_MAX] = {0};
    struct panel_row row;
    memset(&row, 0, sizeof row);
    for (int done = 0; done < args->k; done += ACT_CHUNK) {
        int n_blocks = args->k - done < ACT_CHUNK ? (args->k - done) / 32 : ACT_CHUNK_BLOCKS;
        unpack(weights, n_blocks, &row);
        finish(&row, n_blocks, form);
        for (int t = 0; t < n_tokens; t++) {
            struct act_chunk_q8 x; // copied: activations may be unaligned
            memcpy(&x, acts + (size_t)t * args->act_bytes, sizeof x);
            sums[t] += dot_chunk(&row, &x, n_blocks, form.is_signed);
        }
        weights += form.chunk_bytes;
        acts += sizeof(struct act_chunk_q8);
    }
    for (int t = 0; t < n_tokens; t++)
        y[(size_t)t * args->y_stride] = (float)sums[t];
}

ALWAYS_INLINE void multiply(const struct matmul_args *args, unpack_function unpack,
                            struct weight_form form) {
    assert(args->k % (form.is_super ? 256 : 32) == 0);
    for (int t = 0; t < args->n_tokens; t += TOKENS_MAX) {
        const uint8_t *acts = (const uint8_t *)args->activations + (size_t)t * args->act_bytes;
        int n_tokens = args->n_tokens - t < TOKENS_MAX ? args->n_tokens - t : TOKENS_MAX;
        for (int r = 0; r < args->n_rows; r++) {
            const uint8_t *weights = (const uint8_t *)args->weights + (size_t)r * args->row_bytes;
            float *y = args->y + (size_t)t * args->y_stride + r;
            multiply_row(args, weights, acts, n_tokens, y, unpack, form);
        }
    }
}

void scalar_matmul_q4_0(const struct matmul_args *args) {
    multiply(args, unpack_q4_0, form_q4_0);
}

void scalar_matmul_q4_1(const struct matmul_args *args) {
    multiply(args, unpack_q4_1, form_q4_1);
}

void scalar_matmul_q5_0(const struct matmul_args *args) {
    multiply(args, unpack_q5_0, form_q5_0);
}

void scalar_matmul_q5_1(const struct matmul_args *args) {
    multiply(args, unpack_q5_1, form_q5_1);
}

void scalar_matmul_q8_0(const struct matmul_args *args) {
    multiply(args, unpack_q8_0, form_q8_0);
}

void scalar_matmul_q2_k(const struct matmul_args *args) {
    multiply(args, unpack_q2_k, form_q2_k);
}

void scalar_matmul_q3_k(const struct matmul_args *args) {
    multiply(args, unpack_q3_k, form_q3_k);
}

void scalar_matmul_q4_k(const struct matmul_args *args) {
    multiply(args, unpack_q4_k, form_q4_k);
}

void scalar_matmul_q5_k(const struct matmul_args *args) {
    multiply(args, unpack_q5_k, form_q5_k);
}

void scalar_matmul_q6_k(const struct matmul_args *args) {
    multiply(args, unpack_q6_k, form_q6_k);
}

void scalar_matmul_iq4_nl(const struct matmul_args *args) {
    multiply(args, unpack_iq4_nl, form_iq4_nl);
}

void scalar_matmul_iq4_xs(const struct matmul_args *args) {
    multiply(args, unpack_iq4_xs, form_iq4_xs);
}
