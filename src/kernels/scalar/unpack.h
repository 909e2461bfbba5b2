// SPDX-License-Identifier: Apache-2.0
// One row of one chunk of a panel, by the formulas of numeric/packed.h: signed quants (the zero
// point taken off), scales and minima as floats. `dtype` is a constant at every call, so each type
// gets its own code.
#ifndef XL_KERNELS_SCALAR_UNPACK_H
#define XL_KERNELS_SCALAR_UNPACK_H

#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "numeric/packed.h"

#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

struct chunk_row {
    int8_t q[256];
    float scale[16], min[16]; // of each group
};

ALWAYS_INLINE uint32_t load_word(const uint8_t *src) {
    uint32_t word;
    memcpy(&word, src, sizeof word);
    return word;
}

ALWAYS_INLINE float load_half(const uint8_t *plane, int r) {
    uint16_t half;
    memcpy(&half, plane + 2 * r, sizeof half);
    return float_from_f16(half);
}

ALWAYS_INLINE void unpack_quads(const uint8_t *lines, int r, uint8_t *q, int n) {
    for (int i = 0; i < n; i += 4)
        memcpy(q + i, lines + i / 4 * LINE_BYTES + 4 * r, 4);
}

ALWAYS_INLINE void unpack_nibbles(const uint8_t *lines, int r, uint8_t *q, int n) {
    for (int i = 0; i < n; i += 8) {
        uint32_t word = load_word(lines + i / 8 * LINE_BYTES + 4 * r);
        uint32_t low = word & 0x0f0f0f0fu, high = word >> 4 & 0x0f0f0f0fu;
        memcpy(q + i, &low, sizeof low);
        memcpy(q + i + 4, &high, sizeof high);
    }
}

// ORs the 2-bit lines into q at bit `shift`.
ALWAYS_INLINE void merge_pairs(const uint8_t *lines, int r, uint8_t *q, int n, int shift) {
    for (int i = 0; i < n; i += 4) {
        uint32_t word = load_word(lines + i / 16 * LINE_BYTES + 4 * r);
        uint32_t quants = load_word(q + i) | (word >> (i / 4 % 4 * 2) & 0x03030303u) << shift;
        memcpy(q + i, &quants, sizeof quants);
    }
}

// ORs the 1-bit lines into q at bit `shift`.
ALWAYS_INLINE void merge_bits(const uint8_t *lines, int r, uint8_t *q, int n, int shift) {
    for (int i = 0; i < n; i++)
        q[i] |= (uint8_t)((lines[i / 4 * 8 + r / 2] >> (r % 2 * 4 + i % 4) & 1) << shift);
}

// Elements of a chunk.
ALWAYS_INLINE int chunk_elements(enum dtype dtype) {
    return dtype == DTYPE_Q2_K || dtype == DTYPE_Q3_K || dtype == DTYPE_Q4_K ||
                   dtype == DTYPE_Q5_K || dtype == DTYPE_Q6_K || dtype == DTYPE_IQ4_XS
               ? 256
               : 64;
}

ALWAYS_INLINE int group_elements(enum dtype dtype) {
    return dtype == DTYPE_Q2_K || dtype == DTYPE_Q3_K || dtype == DTYPE_Q6_K ? 16 : 32;
}

ALWAYS_INLINE int zero_point(enum dtype dtype) {
    switch (dtype) {
    case DTYPE_Q4_0:
        return 8;
    case DTYPE_Q5_0:
        return 16;
    case DTYPE_Q8_0:
        return 128;
    case DTYPE_Q6_K:
        return 32;
    case DTYPE_Q3_K:
        return 4;
    default:
        return 0; // codebook values are signed already
    }
}

ALWAYS_INLINE void unpack_unsigned(enum dtype dtype, const uint8_t *chunk, int r, uint8_t *q) {
    const int n = chunk_elements(dtype);
    switch (dtype) {
    case DTYPE_Q8_0:
        unpack_quads(chunk, r, q, n);
        return;
    case DTYPE_Q2_K:
    case DTYPE_Q3_K:
        memset(q, 0, (size_t)n);
        merge_pairs(chunk, r, q, n, 0);
        if (dtype == DTYPE_Q3_K) merge_bits(chunk + 16 * LINE_BYTES, r, q, n, 2);
        return;
    case DTYPE_Q5_0:
    case DTYPE_Q5_1:
    case DTYPE_Q5_K:
        unpack_nibbles(chunk, r, q, n);
        merge_bits(chunk + n / 8 * LINE_BYTES, r, q, n, 4);
        return;
    case DTYPE_Q6_K:
        unpack_nibbles(chunk, r, q, n);
        merge_pairs(chunk + n / 8 * LINE_BYTES, r, q, n, 4);
        return;
    default:
        unpack_nibbles(chunk, r, q, n);
    }
}

ALWAYS_INLINE void unpack_quants(enum dtype dtype, const uint8_t *chunk, int r, int8_t *q) {
    const int n = chunk_elements(dtype), zero = zero_point(dtype);
    uint8_t quants[256];
    unpack_unsigned(dtype, chunk, r, quants);
    for (int i = 0; i < n; i++)
        q[i] = dtype == DTYPE_IQ4_NL || dtype == DTYPE_IQ4_XS ? iq4_codebook[quants[i]]
                                                              : (int8_t)(quants[i] - zero);
}

ALWAYS_INLINE void unpack_small_scales(enum dtype dtype, const uint8_t *tail, int r,
                                       struct chunk_row *row) {
    for (int g = 0; g < 2; g++) {
        row->scale[g] = load_half(tail, g * PANEL_ROWS + r);
        row->min[g] = dtype == DTYPE_Q4_1 || dtype == DTYPE_Q5_1
                          ? -load_half(tail + LINE_BYTES, g * PANEL_ROWS + r)
                          : 0;
    }
}

ALWAYS_INLINE void unpack_super_scales(enum dtype dtype, const uint8_t *tail, int r,
                                       struct chunk_row *row) {
    const int n_groups = 256 / group_elements(dtype);
    const bool has_mins = dtype == DTYPE_Q4_K || dtype == DTYPE_Q5_K;
    const uint8_t *halves = tail + n_groups * PANEL_ROWS * (has_mins ? 2 : 1);
    const float d = load_half(halves, r), dmin = load_half(halves, PANEL_ROWS + r);
    for (int g = 0; g < n_groups; g++) {
        const uint8_t scale = tail[g * PANEL_ROWS + r];
        if (dtype == DTYPE_Q2_K) {
            row->scale[g] = d * (float)(scale & 15);
            row->min[g] = dmin * (float)(scale >> 4);
        } else if (has_mins) {
            row->scale[g] = d * (float)scale;
            row->min[g] = dmin * (float)tail[(n_groups + g) * PANEL_ROWS + r];
        } else {
            row->scale[g] = d * (float)(int8_t)scale;
            row->min[g] = 0;
        }
    }
}

// Row r of the chunk; tail: where its scales begin.
ALWAYS_INLINE void unpack_chunk(enum dtype dtype, const uint8_t *chunk, const uint8_t *tail, int r,
                                struct chunk_row *row) {
    unpack_quants(dtype, chunk, r, row->q);
    if (chunk_elements(dtype) == 64)
        unpack_small_scales(dtype, tail, r, row);
    else
        unpack_super_scales(dtype, tail, r, row);
}

#endif
