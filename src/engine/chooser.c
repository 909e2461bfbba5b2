// SPDX-License-Identifier: Apache-2.0
// See chooser.h.
#include "engine/chooser.h"

#include <string.h>

xl_generate_options xl_generate_options_default(void) {
    return (xl_generate_options){.size = sizeof(xl_generate_options),
                                 .max_tokens = 128,
                                 .add_special = true,
                                 .parse_special = true,
                                 .top_p = 1,
                                 .repetition_penalty = 1,
                                 .penalty_window = 64,
                                 .draft_max = -1};
}

enum status generate_options_read(xl_generate_options *own, const xl_generate_options *given,
                                  struct error *err) {
    *own = xl_generate_options_default();
    if (!given) return STATUS_OK;
    if (given->size < sizeof given->size || given->size > sizeof *own)
        return error_set(err, STATUS_USAGE,
                         "xl_generate_options of %zu bytes; this library knows %zu", given->size,
                         sizeof *own);
    memcpy(own, given, given->size);
    own->size = sizeof *own;
    return STATUS_OK;
}

static struct sampler_options sampler_options_of(const xl_generate_options *o) {
    _Static_assert(sizeof(struct logit_bias) == sizeof(xl_logit_bias) &&
                       offsetof(struct logit_bias, bias) == offsetof(xl_logit_bias, bias),
                   "biases are handed on as they are");
    return (struct sampler_options){
        .temperature = o->temperature,
        .top_k = o->top_k,
        .top_p = o->top_p,
        .min_p = o->min_p,
        .repetition_penalty = o->repetition_penalty,
        .presence_penalty = o->presence_penalty,
        .frequency_penalty = o->frequency_penalty,
        .penalty_window = o->penalty_window,
        .seed = o->seed,
        .biases = (const struct logit_bias *)o->biases,
        .n_biases = o->n_biases,
    };
}

enum status chooser_check(const xl_generate_options *options, const struct tokenizer *tokenizer,
                          int n_vocab, struct error *err) {
    struct stop_filter filter;
    struct sampler_options sampler = sampler_options_of(options);
    TRY(stop_filter_init(&filter, options->stops, options->n_stops, err)); // allocates nothing
    if (!tokenizer && options->n_stops > 0)
        return error_set(err, STATUS_UNSUPPORTED, "stop strings need a tokenizer");
    return sampler_options_check(&sampler, n_vocab, err);
}

enum status chooser_init(struct chooser *chooser, const xl_generate_options *options,
                         const struct tokenizer *tokenizer, int n_vocab, struct error *err) {
    struct sampler_options sampler = sampler_options_of(options);
    *chooser = (struct chooser){.options = options, .tokenizer = tokenizer, .n_vocab = n_vocab};
    TRY(chooser_check(options, tokenizer, n_vocab, err));
    TRY(stop_filter_init(&chooser->filter, options->stops, options->n_stops, err));
    if (tokenizer) detokenizer_init(&chooser->detokenizer, tokenizer, false);
    return sampler_create(&chooser->sampler, &sampler, n_vocab, err);
}

void chooser_deinit(struct chooser *chooser) {
    stop_filter_deinit(&chooser->filter);
    sampler_destroy(chooser->sampler);
    explicit_bzero(chooser, sizeof *chooser);
}

// Is there text before what will be generated? Then its first space is a real one.
static bool has_visible_text(const struct tokenizer *tokenizer, const int32_t *tokens,
                             size_t n_tokens) {
    for (size_t i = 0; i < n_tokens; i++) {
        size_t size_bytes = 0;
        const char *piece = tokenizer_piece(tokenizer, tokens[i], false, &size_bytes);
        if (piece && size_bytes > 0) return true;
    }
    return false;
}

void chooser_see(struct chooser *chooser, const int32_t *tokens, size_t n_tokens) {
    for (size_t i = 0; i < n_tokens; i++)
        sampler_accept(chooser->sampler, tokens[i]);
    if (chooser->tokenizer && has_visible_text(chooser->tokenizer, tokens, n_tokens))
        chooser->detokenizer.at_start = false;
}

int32_t chooser_choose(struct chooser *chooser, const float *logits) {
    return sampler_choose(chooser->sampler, logits);
}

static bool find_shown(struct chooser *chooser, bool is_last) {
    bool stopped;
    chooser->shown_bytes = stop_filter_ready(&chooser->filter, is_last, &stopped);
    chooser->shown = chooser->filter.waiting.data;
    return stopped;
}

enum status chooser_take(struct chooser *chooser, int32_t token, enum choice *choice,
                         struct error *err) {
    *choice = CHOICE_GOES_ON;
    chooser->n_generated++;
    sampler_accept(chooser->sampler, token);
    if (!chooser->tokenizer) return STATUS_OK;
    if (!chooser->options->ignore_end && tokenizer_is_end(chooser->tokenizer, token)) {
        *choice = CHOICE_END;
        return STATUS_OK;
    }
    enum status status = detokenizer_push(&chooser->detokenizer, token, &chooser->filter.waiting);
    if (status != STATUS_OK) return error_set(err, status, "cannot show a generated token");
    if (find_shown(chooser, false)) *choice = CHOICE_STOP;
    return STATUS_OK;
}

enum status chooser_finish(struct chooser *chooser, enum choice *choice, struct error *err) {
    *choice = CHOICE_GOES_ON;
    if (!chooser->tokenizer) return STATUS_OK;
    enum status status = detokenizer_flush(&chooser->detokenizer, &chooser->filter.waiting);
    if (status != STATUS_OK) return error_set(err, status, "cannot show the generated text");
    if (find_shown(chooser, true)) *choice = CHOICE_STOP;
    return STATUS_OK;
}

void chooser_drop(struct chooser *chooser) {
    stop_filter_drop(&chooser->filter, chooser->shown_bytes);
    chooser->shown_bytes = 0;
}
