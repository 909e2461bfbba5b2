// SPDX-License-Identifier: Apache-2.0
// Sizes of tiled keys and values; clearing a part of a tile; the rotation of 8-bit keys.
#include "numeric/kv_tiles.h"

#include <string.h>

static size_t round_up(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

bool kv_dtype_is_known(enum dtype dtype) {
    return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16 || dtype == DTYPE_I8;
}

size_t kv_keys_bytes(enum dtype dtype, int head_dim, int n_positions) {
    size_t dim = (size_t)head_dim, n = round_up((size_t)n_positions, KV_TILE);
    if (dtype == DTYPE_F32) return n * dim * sizeof(float);
    if (dtype == DTYPE_F16) return n * dim * sizeof(uint16_t);
    if (dtype == DTYPE_BF16) return n * round_up(dim, 2) * sizeof(uint16_t);
    return n * round_up(dim, 4);
}

size_t kv_values_bytes(enum dtype dtype, int head_dim, int n_positions) {
    size_t n = round_up((size_t)n_positions, KV_TILE) * (size_t)head_dim;
    if (dtype == DTYPE_F32) return n * sizeof(float);
    return dtype == DTYPE_I8 ? n : n * sizeof(uint16_t);
}

size_t kv_scales_bytes(enum dtype dtype, int n_positions) {
    return dtype == DTYPE_I8 ? round_up((size_t)n_positions, KV_TILE) * sizeof(float) : 0;
}

// Bytes that one position has in one line of keys, and lines of a tile.
static size_t key_cell_bytes(enum dtype dtype) {
    return dtype == DTYPE_F16 ? 2 : 4;
}

static size_t key_lines(enum dtype dtype, size_t head_dim) {
    if (dtype == DTYPE_BF16) return (head_dim + 1) / 2;
    return dtype == DTYPE_I8 ? (head_dim + 3) / 4 : head_dim;
}

static void clear_value(const struct kv_page *page, enum dtype dtype, size_t head_dim,
                        size_t position) {
    if (dtype == DTYPE_BF16) {
        uint16_t *pairs = (uint16_t *)page->values + position / 2 * head_dim * 2;
        for (size_t i = 0; i < head_dim; i++)
            pairs[2 * i + position % 2] = 0;
        return;
    }
    size_t size = kv_values_bytes(dtype, (int)head_dim, KV_TILE) / KV_TILE;
    memset((uint8_t *)page->values + position * size, 0, size);
}

void kv_tile_clear(const struct kv_page *page, enum dtype dtype, int head_dim, int begin, int end) {
    size_t cell = key_cell_bytes(dtype), lines = key_lines(dtype, (size_t)head_dim);
    size_t tile = (size_t)(begin / KV_TILE), first = (size_t)(begin % KV_TILE);
    uint8_t *keys = (uint8_t *)page->keys + tile * lines * KV_TILE * cell;
    if (begin >= end) return;
    for (size_t line = 0; line < lines; line++)
        memset(keys + (line * KV_TILE + first) * cell, 0, (size_t)(end - begin) * cell);
    for (int position = begin; position < end; position++) {
        clear_value(page, dtype, (size_t)head_dim, (size_t)position);
        if (dtype == DTYPE_I8) page->key_scales[position] = page->value_scales[position] = 0;
    }
}

int kv_rotation_size(int head_dim) {
    int size = head_dim & -head_dim;
    return size < KV_ROTATION_MAX ? size : KV_ROTATION_MAX;
}

// The fast Walsh-Hadamard transform: each step adds and subtracts numbers `half` apart.
static void transform(float *x, int n) {
    for (int half = 1; half < n; half *= 2)
        for (int i = 0; i < n; i += 2 * half)
            for (int j = i; j < i + half; j++) {
                float a = x[j], b = x[j + half];
                x[j] = a + b;
                x[j + half] = a - b;
            }
}

void kv_rotate(const float *x, float *out, int n, int size) {
    memcpy(out, x, (size_t)n * sizeof *out);
    for (int i = 0; i < n; i += size)
        transform(out + i, size);
}
