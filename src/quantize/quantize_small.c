// SPDX-License-Identifier: Apache-2.0
// Writers of the formats with blocks of 32: one search per block, then packing. Layouts:
// numeric/blocks.h and numeric/dequantize_small.c.
#include "quantize/block_writers.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "quantize/scale_search.h"

static void pack_nibbles(const int q[BLOCK_SMALL], uint8_t qs[16]) {
    for (int i = 0; i < 16; i++) {
        qs[i] = (uint8_t)((q[i] & 15) | (q[i + 16] & 15) << 4);
    }
}

static void pack_fifth_bits(const int q[BLOCK_SMALL], uint8_t qh[4]) {
    memset(qh, 0, 4);
    for (int i = 0; i < BLOCK_SMALL; i++) {
        qh[i / 8] |= (uint8_t)((q[i] >> 4 & 1) << (i % 8));
    }
}

// Symmetric block: fills q with non-negative codes (q + 2^(bits-1)) and returns the half scale.
static uint16_t fit_symmetric(const float *x, const float *w, int half_range, int *q) {
    struct run run;
    run_init(&run, x, w, BLOCK_SMALL);
    uint16_t d = run_fit_scale_f16(&run, -half_range, half_range - 1);
    run_integers(&run, float_from_f16(d), 0, -half_range, half_range - 1, q);
    for (int i = 0; i < BLOCK_SMALL; i++) {
        q[i] += half_range;
    }
    return d;
}

struct half_pair {
    uint16_t d, m;
};

// Scale and offset as half floats: the neighbours of the exact solution, with the offset solved
// again for each scale because rounding one moves the best value of the other.
static struct half_pair fit_offset(const float *x, const float *w, int hi, int *q) {
    struct run run;
    run_init(&run, x, w, BLOCK_SMALL);
    struct affine fit = run_fit_affine(&run, hi, false);
    uint16_t d0 = half_saturated(fit.scale), m0 = half_saturated(fit.offset);
    struct half_pair best = {d0, m0};
    float best_error = -1;
    for (int i = 0; i < 9; i++) {
        int d = d0 + i % 3 - 1, m = (m0 & 0x7fff) + i / 3 - 1;
        if (d < 0 || d > 0x7bff || m < 0 || m > 0x7bff) continue;
        struct half_pair pair = {(uint16_t)d, (uint16_t)(m | (m0 & 0x8000))};
        struct affine rounded = {float_from_f16(pair.d), float_from_f16(pair.m)};
        float error = run_affine_error(&run, rounded, hi);
        if (best_error < 0 || error < best_error) best = pair, best_error = error;
    }
    run_integers(&run, float_from_f16(best.d), float_from_f16(best.m), 0, hi, q);
    return best;
}

void write_q4_0(const float *x, const float *w, uint8_t *dst) {
    int q[BLOCK_SMALL];
    struct block_q4_0 block = {.d = fit_symmetric(x, w, 8, q)};
    pack_nibbles(q, block.qs);
    memcpy(dst, &block, sizeof block);
}

void write_q4_1(const float *x, const float *w, uint8_t *dst) {
    int q[BLOCK_SMALL];
    struct half_pair pair = fit_offset(x, w, 15, q);
    struct block_q4_1 block = {.d = pair.d, .m = pair.m};
    pack_nibbles(q, block.qs);
    memcpy(dst, &block, sizeof block);
}

void write_q5_0(const float *x, const float *w, uint8_t *dst) {
    int q[BLOCK_SMALL];
    struct block_q5_0 block = {.d = fit_symmetric(x, w, 16, q)};
    pack_nibbles(q, block.qs);
    pack_fifth_bits(q, block.qh);
    memcpy(dst, &block, sizeof block);
}

void write_q5_1(const float *x, const float *w, uint8_t *dst) {
    int q[BLOCK_SMALL];
    struct half_pair pair = fit_offset(x, w, 31, q);
    struct block_q5_1 block = {.d = pair.d, .m = pair.m};
    pack_nibbles(q, block.qs);
    pack_fifth_bits(q, block.qh);
    memcpy(dst, &block, sizeof block);
}

// q stays within -127..127, as everybody writes it: kernels negate these bytes.
void write_q8_0(const float *x, const float *w, uint8_t *dst) {
    struct run run;
    run_init(&run, x, w, BLOCK_SMALL);
    struct block_q8_0 block = {.d = run_fit_scale_f16(&run, -127, 127)};
    int q[BLOCK_SMALL];
    run_integers(&run, float_from_f16(block.d), 0, -127, 127, q);
    for (int i = 0; i < BLOCK_SMALL; i++) {
        block.qs[i] = (int8_t)q[i];
    }
    memcpy(dst, &block, sizeof block);
}
