// SPDX-License-Identifier: Apache-2.0
// The table of packed forms, their sizes, the choice of the packer, and the way back to floats. The
// way back reads quants one by one by the formulas of packed.h: it is the meaning of the layout.
#include "numeric/packed.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "numeric/packed_rows.h"

#include <assert.h>

static const struct packed_info packed_infos[DTYPE_COUNT] = {
    [DTYPE_F32] = {1, 64, 1, 0, 64},
    [DTYPE_F16] = {2, 64, 1, 0, 64},
    [DTYPE_BF16] = {2, 64, 1, 0, 64},
    [DTYPE_Q4_0] = {64, 9 * 64, 32, 8, 8 * 64},
    [DTYPE_Q4_1] = {64, 10 * 64, 32, 0, 8 * 64},
    [DTYPE_IQ4_NL] = {64, 9 * 64, 32, 128, 8 * 64},
    [DTYPE_Q5_0] = {64, 11 * 64, 32, 16, 10 * 64},
    [DTYPE_Q5_1] = {64, 12 * 64, 32, 0, 10 * 64},
    [DTYPE_Q8_0] = {64, 17 * 64, 32, 128, 16 * 64},
    [DTYPE_Q4_K] = {256, 37 * 64, 32, 0, 32 * 64},
    [DTYPE_Q5_K] = {256, 45 * 64, 32, 0, 40 * 64},
    [DTYPE_Q6_K] = {256, 53 * 64, 16, 32, 48 * 64},
    [DTYPE_Q2_K] = {256, 21 * 64, 16, 0, 16 * 64},
    [DTYPE_Q3_K] = {256, 29 * 64, 16, 4, 24 * 64},
    [DTYPE_IQ4_XS] = {256, 35 * 64, 32, 128, 32 * 64},
};

const struct packed_info *packed_info(enum dtype dtype) {
    static const struct packed_info none = {0};
    return (unsigned)dtype < DTYPE_COUNT ? &packed_infos[dtype] : &none;
}

size_t packed_panel_bytes(enum dtype dtype, int k) {
    const struct packed_info *info = packed_info(dtype);
    assert(info->chunk_elements > 0 && k >= 0);
    const size_t chunk = (size_t)info->chunk_elements;
    return ((size_t)k + chunk - 1) / chunk * (size_t)info->chunk_bytes;
}

uint64_t packed_size_bytes(enum dtype dtype, int n_rows, int k) {
    const uint64_t n_panels = ((uint64_t)n_rows + PANEL_ROWS - 1) / PANEL_ROWS;
    return n_panels * packed_panel_bytes(dtype, k);
}

typedef void pack_fn(const struct row_block *in, uint8_t *panel);

static pack_fn *const packers[DTYPE_COUNT] = {
    [DTYPE_F32] = pack_f32,   [DTYPE_F16] = pack_f16,       [DTYPE_BF16] = pack_bf16,
    [DTYPE_Q4_0] = pack_q4_0, [DTYPE_Q4_1] = pack_q4_1,     [DTYPE_IQ4_NL] = pack_iq4_nl,
    [DTYPE_Q5_0] = pack_q5_0, [DTYPE_Q5_1] = pack_q5_1,     [DTYPE_Q8_0] = pack_q8_0,
    [DTYPE_Q2_K] = pack_q2_k, [DTYPE_Q3_K] = pack_q3_k,     [DTYPE_Q4_K] = pack_q4_k,
    [DTYPE_Q5_K] = pack_q5_k, [DTYPE_IQ4_XS] = pack_iq4_xs, [DTYPE_Q6_K] = pack_q6_k,
};

void pack_panel(enum dtype dtype, const uint8_t *rows, size_t row_bytes, int n_rows, int k,
                uint8_t *panel) {
    assert((unsigned)dtype < DTYPE_COUNT && packers[dtype] != NULL);
    assert(n_rows >= 0 && n_rows <= PANEL_ROWS && k % dtype_info(dtype)->block_elements == 0);
    const struct row_block in = {rows, row_bytes, n_rows, k};
    packers[dtype](&in, panel);
}

static uint16_t half_at(const uint8_t *plane, int r) {
    uint16_t half;
    memcpy(&half, plane + 2 * r, sizeof half);
    return half;
}

static float scale_at(const uint8_t *plane, int r) {
    return float_from_f16(half_at(plane, r));
}

// Element e of row r: bits of its quad line's byte in nibble, 2-bit and 1-bit lines.
static int nibble_at(const uint8_t *lines, int r, int e) {
    return lines[e / 8 * LINE_BYTES + 4 * r + e % 4] >> (e / 4 % 2 * 4) & 15;
}

static int pair_at(const uint8_t *lines, int r, int e) {
    return lines[e / 16 * LINE_BYTES + 4 * r + e % 4] >> (e / 4 % 4 * 2) & 3;
}

static int bit_at(const uint8_t *lines, int r, int e) {
    return lines[e / 4 * 8 + r / 2] >> (r % 2 * 4 + e % 4) & 1;
}

