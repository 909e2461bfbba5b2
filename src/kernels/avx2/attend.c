// SPDX-License-Identifier: Apache-2.0
// Attention over f32, f16 and bf16 tiles. Scores: lanes are 8 positions, a line of keys times a
// broadcast query element, 16 positions by 6 query rows in registers. Values: lanes are 8 elements,
// a broadcast weight times a position's values, 16 elements by 6 rows. Few rows read the cache as
// it is; many rows share a tile converted to floats. Either way an output is the same chain of
// multiply-adds.
#include "kernels/avx2/attend_soften.h"
#include "kernels/avx2/operations.h"

#include "numeric/float16.h"

#include <assert.h>

// How numbers lie in memory.
enum form { FORM_F32, FORM_F16, FORM_BF16, FORM_I8 };

VEC_INLINE __m256 half_of_pairs(const uint8_t *pairs, int which) {
    __m256i words = _mm256_loadu_si256((const void *)pairs);
    return _mm256_castsi256_ps(which ? _mm256_and_si256(words, _mm256_set1_epi32(-65536))
                                     : _mm256_slli_epi32(words, 16));
}

VEC_INLINE __m256 vec_from_i8(const void *x) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(x)));
}

// What 16 elements take.
VEC_INLINE size_t line_bytes(enum form form) {
    return form == FORM_F32 ? 64 : form == FORM_I8 ? 16 : 32;
}

// Element d of 8 positions; `half` says which 8 of the 16.
VEC_INLINE __m256 load_keys(enum form form, const uint8_t *tile, int d, int half) {
    if (form == FORM_F32) return _mm256_loadu_ps((const void *)(tile + (size_t)d * 64 + 32 * half));
    if (form == FORM_F16) return vec_from_f16(tile + (size_t)d * 32 + 16 * half);
    return half_of_pairs(tile + (size_t)(d / 2) * 64 + 32 * half, d % 2);
}

// 8 elements from `offset` on of a position in a tile that begins at an even one.
VEC_INLINE __m256 load_values(enum form form, const uint8_t *tile, size_t dim, int position,
                              int offset) {
    size_t at = (size_t)position * dim + (size_t)offset;
    if (form == FORM_F32) return _mm256_loadu_ps((const void *)(tile + at * 4));
    if (form == FORM_F16) return vec_from_f16(tile + at * 2);
    if (form == FORM_I8) return vec_from_i8(tile + at);
    return half_of_pairs(tile + ((size_t)(position / 2) * dim + (size_t)offset) * 4, position % 2);
}

static void pack_queries(const struct attend_block *block) {
    float factor = attend_query_factor(block->args);
    for (int row = 0; row < block->n_rows; row++) {
        const float *q = attend_query(block, row);
        float *out = attend_packed_query(block, row);
        for (int d = 0; d < block->args->head_dim; d++)
            out[d * ATTEND_GROUP] = q[d] * factor;
    }
}

// Keys of some type, as they lie.
struct key_tiles {
    const uint8_t *keys; // of the tile of 64
    size_t tile_bytes;   // of 16 positions
    uintptr_t ahead;     // bytes
    int dim;
};

// 16 positions, n_rows (constant) query rows.
VEC_INLINE void score_rows(enum form form, const struct key_tiles *k, int tile, const float *q,
                           float *scores, int n_rows) {
    const uint8_t *keys = k->keys + (size_t)tile * k->tile_bytes;
    __m256 low[ATTEND_GROUP], high[ATTEND_GROUP];
    UNROLL for (int r = 0; r < n_rows; r++) low[r] = high[r] = _mm256_setzero_ps();
    for (int d = 0; d < k->dim; d++, q += ATTEND_GROUP) {
        __m256 a = load_keys(form, keys, d, 0), b = load_keys(form, keys, d, 1);
        attend_fetch(keys, k->ahead + (size_t)d * line_bytes(form));
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m256 element = _mm256_broadcast_ss(q + r);
            low[r] = _mm256_fmadd_ps(element, a, low[r]);
            high[r] = _mm256_fmadd_ps(element, b, high[r]);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++) {
        _mm256_store_ps(scores + r * ATTEND_TILE + 16 * tile, low[r]);
        _mm256_store_ps(scores + r * ATTEND_TILE + 16 * tile + 8, high[r]);
    }
}

