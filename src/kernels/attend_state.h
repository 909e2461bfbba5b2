// SPDX-License-Identifier: Apache-2.0
// The state of an online softmax over some positions, one query row: what every level hands from a
// segment to the next. One definition for all of them, so that cutting the work over threads
// changes no bit.
#ifndef XL_KERNELS_ATTEND_STATE_H
#define XL_KERNELS_ATTEND_STATE_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// A state is {max, sum, acc[head_dim]}: the largest score, sum exp(score - max) and
// sum exp(score - max) value. Before any position it is empty: max -infinity, sum 0.
enum { STATE_MAX, STATE_SUM, STATE_ACC };

// total += other; empty states change nothing.
void attend_state_merge(float *total, const float *other, int head_dim);
// out[head_dim] = acc / sum.
void attend_state_finish(const float *state, float *out, int head_dim);
// Where the state of row (token, head) in a segment lies in args->partial.
float *attend_partial(const struct attend_args *args, int segment, int token, int head);
// The positions [*begin, *end) that a token of the call sees.
void attend_visible(const struct attend_args *args, int token, int *begin, int *end);

#ifdef __cplusplus
}
#endif
#endif
