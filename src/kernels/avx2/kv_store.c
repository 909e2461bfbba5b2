// SPDX-License-Identifier: Apache-2.0
// One position's key and value into the tiles of the cache: converted a few cache lines at a time,
// then each element of the key to the lane of its position.
#include "kernels/avx2/operations.h"
#include "kernels/avx2/vec_avx2.h"

#include <math.h>

enum { PIECE = 64 }; // elements converted at once

static int lesser(int a, int b) {
    return a < b ? a : b;
}

// Where the position lies.
struct place {
    struct kv_page page;
    size_t position, tile, lane; // in the page, and its tile and lane there
};

static void store_f32(const struct kv_store_args *args, const struct place *place) {
    size_t dim = (size_t)args->head_dim;
    float *keys = (float *)place->page.keys + place->tile * dim * KV_TILE + place->lane;
    for (size_t i = 0; i < dim; i++)
        keys[i * KV_TILE] = args->keys[i];
    memcpy((float *)place->page.values + place->position * dim, args->values, dim * sizeof(float));
}

static void store_f16(const struct kv_store_args *args, const struct place *place) {
    size_t dim = (size_t)args->head_dim;
    uint16_t *keys = (uint16_t *)place->page.keys + place->tile * dim * KV_TILE + place->lane;
    for (int done = 0; done < args->head_dim; done += PIECE) {
        uint16_t piece[PIECE];
        int n = lesser(PIECE, args->head_dim - done);
        avx2_to_f16(args->keys + done, piece, n);
        for (int i = 0; i < n; i++, keys += KV_TILE)
            *keys = piece[i];
    }
    avx2_to_f16(args->values, (uint16_t *)place->page.values + place->position * dim,
                args->head_dim);
}

static void store_bf16(const struct kv_store_args *args, const struct place *place) {
    size_t dim = (size_t)args->head_dim, n_pairs = (dim + 1) / 2, p = place->position;
    uint16_t *keys =
        (uint16_t *)place->page.keys + (place->tile * n_pairs * KV_TILE + place->lane) * 2;
    uint16_t *values = (uint16_t *)place->page.values + p / 2 * dim * 2 + p % 2;
    for (int done = 0; done < args->head_dim; done += PIECE, values += 2 * PIECE) {
        uint16_t piece[PIECE + 1];
        int n = lesser(PIECE, args->head_dim - done);
        avx2_to_bf16(args->keys + done, piece, n);
        piece[n] = 0;
        for (int i = 0; i < n; i += 2, keys += 2 * KV_TILE)
            memcpy(keys, piece + i, 2 * sizeof *piece);
        avx2_to_bf16(args->values + done, piece, n);
        for (int i = 0; i < n; i++)
            values[2 * i] = piece[i];
    }
}

// NaN if anything is no finite number, 0 if all is too small to divide by.
static float choose_scale(const float *x, int n) {
    const __m256 infinity = _mm256_set1_ps(INFINITY), sign = _mm256_set1_ps(-0.0f);
    __m256 largest = _mm256_setzero_ps(), odd = _mm256_setzero_ps();
    for (int i = 0; i < n; i += 8) {
        __m256 v = _mm256_andnot_ps(sign, vec_load(x + i, n - i));
        odd = _mm256_or_ps(odd, _mm256_cmp_ps(v, infinity, _CMP_NLT_UQ));
        largest = _mm256_max_ps(largest, v);
    }
    float max = vec_max(largest);
    if (_mm256_movemask_ps(odd)) return NAN;
    return max < 0x1p-120f ? 0.0f : max / 127.0f;
}

// 8 numbers to bytes, zeros behind the n-th.
VEC_INLINE __m128i quantize(const float *x, int n, __m256 inverse) {
    __m256i words = _mm256_cvtps_epi32(_mm256_mul_ps(vec_load(x, n), inverse));
    __m128i halves =
        _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    return _mm_packs_epi16(halves, halves);
}

static float choose_key_scale(const float *x, int n) {
    float scale = 0, piece[KV_ROTATION_MAX];
    int size = kv_rotation_size(n);
    for (int done = 0; done < n; done += KV_ROTATION_MAX) {
        int n_piece = lesser(KV_ROTATION_MAX, n - done);
        kv_rotate(x + done, piece, n_piece, size);
        float own = choose_scale(piece, n_piece);
        if (isnan(own)) return own;
        scale = own > scale ? own : scale;
    }
    return scale;
}

static void store_key_i8(const struct kv_store_args *args, const struct place *place) {
    int dim = args->head_dim, n_quads = (dim + 3) / 4, size = kv_rotation_size(dim);
    uint32_t *keys =
        (uint32_t *)place->page.keys + place->tile * (size_t)n_quads * KV_TILE + place->lane;
    float scale = choose_key_scale(args->keys, dim), piece[KV_ROTATION_MAX];
    __m256 inverse = _mm256_set1_ps(scale > 0 ? 1.0f / scale : 0.0f);
    place->page.key_scales[place->position] = scale;
    for (int quad = 0; quad < n_quads; quad += 2, keys += 2 * KV_TILE) {
        int first = 4 * quad % KV_ROTATION_MAX;
        if (first == 0)
            kv_rotate(args->keys + 4 * quad, piece, lesser(KV_ROTATION_MAX, dim - 4 * quad), size);
        __m128i bytes = quantize(piece + first, dim - 4 * quad, inverse);
        if (!(scale > 0)) bytes = _mm_setzero_si128(); // NaN times 0 is no number
        keys[0] = (uint32_t)_mm_cvtsi128_si32(bytes);
        if (quad + 1 < n_quads) keys[KV_TILE] = (uint32_t)_mm_extract_epi32(bytes, 1);
    }
}

static void store_i8(const struct kv_store_args *args, const struct place *place) {
    int dim = args->head_dim;
    int8_t *values = (int8_t *)place->page.values + place->position * (size_t)dim;
    float value_scale = choose_scale(args->values, dim);
    __m256 value_inverse = _mm256_set1_ps(value_scale > 0 ? 1.0f / value_scale : 0.0f);
    store_key_i8(args, place);
    place->page.value_scales[place->position] = value_scale;
    for (int i = 0; i < dim; i += 8) {
        __m128i bytes = quantize(args->values + i, dim - i, value_inverse);
        int8_t piece[16];
        if (!(value_scale > 0)) bytes = _mm_setzero_si128();
        _mm_storeu_si128((__m128i *)piece, bytes);
        memcpy(values + i, piece, (size_t)lesser(8, dim - i));
    }
}

void avx2_kv_store(const struct kv_store_args *args) {
    size_t position = (size_t)(args->position % KV_PAGE);
    struct place place = {kv_page_at(&args->kv, args->position), position, position / KV_TILE,
                          position % KV_TILE};
    if (args->kv.dtype == DTYPE_F32)
        store_f32(args, &place);
    else if (args->kv.dtype == DTYPE_F16)
        store_f16(args, &place);
    else if (args->kv.dtype == DTYPE_BF16)
        store_bf16(args, &place);
    else
        store_i8(args, &place);
}