VEC_INLINE void score_group(enum form form, const struct key_tiles *k, int tile, const float *q,
                            float *scores, int n_rows) {
    switch (n_rows) {
    case 1:
        score_rows(form, k, tile, q, scores, 1);
        break;
    case 2:
        score_rows(form, k, tile, q, scores, 2);
        break;
    case 3:
        score_rows(form, k, tile, q, scores, 3);
        break;
    case 4:
        score_rows(form, k, tile, q, scores, 4);
        break;
    case 5:
        score_rows(form, k, tile, q, scores, 5);
        break;
    default:
        score_rows(form, k, tile, q, scores, 6);
    }
}

VEC_INLINE void score(enum form form, const struct attend_block *block, const struct key_tiles *k,
                      int n_positions, int group) {
    int first_row = group * ATTEND_GROUP;
    const float *q = block->queries + (size_t)first_row * (size_t)block->dim_padded;
    float *scores = block->scores + (size_t)first_row * ATTEND_TILE;
    for (int tile = 0; tile < n_positions / KV_TILE; tile++)
        score_group(form, k, tile, q, scores, block->n_rows - first_row);
}

static void soften(const struct attend_block *block, int row, int begin, int end) {
    float *scores = block->scores + (size_t)row * ATTEND_TILE;
    __m256i masks[ATTEND_VECTORS];
    __m256 weights[ATTEND_VECTORS];
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        masks[i] = attend_mask(i, begin, end);
        weights[i] = _mm256_load_ps(scores + 8 * i);
    }
    attend_soften(block, row, masks, weights);
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) _mm256_store_ps(scores + 8 * i, weights[i]);
}

// What the values of a tile are to n_rows query rows: weights [n_rows][64].
struct weighing {
    const struct attend_block *block;
    const uint8_t *values; // of the tile
    size_t dim;            // elements from a position to the next
    uintptr_t ahead;       // bytes
    int first_row, begin, end;
};

// 16 elements from `offset` on, n_rows (constant) query rows.
VEC_INLINE void weigh_rows(enum form form, const struct weighing *w, int offset, int n_rows) {
    __m256 low[ATTEND_GROUP], high[ATTEND_GROUP];
    const struct attend_block *block = w->block;
    const float *weights = block->scores + (size_t)w->first_row * ATTEND_TILE;
    float *acc = block->acc + (size_t)w->first_row * (size_t)block->dim_padded + offset;
    UNROLL for (int r = 0; r < n_rows; r++) {
        __m256 factor = _mm256_broadcast_ss(block->rescale + w->first_row + r);
        const float *x = acc + r * block->dim_padded;
        low[r] = _mm256_mul_ps(_mm256_load_ps(x), factor);
        high[r] = _mm256_mul_ps(_mm256_load_ps(x + 8), factor);
    }
    for (int p = w->begin; p < w->end; p++) {
        __m256 a = load_values(form, w->values, w->dim, p, offset);
        __m256 b = load_values(form, w->values, w->dim, p, offset + 8);
        size_t at = ((size_t)p * w->dim + (size_t)offset) * line_bytes(form) / 16;
        attend_fetch(w->values, w->ahead + at);
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m256 weight = _mm256_broadcast_ss(weights + r * ATTEND_TILE + p);
            low[r] = _mm256_fmadd_ps(weight, a, low[r]);
            high[r] = _mm256_fmadd_ps(weight, b, high[r]);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++) {
        float *x = acc + r * block->dim_padded;
        _mm256_store_ps(x, low[r]);
        _mm256_store_ps(x + 8, high[r]);
    }
}

