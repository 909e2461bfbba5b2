// SPDX-License-Identifier: Apache-2.0
// See worker.h.
#include "engine/worker.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { RUNNING_DEFAULT = 32, RUNNING_MAX = 1024, WAITING_DEFAULT = 256, WAITING_MAX = 1 << 20 };

xl_worker_options xl_worker_options_default(void) {
    return (xl_worker_options){.size = sizeof(xl_worker_options)};
}

static enum status read_options(xl_worker_options *own, const xl_worker_options *given,
                                struct error *err) {
    *own = xl_worker_options_default();
    if (given) {
        if (given->size < sizeof given->size || given->size > sizeof *own)
            return error_set(err, STATUS_USAGE,
                             "xl_worker_options of %zu bytes; this library knows %zu", given->size,
                             sizeof *own);
        memcpy(own, given, given->size);
        own->size = sizeof *own;
    }
    if (own->running_max < 0 || own->running_max > RUNNING_MAX)
        return error_set(err, STATUS_USAGE, "%d running requests; allowed are 1 to %d",
                         own->running_max, RUNNING_MAX);
    if (own->waiting_max < 0 || own->waiting_max > WAITING_MAX)
        return error_set(err, STATUS_USAGE, "%d waiting requests; allowed are 1 to %d",
                         own->waiting_max, WAITING_MAX);
    if (own->running_max == 0) own->running_max = RUNNING_DEFAULT;
    if (own->waiting_max == 0) own->waiting_max = WAITING_DEFAULT;
    return STATUS_OK;
}

// ---- What callers and the thread share ---------------------------------------------------------

enum status worker_enqueue(struct xl_worker *worker, struct xl_request *request,
                           struct error *err) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&worker->lock);
    if (worker->is_closing)
        status = error_set(err, STATUS_USAGE, "the worker is closing");
    else if (worker->stats.waiting >= worker->n_waiting_max)
        status =
            error_set(err, STATUS_NO_MEMORY, "%d requests are waiting already; try again later",
                      worker->stats.waiting);
    if (status == STATUS_OK) {
        __atomic_add_fetch(&worker->n_holders, 1, __ATOMIC_RELAXED);
        if (worker->last_new)
            worker->last_new->next = request;
        else
            worker->first_new = request;
        worker->last_new = request;
        worker->stats.waiting++;
        worker->stats.requests++;
        worker->was_woken = true;
        pthread_cond_signal(&worker->wake);
    } else
        worker->stats.refused++;
    pthread_mutex_unlock(&worker->lock);
    return status;
}

void worker_count_refusal(struct xl_worker *worker) {
    pthread_mutex_lock(&worker->lock);
    worker->stats.refused++;
    pthread_mutex_unlock(&worker->lock);
}

