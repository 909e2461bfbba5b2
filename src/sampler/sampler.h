// SPDX-License-Identifier: Apache-2.0
// Logits to the next token. The order: logit bias, repetition, presence and frequency penalty,
// temperature, top-k, top-p, min-p, draw. NaN counts as -INFINITY, +INFINITY as the largest float.
// One sampler belongs to one session; it remembers recent tokens for the penalties and owns its
// random numbers, so the same seed and logits give the same tokens.
#ifndef XL_SAMPLER_SAMPLER_H
#define XL_SAMPLER_SAMPLER_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct logit_bias {
    int32_t token;
    float bias; // added to the logit; -INFINITY forbids the token
};

struct sampler_options {
    float temperature;        // <= 0: greedy (the largest logit, lowest id on ties)
    int top_k;                // <= 0: off
    float top_p;              // >= 1: off (Holtzman et al. 2020)
    float min_p;              // <= 0: off (Nguyen et al. 2024)
    float repetition_penalty; // 1: off (Keskar et al. 2019)
    float presence_penalty;   // 0: off
    float frequency_penalty;  // 0: off
    int penalty_window;       // how many recent tokens the penalties see; < 0: all
    uint64_t seed;
    const struct logit_bias *biases; // copied
    size_t n_biases;
};

struct sampler;

void sampler_options_default(struct sampler_options *options); // greedy, everything off, window 64
// STATUS_USAGE with the reason if sampler_create would refuse them.
enum status sampler_options_check(const struct sampler_options *options, int n_vocab,
                                  struct error *err);
enum status sampler_create(struct sampler **sampler, const struct sampler_options *options,
                           int n_vocab, struct error *err);
void sampler_destroy(struct sampler *sampler);
// Tells the sampler of a token that is part of the text (prompt or chosen).
void sampler_accept(struct sampler *sampler, int32_t token);
// Chooses from logits [n_vocab] (not changed). Does not accept the token by itself.
int32_t sampler_choose(struct sampler *sampler, const float *logits);
// The same among tokens whose bit is set in allowed [(n_vocab + 63) / 64] alone; there must be one.
int32_t sampler_choose_among(struct sampler *sampler, const float *logits, const uint64_t *allowed);
// What choose would draw from, best first: up to n_max tokens and their probabilities after all
// filters. Returns how many; 0 if no logit is finite. Draws nothing.
int sampler_distribution(struct sampler *sampler, const float *logits, int32_t *tokens,
                         float *probabilities, int n_max);
void sampler_reset(struct sampler *sampler); // forget tokens, restart the random numbers

#ifdef __cplusplus
}
#endif
#endif
