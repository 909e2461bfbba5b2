// SPDX-License-Identifier: Apache-2.0
// Generation: feed the prompt, then choose, show, feed the chosen token, again and again. Text is
// shown in whole characters and only when it can no longer be part of a stop string.
#include "engine/engine.h"

#include "base/clock.h"
#include "engine/chooser.h"
#include "engine/prompt_lookup.h"

#include <stdlib.h>
#include <string.h>

struct generation {
    struct xl_session *session;
    const xl_generate_options *options;
    struct chooser chooser;
    struct prompt_lookup lookup;
    float *pass_logits; // [1 + n_guesses_max][n_vocab]
    double *times_s;    // [n_times_max] seconds per later token
    int n_times, n_times_max;
    int n_held;     // tokens that the session would hold without guesses
    bool cancelled; // by a callback
    xl_generate_result *result;
    struct error *err;
};

static enum status generation_init(struct generation *g, struct error *err) {
    const xl_generate_options *o = g->options;
    int context = g->session->engine->context;
    int n_vocab = model_configuration(g->session->engine->model)->n_vocab;
    TRY(chooser_init(&g->chooser, o, g->session->engine, err));
    g->n_times_max = o->max_tokens >= 0 && o->max_tokens < context ? o->max_tokens : context;
    size_t size = ((size_t)g->n_times_max + 1) * sizeof *g->times_s;
    g->times_s = malloc(size);
    if (!g->times_s) return error_no_memory(err, "timings", size);
    prompt_lookup_init(&g->lookup, o->draft_max);
    size = (1 + (size_t)g->lookup.n_guesses_max) * (size_t)n_vocab * sizeof *g->pass_logits;
    g->pass_logits = malloc(size);
    return g->pass_logits ? STATUS_OK : error_no_memory(err, "logits of guessed tokens", size);
}

static void generation_deinit(struct generation *g) {
    chooser_deinit(&g->chooser);
    free(g->times_s);
    free(g->pass_logits);
    explicit_bzero(&g->lookup, sizeof g->lookup);
}

// Hands out what may be shown.
static void show(struct generation *g) {
    const struct chooser *chooser = &g->chooser;
    if (chooser->shown_bytes > 0 && g->options->on_text && !g->cancelled &&
        g->options->on_text(g->options->user, chooser->shown, chooser->shown_bytes) != 0)
        g->cancelled = true;
    chooser_drop(&g->chooser);
}

// What is still held back when nothing more will come.
static enum status show_rest(struct generation *g) {
    enum choice choice;
    if (g->cancelled) return STATUS_OK;
    TRY(chooser_finish(&g->chooser, &choice, g->err));
    show(g);
    if (choice == CHOICE_STOP) g->result->finish = XL_FINISH_STOP;
    return STATUS_OK;
}

static bool is_cancelled(const struct generation *g) {
    return g->cancelled || session_cancelled(g->session);
}

// Why nothing more can be generated after the tokens so far; XL_FINISH_NONE: go on.
static xl_finish limit_reached(const struct generation *g) {
    if (is_cancelled(g)) return XL_FINISH_CANCELLED;
    if (g->options->max_tokens >= 0 && g->result->generated_tokens >= g->options->max_tokens)
        return XL_FINISH_LENGTH;
    if (g->n_held >= g->session->engine->context) return XL_FINISH_CONTEXT;
    return XL_FINISH_NONE;
}

// One chosen token: told to callbacks, shown, counted. Sets result->finish if it is the last.
static enum status take_token(struct generation *g, int32_t token) {
    const xl_generate_options *o = g->options;
    enum choice choice;
    g->result->generated_tokens++;
    if (o->on_token && o->on_token(o->user, token) != 0) g->cancelled = true;
    enum status status = chooser_take(&g->chooser, token, &choice, g->err);
    if (choice != CHOICE_END) g->session->unfed = token;
    TRY(status);
    show(g);
    if (choice == CHOICE_STOP)
        g->result->finish = XL_FINISH_STOP;
    else
        g->result->finish = choice == CHOICE_GOES_ON ? limit_reached(g) : XL_FINISH_END;
    return STATUS_OK;
}

// How many tokens after the unfed one are worth a try; they are in lookup.guesses.
static int guess(struct generation *g, int32_t unfed) {
    struct xl_session *session = g->session;
    int held = session->cache.n_used, context = session->engine->context;
    int n_max = context - held - 1;
    if (g->options->max_tokens >= 0 &&
        g->options->max_tokens - g->result->generated_tokens <= n_max)
        n_max = g->options->max_tokens - g->result->generated_tokens - 1;
    if (held >= context) return 0;
    session->tokens[held] = unfed; // its place anyway, once it is fed
    return prompt_lookup_guess(&g->lookup, session->tokens, held + 1, n_max);
}

