// SPDX-License-Identifier: Apache-2.0
// Attention over 8-bit tiles: scores are exact integer sums of bytes (the keys shifted to unsigned,
// which the query's own sum makes good), values are multiplied as floats by weights that carry
// their position's scale.
#include "kernels/avx512/attend_soften.h"
#include "kernels/avx512/operations.h"

static float largest_of(const float *x, int n) {
    __m512 largest = _mm512_setzero_ps();
    __mmask16 odd = 0; // infinities and NaNs
    for (int i = 0; i < n; i += 16) {
        __m512 v = _mm512_abs_ps(vec512_load(x + i, n - i));
        odd |= _mm512_cmp_ps_mask(v, _mm512_set1_ps(INFINITY), _CMP_NLT_UQ);
        largest = _mm512_max_ps(largest, v);
    }
    return odd ? NAN : vec512_max(largest);
}

// One row as bytes; groups are [quad][6 rows][4].
static void pack_queries(const struct attend_block *block) {
    int dim = block->args->head_dim, n_quads = (dim + 3) / 4, size = kv_rotation_size(dim);
    float factor = attend_query_factor(block->args) / (float)size;
    for (int row = 0; row < block->n_rows; row++) {
        float *q = block->values; // free before the first tile
        int8_t bytes[16];
        int32_t sum = 0;
        uint32_t *out = (uint32_t *)attend_packed_query(block, row);
        kv_rotate(attend_query(block, row), q, dim, size);
        float largest = largest_of(q, dim), scale = largest / 127.0f;
        if (largest < 0x1p-120f) scale = 0;
        __m512 inverse = _mm512_set1_ps(scale > 0 ? 1.0f / scale : 0.0f);
        for (int quad = 0; quad < n_quads; quad++) {
            if (quad % 4 == 0) {
                __m512 x = _mm512_mul_ps(vec512_load(q + 4 * quad, dim - 4 * quad), inverse);
                __m512i rounded = _mm512_cvtps_epi32(x);
                _mm_storeu_si128((__m128i *)bytes, _mm512_cvtepi32_epi8(rounded));
                sum += _mm512_reduce_add_epi32(rounded);
            }
            memcpy(out + quad * ATTEND_GROUP, bytes + quad % 4 * 4, 4);
        }
        block->query_scales[row] = scale * factor;
        block->query_sums[row] = -128 * sum;
    }
}

// n_tiles (constant) tiles of 16 positions, n_rows (constant) query rows.
VEC512_INLINE void score_rows(const uint8_t *keys, uintptr_t ahead, int n_quads, const uint32_t *q,
                              const int32_t *starts, float *scores, int n_tiles, int n_rows) {
    const __m512i shift = _mm512_set1_epi8(-128);
    __m512i sums[ATTEND_VECTORS][ATTEND_GROUP];
    UNROLL for (int r = 0; r < n_rows; r++) UNROLL for (int i = 0; i < n_tiles; i++) sums[i][r] =
        _mm512_set1_epi32(starts[r]);
    for (int quad = 0; quad < n_quads; quad++, q += ATTEND_GROUP) {
        __m512i k[ATTEND_VECTORS];
        UNROLL for (int i = 0; i < n_tiles; i++) k[i] =
            _mm512_xor_si512(shift, _mm512_loadu_si512(keys + (size_t)(i * n_quads + quad) * 64));
        UNROLL for (int i = 0; i < n_tiles; i++)
            attend_fetch(keys, ahead + (size_t)(i * n_quads + quad) * 64);
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m512i bytes = _mm512_set1_epi32((int)q[r]);
            UNROLL for (int i = 0; i < n_tiles; i++) sums[i][r] =
                _mm512_dpbusd_epi32(sums[i][r], k[i], bytes);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++) UNROLL for (int i = 0; i < n_tiles; i++)
        _mm512_store_ps(scores + r * ATTEND_TILE + 16 * i, _mm512_cvtepi32_ps(sums[i][r]));
}

