// SPDX-License-Identifier: Apache-2.0
// Weights that are floats of 32 or 16 bits, times float activations.
//
//   tile: 4 rows x 1..3 tokens, one vector of 8 partial sums each = at most 12 accumulators,
//   3 activation vectors and the weight vector (converted once for all tokens): 16 registers.
//
// Output (r, t) is always: lane i sums k = i, i + 8, .. by fused multiply-add, a short last vector
// padded with zeros, then vec_sum. Tokens go in groups whose activations stay in the L2 cache
// while the weights pass by once per group.
#include "kernels/avx2/operations.h"
#include "kernels/avx2/vec_avx2.h"
#include "kernels/unroll.h"

enum { ROWS = 4, TOKENS = 3, TOKEN_GROUP = 24 };

typedef __m256 (*load_function)(const uint8_t *x);

VEC_INLINE __m256 load_f32(const uint8_t *x) {
    return _mm256_loadu_ps((const void *)x);
}

VEC_INLINE __m256 load_f16(const uint8_t *x) {
    return vec_from_f16(x);
}

VEC_INLINE __m256 load_bf16(const uint8_t *x) {
    return vec_from_bf16(x);
}

struct tile {
    const uint8_t *rows[ROWS];     // rows past the end repeat the last one
    const uint8_t *tokens[TOKENS]; // floats
    float *y;                      // of row 0 and token 0
    size_t y_stride;
    int n_rows;
    int k;
};

// Adds 8 products to every sum.
VEC_INLINE void step(__m256 sums[ROWS][TOKENS], const uint8_t *const rows[ROWS],
                     const uint8_t *const tokens[TOKENS], size_t i, int n_tokens, size_t size,
                     load_function load) {
    __m256 x[TOKENS];
    UNROLL for (int t = 0; t < n_tokens; t++) x[t] = load_f32(tokens[t] + i * sizeof(float));
    UNROLL for (int r = 0; r < ROWS; r++) {
        __m256 w = load(rows[r] + i * size);
        UNROLL for (int t = 0; t < n_tokens; t++) sums[r][t] = _mm256_fmadd_ps(w, x[t], sums[r][t]);
    }
}

VEC_INLINE void run_tile(const struct tile *tile, int n_tokens, size_t size, load_function load) {
    __m256 sums[ROWS][TOKENS];
    UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int t = 0; t < n_tokens; t++) sums[r][t] =
        _mm256_setzero_ps();
    size_t full = (size_t)tile->k / 8 * 8, left = (size_t)tile->k - full;
    for (size_t i = 0; i < full; i += 8)
        step(sums, tile->rows, tile->tokens, i, n_tokens, size, load);
    if (left) {
        uint8_t padded[ROWS + TOKENS][32] = {{0}};
        const uint8_t *rows[ROWS], *tokens[TOKENS];
        for (int r = 0; r < ROWS; r++)
            rows[r] = memcpy(padded[r], tile->rows[r] + full * size, left * size);
        for (int t = 0; t < n_tokens; t++)
            tokens[t] = memcpy(padded[ROWS + t], tile->tokens[t] + full * sizeof(float),
                               left * sizeof(float));
        step(sums, rows, tokens, 0, n_tokens, size, load);
    }
    UNROLL for (int t = 0; t < n_tokens; t++)
        UNROLL for (int r = 0; r < ROWS; r++) if (r < tile->n_rows)
            tile->y[(size_t)t * tile->y_stride + r] = vec_sum(sums[r][t]);
}

// One panel of rows times tokens [first, end).
VEC_INLINE void run_panel(const struct matmul_args *args, struct tile *tile, int r, int first,
                          int end, size_t size, load_function load) {
    for (int t = first; t < end; t += TOKENS) {
        int n_tokens = end - t < TOKENS ? end - t : TOKENS;
        for (int j = 0; j < n_tokens; j++)
            tile->tokens[j] =
                (const uint8_t *)args->activations + (size_t)(t + j) * args->act_bytes;
        tile->y = args->y + (size_t)t * args->y_stride + r;
        if (n_tokens == 3)
            run_tile(tile, 3, size, load);
        else if (n_tokens == 2)
            run_tile(tile, 2, size, load);
        else
            run_tile(tile, 1, size, load);
    }
}

VEC_INLINE void multiply(const struct matmul_args *args, size_t size, load_function load) {
    for (int first = 0; first < args->n_tokens; first += TOKEN_GROUP) {
        int end = args->n_tokens - first < TOKEN_GROUP ? args->n_tokens : first + TOKEN_GROUP;
        for (int r = 0; r < args->n_rows; r += ROWS) {
            struct tile tile = {.y_stride = args->y_stride, .k = args->k};
            tile.n_rows = args->n_rows - r < ROWS ? args->n_rows - r : ROWS;
            for (int j = 0; j < ROWS; j++) {
                int row = r + (j < tile.n_rows ? j : tile.n_rows - 1);
                tile.rows[j] = (const uint8_t *)args->weights + (size_t)row * args->row_bytes;
            }
            run_panel(args, &tile, r, first, end, size, load);
        }
    }
}

void avx2_matmul_f32(const struct matmul_args *args) {
    multiply(args, sizeof(float), load_f32);
}

void avx2_matmul_f16(const struct matmul_args *args) {
    multiply(args, sizeof(uint16_t), load_f16);
}

void avx2_matmul_bf16(const struct matmul_args *args) {
    multiply(args, sizeof(uint16_t), load_bf16);
}
