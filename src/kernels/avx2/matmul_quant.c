// SPDX-License-Identifier: Apache-2.0
// Quantized weights times ACT_Q8 activations: one body for all formats (avx2/formats.h).
//
//   tile: 4 rows x 1 or 2 tokens, one vector of 8 partial sums each; one step per block of 32:
//        maddubs (u8 x s8 -> pairs s16)  maddwd (-> 8 sums of 4 in s32)  to float
//        acc += (weight scale * activation scale) * sums
//   and once per chunk of 256  acc -= min * activation sums.
//
// Up to 2 tokens (decode) the quants go from memory through registers into the tile. For more, a
// chunk of 4 rows is unpacked to bytes in the L1 cache first and shared by up to 32 tokens. The
// arithmetic is the same, so the results are too.
//
// maddubs cannot saturate: unsigned quants are at most 63 (2 * 63 * 127 < 32768); signed ones go in
// as |w| <= 128 times +-x (2 * 128 * 127 = 32512). Lanes 0-3 of a sum are elements 0-15 of the
// block and lanes 4-7 elements 16-31, so formats with groups of 16 only need a two-valued scale.
// Output (r, t) is reduced chunk by chunk in one vector of 8 lanes, whatever the tile, then summed.
#include "kernels/avx2/formats.h"
#include "kernels/avx2/operations.h"
#include "kernels/unroll.h"

#include <assert.h>

enum { ROWS = 4, TOKENS = 2, TOKEN_GROUP = 32 };

// One chunk of 4 rows.
struct panel {
    _Alignas(32) uint8_t q[ROWS][ACT_CHUNK]; // used for more than TOKENS tokens
    struct row_scales scales[ROWS];
    const uint8_t *chunks[ROWS]; // as stored; rows past the end repeat the last one
};

VEC_INLINE __m256 dot(__m256i w, __m256i x, bool is_signed) {
    __m256i pairs = is_signed ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w))
                              : _mm256_maddubs_epi16(w, x);
    return _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

VEC_INLINE __m256 load_scale(const float *scale, bool has_groups16) {
    if (!has_groups16) return _mm256_broadcast_ss(scale);
    return _mm256_blend_ps(_mm256_broadcast_ss(scale), _mm256_broadcast_ss(scale + 1), 0xf0);
}

// One block of 4 rows times n_tokens (constant) tokens.
VEC_INLINE void add_block(__m256 sums[TOKENS][ROWS], const struct panel *panel,
                          const struct act_chunk_q8 *const x[TOKENS], int b, int n_tokens,
                          bool is_unpacked, struct format format) {
    UNROLL for (int r = 0; r < ROWS; r++) {
        __m256i w = is_unpacked ? _mm256_load_si256((const void *)(panel->q[r] + 32 * b))
                                : format.quants(panel->chunks[r], b);
        __m256 scale = load_scale(panel->scales[r].scale + 2 * b, format.has_groups16);
        UNROLL for (int t = 0; t < n_tokens; t++) {
            __m256i q = _mm256_loadu_si256((const void *)(x[t]->q + 32 * b));
            __m256 factor = _mm256_mul_ps(scale, _mm256_broadcast_ss(x[t]->scale + b));
            sums[t][r] = _mm256_fmadd_ps(factor, dot(w, q, format.is_signed), sums[t][r]);
        }
    }
}

VEC_INLINE void subtract_minima(__m256 sums[TOKENS][ROWS], const struct panel *panel,
                                const struct act_chunk_q8 *const x[TOKENS], int n_tokens) {
    UNROLL for (int i = 0; i < 16; i += 8) UNROLL for (int r = 0; r < ROWS; r++) {
        __m256 min = _mm256_loadu_ps(panel->scales[r].min + i);
        UNROLL for (int t = 0; t < n_tokens; t++) sums[t][r] =
            _mm256_fnmadd_ps(min, _mm256_loadu_ps(x[t]->sum + i), sums[t][r]);
    }
}

