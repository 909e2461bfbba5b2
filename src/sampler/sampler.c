// SPDX-License-Identifier: Apache-2.0
// The order of operations, as in Hugging Face's generation code:
//   logit bias, repetition penalty, presence and frequency penalty, temperature, top-k, top-p,
//   min-p, draw.
// Greedy choice stops after the penalties. Nothing is allocated after sampler_create. It does not
// know what a token means: end tokens and text are the engine's business.
#include "sampler/sampler.h"

#include "sampler/random_stream.h"
#include "sampler/token_filter.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Below this a temperature means "take the best": quotients would leave the range of float.
#define TEMPERATURE_MIN 1e-5f
#define VOCABULARY_MAX (1 << 24)

struct sampler {
    struct sampler_options options;
    struct logit_bias *biases; // [options.n_biases]
    int n_vocab;
    bool has_penalties;
    float *adjusted; // [n_vocab] logits after bias and penalties
    int32_t *counts; // [n_vocab] occurrences inside the window; penalties only
    int32_t *seen;   // tokens with a count, each once; some counts may have returned to 0
    int n_seen;
    uint8_t *is_seen; // [n_vocab] is the token in `seen`
    int32_t *window;  // ring of the last n_window tokens; NULL: all tokens count
    int n_window;
    size_t n_accepted;
    struct token_filter filter;
    struct random_stream random;
};

void sampler_options_default(struct sampler_options *options) {
    *options = (struct sampler_options){
        .top_p = 1, .repetition_penalty = 1, .penalty_window = 64, .temperature = 0};
}

enum status sampler_options_check(const struct sampler_options *o, int n_vocab, struct error *err) {
    if (n_vocab < 1 || n_vocab > VOCABULARY_MAX)
        return error_set(err, STATUS_USAGE, "a vocabulary of %d tokens cannot be sampled", n_vocab);
    if (!isfinite(o->temperature) || o->temperature < 0)
        return error_set(err, STATUS_USAGE, "temperature must be a number from 0, not %g",
                         (double)o->temperature);
    if (!(o->top_p >= 0))
        return error_set(err, STATUS_USAGE, "top-p must be from 0 to 1, not %g", (double)o->top_p);
    if (!(o->min_p <= 1))
        return error_set(err, STATUS_USAGE, "min-p must be from 0 to 1, not %g", (double)o->min_p);
    if (!isfinite(o->repetition_penalty) || o->repetition_penalty <= 0)
        return error_set(err, STATUS_USAGE, "the repetition penalty must be above 0, not %g",
                         (double)o->repetition_penalty);
    if (!isfinite(o->presence_penalty) || !isfinite(o->frequency_penalty))
        return error_set(err, STATUS_USAGE, "presence and frequency penalty must be finite");
    if (o->n_biases > 0 && !o->biases)
        return error_set(err, STATUS_USAGE, "%zu logit biases announced, none given", o->n_biases);
    for (size_t i = 0; i < o->n_biases; i++) {
        if (o->biases[i].token < 0 || o->biases[i].token >= n_vocab)
            return error_set(err, STATUS_USAGE, "logit bias for token %d; tokens are 0 to %d",
                             o->biases[i].token, n_vocab - 1);
        if (isnan(o->biases[i].bias))
            return error_set(err, STATUS_USAGE, "the logit bias of token %d is not a number",
                             o->biases[i].token);
    }
    return STATUS_OK;
}

static enum status allocate_penalties(struct sampler *sampler, struct error *err) {
    size_t n = (size_t)sampler->n_vocab;
    sampler->counts = calloc(n, sizeof *sampler->counts);
    sampler->seen = calloc(n, sizeof *sampler->seen);
    sampler->is_seen = calloc(n, 1);
    if (!sampler->counts || !sampler->seen || !sampler->is_seen)
        return error_no_memory(err, "the sampler's penalties", n * 9);
    // A window longer than any context is the same as none.
    int window = sampler->options.penalty_window;
    if (window >= 0 && window <= VOCABULARY_MAX) {
        sampler->n_window = window;
        sampler->window = calloc((size_t)window + 1, sizeof *sampler->window);
        if (!sampler->window) return error_no_memory(err, "the penalty window", (size_t)window * 4);
    }
    return STATUS_OK;
}

