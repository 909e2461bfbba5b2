// SPDX-License-Identifier: Apache-2.0
// Attention over bf16 tiles with AVX512_BF16: two products a lane and instruction. Queries (pairs
// of elements) and weights (pairs of positions) are rounded to bf16; the sum of a row is that of
// its rounded weights. The instruction takes subnormal numbers as zeros.
#include "kernels/avx512/attend_soften.h"
#include "kernels/avx512/operations.h"

#include "numeric/float16.h"

// Groups are [pair][6 rows][2].
static void pack_queries(const struct attend_block *block) {
    int dim = block->args->head_dim;
    float factor = attend_query_factor(block->args);
    for (int row = 0; row < block->n_rows; row++) {
        const float *q = attend_query(block, row);
        uint32_t *out = (uint32_t *)attend_packed_query(block, row);
        for (int d = 0; d < dim; d += 2) {
            uint32_t low = float_to_bf16(q[d] * factor);
            uint32_t high = d + 1 < dim ? float_to_bf16(q[d + 1] * factor) : 0;
            out[d / 2 * ATTEND_GROUP] = low | high << 16;
        }
    }
}

VEC512_INLINE __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

// n_tiles (constant) tiles of 16 positions, n_rows (constant) query rows.
VEC512_INLINE void score_rows(const uint8_t *keys, uintptr_t ahead, int n_pairs, const uint32_t *q,
                              float *scores, int n_tiles, int n_rows) {
    __m512 sums[ATTEND_VECTORS][ATTEND_GROUP];
    UNROLL for (int r = 0; r < n_rows; r++) UNROLL for (int i = 0; i < n_tiles; i++) sums[i][r] =
        _mm512_setzero_ps();
    for (int pair = 0; pair < n_pairs; pair++, q += ATTEND_GROUP) {
        __m512i k[ATTEND_VECTORS];
        UNROLL for (int i = 0; i < n_tiles; i++) k[i] =
            _mm512_loadu_si512(keys + (size_t)(i * n_pairs + pair) * 64);
        UNROLL for (int i = 0; i < n_tiles; i++)
            attend_fetch(keys, ahead + (size_t)(i * n_pairs + pair) * 64);
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m512i elements = _mm512_set1_epi32((int)q[r]);
            UNROLL for (int i = 0; i < n_tiles; i++) sums[i][r] =
                multiply_add(sums[i][r], k[i], elements);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++) UNROLL for (int i = 0; i < n_tiles; i++)
        _mm512_store_ps(scores + r * ATTEND_TILE + 16 * i, sums[i][r]);
}

VEC512_INLINE void score_group(const uint8_t *keys, uintptr_t ahead, int n_pairs, const uint32_t *q,
                               float *scores, int n_tiles, int n_rows) {
    switch (n_rows) {
    case 1:
        score_rows(keys, ahead, n_pairs, q, scores, n_tiles, 1);
        break;
    case 2:
        score_rows(keys, ahead, n_pairs, q, scores, n_tiles, 2);
        break;
    case 3:
        score_rows(keys, ahead, n_pairs, q, scores, n_tiles, 3);
        break;
    case 4:
        score_rows(keys, ahead, n_pairs, q, scores, n_tiles, 4);
        break;
    case 5:
        score_rows(keys, ahead, n_pairs, q, scores, n_tiles, 5);
        break;
    default:
        score_rows(keys, ahead, n_pairs, q, scores, n_tiles, 6);
    }
}

static void score(const struct attend_block *block, int n_positions, int first_group,
                  int end_group) {
    int n_pairs = (block->args->head_dim + 1) / 2;
    size_t tile_bytes = (size_t)n_pairs * 64;
    const uint8_t *keys = block->tile.keys;
    uintptr_t ahead = attend_ahead(block, keys, block->next.keys);
    for (int group = first_group; group < end_group; group++) {
        int first_row = group * ATTEND_GROUP, n_rows = block->n_rows - first_row;
        const uint32_t *q =
            (const uint32_t *)block->queries + (size_t)first_row * (size_t)block->dim_padded;
        float *scores = block->scores + (size_t)first_row * ATTEND_TILE;
        // A cache that streams through comes fastest in one run of lines.
        if (n_positions == ATTEND_TILE && !attend_streams(block)) {
            score_group(keys, 0, n_pairs, q, scores, ATTEND_VECTORS, n_rows);
            continue;
        }
        for (int i = 0; i < n_positions / KV_TILE; i++)
            score_group(keys + (size_t)i * tile_bytes, ahead, n_pairs, q, scores + 16 * i, 1,
                        n_rows);
    }
}

