// SPDX-License-Identifier: Apache-2.0
// The search that all block formats share: which scale (and offset) lets a few integers say a run
// of floats with the least weighted squared error. Private to quantize/.
//
// For a fixed scale the best integers are the nearest ones, and for fixed integers the best scale
// is a least-squares solution. Neither alone finds the optimum, because the error has many small
// valleys; so a grid of scales is tried, each is solved, and the best one is polished.
#ifndef XL_QUANTIZE_SCALE_SEARCH_H
#define XL_QUANTIZE_SCALE_SEARCH_H

#include "quantize/quantize.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RUN_MAX = 32 }; // a run is 16 or 32 elements

// A run of floats with their weights, and the products that every step needs.
struct run {
    const float *x;      // [n]
    int n;               // multiple of 8, at most RUN_MAX
    float w[RUN_MAX];    // > 0 for at least one element
    float wx[RUN_MAX];   // w * x
    float sum_w, sum_wx; // over the run
    float sum_wxx;
    float min, max; // of x
};

// Takes w [n] (NULL: all 1). A run whose weights are all zero counts as unweighted.
void run_init(struct run *run, const float *x, const float *w, int n);
// max |x| of the run
float run_magnitude(const struct run *run);

// x ~ scale * q, q in lo..hi: the best scale found, of either sign; 0 for a run of (nearly) zeros.
float run_fit_scale(const struct run *run, int lo, int hi);
// Weighted squared error of nearest integers for this scale.
float run_scale_error(const struct run *run, float scale, int lo, int hi);
// The same with the scale stored as a half float: the best of its neighbours.
uint16_t run_fit_scale_f16(const struct run *run, int lo, int hi);

// x ~ scale * q + offset, q in 0..hi, scale >= 0.
struct affine {
    float scale, offset;
};
// If negative_offset, the offset must not be above 0.
struct affine run_fit_affine(const struct run *run, int hi, bool negative_offset);
float run_affine_error(const struct run *run, struct affine fit, int hi);

// Nearest integers, clamped: q[i] = round((x[i] - offset) / scale). scale 0 gives zeros.
void run_integers(const struct run *run, float scale, float offset, int lo, int hi, int *q);

// Nearest half float that is not infinite.
uint16_t half_saturated(float value);

#ifdef __cplusplus
}
#endif
#endif
