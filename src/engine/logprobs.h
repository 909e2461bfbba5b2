// SPDX-License-Identifier: Apache-2.0
// The model's own opinion about the next token: natural logarithms of the softmax over its logits,
// before any option of sampling. Sums run in the order of the ids and in double precision.
#ifndef XL_ENGINE_LOGPROBS_H
#define XL_ENGINE_LOGPROBS_H

#include "xinglin/xinglin.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LOGPROBS_MAX = 20 };

// Of `token`, and of the n_best (at most LOGPROBS_MAX) likeliest tokens, the best first, equal ones
// by id. Returns how many there are. NaN counts as -INFINITY, as for the sampler.
int logprobs_find(const float *logits, int n_vocab, int32_t token, float *logprob,
                  xl_token_logprob *best, int n_best);

#ifdef __cplusplus
}
#endif
#endif
