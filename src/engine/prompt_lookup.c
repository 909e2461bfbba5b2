// SPDX-License-Identifier: Apache-2.0
// See prompt_lookup.h. With success rate a for each further guess, a pass over 1 + n tokens yields
// 1 + a + .. + a^n tokens on average; the n with the most tokens per measured second is tried.
// Guesses that were not tried are still compared with what came, so the rates stay true while
// speculation is off and it comes back when the text begins to copy again.
#include "engine/prompt_lookup.h"

#include <string.h>

enum { MATCH_MIN = 2, MATCH_MAX = 8 };

static const double first_success[MATCH_CLASSES] = {0.3, 0.5, 0.7, 0.9};
static const double weight_of_new = 0.15;

// Matches of 2, of 3, of 4 to 7 and of 8 tokens or more.
static int class_of(int match_length) {
    if (match_length >= MATCH_MAX) return 3;
    return match_length >= 4 ? 2 : match_length - MATCH_MIN;
}

void prompt_lookup_init(struct prompt_lookup *lookup, int n_guesses_max) {
    memset(lookup, 0, sizeof *lookup);
    lookup->always = n_guesses_max >= 0;
    lookup->n_guesses_max =
        n_guesses_max < 0 || n_guesses_max > GUESSES_MAX ? GUESSES_MAX : n_guesses_max;
    memcpy(lookup->success, first_success, sizeof first_success);
}

static int match_length(const int32_t *tokens, int end, int n_tokens) {
    int length = 0;
    while (length < MATCH_MAX && length <= end &&
           tokens[end - length] == tokens[n_tokens - 1 - length])
        length++;
    return length;
}

// The end of the longest earlier match, the latest of equals; -1: none.
static int find_match(const int32_t *tokens, int n_tokens, int *length) {
    int best = -1;
    *length = MATCH_MIN - 1;
    for (int end = n_tokens - 2; end >= MATCH_MIN - 1; end--) {
        if (tokens[end] != tokens[n_tokens - 1]) continue;
        int n = match_length(tokens, end, n_tokens);
        if (n <= *length) continue;
        best = end;
        *length = n;
        if (n == MATCH_MAX) break;
    }
    return best;
}

// A pass that was never measured is taken to cost what the next smaller one did: trying it once
// shows the truth.
static double pass_time(const struct prompt_lookup *lookup, int n_tried) {
    while (n_tried > 0 && lookup->pass_s[n_tried] == 0)
        n_tried--;
    return lookup->pass_s[n_tried];
}

// Of at most n_max guesses.
static int worth_trying(const struct prompt_lookup *lookup, int n_max) {
    if (lookup->always) return n_max;
    if (lookup->pass_s[0] == 0) return 0;
    double a = lookup->success[lookup->match_class], power = 1, n_expected = 1;
    double best_rate = 1 / lookup->pass_s[0];
    int best = 0;
    for (int n = 1; n <= n_max; n++) {
        power *= a;
        n_expected += power;
        double rate = n_expected / pass_time(lookup, n);
        if (rate <= best_rate) continue;
        best_rate = rate;
        best = n;
    }
    return best;
}

int prompt_lookup_guess(struct prompt_lookup *lookup, const int32_t *tokens, int n_tokens,
                        int n_max) {
    lookup->n_guesses = 0;
    if (lookup->n_guesses_max == 0 || n_tokens <= MATCH_MIN) return 0;
    int length, end = find_match(tokens, n_tokens, &length);
    if (end < 0) return 0;
    int n = n_tokens - 1 - end;
    if (n > lookup->n_guesses_max) n = lookup->n_guesses_max;
    memcpy(lookup->guesses, tokens + end + 1, (size_t)n * sizeof *tokens);
    lookup->n_guesses = n;
    lookup->match_class = class_of(length);
    return worth_trying(lookup, n < n_max ? n : n_max < 0 ? 0 : n_max);
}

double prompt_lookup_success(const struct prompt_lookup *lookup) {
    return lookup->success[lookup->match_class];
}

static void average(double *mean, double value) {
    *mean = *mean == 0 ? value : *mean + weight_of_new * (value - *mean);
}

void prompt_lookup_learn(struct prompt_lookup *lookup, const int32_t *chosen, int n_chosen,
                         int n_tried, double pass_s) {
    if (n_tried >= 0 && n_tried <= GUESSES_MAX) average(&lookup->pass_s[n_tried], pass_s);
    double *success = &lookup->success[lookup->match_class];
    for (int i = 0; i < lookup->n_guesses && i < n_chosen; i++) {
        bool right = lookup->guesses[i] == chosen[i];
        *success += weight_of_new * ((right ? 1.0 : 0.0) - *success);
        if (!right) break;
    }
    lookup->n_guesses = 0;
}
