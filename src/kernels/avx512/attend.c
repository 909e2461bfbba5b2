// SPDX-License-Identifier: Apache-2.0
// Attention over f32, f16 and (where there is no bf16 multiplication) bf16 tiles. Scores: lanes are
// 16 positions, a line of keys times a broadcast query element, 64 positions by 6 query rows in
// registers. Values: lanes are 16 elements, a broadcast weight times a position's values, 64
// elements by 6 rows. Few rows read the cache as it is; many rows share a tile converted to floats.
// Either way an output is the same chain of multiply-adds.
#include "kernels/avx512/attend_soften.h"
#include "kernels/avx512/operations.h"

#include <assert.h>

// How numbers lie in memory.
enum form { FORM_F32, FORM_F16, FORM_BF16, FORM_I8 };

VEC512_INLINE __m512 half_of_pairs(const uint8_t *pairs, int which) {
    __m512i words = _mm512_loadu_si512(pairs);
    return _mm512_castsi512_ps(which ? _mm512_and_si512(words, _mm512_set1_epi32(-65536))
                                     : _mm512_slli_epi32(words, 16));
}

VEC512_INLINE __m512 vec512_from_i8(const void *x) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(x)));
}

// What 16 elements take.
VEC512_INLINE size_t line_bytes(enum form form) {
    return form == FORM_F32 ? 64 : form == FORM_I8 ? 16 : 32;
}

// Element d of 16 positions.
VEC512_INLINE __m512 load_keys(enum form form, const uint8_t *tile, int d) {
    if (form == FORM_F32) return _mm512_loadu_ps(tile + (size_t)d * 64);
    if (form == FORM_F16) return vec512_from_f16(tile + (size_t)d * 32);
    return half_of_pairs(tile + (size_t)(d / 2) * 64, d % 2);
}

// 16 elements from `offset` on of a position in a tile that begins at an even one.
VEC512_INLINE __m512 load_values(enum form form, const uint8_t *tile, size_t dim, int position,
                                 int offset) {
    if (form == FORM_F32)
        return _mm512_loadu_ps(tile + ((size_t)position * dim + (size_t)offset) * 4);
    if (form == FORM_F16)
        return vec512_from_f16(tile + ((size_t)position * dim + (size_t)offset) * 2);
    if (form == FORM_I8) return vec512_from_i8(tile + (size_t)position * dim + (size_t)offset);
    return half_of_pairs(tile + ((size_t)(position / 2) * dim + (size_t)offset) * 4, position % 2);
}

static void pack_queries(const struct attend_block *block) {
    float factor = attend_query_factor(block->args);
    int dim = block->args->head_dim;
    for (int row = 0; row < block->n_rows; row++) {
        const float *q = attend_query(block, row);
        float *out = attend_packed_query(block, row);
        for (int d = 0; d < dim; d++)
            out[d * ATTEND_GROUP] = q[d] * factor;
    }
}

// n_tiles (constant) tiles of 16 positions, n_rows (constant) query rows.
VEC512_INLINE void score_rows(enum form form, const uint8_t *keys, size_t tile_bytes,
                              uintptr_t ahead, int dim, const float *q, float *scores, int n_tiles,
                              int n_rows) {
    __m512 sums[ATTEND_VECTORS][ATTEND_GROUP];
    UNROLL for (int r = 0; r < n_rows; r++) UNROLL for (int i = 0; i < n_tiles; i++) sums[i][r] =
        _mm512_setzero_ps();
    for (int d = 0; d < dim; d++, q += ATTEND_GROUP) {
        __m512 k[ATTEND_VECTORS];
        UNROLL for (int i = 0; i < n_tiles; i++) k[i] =
            load_keys(form, keys + (size_t)i * tile_bytes, d);
        UNROLL for (int i = 0; i < n_tiles; i++)
            attend_fetch(keys, ahead + (size_t)i * tile_bytes + (size_t)d * line_bytes(form));
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m512 element = _mm512_set1_ps(q[r]);
            UNROLL for (int i = 0; i < n_tiles; i++) sums[i][r] =
                _mm512_fmadd_ps(element, k[i], sums[i][r]);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++) UNROLL for (int i = 0; i < n_tiles; i++)
        _mm512_store_ps(scores + r * ATTEND_TILE + 16 * i, sums[i][r]);
}

