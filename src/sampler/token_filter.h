// SPDX-License-Identifier: Apache-2.0
// From logits to the few tokens that may be chosen and their weights: temperature, top-k, top-p and
// min-p without sorting the vocabulary. It knows plain arrays only, no penalties and no randomness.
//
// Every token is seen by its distance u = (max - logit) / temperature >= 0, so its weight is
// exp(-u). One pass counts tokens and weight per small step of u; the step at which top-k or top-p
// is certainly satisfied bounds the candidates, usually to some dozens, and only those are ordered.
#ifndef XL_SAMPLER_TOKEN_FILTER_H
#define XL_SAMPLER_TOKEN_FILTER_H

#include "base/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct token_candidate {
    float distance; // u
    int32_t token;
};

struct token_filter {
    int n_vocab;
    float *distances;                   // [n_vocab]
    float *weights;                     // [n_vocab], exp(-u); 0 where u is past the cutoff
    struct token_candidate *candidates; // [n_vocab], a heap while being ordered
    struct token_candidate *kept;       // [n_vocab], best first
};

enum status token_filter_init(struct token_filter *filter, int n_vocab, struct error *err);
void token_filter_deinit(struct token_filter *filter);

// Replaces NaN by -INFINITY and +INFINITY by the largest float, so that later sums stay finite.
void logits_sanitize(float *logits, int n_vocab);
// The token of the largest logit, the lowest on ties.
int32_t logits_argmax(const float *logits, int n_vocab);

// Fills distances and weights; temperature > 0. Returns the total weight, 0 if no logit is finite.
double token_filter_weigh(struct token_filter *filter, const float *logits, float temperature);
// After weigh: applies top-k (<= 0: off), then top-p (>= 1: off) over what is left, then min-p
// (<= 0: off). Returns how many candidates are in filter->kept, at least one, best first, ties by
// id; their weights sum to *kept_weight.
int token_filter_select(struct token_filter *filter, double total_weight, int top_k, float top_p,
                        float min_p, double *kept_weight);

#ifdef __cplusplus
}
#endif
#endif