// The quant minus its zero point.
static int quant_at(enum dtype dtype, const uint8_t *chunk, int r, int e) {
    switch (dtype) {
    case DTYPE_Q4_0:
        return nibble_at(chunk, r, e) - 8;
    case DTYPE_Q4_1:
    case DTYPE_Q4_K:
        return nibble_at(chunk, r, e);
    case DTYPE_IQ4_NL:
    case DTYPE_IQ4_XS:
        return iq4_codebook[nibble_at(chunk, r, e)];
    case DTYPE_Q5_0:
        return (nibble_at(chunk, r, e) | bit_at(chunk + 8 * LINE_BYTES, r, e) << 4) - 16;
    case DTYPE_Q5_1:
        return nibble_at(chunk, r, e) | bit_at(chunk + 8 * LINE_BYTES, r, e) << 4;
    case DTYPE_Q5_K:
        return nibble_at(chunk, r, e) | bit_at(chunk + 32 * LINE_BYTES, r, e) << 4;
    case DTYPE_Q8_0:
        return chunk[e / 4 * LINE_BYTES + 4 * r + e % 4] - 128;
    case DTYPE_Q6_K:
        return (nibble_at(chunk, r, e) | pair_at(chunk + 32 * LINE_BYTES, r, e) << 4) - 32;
    case DTYPE_Q2_K:
        return pair_at(chunk, r, e);
    case DTYPE_Q3_K:
        return (pair_at(chunk, r, e) | bit_at(chunk + 16 * LINE_BYTES, r, e) << 2) - 4;
    default:
        return 0;
    }
}

// Group g's factor and the number that is added to every product: x = scale * quant + offset.
static float group_at(enum dtype dtype, const uint8_t *chunk, int r, int g, float *offset) {
    const struct packed_info *info = packed_info(dtype);
    const uint8_t *tail = chunk + info->tail_offset;
    *offset = 0;
    if (info->chunk_elements == 64) {
        if (dtype == DTYPE_Q4_1 || dtype == DTYPE_Q5_1)
            *offset = scale_at(tail + LINE_BYTES, g * PANEL_ROWS + r);
        return scale_at(tail, g * PANEL_ROWS + r);
    }
    const uint8_t *halves = chunk + info->chunk_bytes - LINE_BYTES;
    const float d = scale_at(halves, r), dmin = scale_at(halves, PANEL_ROWS + r);
    const uint8_t byte = tail[g * PANEL_ROWS + r];
    if (dtype == DTYPE_Q2_K) {
        *offset = -(dmin * (float)(byte >> 4));
        return d * (float)(byte & 15);
    }
    if (dtype == DTYPE_Q4_K || dtype == DTYPE_Q5_K) {
        *offset = -(dmin * (float)tail[(8 + g) * PANEL_ROWS + r]);
        return d * (float)byte;
    }
    return d * (float)(int8_t)byte;
}

static bool has_offset(enum dtype dtype) {
    return dtype == DTYPE_Q4_1 || dtype == DTYPE_Q5_1 || dtype == DTYPE_Q2_K ||
           dtype == DTYPE_Q4_K || dtype == DTYPE_Q5_K;
}

static void unpack_quants(enum dtype dtype, const uint8_t *panel, int r, int k, float *out) {
    const struct packed_info *info = packed_info(dtype);
    for (int begin = 0; begin < k; begin += info->group_elements) {
        const uint8_t *chunk =
            panel + (size_t)(begin / info->chunk_elements) * (size_t)info->chunk_bytes;
        const int first = begin % info->chunk_elements;
        float offset;
        const float scale = group_at(dtype, chunk, r, first / info->group_elements, &offset);
        for (int i = 0; i < info->group_elements; i++) {
            float product = scale * (float)quant_at(dtype, chunk, r, first + i);
            // Adding nothing keeps the sign of a zero.
            out[begin + i] = has_offset(dtype) ? product + offset : product;
        }
    }
}

void unpack_panel_row(enum dtype dtype, const uint8_t *panel, int r, int k, float *out) {
    assert(r >= 0 && r < PANEL_ROWS && packed_info(dtype)->chunk_elements > 0);
    switch (dtype) {
    case DTYPE_F32:
        for (int i = 0; i < k; i++)
            memcpy(&out[i], panel + (size_t)i * LINE_BYTES + 4 * (size_t)r, sizeof *out);
        return;
    case DTYPE_F16:
        for (int i = 0; i < k; i++)
            out[i] = scale_at(panel + (size_t)(i / 2) * LINE_BYTES, i % 2 * PANEL_ROWS + r);
        return;
    case DTYPE_BF16:
        for (int i = 0; i < k; i++)
            out[i] = float_from_bf16(half_at(panel + (size_t)(i / 2) * LINE_BYTES, 2 * r + i % 2));
        return;
    default:
        unpack_quants(dtype, panel, r, k, out);
    }
}