// Takes the tokens that follow from the logits of a pass over the unfed token and n_tried guesses,
// up to the first that is not as guessed; *n_chosen >= 1. The session then holds all of them but
// the last, as if they had been fed one by one.
static enum status take_pass(struct generation *g, int n_tried, int32_t chosen[GUESSES_MAX + 1],
                             int *n_chosen) {
    struct xl_session *session = g->session;
    size_t n_vocab = (size_t)model_configuration(session->engine->model)->n_vocab;
    int held = session->cache.n_used - n_tried;
    enum status status = STATUS_OK;
    bool goes_on = true;
    *n_chosen = 0;
    while (goes_on) {
        int32_t token;
        const float *logits = g->pass_logits + (size_t)*n_chosen * n_vocab;
        g->n_held = held + *n_chosen;
        status = chooser_choose(&g->chooser, logits, &token, g->err);
        if (status != STATUS_OK) break;
        goes_on = *n_chosen < n_tried && token == g->lookup.guesses[*n_chosen];
        chosen[(*n_chosen)++] = token;
        status = take_token(g, token);
        if (status != STATUS_OK || g->result->finish != XL_FINISH_NONE) goes_on = false;
    }
    int n_fed = *n_chosen > 0 ? *n_chosen : 1;
    kv_cache_rewind(&session->cache, held + n_fed - 1);
    memcpy(session->logits, g->pass_logits + (size_t)(n_fed - 1) * n_vocab,
           n_vocab * sizeof(float));
    return status;
}

// One forward pass and the tokens that it gives.
static enum status decode_pass(struct generation *g, double *start) {
    struct xl_session *session = g->session;
    int32_t unfed = session->unfed, fed[GUESSES_MAX + 1] = {unfed}, chosen[GUESSES_MAX + 1];
    int n_tried = guess(g, unfed), n_chosen;
    memcpy(fed + 1, g->lookup.guesses, (size_t)n_tried * sizeof *fed);
    enum status status = session_feed(session, fed, (size_t)n_tried + 1, g->pass_logits, g->err);
    if (status == STATUS_CANCELLED) {
        session->unfed = unfed;
        g->result->finish = XL_FINISH_CANCELLED;
        return STATUS_OK;
    }
    TRY(status);
    TRY(take_pass(g, n_tried, chosen, &n_chosen));
    double now = clock_seconds(), pass_s = now - *start;
    prompt_lookup_learn(&g->lookup, chosen, n_chosen, n_tried, pass_s);
    for (int i = 0; i < n_chosen && g->n_times < g->n_times_max; i++)
        g->times_s[g->n_times++] = pass_s / n_chosen;
    g->result->decode_s += pass_s;
    g->result->drafted_tokens += n_tried;
    g->result->accepted_tokens += n_chosen - 1;
    *start = now;
    return STATUS_OK;
}

static enum status decode(struct generation *g) {
    double start = clock_seconds();
    while (g->result->finish == XL_FINISH_NONE)
        TRY(decode_pass(g, &start));
    return STATUS_OK;
}

// A generation without a prompt goes on where the last one ended.
static enum status feed_prompt(struct generation *g, const int32_t *prompt, size_t n_prompt) {
    struct xl_session *session = g->session;
    int32_t unfed = session->unfed;
    if (n_prompt > 0) return session_feed(session, prompt, n_prompt, NULL, g->err);
    if (unfed >= 0) return session_feed(session, &unfed, 1, NULL, g->err);
    if (session->is_broken)
        return error_set(g->err, STATUS_USAGE,
                         "the session broke in an earlier call; rewind it to 0 first");
    if (session->has_logits) return STATUS_OK;
    return error_set(g->err, STATUS_USAGE, "nothing to generate from: the prompt is empty");
}

