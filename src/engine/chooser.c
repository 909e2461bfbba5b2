// SPDX-License-Identifier: Apache-2.0
// See chooser.h.
#include "engine/chooser.h"

#include "engine/engine.h"
#include "engine/grammar.h"

#include <stdlib.h>
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

enum status chooser_check(const xl_generate_options *options, const xl_engine *engine,
                          struct error *err) {
    struct stop_filter filter;
    struct sampler_options sampler = sampler_options_of(options);
    struct grammar_guide *guide = NULL;
    TRY(stop_filter_init(&filter, options->stops, options->n_stops, err)); // allocates nothing
    if (!engine->tokenizer && options->n_stops > 0)
        return error_set(err, STATUS_UNSUPPORTED, "stop strings need a tokenizer");
    if (options->grammar)
        TRY(grammar_guide_create(&guide, engine, options->grammar, options->grammar_begin, err));
    grammar_guide_destroy(guide);
    return sampler_options_check(&sampler, model_configuration(engine->model)->n_vocab, err);
}

static enum status make_guide(struct chooser *chooser, const xl_engine *engine, struct error *err) {
    const xl_generate_options *o = chooser->options;
    size_t n_words = grammar_mask_words(chooser->n_vocab);
    chooser->allowed = calloc(n_words, sizeof *chooser->allowed);
    if (!chooser->allowed)
        return error_no_memory(err, "a token mask", n_words * sizeof *chooser->allowed);
    return grammar_guide_create(&chooser->guide, engine, o->grammar, o->grammar_begin, err);
}

enum status chooser_init(struct chooser *chooser, const xl_generate_options *options,
                         const xl_engine *engine, struct error *err) {
    struct sampler_options sampler = sampler_options_of(options);
    *chooser = (struct chooser){.options = options,
                                .tokenizer = engine->tokenizer,
                                .n_vocab = model_configuration(engine->model)->n_vocab};
    TRY(stop_filter_init(&chooser->filter, options->stops, options->n_stops, err));
    if (!engine->tokenizer && options->n_stops > 0)
        return error_set(err, STATUS_UNSUPPORTED, "stop strings need a tokenizer");
    if (engine->tokenizer) detokenizer_init(&chooser->detokenizer, engine->tokenizer, false);
    if (options->grammar) TRY(make_guide(chooser, engine, err));
    return sampler_create(&chooser->sampler, &sampler, chooser->n_vocab, err);
}

void chooser_deinit(struct chooser *chooser) {
    stop_filter_deinit(&chooser->filter);
    sampler_destroy(chooser->sampler);
    grammar_guide_destroy(chooser->guide);
    free(chooser->allowed);
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

enum status chooser_choose(struct chooser *chooser, const float *logits, int32_t *token,
                           struct error *err) {
    *token = -1;
    if (!chooser->guide) {
        *token = sampler_choose(chooser->sampler, logits);
        return STATUS_OK;
    }
    TRY(grammar_guide_mask(chooser->guide, chooser->allowed, chooser->n_vocab, err));
    *token = sampler_choose_among(chooser->sampler, logits, chooser->allowed);
    return STATUS_OK;
}

// An end token ends, unless the caller goes on in spite of it; a grammar knows none.
static bool ends_here(const struct chooser *chooser, int32_t token) {
    if (!chooser->tokenizer || !tokenizer_is_end(chooser->tokenizer, token)) return false;
    return !chooser->options->ignore_end || (chooser->guide && grammar_guide_binds(chooser->guide));
}

static bool find_shown(struct chooser *chooser, bool is_last) {
    bool stopped;
    chooser->shown_bytes = stop_filter_ready(&chooser->filter, is_last, &stopped);
    chooser->shown = chooser->filter.waiting.data;
    return stopped;
}

enum status chooser_take(struct chooser *chooser, int32_t token, enum choice *choice,
                         struct error *err) {
    struct grammar_guide *guide = chooser->guide;
    *choice = CHOICE_GOES_ON;
    chooser->n_generated++;
    sampler_accept(chooser->sampler, token);
    if (ends_here(chooser, token)) {
        *choice = CHOICE_END;
        return STATUS_OK;
    }
    if (!chooser->tokenizer) return STATUS_OK;
    if (guide) {
        if (!tokenizer_is_end(chooser->tokenizer, token))
            TRY(grammar_guide_accept(guide, token, err));
        if (grammar_guide_is_done(guide)) *choice = CHOICE_DONE;
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
