// SPDX-License-Identifier: Apache-2.0
// What every forward pass does with a weight: deal its rows to threads, multiply some of them with
// some tokens' input rows, and know beforehand that a kernel for it exists. Knows no layer.
#ifndef XL_MODEL_WEIGHT_MULTIPLY_H
#define XL_MODEL_WEIGHT_MULTIPLY_H

#include "model/input_rows.h"
#include "model/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

// Which part of a phase's work a thread does: units [begin, end).
struct share {
    int begin, end;
};

// Thread `thread_index`'s part of n units, contiguous.
struct share share_of(int n, int thread_index, int n_threads);
// The same in groups of `group` (the last group may be short).
struct share share_of_groups(int n, int group, int thread_index, int n_threads);

// y[t - tokens.begin][r - rows.begin] = row r of the weight times token t. rows.begin is a multiple
// of PANEL_ROWS; empty shares are allowed.
void weight_multiply(const struct kernels *kernels, const struct weight *weight,
                     const struct input_rows *input, struct share rows, struct share tokens,
                     float *y, size_t y_stride);
// STATUS_UNSUPPORTED unless the kernels can multiply rows of this type and length: the kernels of
// another level may lack a type, which is better said before the first token.
enum status weight_check_kernel(const struct weight *weight, const struct kernels *kernels,
                                struct error *err);

#ifdef __cplusplus
}
#endif
#endif
