// SPDX-License-Identifier: Apache-2.0
// See divergence.h.
#include "tools/divergence.h"

#include <math.h>
#include <stdlib.h>

bool divergence_init(struct divergence *divergence, size_t n_max, bool has_reference) {
    *divergence = (struct divergence){.n_max = n_max};
    if (!has_reference) return true;
    divergence->kl = malloc((n_max + 1) * sizeof *divergence->kl);
    return divergence->kl != NULL;
}

void divergence_deinit(struct divergence *divergence) {
    free(divergence->kl);
    divergence->kl = NULL;
}

static int32_t best_token(const float *logits, int n_vocab) {
    int32_t best = 0;
    for (int32_t i = 1; i < n_vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

// log(sum(exp(logits))), with the largest logit already known.
static double log_sum(const float *logits, int n_vocab, float max) {
    double sum = 0;
    for (int i = 0; i < n_vocab; i++)
        sum += (double)expf(logits[i] - max);
    return (double)max + log(sum);
}

static double kl_divergence(const float *logits, double norm, const float *reference,
                            double reference_norm, int n_vocab) {
    double sum = 0;
    for (int i = 0; i < n_vocab; i++) {
        double log_p = (double)reference[i] - reference_norm;
        double log_q = (double)logits[i] - norm;
        if (log_p > -40) sum += exp(log_p) * (log_p - log_q);
    }
    return sum > 0 ? sum : 0; // rounding may leave less than nothing
}

int32_t divergence_add(struct divergence *divergence, const float *logits, const float *reference,
                       int n_vocab, int32_t target) {
    int32_t best = best_token(logits, n_vocab);
    double norm = log_sum(logits, n_vocab, logits[best]);
    double nll = norm - (double)logits[target];
    divergence->nll += nll;
    divergence->nll_squared += nll * nll;
    if (reference && divergence->n < divergence->n_max) {
        int32_t reference_best = best_token(reference, n_vocab);
        double reference_norm = log_sum(reference, n_vocab, reference[reference_best]);
        divergence->reference_nll += reference_norm - (double)reference[target];
        divergence->kl[divergence->n] =
            kl_divergence(logits, norm, reference, reference_norm, n_vocab);
        divergence->n_same_top1 += best == reference_best;
    }
    divergence->n++;
    return best;
}

double divergence_perplexity(const struct divergence *divergence) {
    return divergence->n > 0 ? exp(divergence->nll / (double)divergence->n) : 0;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarise_kl(struct divergence *divergence, struct divergence_summary *summary) {
    size_t n = divergence->n;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += divergence->kl[i];
        squares += divergence->kl[i] * divergence->kl[i];
    }
    double variance = squares / (double)n - sum / (double)n * sum / (double)n;
    qsort(divergence->kl, n, sizeof *divergence->kl, compare_doubles);
    summary->reference_perplexity = exp(divergence->reference_nll / (double)n);
    summary->kl_mean = sum / (double)n;
    summary->kl_error = n > 1 && variance > 0 ? sqrt(variance / (double)(n - 1)) : 0;
    summary->kl_median = divergence->kl[n / 2];
    summary->kl_p99 = divergence->kl[(size_t)((double)(n - 1) * 0.99)];
    summary->kl_max = divergence->kl[n - 1];
    summary->top1_agreement = (double)divergence->n_same_top1 / (double)n;
}

void divergence_summarise(struct divergence *divergence, struct divergence_summary *summary) {
    size_t n = divergence->n;
    *summary = (struct divergence_summary){.n_positions = n};
    if (n == 0) return;
    double mean = divergence->nll / (double)n;
    double variance = divergence->nll_squared / (double)n - mean * mean;
    summary->nll = mean;
    summary->perplexity = exp(mean);
    if (n > 1 && variance > 0)
        summary->perplexity_error = sqrt(variance / (double)(n - 1)) * summary->perplexity;
    if (divergence->kl) summarise_kl(divergence, summary);
}