VEC512_INLINE void score_group(enum form form, const uint8_t *keys, size_t tile_bytes,
                               uintptr_t ahead, int dim, const float *q, float *scores, int n_tiles,
                               int n_rows) {
    switch (n_rows) {
    case 1:
        score_rows(form, keys, tile_bytes, ahead, dim, q, scores, n_tiles, 1);
        break;
    case 2:
        score_rows(form, keys, tile_bytes, ahead, dim, q, scores, n_tiles, 2);
        break;
    case 3:
        score_rows(form, keys, tile_bytes, ahead, dim, q, scores, n_tiles, 3);
        break;
    case 4:
        score_rows(form, keys, tile_bytes, ahead, dim, q, scores, n_tiles, 4);
        break;
    case 5:
        score_rows(form, keys, tile_bytes, ahead, dim, q, scores, n_tiles, 5);
        break;
    default:
        score_rows(form, keys, tile_bytes, ahead, dim, q, scores, n_tiles, 6);
    }
}

VEC512_INLINE void score(enum form form, const struct attend_block *block, const uint8_t *keys,
                         size_t tile_bytes, uintptr_t ahead, int n_positions, int first_group,
                         int end_group) {
    int dim = block->args->head_dim;
    for (int group = first_group; group < end_group; group++) {
        int first_row = group * ATTEND_GROUP, n_rows = block->n_rows - first_row;
        const float *q = block->queries + (size_t)first_row * (size_t)block->dim_padded;
        float *scores = block->scores + (size_t)first_row * ATTEND_TILE;
        // Floats that stream through come fastest in one run of lines.
        bool is_run = form == FORM_F32 && attend_streams(block);
        if (n_positions == ATTEND_TILE && !is_run) {
            score_group(form, keys, tile_bytes, ahead, dim, q, scores, ATTEND_VECTORS, n_rows);
            continue;
        }
        for (int i = 0; i < n_positions / KV_TILE; i++)
            score_group(form, keys + (size_t)i * tile_bytes, tile_bytes, ahead, dim, q,
                        scores + 16 * i, 1, n_rows);
    }
}

static void soften(const struct attend_block *block, int row, int begin, int end) {
    float *scores = block->scores + (size_t)row * ATTEND_TILE;
    __mmask16 masks[ATTEND_VECTORS];
    __m512 weights[ATTEND_VECTORS];
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) {
        masks[i] = attend_mask(i, begin, end);
        weights[i] = _mm512_load_ps(scores + 16 * i);
    }
    attend_soften(block, row, masks, weights);
    attend_add_weights(block, row, weights);
    UNROLL for (int i = 0; i < ATTEND_VECTORS; i++) _mm512_store_ps(scores + 16 * i, weights[i]);
}

// What the values of a tile are to n_rows query rows: weights [n_rows][64].
struct weighing {
    const struct attend_block *block;
    const uint8_t *values; // of the tile
    size_t dim;            // elements from a position to the next
    uintptr_t ahead;       // bytes
    int first_row, begin, end;
};

// n_vectors (constant) vectors of elements from `offset` on, n_rows (constant) query rows.
VEC512_INLINE void weigh_rows(enum form form, const struct weighing *w, int offset, int n_vectors,
                              int n_rows) {
    __m512 acc[ATTEND_VECTORS][ATTEND_GROUP];
    const float *weights = w->block->scores + (size_t)w->first_row * ATTEND_TILE;
    attend_load_acc(w->block, w->first_row, n_rows, offset, n_vectors, acc);
    for (int p = w->begin; p < w->end; p++) {
        __m512 v[ATTEND_VECTORS];
        UNROLL for (int i = 0; i < n_vectors; i++) v[i] =
            load_values(form, w->values, w->dim, p, offset + 16 * i);
        size_t at = ((size_t)p * w->dim + (size_t)offset) * line_bytes(form) / 16;
        UNROLL for (int i = 0; i < n_vectors; i++)
            attend_fetch(w->values, w->ahead + at + (size_t)i * line_bytes(form));
        UNROLL for (int r = 0; r < n_rows; r++) {
            __m512 weight = _mm512_set1_ps(weights[r * ATTEND_TILE + p]);
            UNROLL for (int i = 0; i < n_vectors; i++) acc[i][r] =
                _mm512_fmadd_ps(weight, v[i], acc[i][r]);
        }
    }
    attend_store_acc(w->block, w->first_row, n_rows, offset, n_vectors, acc);
}

VEC512_INLINE void weigh_vectors(enum form form, const struct weighing *w, int n_rows) {
    int offset = 0, dim = w->block->dim_padded;
    for (; offset + 64 <= dim; offset += 64)
        weigh_rows(form, w, offset, 4, n_rows);
    for (; offset < dim; offset += 16)
        weigh_rows(form, w, offset, 1, n_rows);
}

