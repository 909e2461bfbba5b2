// SPDX-License-Identifier: Apache-2.0
// See request.h. Whatever is wrong with the options is said at submission, in the caller's thread;
// so is what could never fit.
#include "engine/request.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "engine/grammar.h"
#include "engine/prefix_tree.h"
#include "engine/worker.h"

#include <stdlib.h>
#include <string.h>

enum { USER_BYTES_MAX = 1024, STOPS_MAX = 1 << 12 };

xl_request_options xl_request_options_default(void) {
    return (xl_request_options){.size = sizeof(xl_request_options), .n_logprobs = -1};
}

// ---- Copies ------------------------------------------------------------------------------------

// Lays copies out behind each other; with base NULL it only counts.
struct copier {
    char *base;
    size_t used_bytes;
    bool is_too_large;
};

static void *copy_bytes(struct copier *copier, const void *data, size_t size_bytes) {
    size_t begin = (copier->used_bytes + 7) / 8 * 8;
    if (size_bytes > SIZE_MAX / 4 || begin > SIZE_MAX / 4) {
        copier->is_too_large = true;
        return NULL;
    }
    copier->used_bytes = begin + size_bytes;
    if (!copier->base) return NULL;
    if (size_bytes > 0) memcpy(copier->base + begin, data, size_bytes);
    return copier->base + begin;
}

static void copy_all(struct copier *copier, struct xl_request *request,
                     const xl_request_options *options, const xl_generate_options *generate) {
    xl_generate_options *own = &request->generate;
    const char *user = options->user ? options->user : "";
    request->turn.user = copy_bytes(copier, user, strlen(user) + 1);
    own->biases =
        copy_bytes(copier, generate->biases, generate->n_biases * sizeof *generate->biases);
    const char **stops =
        copy_bytes(copier, generate->stops, generate->n_stops * sizeof *generate->stops);
    for (size_t i = 0; i < generate->n_stops; i++) {
        const char *stop = copy_bytes(copier, generate->stops[i], strlen(generate->stops[i]) + 1);
        if (stops) stops[i] = stop;
    }
    own->stops = stops;
    if (generate->grammar_begin)
        own->grammar_begin =
            copy_bytes(copier, generate->grammar_begin, strlen(generate->grammar_begin) + 1);
}

static enum status make_copies(struct xl_request *request, const xl_request_options *options,
                               const xl_generate_options *generate, struct error *err) {
    struct copier copier = {0};
    copy_all(&copier, request, options, generate);
    if (copier.is_too_large)
        return error_set(err, STATUS_NO_MEMORY, "a request's options are too large");
    request->copies = malloc(copier.used_bytes);
    if (!request->copies) return error_no_memory(err, "a request's options", copier.used_bytes);
    request->copies_bytes = copier.used_bytes;
    copier = (struct copier){.base = request->copies};
    copy_all(&copier, request, options, generate);
    return STATUS_OK;
}

// ---- Checks ------------------------------------------------------------------------------------

static enum status read_options(xl_request_options *own, const xl_request_options *given,
                                struct error *err) {
    *own = xl_request_options_default();
    if (!given) return error_set(err, STATUS_USAGE, "a request without options");
    if (given->size < sizeof given->size || given->size > sizeof *own)
        return error_set(err, STATUS_USAGE,
                         "xl_request_options of %zu bytes; this library knows %zu", given->size,
                         sizeof *own);
    memcpy(own, given, given->size);
    own->size = sizeof *own;
    return STATUS_OK;
}

static enum status check_options(const xl_request_options *options, struct error *err) {
    if (!options->prompt || options->n_prompt == 0)
        return error_set(err, STATUS_USAGE, "nothing to generate from: the prompt is empty");
    if (!options->on_event) return error_set(err, STATUS_USAGE, "a request without on_event");
    if (options->priority != XL_INTERACTIVE && options->priority != XL_BACKGROUND)
        return error_set(err, STATUS_USAGE, "unknown priority %d", (int)options->priority);
    if (options->n_logprobs > LOGPROBS_MAX)
        return error_set(err, STATUS_USAGE, "%d logprobs a token; allowed are up to %d",
                         options->n_logprobs, LOGPROBS_MAX);
    if (options->user && strnlen(options->user, USER_BYTES_MAX + 1) > USER_BYTES_MAX)
        return error_set(err, STATUS_USAGE, "a user's name of more than %d bytes", USER_BYTES_MAX);
    return STATUS_OK;
}

