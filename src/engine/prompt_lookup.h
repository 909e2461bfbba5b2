// SPDX-License-Identifier: Apache-2.0
// Prompt-lookup speculation: guesses the next tokens by finding the latest earlier place where the
// text went on from the same tokens (Saxena 2023, "prompt lookup decoding"). Clinical text copies
// its sources, so the guesses are often right, and several tokens in one forward pass cost little
// more than one while weights come from memory. The caller verifies every guess, so the output is
// what it would have been; this file decides only how much to guess, from measured times and
// measured success. It knows no model and no sampler.
#ifndef XL_ENGINE_PROMPT_LOOKUP_H
#define XL_ENGINE_PROMPT_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { GUESSES_MAX = 15, MATCH_CLASSES = 4 };

struct prompt_lookup {
    int n_guesses_max; // 0: off
    bool always;       // guess as much as allowed whenever there is a match
    // Seconds of a forward pass over 1 + i tokens, a running average; 0: not measured yet.
    double pass_s[GUESSES_MAX + 1];
    // How often the next guess was right after a match of this length class, a running average.
    double success[MATCH_CLASSES];
    int32_t guesses[GUESSES_MAX]; // of the last prompt_lookup_guess, also those not worth trying
    int n_guesses, match_class;
};

// n_guesses_max < 0: automatic, as far as it pays; else always up to that many; 0: never.
void prompt_lookup_init(struct prompt_lookup *lookup, int n_guesses_max);
// Guesses what follows tokens [n_tokens], at most n_max of them. Returns how many of
// lookup->guesses are worth a try.
int prompt_lookup_guess(struct prompt_lookup *lookup, const int32_t *tokens, int n_tokens,
                        int n_max);
// How often the first of the guesses was right after such a match.
double prompt_lookup_success(const struct prompt_lookup *lookup);
// What really followed (n_chosen >= 1 tokens) and how long the pass over 1 + n_tried tokens took.
void prompt_lookup_learn(struct prompt_lookup *lookup, const int32_t *chosen, int n_chosen,
                         int n_tried, double pass_s);

#ifdef __cplusplus
}
#endif
#endif