// A row's weights are 64 bf16 where its scores were.
static void soften(const struct attend_block *block, int row, int begin, int end) {
    float *scores = block->scores + (size_t)row * ATTEND_TILE;
    __m512 weights[ATTEND_VECTORS];
    __mmask16 masks[ATTEND_VECTORS];
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        masks[i] = attend_mask(i, begin, end);
        weights[i] = _mm512_load_ps(scores + 16 * i);
    }
    attend_soften(block, row, masks, weights);
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        __m256i halves = (__m256i)_mm512_cvtneps_pbh(weights[i]);
        _mm256_store_si256((__m256i *)(scores + 8 * i), halves);
        weights[i] = vec512_widen_bf16(halves);
    }
    attend_add_weights(block, row, weights);
}

struct weighing {
    const struct attend_block *block;
    const uint32_t *values; // of the tile: pairs of positions
    size_t dim;             // from a pair to the next
    uintptr_t ahead;        // bytes
    int first_row, begin, end;
};

// One pair of positions; `kept` says which of its values count (the others may be anything).
VEC512_INLINE void weigh_pair(const struct weighing *w, int pair, uint32_t kept, __mmask16 tail,
                              int offset, int n_vectors, int n_rows, __m512 (*acc)[ATTEND_GROUP]) {
    const uint32_t *values = w->values + (size_t)pair * w->dim + offset;
    const uint32_t *weights =
        (const uint32_t *)(w->block->scores + (size_t)w->first_row * ATTEND_TILE) + pair;
    __m512i v[ATTEND_VECTORS];
    UNROLL for (int i = 0; i < n_vectors; i++) {
        v[i] = n_vectors == 1 ? _mm512_maskz_loadu_epi32(tail, values)
                              : _mm512_loadu_si512(values + 16 * i);
        attend_fetch(values + 16 * i, w->ahead);
        if (kept != UINT32_MAX) v[i] = _mm512_and_si512(v[i], _mm512_set1_epi32((int)kept));
    }
    UNROLL for (int r = 0; r < n_rows; r++) {
        __m512i both = _mm512_set1_epi32((int)weights[r * ATTEND_TILE]);
        UNROLL for (int i = 0; i < n_vectors; i++) acc[i][r] = multiply_add(acc[i][r], v[i], both);
    }
}

VEC512_INLINE void weigh_rows(const struct weighing *w, int offset, int n_vectors, int n_rows) {
    __m512 acc[ATTEND_VECTORS][ATTEND_GROUP];
    __mmask16 tail = vec512_mask(w->block->args->head_dim - offset);
    int pair = w->begin / 2;
    attend_load_acc(w->block, w->first_row, n_rows, offset, n_vectors, acc);
    if (w->begin % 2) { // position begin - 1 is not seen; nor may begin + 1 be, if that is the end
        weigh_pair(w, pair, 0xffff0000u, tail, offset, n_vectors, n_rows, acc);
        pair++;
    }
    for (; pair < w->end / 2; pair++)
        weigh_pair(w, pair, UINT32_MAX, tail, offset, n_vectors, n_rows, acc);
    if (w->end % 2) weigh_pair(w, pair, 0x0000ffffu, tail, offset, n_vectors, n_rows, acc);
    attend_store_acc(w->block, w->first_row, n_rows, offset, n_vectors, acc);
}

VEC512_INLINE void weigh_vectors(const struct weighing *w, int n_rows) {
    int offset = 0, dim = w->block->args->head_dim;
    for (; offset + 64 <= dim; offset += 64)
        weigh_rows(w, offset, 4, n_rows);
    for (; offset < dim; offset += 16)
        weigh_rows(w, offset, 1, n_rows);
}

static void weigh(const struct attend_block *block, int first_row, int n_rows, int begin, int end) {
    struct weighing w = {.block = block,
                         .values = block->tile.values,
                         .dim = (size_t)block->args->head_dim,
                         .ahead = attend_ahead(block, block->tile.values, block->next.values),
                         .first_row = first_row,
                         .begin = begin,
                         .end = end};
    switch (n_rows) {
    case 1:
        weigh_vectors(&w, 1);
        break;
    case 2:
        weigh_vectors(&w, 2);
        break;
    case 3:
        weigh_vectors(&w, 3);
        break;
    case 4:
        weigh_vectors(&w, 4);
        break;
    case 5:
        weigh_vectors(&w, 5);
        break;
    default:
        weigh_vectors(&w, 6);
    }
}

static const struct attend_steps steps = {
    ATTEND_CONVERT_NEVER, false, pack_queries, NULL, score, soften, weigh, attend_sum_lanes};

void avx512_attend_bf16(const struct attend_args *args) {
    if (args->kv.dtype == DTYPE_BF16)
        attend_blocks(args, &steps);
    else
        avx512_attend(args);
}
