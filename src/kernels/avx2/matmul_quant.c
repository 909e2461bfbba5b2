// SPDX-License-Identifier: Apache-2.0
// Quantized weights times ACT_Q8 activations: one body for all formats.
//
//   4 rows x 256 elements are unpacked to bytes once (unpack.h) and stay in the L1 cache
//        | for up to 32 tokens
//   tile 4 rows x 2 tokens: 8 accumulators of 8 floats, one step per block of 32:
//        maddubs (u8 x s8 -> pairs s16)  maddwd (-> 8 sums of 4 in s32)  to float
//        acc += (weight scale * activation scale) * sums
//   and once per chunk  acc -= min * activation sums.
//
// maddubs cannot saturate: unsigned quants are at most 63 (2 * 63 * 127 < 32768); signed ones go in
// as |w| <= 128 times +-x (2 * 128 * 127 = 32512). Lanes 0-3 of a sum are elements 0-15 of the
// block and lanes 4-7 elements 16-31, so formats with groups of 16 only need a two-valued scale.
// Output (r, t) is reduced chunk by chunk in one vector of 8 lanes, whatever the tile, then summed.
#include "kernels/avx2/operations.h"
#include "kernels/avx2/vec_avx2.h"
#include "kernels/unpack.h"
#include "kernels/unroll.h"

#include <assert.h>

enum { ROWS = 4, TOKENS = 2, TOKEN_GROUP = 32 };

VEC_INLINE __m256 load_group_integers(const int8_t *x) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)x)));
}

// 8 values, one per block, to 16, one per group of 16.
VEC_INLINE void store_twice(float out[16], __m256 v) {
    __m256 low = _mm256_unpacklo_ps(v, v), high = _mm256_unpackhi_ps(v, v);
    _mm256_storeu_ps(out, _mm256_permute2f128_ps(low, high, 0x20));
    _mm256_storeu_ps(out + 8, _mm256_permute2f128_ps(low, high, 0x31));
}

ALWAYS_INLINE void finish_super(struct panel_row *row, struct weight_form form) {
    __m256 d = _mm256_set1_ps(_cvtsh_ss(row->half[0]));
    __m256 dmin = _mm256_set1_ps(_cvtsh_ss(row->half[1]));
    UNROLL for (int i = 0; i < 16; i += 8) {
        __m256 scale = _mm256_mul_ps(d, load_group_integers(row->group_scale + i));
        _mm256_storeu_ps(row->scale + i, scale);
        if (form.is_signed) continue;
        __m256 min = form.has_min ? _mm256_mul_ps(dmin, load_group_integers(row->group_min + i))
                                  : _mm256_mul_ps(scale, _mm256_set1_ps((float)form.offset));
        _mm256_storeu_ps(row->min + i, min);
    }
}

// Blocks past the end of a short chunk get scale and minimum 0.
ALWAYS_INLINE void finish_small(struct panel_row *row, int n_blocks, struct weight_form form) {
    for (int b = n_blocks; b < ACT_CHUNK_BLOCKS; b++)
        row->half[b] = row->half[8 + b] = 0;
    __m256 scale = vec_from_f16(row->half);
    store_twice(row->scale, scale);
    if (form.is_signed) return;
    __m256 negative = _mm256_set1_ps(-0.0f);
    __m256 min = form.has_min ? _mm256_xor_ps(vec_from_f16(row->half + 8), negative)
                              : _mm256_mul_ps(scale, _mm256_set1_ps((float)form.offset));
    store_twice(row->min, min);
}

VEC_INLINE __m256 dot(__m256i w, __m256i x, bool is_signed) {
    __m256i pairs = is_signed ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w))
                              : _mm256_maddubs_epi16(w, x);
    return _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

VEC_INLINE __m256 load_scale(const float *scale, bool has_groups16) {
    if (!has_groups16) return _mm256_broadcast_ss(scale);
    return _mm256_blend_ps(_mm256_broadcast_ss(scale), _mm256_broadcast_ss(scale + 1), 0xf0);
}

// One chunk of 4 rows times n_tokens (constant) tokens, added to acc[token][row].
ALWAYS_INLINE void run_tile(const struct panel_row panel[ROWS], const uint8_t *acts,
                            size_t act_bytes, int n_blocks, int n_tokens, __m256 (*acc)[ROWS],
                            struct weight_form form) {
    __m256 sums[TOKENS][ROWS];
    const struct act_chunk_q8 *x[TOKENS];
    UNROLL for (int t = 0; t < n_tokens; t++) {
        x[t] = (const void *)(acts + (size_t)t * act_bytes);
        UNROLL for (int r = 0; r < ROWS; r++) sums[t][r] = acc[t][r];
    }
    for (int b = 0; b < n_blocks; b++) {
        UNROLL for (int r = 0; r < ROWS; r++) {
            __m256i w = _mm256_load_si256((const void *)(panel[r].q + 32 * b));
            __m256 scale = load_scale(panel[r].scale + 2 * b, form.has_groups16);
            UNROLL for (int t = 0; t < n_tokens; t++) {
                __m256i q = _mm256_loadu_si256((const void *)(x[t]->q + 32 * b));
                __m256 factor = _mm256_mul_ps(scale, _mm256_broadcast_ss(x[t]->scale + b));
                sums[t][r] = _mm256_fmadd_ps(factor, dot(w, q, form.is_signed), sums[t][r]);
            }
        }
    }
    UNROLL for (int t = 0; t < n_tokens; t++) UNROLL for (int r = 0; r < ROWS; r++) {
        if (!form.is_signed) {
            __m256 low = _mm256_loadu_ps(panel[r].min), high = _mm256_loadu_ps(panel[r].min + 8);
            sums[t][r] = _mm256_fnmadd_ps(low, _mm256_loadu_ps(x[t]->sum), sums[t][r]);
            sums[t][r] = _mm256_fnmadd_ps(high, _mm256_loadu_ps(x[t]->sum + 8), sums[t][r]);
        }
        acc[t][r] = sums[t][r];
    }
}

