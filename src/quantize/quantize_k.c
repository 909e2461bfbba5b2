// SPDX-License-Identifier: Apache-2.0
// Writers of the super-block formats. Two levels of rounding: each group's scale (and offset) is
// itself an integer multiple of the super-block's half floats. So: fit the groups freely, choose
// the half floats that hold them, then alternate between the best integers a group can have (its
// neighbours are tried) and the best half floats for the integers chosen.
#include "quantize/block_writers.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "quantize/grid.h"
#include "quantize/scale_search.h"

enum { TURNS = 2 };

// ---- q4_k, q5_k: x ~ d * scale * q - dmin * min, 8 groups of 32 ---------------------------------

struct affine_super {
    uint16_t d, dmin;
    uint8_t scale[8], min[8]; // 0..63
    int q[BLOCK_SUPER];
    float error;
};

static struct affine affine_of(const struct affine_super *super, int scale, int min) {
    return (struct affine){float_from_f16(super->d) * (float)scale,
                           -float_from_f16(super->dmin) * (float)min};
}

static int clamp_int(int value, int lo, int hi) {
    return value < lo ? lo : value > hi ? hi : value;
}

// The group's integers for given half floats: those nearest to the free fit, or a neighbour.
static float choose_affine(struct affine_super *super, const struct run *run, struct affine ideal,
                           int g, int hi) {
    float d = float_from_f16(super->d), dmin = float_from_f16(super->dmin);
    int scale0 = d > 0 ? (int)(ideal.scale / d + 0.5f) : 0;
    int min0 = dmin > 0 ? (int)(-ideal.offset / dmin + 0.5f) : 0;
    float best_error = -1;
    for (int i = 0; i < 15; i++) {
        int scale = clamp_int(scale0 + i % 3 - 1, 0, 63), min = clamp_int(min0 + i / 3 - 2, 0, 63);
        float error = run_affine_error(run, affine_of(super, scale, min), hi);
        if (best_error >= 0 && error >= best_error) continue;
        best_error = error;
        super->scale[g] = (uint8_t)scale;
        super->min[g] = (uint8_t)min;
    }
    return best_error;
}

static void choose_all_affine(struct affine_super *super, const struct run runs[8],
                              const struct affine ideal[8], int hi) {
    super->error = 0;
    for (int g = 0; g < 8; g++) {
        super->error += choose_affine(super, &runs[g], ideal[g], g, hi);
        struct affine fit = affine_of(super, super->scale[g], super->min[g]);
        run_integers(&runs[g], fit.scale, fit.offset, 0, hi, super->q + 32 * g);
    }
}

// Least squares for d and dmin with every integer fixed: x ~ d * a - dmin * b.
static void solve_affine_super(struct affine_super *super, const struct run runs[8]) {
    double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    for (int g = 0; g < 8; g++) {
        double b = super->min[g];
        for (int i = 0; i < 32; i++) {
            double a = (double)super->scale[g] * super->q[32 * g + i];
            aa += (double)runs[g].w[i] * a * a;
            ab += (double)runs[g].w[i] * a * b;
            xa += (double)runs[g].wx[i] * a;
        }
        bb += (double)runs[g].sum_w * b * b;
        xb += (double)runs[g].sum_wx * b;
    }
    double determinant = aa * bb - ab * ab;
    double d = aa > 0 ? xa / aa : 0, dmin = float_from_f16(super->dmin);
    if (determinant > 1e-9 * aa * bb) {
        d = (xa * bb - xb * ab) / determinant;
        dmin = (xa * ab - xb * aa) / determinant;
    }
    if (d > 0) super->d = half_saturated((float)d);
    if (dmin > 0) super->dmin = half_saturated((float)dmin);
}

static void fit_affine_super(struct affine_super *super, const float *x, const float *w, int hi) {
    struct run runs[8];
    struct affine ideal[8];
    float scale_max = 0, min_max = 0;
    for (int g = 0; g < 8; g++) {
        run_init(&runs[g], x + 32 * g, w ? w + 32 * g : NULL, 32);
        ideal[g] = run_fit_affine(&runs[g], hi, true);
        scale_max = ideal[g].scale > scale_max ? ideal[g].scale : scale_max;
        min_max = -ideal[g].offset > min_max ? -ideal[g].offset : min_max;
    }
    super->d = half_saturated(scale_max / 63);
    super->dmin = half_saturated(min_max / 63);
    choose_all_affine(super, runs, ideal, hi);
    for (int turn = 0; turn < TURNS; turn++) {
        struct affine_super next = *super;
        solve_affine_super(&next, runs);
        choose_all_affine(&next, runs, ideal, hi);
        if (!(next.error < super->error)) break;
        *super = next;
    }
}

// Inverse of block_k_scale_min (numeric/dequantize_k.c).
static void pack_scale_min(const uint8_t scale[8], const uint8_t min[8], uint8_t packed[12]) {
    for (int g = 0; g < 4; g++) {
        packed[g] = (uint8_t)(scale[g] | scale[g + 4] >> 4 << 6);
        packed[g + 4] = (uint8_t)(min[g] | min[g + 4] >> 4 << 6);
        packed[g + 8] = (uint8_t)((scale[g + 4] & 15) | (min[g + 4] & 15) << 4);
    }
}

// Low four bits of a pair of groups share a byte.
static void pack_pairs(const int q[BLOCK_SUPER], uint8_t qs[128]) {
    for (int pair = 0; pair < 4; pair++) {
        const int *low = q + 64 * pair, *high = low + 32;
        for (int i = 0; i < 32; i++) {
            qs[32 * pair + i] = (uint8_t)((low[i] & 15) | (high[i] & 15) << 4);
        }
    }
}