// One chunk of 4 rows times n_tokens (constant) tokens, added to acc[token][row].
VEC_INLINE void run_tile(const struct panel *panel, const uint8_t *acts, size_t act_bytes,
                         int n_blocks, int n_tokens, bool is_unpacked, __m256 (*acc)[ROWS],
                         struct format format) {
    __m256 sums[TOKENS][ROWS];
    const struct act_chunk_q8 *x[TOKENS];
    UNROLL for (int t = 0; t < n_tokens; t++) {
        x[t] = (const void *)(acts + (size_t)t * act_bytes);
        UNROLL for (int r = 0; r < ROWS; r++) sums[t][r] = acc[t][r];
    }
    if (n_blocks == ACT_CHUNK_BLOCKS) {
        UNROLL for (int b = 0; b < ACT_CHUNK_BLOCKS; b++)
            add_block(sums, panel, x, b, n_tokens, is_unpacked, format);
    } else {
        for (int b = 0; b < n_blocks; b++)
            add_block(sums, panel, x, b, n_tokens, is_unpacked, format);
    }
    if (!format.is_signed) subtract_minima(sums, panel, x, n_tokens);
    UNROLL for (int t = 0; t < n_tokens; t++) UNROLL for (int r = 0; r < ROWS; r++) acc[t][r] =
        sums[t][r];
}

VEC_INLINE void unpack(struct panel *panel, int n_blocks, struct format format) {
    for (int r = 0; r < ROWS; r++) {
        if (n_blocks == ACT_CHUNK_BLOCKS) {
            UNROLL for (int b = 0; b < ACT_CHUNK_BLOCKS; b++) _mm256_store_si256(
                (void *)(panel->q[r] + 32 * b), format.quants(panel->chunks[r], b));
        } else {
            for (int b = 0; b < n_blocks; b++)
                _mm256_store_si256((void *)(panel->q[r] + 32 * b),
                                   format.quants(panel->chunks[r], b));
        }
    }
}

// Asks for the same chunk of the next 4 rows. The processor's own prefetcher follows neither four
// rows that start anew every few kilobytes nor formats whose scales stand behind their quants.
VEC_INLINE void prefetch(const struct panel *panel, size_t distance_bytes, struct format format) {
    UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int i = 0; i < format.chunk_bytes; i += 64)
        _mm_prefetch((const void *)(panel->chunks[r] + distance_bytes + i), _MM_HINT_T0);
}

// One chunk of 4 rows times all tokens of a group.
VEC_INLINE void run_chunk(struct panel *panel, const uint8_t *acts, size_t act_bytes, int n_blocks,
                          int n_tokens, __m256 (*acc)[ROWS], struct format format) {
    UNROLL for (int r = 0; r < ROWS; r++)
        format.scales(panel->chunks[r], n_blocks, &panel->scales[r]);
    if (n_tokens == 1) {
        run_tile(panel, acts, act_bytes, n_blocks, 1, false, acc, format);
    } else if (n_tokens == TOKENS) {
        run_tile(panel, acts, act_bytes, n_blocks, TOKENS, false, acc, format);
    } else {
        unpack(panel, n_blocks, format);
        for (; n_tokens >= TOKENS; n_tokens -= TOKENS, acts += TOKENS * act_bytes, acc += TOKENS)
            run_tile(panel, acts, act_bytes, n_blocks, TOKENS, true, acc, format);
        if (n_tokens) run_tile(panel, acts, act_bytes, n_blocks, 1, true, acc, format);
    }
}

// Up to 4 rows times up to TOKEN_GROUP tokens.
VEC_INLINE void run_panel(const struct matmul_args *args, const uint8_t *weights, int n_rows,
                          const uint8_t *acts, int n_tokens, float *y, struct format format) {
    struct panel panel;
    __m256 acc[TOKEN_GROUP][ROWS];
    memset(acc, 0, sizeof acc[0] * (size_t)n_tokens);
    for (int r = 0; r < ROWS; r++)
        panel.chunks[r] = weights + (size_t)(r < n_rows ? r : n_rows - 1) * args->row_bytes;
    for (int left = args->k; left > 0; left -= ACT_CHUNK) {
        bool is_short = format.block_elements == BLOCK_SMALL && left < ACT_CHUNK;
        int n_blocks = is_short ? left / BLOCK_SMALL : ACT_CHUNK_BLOCKS;
        prefetch(&panel, ROWS * args->row_bytes, format);
        run_chunk(&panel, acts, args->act_bytes, n_blocks, n_tokens, acc, format);
        for (int r = 0; r < ROWS; r++)
            panel.chunks[r] += format.chunk_bytes;
        acts += sizeof(struct act_chunk_q8);
    }
    for (int t = 0; t < n_tokens; t++)
        for (int r = 0; r < n_rows; r++)
            y[(size_t)t * args->y_stride + (size_t)r] = vec_sum(acc[t][r]);
}

