// SPDX-License-Identifier: Apache-2.0
// One position's key and value into the tiles of the cache. Padding of an odd head is written too:
// kernels multiply it.
#include "kernels/scalar/operations.h"

#include "numeric/float16.h"

#include <assert.h>
#include <math.h>

// Where the position lies.
struct place {
    struct kv_page page;
    size_t position, tile, lane; // in the page, and its tile and lane there
};

static void store_f32(const struct kv_store_args *args, const struct place *place) {
    size_t dim = (size_t)args->head_dim;
    float *keys = (float *)place->page.keys + place->tile * dim * KV_TILE + place->lane;
    float *values = (float *)place->page.values + place->position * dim;
    for (size_t i = 0; i < dim; i++) {
        keys[i * KV_TILE] = args->keys[i];
        values[i] = args->values[i];
    }
}

static void store_f16(const struct kv_store_args *args, const struct place *place) {
    size_t dim = (size_t)args->head_dim;
    uint16_t *keys = (uint16_t *)place->page.keys + place->tile * dim * KV_TILE + place->lane;
    uint16_t *values = (uint16_t *)place->page.values + place->position * dim;
    for (size_t i = 0; i < dim; i++) {
        keys[i * KV_TILE] = float_to_f16(args->keys[i]);
        values[i] = float_to_f16(args->values[i]);
    }
}

static void store_bf16(const struct kv_store_args *args, const struct place *place) {
    size_t dim = (size_t)args->head_dim, n_pairs = (dim + 1) / 2, p = place->position;
    uint16_t *keys =
        (uint16_t *)place->page.keys + (place->tile * n_pairs * KV_TILE + place->lane) * 2;
    uint16_t *values = (uint16_t *)place->page.values + p / 2 * dim * 2 + p % 2;
    for (size_t i = 0; i < 2 * n_pairs; i++)
        keys[i / 2 * KV_TILE * 2 + i % 2] = i < dim ? float_to_bf16(args->keys[i]) : 0;
    for (size_t i = 0; i < dim; i++)
        values[2 * i] = float_to_bf16(args->values[i]);
}

// The scale of an 8-bit vector. Damage shows: one with an infinity or a NaN gets scale NaN. What is
// too small to divide by becomes zeros.
static float choose_scale(const float *x, int n) {
    float largest = 0;
    for (int i = 0; i < n; i++) {
        if (!isfinite(x[i])) return NAN;
        largest = fmaxf(largest, fabsf(x[i]));
    }
    return largest < 0x1p-120f ? 0.0f : largest / 127.0f;
}

// The same of a key's rotated form, made piece by piece.
static float choose_key_scale(const float *x, int n) {
    float scale = 0, piece[KV_ROTATION_MAX];
    int size = kv_rotation_size(n);
    for (int done = 0; done < n; done += size) {
        kv_rotate(x + done, piece, size, size);
        float own = choose_scale(piece, size);
        if (isnan(own)) return own;
        scale = fmaxf(scale, own);
    }
    return scale;
}

static int8_t quantize(float x, float scale) {
    return (int8_t)(scale > 0 ? rintf(x * (1.0f / scale)) : 0);
}

static void store_i8(const struct kv_store_args *args, const struct place *place) {
    size_t dim = (size_t)args->head_dim, n_quads = (dim + 3) / 4;
    int8_t *keys = (int8_t *)place->page.keys + (place->tile * n_quads * KV_TILE + place->lane) * 4;
    int8_t *values = (int8_t *)place->page.values + place->position * dim;
    int size = kv_rotation_size(args->head_dim);
    float key_scale = choose_key_scale(args->keys, args->head_dim);
    float value_scale = choose_scale(args->values, args->head_dim);
    place->page.key_scales[place->position] = key_scale;
    place->page.value_scales[place->position] = value_scale;
    for (size_t done = 0; done < dim; done += (size_t)size) {
        float piece[KV_ROTATION_MAX];
        kv_rotate(args->keys + done, piece, size, size);
        for (size_t i = done; i < done + (size_t)size; i++)
            keys[i / 4 * KV_TILE * 4 + i % 4] = quantize(piece[i - done], key_scale);
    }
    for (size_t i = dim; i < 4 * n_quads; i++)
        keys[i / 4 * KV_TILE * 4 + i % 4] = 0;
    for (size_t i = 0; i < dim; i++)
        values[i] = quantize(args->values[i], value_scale);
}

void scalar_kv_store(const struct kv_store_args *args) {
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
