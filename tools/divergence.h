// SPDX-License-Identifier: Apache-2.0
// The statistics of `xinglin eval`: log-likelihood of the true token and, against a reference, the
// Kullback-Leibler divergence KL(reference || model) in nats, position by position. Double
// arithmetic over float logits.
#ifndef XL_TOOLS_DIVERGENCE_H
#define XL_TOOLS_DIVERGENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct divergence {
    double nll, nll_squared, reference_nll;
    double *kl; // [n_max]; NULL without a reference
    size_t n, n_max, n_same_top1;
};

struct divergence_summary {
    size_t n_positions;
    double nll, perplexity, perplexity_error; // error: one standard error of the mean, as a factor
    double reference_perplexity;
    double kl_mean, kl_error, kl_median, kl_p99, kl_max;
    double top1_agreement; // 0 .. 1
};

bool divergence_init(struct divergence *divergence, size_t n_max, bool has_reference);
void divergence_deinit(struct divergence *divergence);
// One position: the model's logits, the reference's or NULL, and the token that really follows.
// Returns the model's most likely token.
int32_t divergence_add(struct divergence *divergence, const float *logits, const float *reference,
                       int n_vocab, int32_t target);
double divergence_perplexity(const struct divergence *divergence); // so far; 0 before the first
void divergence_summarise(struct divergence *divergence, struct divergence_summary *summary);

#endif