VEC512_INLINE void weigh(enum form form, const struct weighing *w, int n_rows) {
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

static void score_converted(const struct attend_block *block, int n_positions, int first_group,
                            int end_group, size_t position_bytes) {
    size_t tile_bytes = (size_t)block->args->head_dim * 64;
    for (int group = first_group; group < end_group; group++) {
        attend_fetch_part(block, position_bytes, group);
        score(FORM_F32, block, (const uint8_t *)block->keys, tile_bytes, 0, n_positions, group,
              group + 1);
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

// Keys as they lie, tile_bytes for 16 positions.
VEC512_INLINE void score_tile(enum form form, const struct attend_block *block, size_t tile_bytes,
                              int n_positions, int first_group, int end_group) {
    score(form, block, block->tile.keys, tile_bytes,
          attend_ahead(block, block->tile.keys, block->next.keys), n_positions, first_group,
          end_group);
}

// Values as they lie.
VEC512_INLINE void weigh_tile(enum form form, const struct attend_block *block, int first_row,
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

// Where the converted values of a position go.
static float *converted_values(const struct attend_block *block, int position) {
    return block->values + (size_t)position * (size_t)block->dim_padded;
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

// Only values of an odd head are copied, to get zeros behind them.
static void convert_f32(const struct attend_block *block, int n_positions, int begin, int end) {
    int dim = block->args->head_dim;
    (void)n_positions;
    for (int p = begin; p < end; p++) {
        const float *from = (const float *)block->tile.values + (size_t)p * (size_t)dim;
        float *to = converted_values(block, p);
        for (int d = 0; d < dim; d += 16)
            _mm512_store_ps(to + d, vec512_load(from + d, dim - d));
    }
}

// ---- f16 ----------------------------------------------------------------------------------------

static void convert_f16(const struct attend_block *block, int n_positions, int begin, int end) {
    int dim = block->args->head_dim;
    const uint16_t *keys = block->tile.keys;
    for (int i = 0; i < n_positions * dim; i += 16)
        _mm512_store_ps(block->keys + i, vec512_from_f16(keys + i));
    for (int p = begin; p < end; p++) {
        const uint16_t *from = (const uint16_t *)block->tile.values + (size_t)p * (size_t)dim;
        float *to = converted_values(block, p);
        for (int d = 0; d < dim; d += 16) {
            __m256i halves = _mm256_maskz_loadu_epi16(vec512_mask(dim - d), from + d);
            _mm512_store_ps(to + d, _mm512_cvtph_ps(halves));
        }
    }
}

static void score_f16(const struct attend_block *block, int n_positions, int first_group,
                      int end_group) {
    size_t dim = (size_t)block->args->head_dim;
    if (block->is_converted)
        score_converted(block, n_positions, first_group, end_group, dim * 2);
    else
        score_tile(FORM_F16, block, dim * 32, n_positions, first_group, end_group);
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
        for (int d = 0; d < dim; d++, to += 16)
            _mm512_store_ps(to, load_keys(FORM_BF16, keys, d));
    for (int p = begin; p < end; p++) {
        const uint32_t *from = (const uint32_t *)block->tile.values + (size_t)(p / 2) * (size_t)dim;
        to = converted_values(block, p);
        for (int d = 0; d < dim; d += 16) {
            __m512i words = _mm512_maskz_loadu_epi32(vec512_mask(dim - d), from + d);
            words = p % 2 ? _mm512_and_si512(words, _mm512_set1_epi32(-65536))
                          : _mm512_slli_epi32(words, 16);
            _mm512_store_ps(to + d, _mm512_castsi512_ps(words));
        }
    }
}

static void score_bf16(const struct attend_block *block, int n_positions, int first_group,
                       int end_group) {
    size_t dim = (size_t)block->args->head_dim;
    if (block->is_converted)
        score_converted(block, n_positions, first_group, end_group, dim * 2);
    else
        score_tile(FORM_BF16, block, (dim + 1) / 2 * 64, n_positions, first_group, end_group);
}

static void weigh_bf16(const struct attend_block *block, int first_row, int n_rows, int begin,
                       int end) {
    weigh_tile(FORM_BF16, block, first_row, n_rows, begin, end);
}

// ---- 8-bit values, under weights that carry their scales ----------------------------------------

void avx512_attend_weigh_i8(const struct attend_block *block, int first_row, int n_rows, int begin,
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

void avx512_attend(const struct attend_args *args) {
    enum dtype dtype = args->kv.dtype;
    assert(kv_dtype_is_known(dtype));
    if (dtype == DTYPE_I8)
        avx512_attend_i8(args);
    else
        attend_blocks(args, dtype == DTYPE_F32   ? &steps_f32
                            : dtype == DTYPE_F16 ? &steps_f16
                                                 : &steps_bf16);
}