VEC_INLINE void multiply(const struct matmul_args *args, struct format format) {
    assert(args->k % format.block_elements == 0);
    for (int t = 0; t < args->n_tokens; t += TOKEN_GROUP) {
        int n_tokens = args->n_tokens - t < TOKEN_GROUP ? args->n_tokens - t : TOKEN_GROUP;
        const uint8_t *acts = (const uint8_t *)args->activations + (size_t)t * args->act_bytes;
        for (int r = 0; r < args->n_rows; r += ROWS) {
            int n_rows = args->n_rows - r < ROWS ? args->n_rows - r : ROWS;
            const uint8_t *weights = (const uint8_t *)args->weights + (size_t)r * args->row_bytes;
            float *y = args->y + (size_t)t * args->y_stride + r;
            run_panel(args, weights, n_rows, acts, n_tokens, y, format);
        }
    }
}

void avx2_matmul_q4_0(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q4_0,
                                   .scales = scales_q4_0,
                                   .block_elements = BLOCK_SMALL,
                                   .chunk_bytes = 8 * sizeof(struct block_q4_0)});
}

void avx2_matmul_q4_1(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q4_1,
                                   .scales = scales_q4_1,
                                   .block_elements = BLOCK_SMALL,
                                   .chunk_bytes = 8 * sizeof(struct block_q4_1)});
}

void avx2_matmul_q5_0(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q5_0,
                                   .scales = scales_q5_0,
                                   .block_elements = BLOCK_SMALL,
                                   .chunk_bytes = 8 * sizeof(struct block_q5_0)});
}

void avx2_matmul_q5_1(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q5_1,
                                   .scales = scales_q5_1,
                                   .block_elements = BLOCK_SMALL,
                                   .chunk_bytes = 8 * sizeof(struct block_q5_1)});
}

void avx2_matmul_q8_0(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q8_0,
                                   .scales = scales_q8_0,
                                   .block_elements = BLOCK_SMALL,
                                   .chunk_bytes = 8 * sizeof(struct block_q8_0),
                                   .is_signed = true});
}

void avx2_matmul_q2_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q2_k,
                                   .scales = scales_q2_k,
                                   .block_elements = BLOCK_SUPER,
                                   .chunk_bytes = sizeof(struct block_q2_k),
                                   .has_groups16 = true});
}

void avx2_matmul_q3_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q3_k,
                                   .scales = scales_q3_k,
                                   .block_elements = BLOCK_SUPER,
                                   .chunk_bytes = sizeof(struct block_q3_k),
                                   .has_groups16 = true});
}

void avx2_matmul_q4_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q4_k,
                                   .scales = scales_q4_k,
                                   .block_elements = BLOCK_SUPER,
                                   .chunk_bytes = sizeof(struct block_q4_k)});
}

void avx2_matmul_q5_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q5_k,
                                   .scales = scales_q4_k,
                                   .block_elements = BLOCK_SUPER,
                                   .chunk_bytes = sizeof(struct block_q5_k)});
}

void avx2_matmul_q6_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_q6_k,
                                   .scales = scales_q6_k,
                                   .block_elements = BLOCK_SUPER,
                                   .chunk_bytes = sizeof(struct block_q6_k),
                                   .has_groups16 = true});
}

void avx2_matmul_iq4_nl(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_iq4_nl,
                                   .scales = scales_iq4_nl,
                                   .block_elements = BLOCK_SMALL,
                                   .chunk_bytes = 8 * sizeof(struct block_iq4_nl),
                                   .is_signed = true});
}

void avx2_matmul_iq4_xs(const struct matmul_args *args) {
    multiply(args, (struct format){.quants = quants_iq4_xs,
                                   .scales = scales_iq4_xs,
                                   .block_elements = BLOCK_SUPER,
                                   .chunk_bytes = sizeof(struct block_iq4_xs),
                                   .is_signed = true});
}