VEC_INLINE void weigh_vectors(enum form form, const struct weighing *w, int n_rows) {
    for (int offset = 0; offset < w->block->dim_padded; offset += 16)
        weigh_rows(form, w, offset, n_rows);
}

VEC_INLINE void weigh(enum form form, const struct weighing *w, int n_rows) {
    switch (n_rows) {
    case 1:
        weigh_vectors(form, w, 1);
        break;
    case 2:
        weigh_vectors(form, w, 2);
        break;
    case 3:
        weigh_vectors(form, w, 3);
        break;
    case 4:
        weigh_vectors(form, w, 4);
        break;
    case 5:
        weigh_vectors(form, w, 5);
        break;
    default:
        weigh_vectors(form, w, 6);
    }
}

// ---- Floats, also those of a converted tile -----------------------------------------------------

// Keys as they lie, tile_bytes for 16 positions.
VEC_INLINE void score_tile(enum form form, const struct attend_block *block, size_t tile_bytes,
                           int n_positions, int first_group, int end_group) {
    struct key_tiles k = {block->tile.keys, tile_bytes,
                          attend_ahead(block, block->tile.keys, block->next.keys),
                          block->args->head_dim};
    for (int group = first_group; group < end_group; group++)
        score(form, block, &k, n_positions, group);
}

static void score_converted(const struct attend_block *block, int n_positions, int first_group,
                            int end_group) {
    size_t dim = (size_t)block->args->head_dim;
    struct key_tiles k = {(const uint8_t *)block->keys, dim * 64, 0, block->args->head_dim};
    for (int group = first_group; group < end_group; group++) {
        attend_fetch_part(block, dim * 2, group);
        score(FORM_F32, block, &k, n_positions, group);
    }
}

static void weigh_converted(const struct attend_block *block, int first_row, int n_rows, int begin,
                            int end) {
    struct weighing w = {.block = block,
                         .values = (const uint8_t *)block->values,
                         .dim = (size_t)block->dim_padded,
                         .first_row = first_row,
                         .begin = begin,
                         .end = end};
    weigh(FORM_F32, &w, n_rows);
}

// Values as they lie.
VEC_INLINE void weigh_tile(enum form form, const struct attend_block *block, int first_row,
                           int n_rows, int begin, int end) {
    struct weighing w = {.block = block,
                         .values = block->tile.values,
                         .dim = (size_t)block->args->head_dim,
                         .ahead = attend_ahead(block, block->tile.values, block->next.values),
                         .first_row = first_row,
                         .begin = begin,
                         .end = end};
    if (block->is_converted)
        weigh_converted(block, first_row, n_rows, begin, end);
    else
        weigh(form, &w, n_rows);
}

static void score_f32(const struct attend_block *block, int n_positions, int first_group,
                      int end_group) {
    score_tile(FORM_F32, block, (size_t)block->args->head_dim * 64, n_positions, first_group,
               end_group);
}

static void weigh_f32(const struct attend_block *block, int first_row, int n_rows, int begin,
                      int end) {
    weigh_tile(FORM_F32, block, first_row, n_rows, begin, end);
}

// Where the converted values of a position go; zeros behind the last element.
static float *converted_values(const struct attend_block *block, int position) {
    float *to = block->values + (size_t)position * (size_t)block->dim_padded;
    for (int d = block->args->head_dim; d < block->dim_padded; d++)
        to[d] = 0;
    return to;
}

// Only values of an odd head are copied, to get zeros behind them.
static void convert_f32(const struct attend_block *block, int n_positions, int begin, int end) {
    size_t dim = (size_t)block->args->head_dim;
    (void)n_positions;
    for (int p = begin; p < end; p++)
        memcpy(converted_values(block, p), (const float *)block->tile.values + (size_t)p * dim,
               dim * sizeof(float));
}

// ---- f16 ----------------------------------------------------------------------------------------