// Up to 4 rows times up to TOKEN_GROUP tokens.
ALWAYS_INLINE void run_panel(const struct matmul_args *args, const uint8_t *weights, int n_rows,
                             const uint8_t *acts, int n_tokens, float *y, unpack_function unpack,
                             struct weight_form form) {
    struct panel_row panel[ROWS];
    __m256 acc[TOKEN_GROUP][ROWS];
    if (n_rows < ROWS) memset(panel, 0, sizeof panel); // absent rows: all zero
    memset(acc, 0, sizeof acc[0] * (size_t)n_tokens);
    for (int done = 0; done < args->k; done += ACT_CHUNK) {
        int n_blocks = args->k - done < ACT_CHUNK ? (args->k - done) / 32 : ACT_CHUNK_BLOCKS;
        for (int r = 0; r < n_rows; r++)
            unpack(weights + (size_t)r * args->row_bytes, n_blocks, &panel[r]);
        for (int r = 0; r < n_rows; r++) {
            if (form.is_super)
                finish_super(&panel[r], form);
            else
                finish_small(&panel[r], n_blocks, form);
        }
        int t = 0;
        for (; t + TOKENS <= n_tokens; t += TOKENS)
            run_tile(panel, acts + (size_t)t * args->act_bytes, args->act_bytes, n_blocks, TOKENS,
                     acc + t, form);
        if (t < n_tokens)
            run_tile(panel, acts + (size_t)t * args->act_bytes, args->act_bytes, n_blocks, 1,
                     acc + t, form);
        weights += form.chunk_bytes;
        acts += sizeof(struct act_chunk_q8);
    }
    for (int t = 0; t < n_tokens; t++)
        for (int r = 0; r < n_rows; r++)
            y[(size_t)t * args->y_stride + (size_t)r] = vec_sum(acc[t][r]);
}

ALWAYS_INLINE void multiply(const struct matmul_args *args, unpack_function unpack,
                            struct weight_form form) {
    assert(args->k % (form.is_super ? 256 : 32) == 0);
    for (int t = 0; t < args->n_tokens; t += TOKEN_GROUP) {
        int n_tokens = args->n_tokens - t < TOKEN_GROUP ? args->n_tokens - t : TOKEN_GROUP;
        const uint8_t *acts = (const uint8_t *)args->activations + (size_t)t * args->act_bytes;
        for (int r = 0; r < args->n_rows; r += ROWS) {
            int n_rows = args->n_rows - r < ROWS ? args->n_rows - r : ROWS;
            const uint8_t *weights = (const uint8_t *)args->weights + (size_t)r * args->row_bytes;
            float *y = args->y + (size_t)t * args->y_stride + r;
            run_panel(args, weights, n_rows, acts, n_tokens, y, unpack, form);
        }
    }
}

void avx2_matmul_q4_0(const struct matmul_args *args) {
    multiply(args, unpack_q4_0, form_q4_0);
}

void avx2_matmul_q4_1(const struct matmul_args *args) {
    multiply(args, unpack_q4_1, form_q4_1);
}

void avx2_matmul_q5_0(const struct matmul_args *args) {
    multiply(args, unpack_q5_0, form_q5_0);
}

void avx2_matmul_q5_1(const struct matmul_args *args) {
    multiply(args, unpack_q5_1, form_q5_1);
}

void avx2_matmul_q8_0(const struct matmul_args *args) {
    multiply(args, unpack_q8_0, form_q8_0);
}

void avx2_matmul_q2_k(const struct matmul_args *args) {
    multiply(args, unpack_q2_k, form_q2_k);
}

void avx2_matmul_q3_k(const struct matmul_args *args) {
    multiply(args, unpack_q3_k, form_q3_k);
}

void avx2_matmul_q4_k(const struct matmul_args *args) {
    multiply(args, unpack_q4_k, form_q4_k);
}

void avx2_matmul_q5_k(const struct matmul_args *args) {
    multiply(args, unpack_q5_k, form_q5_k);
}

void avx2_matmul_q6_k(const struct matmul_args *args) {
    multiply(args, unpack_q6_k, form_q6_k);
}

void avx2_matmul_iq4_nl(const struct matmul_args *args) {
    multiply(args, unpack_iq4_nl, form_iq4_nl);
}

void avx2_matmul_iq4_xs(const struct matmul_args *args) {
    multiply(args, unpack_iq4_xs, form_iq4_xs);
}
