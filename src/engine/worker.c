// SPDX-License-Identifier: Apache-2.0
// See worker.h. The thread's round: take what is new, end what was cancelled, admit whose turn it
// is, make a step.
#include "engine/worker.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    RUNNING_DEFAULT = 32,
    RUNNING_MAX = 1024,
    WAITING_DEFAULT = 256,
    WAITING_MAX = 1 << 20,
    PREEMPTED_MAX = 2 // background requests that lost their place so often keep it
};

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

// What describe() says about memory.
static void count_memory(struct xl_worker *worker) {
    const struct kv_pool *pool = &worker->pool;
    uint64_t n_kept = (uint64_t)worker->tree.n_kept, n_used = (uint64_t)kv_pool_used(pool);
    pthread_mutex_lock(&worker->lock);
    worker->stats.kv_kept_bytes = n_kept * pool->layout.page_bytes;
    worker->stats.kv_used_bytes = (n_used - n_kept) * pool->layout.page_bytes;
    pthread_mutex_unlock(&worker->lock);
}

// ---- Where requests are
// --------------------------------------------------------------------------

void worker_end(struct xl_worker *worker, struct xl_request *request, enum status status,
                struct error *err) {
    xl_worker_stats *stats = &worker->stats;
    pthread_mutex_lock(&worker->lock);
    if (status == STATUS_CANCELLED) stats->cancelled++;
    if (status != STATUS_OK && status != STATUS_CANCELLED) stats->failed++;
    stats->prompt_tokens += (uint64_t)request->n_prompt;
    stats->memory_tokens += (uint64_t)request->memory_tokens;
    stats->disk_tokens += (uint64_t)request->disk_tokens;
    stats->generated_tokens += (uint64_t)request->chooser.n_generated;
    stats->drafted_tokens += (uint64_t)request->drafted_tokens;
    stats->accepted_tokens += (uint64_t)request->accepted_tokens;
    pthread_mutex_unlock(&worker->lock);
    worker_memory_leave(worker, request, status == STATUS_OK || status == STATUS_CANCELLED);
    kv_cache_deinit(&request->cache);
    count_memory(worker);
    request_tell_end(request, status, err);
    request_drop(request);
}

static void remove_running(struct xl_worker *worker, int index) {
    pthread_mutex_lock(&worker->lock);
    worker->n_running--;
    memmove(worker->running + index, worker->running + index + 1,
            (size_t)(worker->n_running - index) * sizeof *worker->running);
    worker->stats.running = worker->n_running;
    pthread_mutex_unlock(&worker->lock);
}

void worker_end_running(struct xl_worker *worker, int index, enum status status,
                        struct error *err) {
    struct xl_request *request = worker->running[index];
    if (disk_errand_is_out(&request->errand)) {
        request->has_ended = true;
        request->end_status = status;
        if (err) request->end_err = *err;
        return;
    }
    remove_running(worker, index);
    worker_end(worker, request, status, err);
}

// The errand of running[index] is back. False: with it the request ended.
static bool collect(struct xl_worker *worker, int index) {
    struct xl_request *request = worker->running[index];
    worker_memory_collect(worker, request);
    if (!request->has_ended) return true;
    worker_end_running(worker, index, request->end_status, &request->end_err);
    return false;
}

static void collect_all(struct xl_worker *worker, bool waits) {
    for (int i = worker->n_running - 1; i >= 0; i--) {
        const struct disk_errand *errand = &worker->running[i]->errand;
        if (!disk_errand_is_out(errand)) continue;
        if (waits) worker_disk_wait(worker->disk, errand);
        if (worker_disk_is_back(worker->disk, errand)) collect(worker, i);
    }
}

void worker_put_back(struct xl_worker *worker, int index) {
    struct xl_request *request = worker->running[index];
    if (disk_errand_is_out(&request->errand)) {
        worker_disk_wait(worker->disk, &request->errand);
        if (!collect(worker, index)) return;
    }
    remove_running(worker, index);
    worker_memory_leave(worker, request, true);
    request->n_preempted++;
    worker->waiting[worker->n_waiting++] = &request->turn;
    pthread_mutex_lock(&worker->lock);
    worker->stats.waiting++;
    pthread_mutex_unlock(&worker->lock);
}

