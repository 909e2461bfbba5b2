// SPDX-License-Identifier: Apache-2.0
// See logprobs.h. The few likeliest are kept in order while the logits go by.
#include "engine/logprobs.h"

#include <float.h>
#include <math.h>
#include <string.h>

static double usable(float logit) {
    if (isnan(logit)) return -INFINITY;
    return logit > FLT_MAX ? (double)FLT_MAX : (double)logit;
}

// Puts a token in its place among the n_kept best so far, of at most n_best.
static int keep(xl_token_logprob *best, int n_kept, int n_best, int32_t token, float logit) {
    int at = n_kept;
    while (at > 0 && best[at - 1].logprob < logit)
        at--;
    if (at == n_best) return n_kept;
    int n_moved = (n_kept < n_best ? n_kept : n_best - 1) - at;
    memmove(best + at + 1, best + at, (size_t)n_moved * sizeof *best);
    best[at] = (xl_token_logprob){token, logit};
    return n_kept < n_best ? n_kept + 1 : n_best;
}

int logprobs_find(const float *logits, int n_vocab, int32_t token, float *logprob,
                  xl_token_logprob *best, int n_best) {
    double largest = -INFINITY, sum = 0;
    int n_kept = 0;
    if (n_best > LOGPROBS_MAX) n_best = LOGPROBS_MAX;
    for (int i = 0; i < n_vocab; i++) {
        double logit = usable(logits[i]);
        if (logit > largest) largest = logit;
        if (n_best > 0 && (n_kept < n_best || (float)logit > best[n_kept - 1].logprob))
            n_kept = keep(best, n_kept, n_best, i, (float)logit);
    }
    if (!isfinite(largest)) largest = 0; // nothing is likely
    for (int i = 0; i < n_vocab; i++)
        sum += exp(usable(logits[i]) - largest);
    double offset = largest + log(sum > 0 ? sum : 1);
    *logprob = (float)(usable(logits[token]) - offset);
    for (int i = 0; i < n_kept; i++)
        best[i].logprob = (float)((double)best[i].logprob - offset);
    return n_kept;
}