static enum status run(struct generation *g, const int32_t *prompt, size_t n_prompt) {
    struct xl_session *session = g->session;
    double start = clock_seconds();
    enum status status = feed_prompt(g, prompt, n_prompt);
    if (status == STATUS_CANCELLED) g->result->finish = XL_FINISH_CANCELLED;
    TRY(status);
    if (g->options->max_tokens == 0) {
        g->result->finish = XL_FINISH_LENGTH;
        return STATUS_OK;
    }
    chooser_see(&g->chooser, session->tokens, (size_t)session->cache.n_used);
    int32_t token;
    TRY(chooser_choose(&g->chooser, session->logits, &token, g->err));
    g->result->first_token_s = clock_seconds() - start;
    g->n_held = session->cache.n_used;
    TRY(take_token(g, token));
    TRY(decode(g));
    TRY(show_rest(g));
    if (g->result->finish == XL_FINISH_CANCELLED || is_cancelled(g)) {
        g->result->finish = XL_FINISH_CANCELLED;
        return error_set(g->err, STATUS_CANCELLED, "cancelled after %d tokens",
                         g->result->generated_tokens);
    }
    return STATUS_OK;
}

static int compare_times(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The smallest time that at least `part` of all do not exceed.
static double quantile(const double *sorted, int n, double part) {
    int index = (int)(part * n + 0.999999) - 1;
    return sorted[index < 0 ? 0 : index >= n ? n - 1 : index];
}

static void summarise_times(struct generation *g) {
    if (g->n_times == 0) return;
    qsort(g->times_s, (size_t)g->n_times, sizeof *g->times_s, compare_times);
    g->result->next_token_mean_s = g->result->decode_s / g->n_times;
    g->result->next_token_p50_s = quantile(g->times_s, g->n_times, 0.50);
    g->result->next_token_p99_s = quantile(g->times_s, g->n_times, 0.99);
}

static enum status generate(struct xl_session *session, const int32_t *prompt, size_t n_prompt,
                            const xl_generate_options *options, xl_generate_result *result,
                            struct error *err) {
    struct generation g = {.session = session, .options = options, .result = result, .err = err};
    result->prompt_tokens = n_prompt > INT32_MAX ? INT32_MAX : (int)n_prompt;
    enum status status = generation_init(&g, err);
    if (status == STATUS_OK) status = run(&g, prompt, n_prompt);
    summarise_times(&g);
    generation_deinit(&g);
    return status;
}

static enum status begin(struct xl_session *session, const xl_generate_options *options,
                         xl_generate_options *own, const xl_generate_result *result,
                         struct error *err) {
    if (!session) return error_set(err, STATUS_USAGE, "no session to generate with");
    if (result && (result->size < sizeof result->size || result->size > sizeof *result))
        return error_set(err, STATUS_USAGE,
                         "xl_generate_result of %zu bytes; this library knows %zu", result->size,
                         sizeof *result);
    session_set_cancel(session, false);
    return generate_options_read(own, options, err);
}

static void hand_out(xl_generate_result *result, const xl_generate_result *own) {
    if (!result) return;
    size_t size = result->size;
    memcpy(result, own, size);
    result->size = size;
}

xl_status xl_session_generate_tokens(xl_session *session, const int32_t *prompt, size_t n_prompt,
                                     const xl_generate_options *options, xl_generate_result *result,
                                     xl_error *error) {
    struct error err = {0};
    xl_generate_options own;
    enum status status = begin(session, options, &own, result, &err);
    if (status != STATUS_OK) return engine_report(error, status, &err);
    xl_generate_result own_result = {0};
    status = generate(session, prompt, n_prompt, &own, &own_result, &err);
    hand_out(result, &own_result);
    return engine_report(error, status, &err);
}

xl_status xl_session_generate(xl_session *session, const char *prompt,
                              const xl_generate_options *options, xl_generate_result *result,
                              xl_error *error) {
    struct error err = {0};
    xl_generate_options own;
    const struct tokenizer *tokenizer;
    struct token_list list = {0};
    xl_generate_result own_result = {0};
    enum status status = begin(session, options, &own, result, &err);
    if (status == STATUS_OK && !prompt) status = error_set(&err, STATUS_USAGE, "no prompt given");
    if (status == STATUS_OK) status = engine_tokenizer(session->engine, &tokenizer, &err);
    if (status != STATUS_OK) return engine_report(error, status, &err);
    unsigned flags = (own.add_special ? ENCODE_ADD_SPECIAL : 0u) |
                     (own.parse_special ? ENCODE_PARSE_SPECIAL : 0u);
    double start = clock_seconds();
    if (prompt[0] || session->cache.n_used == 0)
        status = tokenizer_encode(tokenizer, prompt, strlen(prompt), flags, &list, &err);
    own_result.tokenize_s = clock_seconds() - start;
    if (status == STATUS_OK)
        status = generate(session, list.ids, list.n_tokens, &own, &own_result, &err);
    if (list.ids) explicit_bzero(list.ids, list.capacity * sizeof *list.ids);
    free(list.ids);
    hand_out(result, &own_result);
    return engine_report(error, status, &err);
}