VEC512_INLINE void score_group(const uint8_t *keys, uintptr_t ahead, int n_quads, const uint32_t *q,
                               const int32_t *starts, float *scores, int n_tiles, int n_rows) {
    switch (n_rows) {
    case 1:
        score_rows(keys, ahead, n_quads, q, starts, scores, n_tiles, 1);
        break;
    case 2:
        score_rows(keys, ahead, n_quads, q, starts, scores, n_tiles, 2);
        break;
    case 3:
        score_rows(keys, ahead, n_quads, q, starts, scores, n_tiles, 3);
        break;
    case 4:
        score_rows(keys, ahead, n_quads, q, starts, scores, n_tiles, 4);
        break;
    case 5:
        score_rows(keys, ahead, n_quads, q, starts, scores, n_tiles, 5);
        break;
    default:
        score_rows(keys, ahead, n_quads, q, starts, scores, n_tiles, 6);
    }
}

static void score(const struct attend_block *block, int n_positions, int first_group,
                  int end_group) {
    int n_quads = (block->args->head_dim + 3) / 4;
    size_t tile_bytes = (size_t)n_quads * 64;
    const uint8_t *keys = block->tile.keys;
    uintptr_t ahead = attend_ahead(block, keys, block->next.keys);
    for (int group = first_group; group < end_group; group++) {
        int first_row = group * ATTEND_GROUP, n_rows = block->n_rows - first_row;
        const uint32_t *q =
            (const uint32_t *)block->queries + (size_t)first_row * (size_t)block->dim_padded;
        float *scores = block->scores + (size_t)first_row * ATTEND_TILE;
        const int32_t *starts = block->query_sums + first_row;
        if (n_positions == ATTEND_TILE) {
            score_group(keys, ahead, n_quads, q, starts, scores, ATTEND_VECTORS, n_rows);
            continue;
        }
        for (int i = 0; i < n_positions / KV_TILE; i++)
            score_group(keys + (size_t)i * tile_bytes, 0, n_quads, q, starts, scores + 16 * i, 1,
                        n_rows);
    }
}

static void soften(const struct attend_block *block, int row, int begin, int end) {
    float *scores = block->scores + (size_t)row * ATTEND_TILE;
    const float *key_scales = block->tile.key_scales, *value_scales = block->tile.value_scales;
    __m512 weights[ATTEND_VECTORS], q_scale = _mm512_set1_ps(block->query_scales[row]);
    __mmask16 masks[ATTEND_VECTORS];
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        masks[i] = attend_mask(i, begin, end);
        __m512 scale = _mm512_maskz_loadu_ps(masks[i], key_scales + 16 * i);
        weights[i] = _mm512_mul_ps(_mm512_mul_ps(_mm512_load_ps(scores + 16 * i), q_scale), scale);
    }
    attend_soften(block, row, masks, weights);
    attend_add_weights(block, row, weights);
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        __m512 scale = _mm512_maskz_loadu_ps(masks[i], value_scales + 16 * i);
        _mm512_store_ps(scores + 16 * i, _mm512_mul_ps(weights[i], scale));
    }
}

VEC512_INLINE __m512 floats_of(__m128i bytes) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

static void convert(const struct attend_block *block, int n_positions, int begin, int end) {
    int dim = block->args->head_dim;
    (void)n_positions;
    for (int p = begin; p < end; p++) {
        const int8_t *from = (const int8_t *)block->tile.values + (size_t)p * (size_t)dim;
        float *to = block->values + (size_t)p * (size_t)block->dim_padded;
        for (int d = 0; d < dim; d += 16)
            _mm512_store_ps(to + d,
                            floats_of(_mm_maskz_loadu_epi8(vec512_mask(dim - d), from + d)));
    }
}

static const struct attend_steps steps = {3,     true,   pack_queries,           convert,
                                          score, soften, avx512_attend_weigh_i8, attend_sum_lanes};

void avx512_attend_i8(const struct attend_args *args) {
    attend_blocks(args, &steps);
}
