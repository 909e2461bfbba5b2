// SPDX-License-Identifier: Apache-2.0
// Attention over 8-bit tiles: scores are exact integer sums of bytes, |key| times the query with
// the key's sign (pairs stay below 2^15, for neither reaches 128); values are multiplied as floats
// by weights that carry their position's scale.
#include "kernels/avx2/attend_soften.h"
#include "kernels/avx2/operations.h"

enum { ROWS = 3 }; // query rows in registers at once

// Infinities and NaNs give NaN.
static float largest_of(const float *x, int n) {
    __m256 largest = _mm256_setzero_ps(), odd = _mm256_setzero_ps();
    const __m256 infinity = _mm256_set1_ps(INFINITY), sign = _mm256_set1_ps(-0.0f);
    for (int i = 0; i < n; i += 8) {
        __m256 v = _mm256_andnot_ps(sign, vec_load(x + i, n - i));
        odd = _mm256_or_ps(odd, _mm256_cmp_ps(v, infinity, _CMP_NLT_UQ));
        largest = _mm256_max_ps(largest, v);
    }
    return _mm256_movemask_ps(odd) ? NAN : vec_max(largest);
}

// Groups are [quad][6 rows][4].
static void pack_queries(const struct attend_block *block) {
    int dim = block->args->head_dim, n_quads = (dim + 3) / 4, size = kv_rotation_size(dim);
    float factor = attend_query_factor(block->args) / (float)size;
    for (int row = 0; row < block->n_rows; row++) {
        float *q = block->values; // free before the first tile
        uint32_t *out = (uint32_t *)attend_packed_query(block, row);
        kv_rotate(attend_query(block, row), q, dim, size);
        float largest = largest_of(q, dim), scale = largest / 127.0f;
        if (largest < 0x1p-120f) scale = 0;
        __m256 inverse = _mm256_set1_ps(scale > 0 ? 1.0f / scale : 0.0f);
        for (int quad = 0; quad < n_quads; quad += 2) {
            __m256 x = _mm256_mul_ps(vec_load(q + 4 * quad, dim - 4 * quad), inverse);
            __m256i words = _mm256_cvtps_epi32(x);
            __m128i halves =
                _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
            __m128i bytes = _mm_packs_epi16(halves, halves);
            out[quad * ATTEND_GROUP] = (uint32_t)_mm_cvtsi128_si32(bytes);
            if (quad + 1 < n_quads)
                out[(quad + 1) * ATTEND_GROUP] = (uint32_t)_mm_extract_epi32(bytes, 1);
        }
        block->query_scales[row] = scale * factor;
    }
}

VEC_INLINE __m256i dot(__m256i sum, __m256i key, __m256i size, __m256i q) {
    __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(q, key));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// 16 positions, n_rows (constant) query rows.
VEC_INLINE void score_rows(const uint8_t *keys, uintptr_t ahead, int n_quads, const uint32_t *q,
                           float *scores, int n_rows) {
    __m256i low[ROWS], high[ROWS];
    UNROLL for (int r = 0; r < n_rows; r++) low[r] = high[r] = _mm256_setzero_si256();
    for (int quad = 0; quad < n_quads; quad++, q += ATTEND_GROUP, keys += 64) {
        __m256i a = _mm256_loadu_si256((const void *)keys);
        __m256i b = _mm256_loadu_si256((const void *)(keys + 32));
        __m256i size_a = _mm256_abs_epi8(a), size_b = _mm256_abs_epi8(b);
        attend_fetch(keys, ahead);
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m256i bytes = _mm256_set1_epi32((int)q[r]);
            low[r] = dot(low[r], a, size_a, bytes);
            high[r] = dot(high[r], b, size_b, bytes);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++) {
        _mm256_store_ps(scores + r * ATTEND_TILE, _mm256_cvtepi32_ps(low[r]));
        _mm256_store_ps(scores + r * ATTEND_TILE + 8, _mm256_cvtepi32_ps(high[r]));
    }
}

static void score_tile(const uint8_t *keys, uintptr_t ahead, int n_quads, const uint32_t *q,
                       float *scores, int n_rows) {
    if (n_rows >= ROWS)
        score_rows(keys, ahead, n_quads, q, scores, 3);
    else if (n_rows == 2)
        score_rows(keys, ahead, n_quads, q, scores, 2);
    else
        score_rows(keys, ahead, n_quads, q, scores, 1);
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
        for (int i = 0; i < n_positions / KV_TILE; i++) {
            float *scores = block->scores + (size_t)first_row * ATTEND_TILE + 16 * i;
            score_tile(keys + (size_t)i * tile_bytes, ahead, n_quads, q, scores, n_rows);
            if (n_rows > ROWS)
                score_tile(keys + (size_t)i * tile_bytes, 0, n_quads, q + ROWS,
                           scores + ROWS * ATTEND_TILE, n_rows - ROWS);
        }
    }
}

static void soften(const struct attend_block *block, int row, int begin, int end) {
    float *scores = block->scores + (size_t)row * ATTEND_TILE;
    const float *key_scales = block->tile.key_scales, *value_scales = block->tile.value_scales;
    __m256 weights[ATTEND_VECTORS], q_scale = _mm256_set1_ps(block->query_scales[row]);
    __m256i masks[ATTEND_VECTORS];
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        masks[i] = attend_mask(i, begin, end);
        __m256 scale = _mm256_maskload_ps(key_scales + 8 * i, masks[i]);
        weights[i] = _mm256_mul_ps(_mm256_mul_ps(_mm256_load_ps(scores + 8 * i), q_scale), scale);
    }
    attend_soften(block, row, masks, weights);
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        __m256 scale = _mm256_maskload_ps(value_scales + 8 * i, masks[i]);
        _mm256_store_ps(scores + 8 * i, _mm256_mul_ps(weights[i], scale));
    }
}

static void convert(const struct attend_block *block, int n_positions, int begin, int end) {
    int dim = block->args->head_dim;
    (void)n_positions;
    for (int p = begin; p < end; p++) {
        const int8_t *from = (const int8_t *)block->tile.values + (size_t)p * (size_t)dim;
        float *to = block->values + (size_t)p * (size_t)block->dim_padded;
        int d = 0;
        for (; d + 8 <= dim; d += 8) {
            __m256i words = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(from + d)));
            _mm256_store_ps(to + d, _mm256_cvtepi32_ps(words));
        }
        for (; d < block->dim_padded; d++)
            to[d] = d < dim ? (float)from[d] : 0.0f;
    }
}

static const struct attend_steps steps = {3,     true,   pack_queries,         convert,
                                          score, soften, avx2_attend_weigh_i8, attend_sum_lanes};

void avx2_attend_i8(const struct attend_args *args) {
    attend_blocks(args, &steps);
}