static enum status allocate(struct sampler *sampler, struct error *err) {
    size_t n = (size_t)sampler->n_vocab;
    sampler->adjusted = malloc(n * sizeof *sampler->adjusted);
    if (!sampler->adjusted) return error_no_memory(err, "the sampler", n * 4);
    if (sampler->options.n_biases > 0) {
        size_t size = sampler->options.n_biases * sizeof *sampler->biases;
        sampler->biases = malloc(size);
        if (!sampler->biases) return error_no_memory(err, "logit biases", size);
        memcpy(sampler->biases, sampler->options.biases, size);
    }
    sampler->options.biases = sampler->biases;
    if (sampler->has_penalties) TRY(allocate_penalties(sampler, err));
    if (sampler->options.temperature >= TEMPERATURE_MIN)
        TRY(token_filter_init(&sampler->filter, sampler->n_vocab, err));
    return STATUS_OK;
}

enum status sampler_create(struct sampler **result, const struct sampler_options *options,
                           int n_vocab, struct error *err) {
    *result = NULL;
    TRY(sampler_options_check(options, n_vocab, err));
    struct sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler) return error_no_memory(err, "the sampler", sizeof *sampler);
    sampler->options = *options;
    sampler->n_vocab = n_vocab;
    sampler->has_penalties = options->penalty_window != 0 &&
                             (options->repetition_penalty != 1 || options->presence_penalty != 0 ||
                              options->frequency_penalty != 0);
    enum status status = allocate(sampler, err);
    if (status != STATUS_OK) {
        sampler_destroy(sampler);
        return status;
    }
    random_stream_init(&sampler->random, options->seed);
    *result = sampler;
    return STATUS_OK;
}

static void wipe(void *memory, size_t size_bytes) {
    if (memory) explicit_bzero(memory, size_bytes);
}

void sampler_destroy(struct sampler *sampler) {
    if (!sampler) return;
    const size_t n = (size_t)sampler->n_vocab, n_window = (size_t)sampler->n_window;
    // What was generated can be read from these.
    wipe(sampler->adjusted, n * sizeof *sampler->adjusted);
    wipe(sampler->counts, n * sizeof *sampler->counts);
    wipe(sampler->seen, n * sizeof *sampler->seen);
    wipe(sampler->is_seen, n);
    wipe(sampler->window, n_window * sizeof *sampler->window);
    free(sampler->adjusted);
    free(sampler->biases);
    free(sampler->counts);
    free(sampler->seen);
    free(sampler->is_seen);
    free(sampler->window);
    token_filter_deinit(&sampler->filter);
    free(sampler);
}

void sampler_accept(struct sampler *sampler, int32_t token) {
    if (!sampler->has_penalties || token < 0 || token >= sampler->n_vocab) return;
    if (sampler->window) {
        size_t slot = sampler->n_accepted % (size_t)sampler->n_window;
        if (sampler->n_accepted >= (size_t)sampler->n_window)
            sampler->counts[sampler->window[slot]]--;
        sampler->window[slot] = token;
    }
    sampler->n_accepted++;
    sampler->counts[token]++;
    if (!sampler->is_seen[token]) {
        sampler->is_seen[token] = 1;
        sampler->seen[sampler->n_seen++] = token;
    }
}

static void apply_penalties(struct sampler *sampler, float *logits) {
    const struct sampler_options *o = &sampler->options;
    int n_left = 0;
    for (int i = 0; i < sampler->n_seen; i++) {
        int32_t token = sampler->seen[i];
        int count = sampler->counts[token];
        if (count == 0) { // has left the window
            sampler->is_seen[token] = 0;
            continue;
        }
        sampler->seen[n_left++] = token;
        float logit = logits[token];
        logit = logit > 0 ? logit / o->repetition_penalty : logit * o->repetition_penalty;
        logits[token] = logit - o->presence_penalty - (float)count * o->frequency_penalty;
    }
    sampler->n_seen = n_left;
}

// Draws by weight among all tokens, in the order of their ids.
static int32_t draw_any(struct sampler *sampler, double total_weight) {
    double left = random_stream_uniform(&sampler->random) * total_weight;
    int32_t last = 0;
    for (int32_t i = 0; i < sampler->n_vocab; i++) {
        double weight = (double)sampler->filter.weights[i];
        if (weight == 0) continue;
        last = i;
        left -= weight;
        if (left < 0) break;
    }
    return last; // rounding may leave a crumb after the last token
}