static enum status check_saving(const struct xl_worker *worker, const xl_request_options *options,
                                struct error *err) {
    if (!options->save_prefix) return STATUS_OK;
    if (options->no_prefix)
        return error_set(err, STATUS_USAGE, "a prompt to be saved and to leave no trace");
    if (!worker->disk)
        return error_set(err, STATUS_USAGE,
                         "the prompt is to be saved, but the worker has no directory for that");
    return STATUS_OK;
}

static enum status check_prompt(const struct xl_worker *worker, const xl_request_options *options,
                                struct error *err) {
    int n_vocab = model_configuration(worker->engine->model)->n_vocab;
    if (options->n_prompt > (size_t)worker->engine->context)
        return error_set(err, STATUS_CONTEXT_FULL,
                         "the prompt has %zu tokens, but the context holds %d; raise the context "
                         "(-c) or shorten the text",
                         options->n_prompt, worker->engine->context);
    for (size_t i = 0; i < options->n_prompt; i++)
        if (options->prompt[i] < 0 || options->prompt[i] >= n_vocab)
            return error_set(err, STATUS_USAGE,
                             "token %zu of the prompt is %d; the model knows 0 to %d", i,
                             options->prompt[i], n_vocab - 1);
    return STATUS_OK;
}

// What it needs at most must fit into an empty worker.
static enum status check_memory(const struct xl_request *request, struct error *err) {
    const struct xl_worker *worker = request->worker;
    int n_positions = request_positions_max(request), n_pages = kv_pages_of(n_positions);
    if (n_pages <= worker->pool.n_pages) return STATUS_OK;
    return error_set(err, STATUS_NO_MEMORY,
                     "a prompt of %d tokens and up to %d more need %d pages of KV memory, but the "
                     "worker has %d; lower max_tokens or raise the worker's memory",
                     request->n_prompt, n_positions - request->n_prompt, n_pages,
                     worker->pool.n_pages);
}

static enum status check_generate(const struct xl_worker *worker,
                                  const xl_generate_options *generate, struct error *err) {
    if (generate->n_stops > STOPS_MAX)
        return error_set(err, STATUS_USAGE, "%zu stop strings; allowed are up to %d",
                         generate->n_stops, STOPS_MAX);
    return chooser_check(generate, worker->engine, err);
}

// ---- Life --------------------------------------------------------------------------------------

static enum status copy_prompt(struct xl_request *request, const xl_request_options *options,
                               struct error *err) {
    int context = request->worker->engine->context, n_prompt = (int)options->n_prompt;
    int n_chosen_max = context + 1 - n_prompt; // the last one is chosen, but not fed
    if (request->generate.max_tokens >= 0 && request->generate.max_tokens < n_chosen_max)
        n_chosen_max = request->generate.max_tokens;
    request->n_prompt = request->n_tokens = n_prompt;
    request->n_tokens_max = n_prompt + n_chosen_max;
    size_t size = (size_t)request->n_tokens_max * sizeof *request->tokens;
    request->tokens = malloc(size);
    if (!request->tokens) return error_no_memory(err, "a request's tokens", size);
    memcpy(request->tokens, options->prompt, options->n_prompt * sizeof *request->tokens);
    return STATUS_OK;
}

// Everything that says what was asked or answered.
static void wipe(struct xl_request *request) {
    chooser_deinit(&request->chooser);
    explicit_bzero(&request->lookup, sizeof request->lookup);
    if (request->tokens)
        explicit_bzero(request->tokens, (size_t)request->n_tokens_max * sizeof(int32_t));
    if (request->copies) explicit_bzero(request->copies, request->copies_bytes);
    xl_grammar_close((xl_grammar *)request->generate.grammar);
    request->generate.grammar = NULL;
    free(request->tokens);
    free(request->copies);
    request->tokens = NULL;
    request->copies = NULL;
}

static void destroy(struct xl_request *request) {
    if (!request) return;
    wipe(request);
    free(request);
}

void request_drop(struct xl_request *request) {
    if (__atomic_sub_fetch(&request->n_holders, 1, __ATOMIC_ACQ_REL) > 0) return;
    struct xl_worker *worker = request->worker;
    destroy(request);
    worker_drop(worker);
}