void write_q4_k(const float *x, const float *w, uint8_t *dst) {
    struct affine_super super;
    fit_affine_super(&super, x, w, 15);
    struct block_q4_k block = {.d = super.d, .dmin = super.dmin};
    pack_scale_min(super.scale, super.min, block.scales);
    pack_pairs(super.q, block.qs);
    memcpy(dst, &block, sizeof block);
}

void write_q5_k(const float *x, const float *w, uint8_t *dst) {
    struct affine_super super;
    fit_affine_super(&super, x, w, 31);
    struct block_q5_k block = {.d = super.d, .dmin = super.dmin};
    pack_scale_min(super.scale, super.min, block.scales);
    pack_pairs(super.q, block.qs);
    for (int e = 0; e < BLOCK_SUPER; e++) {
        block.qh[e % 32] |= (uint8_t)((super.q[e] >> 4 & 1) << (e / 32));
    }
    memcpy(dst, &block, sizeof block);
}

// ---- q6_k: x ~ d * scale * q, 16 groups of 16, scale and q signed -------------------------------

struct scale_super {
    uint16_t d;
    int8_t scale[16];
    float error;
};

static void choose_all_scales(struct scale_super *super, const struct run runs[16],
                              const float ideal[16]) {
    float d = float_from_f16(super->d);
    super->error = 0;
    for (int g = 0; g < 16; g++) {
        float ratio = d != 0 ? ideal[g] / d : 0;
        int scale0 = (int)(ratio < 0 ? ratio - 0.5f : ratio + 0.5f);
        float best_error = -1;
        for (int step = -1; step <= 1; step++) {
            int scale = clamp_int(scale0 + step, -128, 127);
            float error = run_scale_error(&runs[g], d * (float)scale, -32, 31);
            if (best_error >= 0 && error >= best_error) continue;
            best_error = error;
            super->scale[g] = (int8_t)scale;
        }
        super->error += best_error;
    }
}

// Least squares for d with every integer fixed.
static void solve_scale_super(struct scale_super *super, const struct run runs[16]) {
    double aa = 0, xa = 0;
    for (int g = 0; g < 16; g++) {
        int q[RUN_MAX];
        float scale = float_from_f16(super->d) * (float)super->scale[g];
        run_integers(&runs[g], scale, 0, -32, 31, q);
        for (int i = 0; i < 16; i++) {
            double a = (double)super->scale[g] * q[i];
            aa += (double)runs[g].w[i] * a * a;
            xa += (double)runs[g].wx[i] * a;
        }
    }
    if (aa > 0) super->d = half_saturated((float)(xa / aa));
}

static void fit_scale_super(struct scale_super *super, const struct run runs[16]) {
    float ideal[16], largest = 0;
    for (int g = 0; g < 16; g++) {
        ideal[g] = run_fit_scale(&runs[g], -32, 31);
        float magnitude = ideal[g] < 0 ? -ideal[g] : ideal[g];
        if (magnitude > (largest < 0 ? -largest : largest)) largest = ideal[g];
    }
    super->d = half_saturated(largest / -128); // the largest group gets the wider end
    choose_all_scales(super, runs, ideal);
    for (int turn = 0; turn < TURNS; turn++) {
        struct scale_super next = *super;
        solve_scale_super(&next, runs);
        choose_all_scales(&next, runs, ideal);
        if (!(next.error < super->error)) break;
        *super = next;
    }
}

static void pack_q6_k(uint16_t d, const int8_t scale[16], const int8_t q[BLOCK_SUPER],
                      uint8_t *dst) {
    struct block_q6_k block = {.d = d};
    memcpy(block.scales, scale, sizeof block.scales);
    for (int e = 0; e < BLOCK_SUPER; e++) { // places: see dequantize_q6_k
        int h = e / 128, r = e / 32 % 4, code = q[e] + 32;
        block.ql[64 * h + 32 * (r % 2) + e % 32] |= (uint8_t)((code & 15) << (r / 2 * 4));
        block.qh[32 * h + e % 32] |= (uint8_t)(code >> 4 << (2 * r));
    }
    memcpy(dst, &block, sizeof block);
}

bool keep_q6_k(const float *x, uint8_t *dst) {
    struct grid_groups found;
    if (!grid_find_groups(x, &found)) return false;
    pack_q6_k(found.d, found.scale, found.q, dst);
    return true;
}

void write_q6_k(const float *x, const float *w, uint8_t *dst) {
    struct run runs[16];
    struct scale_super super;
    int8_t q[BLOCK_SUPER];
    for (int g = 0; g < 16; g++) {
        run_init(&runs[g], x + 16 * g, w ? w + 16 * g : NULL, 16);
    }
    fit_scale_super(&super, runs);
    for (int g = 0; g < 16; g++) {
        int group[RUN_MAX];
        run_integers(&runs[g], float_from_f16(super.d) * (float)super.scale[g], 0, -32, 31, group);
        for (int i = 0; i < 16; i++) {
            q[16 * g + i] = (int8_t)group[i];
        }
    }
    pack_q6_k(super.d, super.scale, q, dst);
    float values[BLOCK_SUPER]; // of the blocks that say these values, the one that is kept
    dequantize_row(DTYPE_Q6_K, dst, values, BLOCK_SUPER);
    keep_q6_k(values, dst);
}