static int32_t draw_kept(struct sampler *sampler, int n_kept, double kept_weight) {
    const struct token_filter *filter = &sampler->filter;
    double left = random_stream_uniform(&sampler->random) * kept_weight;
    for (int i = 0; i < n_kept; i++) {
        left -= (double)filter->weights[filter->kept[i].token];
        if (left < 0) return filter->kept[i].token;
    }
    return filter->kept[n_kept - 1].token;
}

static void adjust(struct sampler *sampler, const float *logits) {
    memcpy(sampler->adjusted, logits, (size_t)sampler->n_vocab * sizeof *logits);
    logits_sanitize(sampler->adjusted, sampler->n_vocab);
    for (size_t i = 0; i < sampler->options.n_biases; i++)
        sampler->adjusted[sampler->biases[i].token] += sampler->biases[i].bias;
    if (sampler->has_penalties) apply_penalties(sampler, sampler->adjusted);
    if (sampler->options.n_biases > 0 || sampler->has_penalties)
        logits_sanitize(sampler->adjusted, sampler->n_vocab);
}

static int32_t draw(struct sampler *sampler) {
    const struct sampler_options *o = &sampler->options;
    if (o->temperature < TEMPERATURE_MIN) return logits_argmax(sampler->adjusted, sampler->n_vocab);
    struct token_filter *filter = &sampler->filter;
    double total = token_filter_weigh(filter, sampler->adjusted, o->temperature);
    if (total <= 0) return 0; // nothing but NaN and -INFINITY
    if (o->top_k <= 0 && o->top_p >= 1 && o->min_p <= 0) return draw_any(sampler, total);
    double kept_weight;
    int n_kept = token_filter_select(filter, total, o->top_k, o->top_p, o->min_p, &kept_weight);
    return draw_kept(sampler, n_kept, kept_weight);
}

int32_t sampler_choose(struct sampler *sampler, const float *logits) {
    adjust(sampler, logits);
    return draw(sampler);
}

static bool is_allowed(const uint64_t *allowed, int32_t token) {
    return (allowed[token / 64] >> token % 64 & 1) != 0;
}

static void forbid_others(float *logits, int n_vocab, const uint64_t *allowed) {
    for (int first = 0; first < n_vocab; first += 64) {
        if (allowed[first / 64] == UINT64_MAX) continue;
        int end = n_vocab - first < 64 ? n_vocab : first + 64;
        for (int token = first; token < end; token++)
            if (!is_allowed(allowed, token)) logits[token] = -INFINITY;
    }
}

int32_t sampler_choose_among(struct sampler *sampler, const float *logits,
                             const uint64_t *allowed) {
    adjust(sampler, logits);
    forbid_others(sampler->adjusted, sampler->n_vocab, allowed);
    int32_t token = draw(sampler);
    // Where nothing allowed is at all likely, the draw may have come to something else.
    if (is_allowed(allowed, token)) return token;
    int32_t best = -1;
    for (int32_t i = 0; i < sampler->n_vocab; i++)
        if (is_allowed(allowed, i) && (best < 0 || sampler->adjusted[i] > sampler->adjusted[best]))
            best = i;
    return best < 0 ? token : best;
}

int sampler_distribution(struct sampler *sampler, const float *logits, int32_t *tokens,
                         float *probabilities, int n_max) {
    const struct sampler_options *o = &sampler->options;
    adjust(sampler, logits);
    if (n_max < 1) return 0;
    if (o->temperature < TEMPERATURE_MIN) {
        tokens[0] = logits_argmax(sampler->adjusted, sampler->n_vocab);
        probabilities[0] = 1;
        return 1;
    }
    struct token_filter *filter = &sampler->filter;
    double total = token_filter_weigh(filter, sampler->adjusted, o->temperature);
    if (total <= 0) return 0;
    double kept_weight;
    int n_kept = token_filter_select(filter, total, o->top_k, o->top_p, o->min_p, &kept_weight);
    if (n_kept > n_max) n_kept = n_max;
    for (int i = 0; i < n_kept; i++) {
        tokens[i] = filter->kept[i].token;
        probabilities[i] = (float)((double)filter->weights[tokens[i]] / kept_weight);
    }
    return n_kept;
}

void sampler_reset(struct sampler *sampler) {
    if (sampler->has_penalties) {
        memset(sampler->counts, 0, (size_t)sampler->n_vocab * sizeof *sampler->counts);
        memset(sampler->is_seen, 0, (size_t)sampler->n_vocab);
    }
    sampler->n_seen = 0;
    sampler->n_accepted = 0;
    random_stream_init(&sampler->random, sampler->options.seed);
}