static void convert_f16(const struct attend_block *block, int n_positions, int begin, int end) {
    int dim = block->args->head_dim;
    const uint16_t *keys = block->tile.keys;
    for (int i = 0; i < n_positions * dim; i += 8)
        _mm256_store_ps(block->keys + i, vec_from_f16(keys + i));
    for (int p = begin; p < end; p++) {
        const uint16_t *from = (const uint16_t *)block->tile.values + (size_t)p * (size_t)dim;
        float *to = converted_values(block, p);
        int d = 0;
        for (; d + 8 <= dim; d += 8)
            _mm256_store_ps(to + d, vec_from_f16(from + d));
        for (; d < dim; d++)
            to[d] = float_from_f16(from[d]);
    }
}

static void score_f16(const struct attend_block *block, int n_positions, int first_group,
                      int end_group) {
    if (block->is_converted)
        score_converted(block, n_positions, first_group, end_group);
    else
        score_tile(FORM_F16, block, (size_t)block->args->head_dim * 32, n_positions, first_group,
                   end_group);
}

static void weigh_f16(const struct attend_block *block, int first_row, int n_rows, int begin,
                      int end) {
    weigh_tile(FORM_F16, block, first_row, n_rows, begin, end);
}

// ---- bf16 ---------------------------------------------------------------------------------------

static void convert_bf16(const struct attend_block *block, int n_positions, int begin, int end) {
    int dim = block->args->head_dim;
    size_t pairs = ((size_t)dim + 1) / 2;
    const uint8_t *keys = block->tile.keys;
    float *to = block->keys;
    for (int i = 0; i < n_positions / KV_TILE; i++, keys += pairs * 64)
        for (int d = 0; d < dim; d++, to += 16) {
            _mm256_store_ps(to, load_keys(FORM_BF16, keys, d, 0));
            _mm256_store_ps(to + 8, load_keys(FORM_BF16, keys, d, 1));
        }
    for (int p = begin; p < end; p++) {
        const uint16_t *from =
            (const uint16_t *)block->tile.values + (size_t)(p / 2) * (size_t)dim * 2;
        int d = 0;
        to = converted_values(block, p);
        for (; d + 8 <= dim; d += 8)
            _mm256_store_ps(to + d, half_of_pairs((const uint8_t *)(from + 2 * d), p % 2));
        for (; d < dim; d++)
            to[d] = float_from_bf16(from[2 * d + p % 2]);
    }
}

static void score_bf16(const struct attend_block *block, int n_positions, int first_group,
                       int end_group) {
    if (block->is_converted)
        score_converted(block, n_positions, first_group, end_group);
    else
        score_tile(FORM_BF16, block, ((size_t)block->args->head_dim + 1) / 2 * 64, n_positions,
                   first_group, end_group);
}

static void weigh_bf16(const struct attend_block *block, int first_row, int n_rows, int begin,
                       int end) {
    weigh_tile(FORM_BF16, block, first_row, n_rows, begin, end);
}

// ---- 8-bit values, under weights that carry their scales ----------------------------------------

void avx2_attend_weigh_i8(const struct attend_block *block, int first_row, int n_rows, int begin,
                          int end) {
    weigh_tile(FORM_I8, block, first_row, n_rows, begin, end);
}

static const struct attend_steps steps_f32 = {
    ATTEND_CONVERT_NEVER, true, pack_queries, convert_f32, score_f32, soften, weigh_f32,
    attend_sum_lanes};
static const struct attend_steps steps_f16 = {3,         true,   pack_queries, convert_f16,
                                              score_f16, soften, weigh_f16,    attend_sum_lanes};
static const struct attend_steps steps_bf16 = {2,          true,   pack_queries, convert_bf16,
                                               score_bf16, soften, weigh_bf16,   attend_sum_lanes};

void avx2_attend(const struct attend_args *args) {
    enum dtype dtype = args->kv.dtype;
    assert(kv_dtype_is_known(dtype));
    if (dtype == DTYPE_I8)
        avx2_attend_i8(args);
    else
        attend_blocks(args, dtype == DTYPE_F32   ? &steps_f32
                            : dtype == DTYPE_F16 ? &steps_f16
                                                 : &steps_bf16);
}
