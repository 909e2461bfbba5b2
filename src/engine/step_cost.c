// SPDX-License-Identifier: Apache-2.0
// See step_cost.h.
#include "engine/step_cost.h"

static const double weight_of_new = 0.15;

// Steps of up to so many tokens are averaged together; larger ones with the last.
static const int size_limits[STEP_SIZES] = {1,   2,   3,   4,   5,   6,    7,    8,
                                            12,  16,  24,  32,  48,  64,   96,   128,
                                            192, 256, 384, 512, 768, 1024, 1536, 2048};

static int size_class(int n_tokens) {
    int i = 0;
    while (i < STEP_SIZES - 1 && n_tokens > size_limits[i])
        i++;
    return i;
}

static void average(double *mean, double value) {
    *mean = *mean == 0 ? value : *mean + weight_of_new * (value - *mean);
}

void step_cost_learn(struct step_cost *cost, int n_tokens, double seconds) {
    int i = size_class(n_tokens);
    average(&cost->seconds[i], seconds);
    average(&cost->n_tokens[i], n_tokens);
}

double step_cost_predict(const struct step_cost *cost, int n_tokens, int is_hopeful) {
    int below = -1, above = -1;
    for (int i = 0; i < STEP_SIZES; i++) {
        if (cost->seconds[i] == 0) continue;
        if (cost->n_tokens[i] <= n_tokens) below = i;
        if (cost->n_tokens[i] >= n_tokens && above < 0) above = i;
    }
    if (below < 0 && above < 0) return 0;
    if (below < 0) return cost->seconds[above];
    if (above < 0 || above == below)
        return is_hopeful || above == below
                   ? cost->seconds[below]
                   : cost->seconds[below] * n_tokens / cost->n_tokens[below];
    double part =
        (n_tokens - cost->n_tokens[below]) / (cost->n_tokens[above] - cost->n_tokens[below]);
    return cost->seconds[below] + part * (cost->seconds[above] - cost->seconds[below]);
}
