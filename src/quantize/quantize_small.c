// SPDX-License-Identifier: Apache-2.0
// Writers of the formats with blocks of 32: one search per block, then packing. Layouts:
// numeric/blocks.h and numeric/dequantize_small.c.
#include "quantize/block_writers.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "quantize/grid.h"
#include "quantize/scale_search.h"

#include <stdlib.h>

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

// The search may find any of the blocks that mean the same values; keep_* would find one of them.
// These functions exchange the one for the other, so that writing what a block says gives that
// block. Where the integers have no common divisor, that is as good as certain without looking.
static bool coprime(const int *q) {
    int common = 0;
    for (int i = 0; i < BLOCK_SMALL && common != 1; i++) {
        int a = abs(q[i]), b = common;
        while (b != 0) {
            int rest = a % b;
            a = b, b = rest;
        }
        common = a;
    }
    return common == 1;
}

static void settle_scale(int lo, int hi, uint16_t *d, int *q) {
    bool flips = (*d & 0x8000) != 0; // to a positive scale, if the integers allow it
    for (int i = 0; i < BLOCK_SMALL; i++) {
        flips = flips && q[i] >= -hi;
    }
    if (*d == 0 || !coprime(q)) {
        float values[BLOCK_SMALL];
        for (int i = 0; i < BLOCK_SMALL; i++) {
            values[i] = float_from_f16(*d) * (float)q[i];
        }
        grid_find_scale(values, lo, hi, d, q);
    } else if (flips) {
        *d ^= 0x8000;
        for (int i = 0; i < BLOCK_SMALL; i++) {
            q[i] = -q[i];
        }
    }
}

// Integers of a symmetric block and its half scale.
static uint16_t fit_symmetric(const float *x, const float *w, int lo, int hi, int *q) {
    struct run run;
    run_init(&run, x, w, BLOCK_SMALL);
    uint16_t d = run_fit_scale_f16(&run, lo, hi);
    run_integers(&run, float_from_f16(d), 0, lo, hi, q);
    settle_scale(lo, hi, &d, q);
    return d;
}

struct half_pair {
    uint16_t d, m;
};

static void settle_affine(int hi, struct half_pair *pair, int *q) {
    const float d = float_from_f16(pair->d), m = float_from_f16(pair->m);
    int least = q[0], most = q[0];
    for (int i = 1; i < BLOCK_SMALL; i++) {
        least = q[i] < least ? q[i] : least;
        most = q[i] > most ? q[i] : most;
    }
    if (pair->m == 0x8000) pair->m = 0;
    if (least == 0 && coprime(q)) return;
    float values[BLOCK_SMALL];
    for (int i = 0; i < BLOCK_SMALL; i++) {
        values[i] = d * (float)q[i] + m;
    }
    if (least == most) {
        grid_constant(values[0], &pair->d, &pair->m);
        for (int i = 0; i < BLOCK_SMALL; i++) {
            values[i] = float_from_f16(pair->d) + float_from_f16(pair->m);
        }
    }
    grid_find_affine(values, hi, &pair->d, &pair->m, q);
}

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
    grid_align(hi, &best.d, &best.m);
    run_integers(&run, float_from_f16(best.d), float_from_f16(best.m), 0, hi, q);
    settle_affine(hi, &best, q);
    return best;
}

// ---- Packing ------------------------------------------------------------------------------------

// Codes are not negative.
static void shift(int *q, int by) {
    for (int i = 0; i < BLOCK_SMALL; i++) {
        q[i] += by;
    }
}

static void pack_q4_0(uint16_t d, int *q, uint8_t *dst) {
    struct block_q4_0 block = {.d = d};
    shift(q, 8);
    pack_nibbles(q, block.qs);
    memcpy(dst, &block, sizeof block);
}

static void pack_q4_1(struct half_pair pair, const int *q, uint8_t *dst) {
    struct block_q4_1 block = {.d = pair.d, .m = pair.m};
    pack_nibbles(q, block.qs);
    memcpy(dst, &block, sizeof block);
}

static void pack_q5_0(uint16_t d, int *q, uint8_t *dst) {
    struct block_q5_0 block = {.d = d};
    shift(q, 16);
    pack_nibbles(q, block.qs);
    pack_fifth_bits(q, block.qh);
    memcpy(dst, &block, sizeof block);
}

static void pack_q5_1(struct half_pair pair, const int *q, uint8_t *dst) {
    struct block_q5_1 block = {.d = pair.d, .m = pair.m};
    pack_nibbles(q, block.qs);
    pack_fifth_bits(q, block.qh);
    memcpy(dst, &block, sizeof block);
}

static void pack_q8_0(uint16_t d, const int *q, uint8_t *dst) {
    struct block_q8_0 block = {.d = d};
    for (int i = 0; i < BLOCK_SMALL; i++) {
        block.qs[i] = (int8_t)q[i];
    }
    memcpy(dst, &block, sizeof block);
}

// ---- Formats ------------------------------------------------------------------------------------

void write_q4_0(const float *x, const float *w, uint8_t *dst) {
    int q[BLOCK_SMALL];
    uint16_t d = fit_symmetric(x, w, -8, 7, q);
    pack_q4_0(d, q, dst);
}

bool keep_q4_0(const float *x, uint8_t *dst) {
    int q[BLOCK_SMALL];
    uint16_t d;
    if (!grid_find_scale(x, -8, 7, &d, q)) return false;
    pack_q4_0(d, q, dst);
    return true;
}

void write_q4_1(const float *x, const float *w, uint8_t *dst) {
    int q[BLOCK_SMALL];
    struct half_pair pair = fit_offset(x, w, 15, q);
    pack_q4_1(pair, q, dst);
}

bool keep_q4_1(const float *x, uint8_t *dst) {
    int q[BLOCK_SMALL];
    struct half_pair pair;
    if (!grid_find_affine(x, 15, &pair.d, &pair.m, q)) return false;
    pack_q4_1(pair, q, dst);
    return true;
}

void write_q5_0(const float *x, const float *w, uint8_t *dst) {
    int q[BLOCK_SMALL];
    uint16_t d = fit_symmetric(x, w, -16, 15, q);
    pack_q5_0(d, q, dst);
}

bool keep_q5_0(const float *x, uint8_t *dst) {
    int q[BLOCK_SMALL];
    uint16_t d;
    if (!grid_find_scale(x, -16, 15, &d, q)) return false;
    pack_q5_0(d, q, dst);
    return true;
}

void write_q5_1(const float *x, const float *w, uint8_t *dst) {
    int q[BLOCK_SMALL];
    struct half_pair pair = fit_offset(x, w, 31, q);
    pack_q5_1(pair, q, dst);
}

bool keep_q5_1(const float *x, uint8_t *dst) {
    int q[BLOCK_SMALL];
    struct half_pair pair;
    if (!grid_find_affine(x, 31, &pair.d, &pair.m, q)) return false;
    pack_q5_1(pair, q, dst);
    return true;
}

// q stays within -127..127, as everybody writes it: kernels negate these bytes.
void write_q8_0(const float *x, const float *w, uint8_t *dst) {
    int q[BLOCK_SMALL];
    uint16_t d = fit_symmetric(x, w, -127, 127, q);
    pack_q8_0(d, q, dst);
}

bool keep_q8_0(const float *x, uint8_t *dst) {
    int q[BLOCK_SMALL];
    uint16_t d;
    if (!grid_find_scale(x, -127, 127, &d, q)) return false;
    pack_q8_0(d, q, dst);
    return true;
}