static enum status create(struct xl_request **created, xl_worker *worker,
                          const xl_request_options *options, struct error *err) {
    xl_generate_options generate;
    TRY(check_options(options, err));
    TRY(generate_options_read(&generate, options->generate, err));
    TRY(check_saving(worker, options, err));
    TRY(check_prompt(worker, options, err));
    TRY(check_generate(worker, &generate, err));
    struct xl_request *request = calloc(1, sizeof *request);
    if (!request) return error_no_memory(err, "a request", sizeof *request);
    request->worker = worker;
    request->generate = generate;
    request->turn.request = request;
    request->turn.priority = options->priority;
    request->n_logprobs = options->n_logprobs;
    request->no_prefix = options->no_prefix;
    request->is_saved = !options->save_prefix;
    request->on_event = options->on_event;
    request->user_data = options->user_data;
    request->submitted_s = clock_seconds();
    request->node = PAGE_NONE;
    if (generate.grammar) grammar_retain(generate.grammar);
    request->n_holders = 2;
    enum status status = make_copies(request, options, &generate, err);
    if (status == STATUS_OK) status = copy_prompt(request, options, err);
    if (status == STATUS_OK) status = check_memory(request, err);
    if (status != STATUS_OK) {
        destroy(request);
        return status;
    }
    *created = request;
    return STATUS_OK;
}

xl_status xl_request_submit(xl_worker *worker, const xl_request_options *options,
                            xl_request **request, xl_error *error) {
    struct error err = {0};
    xl_request_options own;
    if (request) *request = NULL;
    if (!worker || !request)
        return engine_report(
            error, error_set(&err, STATUS_USAGE, "no worker, or nowhere to put the request"), &err);
    struct xl_request *created = NULL;
    enum status status = read_options(&own, options, &err);
    if (status == STATUS_OK) status = create(&created, worker, &own, &err);
    if (status == STATUS_OK) {
        *request = created; // events may come before this call returns
        status = worker_enqueue(worker, created, &err);
        if (status != STATUS_OK) {
            *request = NULL;
            destroy(created);
        }
    } else
        worker_count_refusal(worker);
    return engine_report(error, status, &err);
}

void xl_request_cancel(xl_request *request) {
    if (!request) return;
    __atomic_store_n(&request->cancel, 1, __ATOMIC_RELAXED);
    worker_wake(request->worker);
}

void xl_request_release(xl_request *request) {
    if (!request) return;
    xl_request_cancel(request);
    request_drop(request);
}

// ---- Events ------------------------------------------------------------------------------------

void request_find_odds(const struct xl_request *request, int32_t token, const float *logits,
                       struct token_odds *odds) {
    odds->logprob = 0;
    odds->n_best = 0;
    if (request->n_logprobs >= 0)
        odds->n_best = logprobs_find(logits, request->chooser.n_vocab, token, &odds->logprob,
                                     odds->best, request->n_logprobs);
}

void request_tell_token(struct xl_request *request, int32_t token, const struct token_odds *odds) {
    struct chooser *chooser = &request->chooser;
    xl_request_event event = {.token = token,
                              .text = chooser->shown_bytes > 0 ? chooser->shown : "",
                              .text_bytes = chooser->shown_bytes,
                              .logprob = odds->logprob,
                              .logprobs = odds->best,
                              .n_logprobs = odds->n_best};
    request->on_event(request->user_data, &event);
    chooser_drop(chooser);
}

void request_tell_end(struct xl_request *request, enum status status, const struct error *err) {
    const struct chooser *chooser = &request->chooser;
    double now = clock_seconds();
    xl_request_event event = {
        .is_last = true,
        .token = -1,
        .text = chooser->shown_bytes > 0 ? chooser->shown : "",
        .text_bytes = chooser->shown_bytes,
        .status = (xl_status)status,
        .error_message = status == STATUS_OK            ? ""
                         : err && err->status == status ? err->message
                                                        : status_name(status),
        .finish = request->finish,
        .prompt_tokens = request->n_prompt,
        .memory_tokens = request->memory_tokens,
        .disk_tokens = request->disk_tokens,
        .generated_tokens = chooser->n_generated,
        .drafted_tokens = request->drafted_tokens,
        .accepted_tokens = request->accepted_tokens,
        .waited_s = (request->started_s > 0 ? request->started_s : now) - request->submitted_s,
        .first_token_s =
            request->first_token_s > 0 ? request->first_token_s - request->submitted_s : 0,
        .total_s = now - request->submitted_s,
    };
    request->on_event(request->user_data, &event);
    wipe(request);
}