static bool is_interactive(const struct xl_request *request) {
    return request->turn.priority == XL_INTERACTIVE || request->keeps_place ||
           request->n_preempted >= PREEMPTED_MAX;
}

static bool is_more_important(const struct xl_request *a, const struct xl_request *b) {
    if (is_interactive(a) != is_interactive(b)) return is_interactive(a);
    return a->turn.arrival < b->turn.arrival;
}

static void insert_running(struct xl_worker *worker, struct xl_request *request) {
    pthread_mutex_lock(&worker->lock);
    int index = worker->n_running++;
    for (; index > 0 && is_more_important(request, worker->running[index - 1]); index--)
        worker->running[index] = worker->running[index - 1];
    worker->running[index] = request;
    worker->stats.running = worker->n_running;
    if (worker->is_closing) __atomic_store_n(&request->cancel, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&worker->lock);
}

static void remove_waiting(struct xl_worker *worker, int index) {
    worker->waiting[index] = worker->waiting[--worker->n_waiting];
    pthread_mutex_lock(&worker->lock);
    worker->stats.waiting--;
    pthread_mutex_unlock(&worker->lock);
}

// ---- The thread --------------------------------------------------------------------------------

static void end_cancelled(struct xl_worker *worker) {
    struct error err;
    error_set(&err, STATUS_CANCELLED, "cancelled before the first token");
    for (int i = worker->n_waiting - 1; i >= 0; i--) {
        struct xl_request *request = worker->waiting[i]->request;
        if (!request_cancelled(request)) continue;
        remove_waiting(worker, i);
        request->finish = XL_FINISH_CANCELLED;
        worker_end(worker, request, STATUS_CANCELLED, &err);
    }
    for (int i = worker->n_running - 1; i >= 0; i--) {
        struct xl_request *request = worker->running[i];
        if (!request_cancelled(request) || request->has_ended) continue;
        request->finish = XL_FINISH_CANCELLED;
        worker_end_running(worker, i, STATUS_CANCELLED, &err);
    }
}

static bool some_wait(const struct xl_worker *worker, xl_priority priority) {
    for (int i = 0; i < worker->n_waiting; i++)
        if (worker->waiting[i]->priority == priority) return true;
    return false;
}

static enum status start(struct xl_worker *worker, struct xl_request *request, struct error *err) {
    if (!request->has_chooser) {
        TRY(chooser_init(&request->chooser, &request->generate, worker->engine, err));
        request->has_chooser = true;
        chooser_see(&request->chooser, request->tokens, (size_t)request->n_prompt);
        prompt_lookup_init(&request->lookup, request->generate.draft_max);
        request->started_s = clock_seconds();
    }
    return worker_memory_admit(worker, request, err);
}

// A background request makes place for one that somebody waits for.
static bool has_place(struct xl_worker *worker, const struct xl_request *request) {
    if (worker->n_running < worker->n_running_max) return true;
    int last = worker->n_running - 1;
    if (!is_interactive(request) || is_interactive(worker->running[last])) return false;
    worker_put_back(worker, last);
    return true;
}

// Whoever is next is waited for: others do not overtake.
static void admit(struct xl_worker *worker) {
    for (;;) {
        int index = turn_order_next(&worker->order, worker->waiting, worker->n_waiting);
        if (index < 0) return;
        struct xl_request *request = worker->waiting[index]->request;
        if (!worker_memory_fits(worker, request) || !has_place(worker, request)) return;
        struct error err = {0};
        remove_waiting(worker, index);
        turn_order_took(&worker->order, &request->turn, some_wait(worker, XL_BACKGROUND));
        if (some_wait(worker, XL_INTERACTIVE)) request->keeps_place = true;
        enum status status = start(worker, request, &err);
        if (status == STATUS_OK)
            insert_running(worker, request);
        else
            worker_end(worker, request, status, &err);
    }
}