void worker_wake(struct xl_worker *worker) {
    pthread_mutex_lock(&worker->lock);
    worker->was_woken = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

// ---- The thread --------------------------------------------------------------------------------

static void end(struct xl_request *request, enum status status, struct error *err) {
    struct xl_worker *worker = request->worker;
    pthread_mutex_lock(&worker->lock);
    worker->running = NULL;
    worker->stats.running--;
    if (status == STATUS_CANCELLED) worker->stats.cancelled++;
    if (status != STATUS_OK && status != STATUS_CANCELLED) worker->stats.failed++;
    worker->stats.prompt_tokens += (uint64_t)request->n_prompt;
    worker->stats.generated_tokens += (uint64_t)request->chooser.n_generated;
    pthread_mutex_unlock(&worker->lock);
    request_tell_end(request, status, err);
    request_drop(request);
}

static xl_finish limit_reached(const struct xl_request *request) {
    if (request_cancelled(request)) return XL_FINISH_CANCELLED;
    if (request->n_tokens < request->n_tokens_max) return XL_FINISH_NONE;
    int max = request->generate.max_tokens;
    return max >= 0 && request->chooser.n_generated >= max ? XL_FINISH_LENGTH : XL_FINISH_CONTEXT;
}

static enum status generate(struct xl_request *request, struct xl_session *session,
                            struct error *err) {
    struct chooser *chooser = &request->chooser;
    enum choice choice;
    TRY(chooser_init(chooser, &request->generate, session->engine->tokenizer,
                     model_configuration(session->engine->model)->n_vocab, err));
    chooser_see(chooser, request->tokens, (size_t)request->n_prompt);
    int n_fed = 0;
    for (;;) {
        TRY(session_feed(session, request->tokens + n_fed, (size_t)(request->n_tokens - n_fed),
                         NULL, err));
        n_fed = request->n_tokens;
        request->finish = limit_reached(request);
        if (request->finish != XL_FINISH_NONE) break;
        int32_t token = chooser_choose(chooser, session->logits);
        if (request->first_token_s == 0) request->first_token_s = clock_seconds();
        TRY(chooser_take(chooser, token, &choice, err));
        if (choice == CHOICE_END) {
            request->finish = XL_FINISH_END;
            break;
        }
        request->tokens[request->n_tokens++] = token;
        request_tell_token(request, token, session->logits);
        request->finish = choice == CHOICE_STOP ? XL_FINISH_STOP : limit_reached(request);
        if (request->finish != XL_FINISH_NONE) break;
    }
    if (request->finish == XL_FINISH_CANCELLED)
        return error_set(err, STATUS_CANCELLED, "cancelled after %d tokens", chooser->n_generated);
    TRY(chooser_finish(chooser, &choice, err));
    if (choice == CHOICE_STOP) request->finish = XL_FINISH_STOP;
    return STATUS_OK;
}

static void serve(struct xl_worker *worker, struct xl_request *request) {
    struct error err = {0};
    struct xl_session *session = worker->session;
    request->started_s = clock_seconds();
    xl_session_rewind(session, 0, NULL);
    forward_workspace_set_cancel(session->workspace, &request->cancel);
    enum status status = generate(request, session, &err);
    if (status == STATUS_CANCELLED) request->finish = XL_FINISH_CANCELLED;
    end(request, status, &err);
}

static void *run(void *argument) {
    struct xl_worker *worker = argument;
    for (;;) {
        pthread_mutex_lock(&worker->lock);
        while (!worker->first_new && !worker->is_closing)
            pthread_cond_wait(&worker->wake, &worker->lock);
        struct xl_request *request = worker->first_new;
        if (request) {
            worker->first_new = request->next;
            if (!worker->first_new) worker->last_new = NULL;
            worker->stats.waiting--;
            worker->stats.running++;
            worker->running = request;
            if (worker->is_closing) __atomic_store_n(&request->cancel, 1, __ATOMIC_RELAXED);
        }
        pthread_mutex_unlock(&worker->lock);
        if (!request) return NULL;
        serve(worker, request);
    }
}

// ---- Life --------------------------------------------------------------------------------------

static enum status open_parts(struct xl_worker *worker, const xl_worker_options *options,
                              struct error *err) {
    xl_error error;
    TRY(engine_require_model(worker->engine, err));
    worker->n_running_max = options->running_max;
    worker->n_waiting_max = options->waiting_max;
    if (pthread_mutex_init(&worker->lock, NULL) != 0)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a mutex");
    if (pthread_cond_init(&worker->wake, NULL) != 0) {
        pthread_mutex_destroy(&worker->lock);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a condition");
    }
    worker->has_lock = true;
    if (xl_session_open(worker->engine, &worker->session, &error) != XL_OK)
        return error_set(err, (enum status)error.status, "%s", error.message);
    if (pthread_create(&worker->thread, NULL, run, worker) != 0)
        return error_set(err, STATUS_NO_MEMORY, "cannot start the worker's thread");
    worker->has_thread = true;
    return STATUS_OK;
}

void worker_drop(struct xl_worker *worker) {
    if (__atomic_sub_fetch(&worker->n_holders, 1, __ATOMIC_ACQ_REL) > 0) return;
    if (worker->has_lock) {
        pthread_cond_destroy(&worker->wake);
        pthread_mutex_destroy(&worker->lock);
    }
    free(worker);
}

xl_status xl_worker_open(xl_engine *engine, const xl_worker_options *options, xl_worker **worker,
                         xl_error *error) {
    struct error err = {0};
    xl_worker_options own;
    if (worker) *worker = NULL;
    if (!engine || !worker)
        return engine_report(error, error_set(&err, STATUS_USAGE, "no engine to work on"), &err);
    enum status status = read_options(&own, options, &err);
    if (status != STATUS_OK) return engine_report(error, status, &err);
    struct xl_worker *opened = calloc(1, sizeof *opened);
    if (!opened)
        return engine_report(error, error_no_memory(&err, "a worker", sizeof *opened), &err);
    opened->engine = engine;
    opened->n_holders = 1;
    status = open_parts(opened, &own, &err);
    if (status != STATUS_OK)
        xl_worker_close(opened);
    else
        *worker = opened;
    return engine_report(error, status, &err);
}

void xl_worker_close(xl_worker *worker) {
    if (!worker) return;
    if (worker->has_thread) {
        pthread_mutex_lock(&worker->lock);
        worker->is_closing = true;
        if (worker->running) __atomic_store_n(&worker->running->cancel, 1, __ATOMIC_RELAXED);
        pthread_cond_signal(&worker->wake);
        pthread_mutex_unlock(&worker->lock);
        pthread_join(worker->thread, NULL);
    }
    xl_session_close(worker->session);
    worker_drop(worker);
}

void xl_worker_describe(xl_worker *worker, xl_worker_stats *stats) {
    if (!worker || !stats || stats->size < sizeof stats->size || stats->size > sizeof *stats)
        return;
    size_t size = stats->size;
    pthread_mutex_lock(&worker->lock);
    xl_worker_stats own = worker->stats;
    pthread_mutex_unlock(&worker->lock);
    memcpy(stats, &own, size);
    stats->size = size;
}
