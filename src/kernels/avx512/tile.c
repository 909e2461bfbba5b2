// SPDX-License-Identifier: Apache-2.0
// The prefill tile: 1 or 2 panels x up to 6 tokens, as many integer sums and as many float
// accumulators in registers (24 of 32), two weight lines and one broadcast activation dword:
//
//   per quad of k:     2 weight loads, 6 broadcast loads, 12 vpdpbusd
//   per block of 32:   per sum a conversion, a multiplication and a fused multiply-add
//
// On cores that issue two 512-bit products a cycle, multiplications share their ports, so a block's
// 8 products of a sum cost at least 10 slots (80 % of the integer peak), 11 with a minimum.
#include "kernels/avx512/tile.h"

#include "kernels/avx512/epilogue.h"
#include "kernels/avx512/vec_avx512.h"
#include "kernels/unroll.h"

#include <stdbool.h>

struct tile {
    const struct unpacked_chunk *weights;
    const uint8_t *tokens[TILE_TOKENS]; // struct act_chunk_q8
    const int32_t *start;               // of token 0
};

VEC512_INLINE const struct act_chunk_q8 *token(const struct tile *tile, int t) {
    return (const void *)tile->tokens[t];
}

// acc[t][p] += the sums of four or eight quads of block b, from quad `first` on.
VEC512_INLINE void add_group(__m512 acc[TILE_TOKENS][TILE_PANELS], const struct tile *tile, int b,
                             int first, int n_quads, int group, int n_panels, int n_tokens,
                             bool has_zero) {
    __m512i sums[TILE_TOKENS][TILE_PANELS];
    UNROLL for (int t = 0; t < n_tokens; t++) UNROLL for (int p = 0; p < n_panels; p++) sums[t][p] =
        has_zero ? _mm512_set1_epi32(tile->start[t * CHUNK_GROUPS + group])
                 : _mm512_setzero_si512();
    UNROLL for (int i = 0; i < n_quads; i++) {
        __m512i w[TILE_PANELS];
        UNROLL for (int p = 0; p < n_panels; p++) w[p] =
            _mm512_load_si512((const void *)tile->weights[p].lines[8 * b + first + i]);
        UNROLL for (int t = 0; t < n_tokens; t++) {
            int32_t quad;
            memcpy(&quad, token(tile, t)->q + 32 * b + 4 * (first + i), sizeof quad);
            __m512i x = _mm512_set1_epi32(quad);
            UNROLL for (int p = 0; p < n_panels; p++) sums[t][p] =
                _mm512_dpbusd_epi32(sums[t][p], w[p], x);
        }
    }
    UNROLL for (int p = 0; p < n_panels; p++) {
        __m512 scale = _mm512_load_ps(tile->weights[p].scale[group]);
        UNROLL for (int t = 0; t < n_tokens; t++) acc[t][p] =
            epilogue_add(acc[t][p], sums[t][p], scale, &token(tile, t)->scale[b]);
    }
}

VEC512_INLINE void subtract_min(__m512 acc[TILE_TOKENS][TILE_PANELS], const struct tile *tile,
                                int group, int n_panels, int n_tokens, bool is_16) {
    UNROLL for (int p = 0; p < n_panels; p++) {
        __m512 min = _mm512_load_ps(tile->weights[p].min[group]);
        UNROLL for (int t = 0; t < n_tokens; t++) {
            const struct act_chunk_q8 *x = token(tile, t);
            const float *sum = is_16 ? &x->sum16[group] : &x->sum[group];
            acc[t][p] = epilogue_subtract_min(acc[t][p], min, sum);
        }
    }
}

VEC512_INLINE void run_block(__m512 acc[TILE_TOKENS][TILE_PANELS], const struct tile *tile, int b,
                             int n_panels, int n_tokens, enum tile_kind kind) {
    if (kind == TILE_ZERO_16) {
        add_group(acc, tile, b, 0, 4, 2 * b, n_panels, n_tokens, true);
        add_group(acc, tile, b, 4, 4, 2 * b + 1, n_panels, n_tokens, true);
    } else {
        add_group(acc, tile, b, 0, 8, b, n_panels, n_tokens, kind == TILE_ZERO);
    }
    if (kind == TILE_MIN_32) subtract_min(acc, tile, b, n_panels, n_tokens, false);
    if (kind == TILE_MIN_16) {
        subtract_min(acc, tile, 2 * b, n_panels, n_tokens, true);
        subtract_min(acc, tile, 2 * b + 1, n_panels, n_tokens, true);
    }
}

// n_panels x n_tokens (constant) of a job, from token `first` on.
VEC512_INLINE void run_tile(const struct tile_job *job, int first, int n_panels, int n_tokens,
                            enum tile_kind kind) {
    struct tile tile = {.weights = job->weights, .start = job->start + first * CHUNK_GROUPS};
    __m512 acc[TILE_TOKENS][TILE_PANELS];
    float *stored = job->acc + (size_t)(first * n_panels) * PANEL_ROWS;
    UNROLL for (int t = 0; t < n_tokens; t++) {
        tile.tokens[t] = job->acts + (size_t)(first + t) * job->act_bytes;
        UNROLL for (int p = 0; p < n_panels; p++) acc[t][p] =
            _mm512_load_ps(stored + (t * n_panels + p) * PANEL_ROWS);
    }
    for (int b = 0; b < job->n_blocks; b++)
        run_block(acc, &tile, b, n_panels, n_tokens, kind);
    UNROLL for (int t = 0; t < n_tokens; t++) UNROLL for (int p = 0; p < n_panels; p++)
        _mm512_store_ps(stored + (t * n_panels + p) * PANEL_ROWS, acc[t][p]);
}

// Tiles of 6 tokens, then the rest.
VEC512_INLINE void run_tokens(const struct tile_job *job, int n_panels, enum tile_kind kind) {
    int t = 0;
    for (; t + TILE_TOKENS <= job->n_tokens; t += TILE_TOKENS)
        run_tile(job, t, n_panels, TILE_TOKENS, kind);
    switch (job->n_tokens - t) {
    case 5:
        run_tile(job, t, n_panels, 5, kind);
        break;
    case 4:
        run_tile(job, t, n_panels, 4, kind);
        break;
    case 3:
        run_tile(job, t, n_panels, 3, kind);
        break;
    case 2:
        run_tile(job, t, n_panels, 2, kind);
        break;
    case 1:
        run_tile(job, t, n_panels, 1, kind);
        break;
    default:
        break;
    }
}

VEC512_INLINE void run_panels(const struct tile_job *job, enum tile_kind kind) {
    if (job->n_panels == TILE_PANELS)
        run_tokens(job, TILE_PANELS, kind);
    else
        run_tokens(job, 1, kind);
}

void avx512_tile_run(const struct tile_job *job, enum tile_kind kind) {
    switch (kind) {
    case TILE_ZERO:
        run_panels(job, TILE_ZERO);
        break;
    case TILE_MIN_32:
        run_panels(job, TILE_MIN_32);
        break;
    case TILE_MIN_16:
        run_panels(job, TILE_MIN_16);
        break;
    case TILE_ZERO_16:
        run_panels(job, TILE_ZERO_16);
        break;
    }
}