// Is there anything to do without anybody's call?
static bool has_work(const struct xl_worker *worker) {
    for (int i = 0; i < worker->n_running; i++)
        if (!request_is_away(worker->running[i])) return true;
    return worker->n_running == 0 && worker->n_waiting > 0;
}

// Brings what is new among those that wait. False: the worker closes.
static bool take_new(struct xl_worker *worker) {
    pthread_mutex_lock(&worker->lock);
    while (!worker->was_woken && !worker->is_closing && !has_work(worker))
        pthread_cond_wait(&worker->wake, &worker->lock);
    struct xl_request *request = worker->first_new;
    bool is_closing = worker->is_closing;
    worker->first_new = worker->last_new = NULL;
    worker->was_woken = false;
    pthread_mutex_unlock(&worker->lock);
    for (; request; request = request->next) {
        request->turn.arrival = ++worker->n_arrivals;
        request->turn.round =
            turn_order_round(&worker->order, &request->turn, worker->waiting, worker->n_waiting);
        worker->waiting[worker->n_waiting++] = &request->turn;
    }
    return !is_closing;
}

static void cancel_all(struct xl_worker *worker) {
    for (int i = 0; i < worker->n_waiting; i++)
        __atomic_store_n(&worker->waiting[i]->request->cancel, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < worker->n_running; i++)
        __atomic_store_n(&worker->running[i]->cancel, 1, __ATOMIC_RELAXED);
    collect_all(worker, true);
    end_cancelled(worker);
}

static void *run(void *argument) {
    struct xl_worker *worker = argument;
    while (take_new(worker)) {
        collect_all(worker, false);
        end_cancelled(worker);
        admit(worker);
        worker_step_run(worker);
        count_memory(worker);
        if (worker->n_running == 0) worker_step_wipe(worker);
    }
    cancel_all(worker);
    return NULL;
}

// ---- Life --------------------------------------------------------------------------------------

static enum status open_parts(struct xl_worker *worker, const xl_worker_options *options,
                              struct error *err) {
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
    size_t n_running = (size_t)worker->n_running_max;
    size_t n_waiting = (size_t)worker->n_waiting_max + n_running;
    worker->running = calloc(n_running, sizeof *worker->running);
    worker->waiting = calloc(n_waiting, sizeof *worker->waiting);
    if (!worker->running || !worker->waiting)
        return error_no_memory(err, "lists of requests", n_waiting * sizeof *worker->waiting);
    TRY(worker_memory_init(worker, options->kv_bytes, err));
    TRY(worker_step_create(worker, err));
    uint64_t fingerprint = 0;
    if (options->prefix_dir) TRY(engine_fingerprint_whole(worker->engine, &fingerprint, err));
    TRY(worker_disk_open(&worker->disk, worker, options, &worker->pool.layout, fingerprint, err));
    worker->stats.kv_bytes = (uint64_t)worker->pool.n_pages * worker->pool.layout.page_bytes;
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
    free(worker->running);
    free(worker->waiting);
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
        for (int i = 0; i < worker->n_running; i++)
            __atomic_store_n(&worker->running[i]->cancel, 1, __ATOMIC_RELAXED);
        pthread_cond_signal(&worker->wake);
        pthread_mutex_unlock(&worker->lock);
        pthread_join(worker->thread, NULL);
    }
    worker_disk_close(worker->disk);
    worker_step_destroy(worker);
    worker_memory_deinit(worker);
    worker_drop(worker);
}

void xl_worker_describe(xl_worker *worker, xl_worker_stats *stats) {
    if (!worker || !stats || stats->size < sizeof stats->size || stats->size > sizeof *stats)
        return;
    size_t size = stats->size;
    pthread_mutex_lock(&worker->lock);
    xl_worker_stats own = worker->stats;
    pthread_mutex_unlock(&worker->lock);
    worker_disk_describe(worker->disk, &own);
    memcpy(stats, &own, size);
    stats->size = size;
}
