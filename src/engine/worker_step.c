// SPDX-License-Identifier: Apache-2.0
// A step of a worker: one forward pass over the next tokens of all running requests and over
// chunks of prompts that are still being read; then everybody's choice, and its events. What a
// request gets depends on its own tokens alone, so who shares a step decides only about time:
//
//   guesses   are tried as far as the tokens won exceed what the wider pass costs (step_cost.h)
//   chunks    while others generate, no more of a prompt than about doubles their step; the least
//             recently served user first, interactive requests before background ones
#include "engine/worker.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    READ_MIN = 16,   // tokens of a prompt in any step: prompts end, whatever they delay
    READ_ROUND = 16, // chunks are tried in multiples of this
    SPARE_ROWS = 64  // of logits, for guesses
};
static const double short_delay_s = 0.05; // nobody minds

// What follows from a run's first row, found by all threads together.
struct first_choice {
    int32_t token;
    enum status status;
    struct error err;
    struct token_odds odds;
};

struct worker_step {
    struct forward_workspace *workspace;
    struct step_cost cost;
    int n_vocab, n_tokens_max, n_rows_max, chunk;
    struct forward_run *runs;     // [n_running_max]
    struct xl_request **members;  // [n_running_max] whose runs they are
    struct first_choice *choices; // [n_running_max]
    int n_taken;                  // atomic: runs that some thread has chosen for
    int n_runs, n_tokens, n_rows; // of this step
    int n_rows_used;              // the most since they were wiped
    int n_decoding;               // of its tokens, those that continue generations
    int32_t *fed;                 // [n_tokens_max]
    float *logits;                // [n_rows_max][n_vocab]
    uint64_t n_chunks;            // read so far
    int n_interactive_chunks;     // since the last of a background request
};

enum status worker_step_create(struct xl_worker *worker, struct error *err) {
    struct xl_engine *engine = worker->engine;
    struct worker_step *step = calloc(1, sizeof *step);
    if (!step) return error_no_memory(err, "a worker's step", sizeof *step);
    worker->step = step;
    size_t n = (size_t)worker->n_running_max;
    step->n_vocab = model_configuration(engine->model)->n_vocab;
    step->chunk = engine->chunk;
    step->n_rows_max = worker->n_running_max + SPARE_ROWS;
    step->n_tokens_max = step->n_rows_max > step->chunk ? step->n_rows_max : step->chunk;
    size_t row_bytes = (size_t)step->n_rows_max * (size_t)step->n_vocab * sizeof(float);
    step->runs = calloc(n, sizeof *step->runs);
    step->members = calloc(n, sizeof *step->members);
    step->choices = calloc(n, sizeof *step->choices);
    step->fed = calloc((size_t)step->n_tokens_max, sizeof *step->fed);
    step->logits = malloc(row_bytes);
    if (!step->runs || !step->members || !step->choices || !step->fed || !step->logits)
        return error_no_memory(err, "a worker's step", row_bytes);
    TRY(forward_workspace_create(&step->workspace, engine->model, &engine->kernels, engine->pool,
                                 step->n_tokens_max, engine->context, err));
    forward_workspace_set_threads(step->workspace, engine->n_threads, engine->n_threads_batch);
    return STATUS_OK;
}

void worker_step_destroy(struct xl_worker *worker) {
    struct worker_step *step = worker->step;
    if (!step) return;
    if (step->logits)
        explicit_bzero(step->logits,
                       (size_t)step->n_rows_max * (size_t)step->n_vocab * sizeof(float));
    if (step->fed) explicit_bzero(step->fed, (size_t)step->n_tokens_max * sizeof *step->fed);
    if (step->choices)
        explicit_bzero(step->choices, (size_t)worker->n_running_max * sizeof *step->choices);
    forward_workspace_destroy(step->workspace);
    free(step->choices);
    free(step->runs);
    free(step->members);
    free(step->fed);
    free(step->logits);
    free(step);
    worker->step = NULL;
}

void worker_step_wipe(struct xl_worker *worker) {
    struct worker_step *step = worker->step;
    size_t row_bytes = (size_t)step->n_vocab * sizeof *step->logits;
    explicit_bzero(step->logits, (size_t)step->n_rows_used * row_bytes);
    explicit_bzero(step->fed, (size_t)step->n_tokens_max * sizeof *step->fed);
    explicit_bzero(step->choices, (size_t)worker->n_running_max * sizeof *step->choices);
    step->n_rows_used = 0;
}

// ---- What is computed --------------------------------------------------------------------------

static void add_run(struct worker_step *step, struct xl_request *request, const int32_t *tokens,
                    int n_tokens, int n_rows) {
    float *logits = step->logits + (size_t)step->n_rows * (size_t)step->n_vocab;
    request->row = n_rows > 0 ? logits : NULL;
    request->is_in_step = true;
    step->members[step->n_runs] = request;
    step->runs[step->n_runs++] = (struct forward_run){
        .cache = &request->cache,
        .tokens = tokens,
        .n_tokens = n_tokens,
        .n_outputs = n_rows,
        .logits = logits,
        .cancel = &request->cancel,
    };
    step->n_tokens += n_tokens;
    step->n_rows += n_rows;
}

// How many guesses pay, when a step over n_tokens that wins n_won tokens is what happens without.
static int count_guesses(const struct worker_step *step, const struct prompt_lookup *lookup,
                         int n_max, int n_tokens, double *n_won) {
    if (n_max > lookup->n_guesses) n_max = lookup->n_guesses;
    if (lookup->always || n_max < 1) return n_max < 0 ? 0 : n_max;
    double base_s = step_cost_predict(&step->cost, n_tokens, true);
    if (base_s == 0) return 0; // nothing was measured yet
    double success = prompt_lookup_success(lookup), power = 1, won = *n_won;
    double best_rate = won / base_s, best_won = won;
    int best = 0;
    for (int n = 1; n <= n_max; n++) {
        power *= success;
        won += power;
        double rate = won / step_cost_predict(&step->cost, n_tokens + n, true);
        if (rate <= best_rate) continue;
        best_rate = rate;
        best_won = won;
        best = n;
    }
    *n_won = best_won;
    return best;
}

static int guess(struct worker_step *step, struct xl_request *request, int n_others,
                 double *n_won) {
    int n_max = request->n_tokens_max - request->n_tokens - 1;
    int n_room = step->n_tokens_max - step->n_tokens - n_others - 1;
    int n_rows = step->n_rows_max - step->n_rows - n_others - 1;
    if (n_max > n_room) n_max = n_room;
    if (n_max > n_rows) n_max = n_rows;
    prompt_lookup_guess(&request->lookup, request->tokens, request->n_tokens, n_max);
    return count_guesses(step, &request->lookup, n_max, step->n_tokens + n_others + 1, n_won);
}

static bool generates(const struct xl_request *request) {
    return request_is_decoding(request) && !request_is_away(request);
}

static bool reads(const struct xl_request *request) {
    return !request_is_decoding(request) && !request_is_away(request);
}

// The next token of everybody who generates, with guesses behind it.
static void plan_decoding(struct xl_worker *worker) {
    struct worker_step *step = worker->step;
    int n_others = 0;
    for (int i = 0; i < worker->n_running; i++)
        n_others += generates(worker->running[i]);
    double n_won = n_others;
    for (int i = 0; i < worker->n_running; i++) {
        struct xl_request *request = worker->running[i];
        if (!generates(request)) continue;
        n_others--;
        if (!worker_memory_reserve(worker, i, 1)) return; // it was the last
        int n = guess(step, request, n_others, &n_won);
        if (n > 0 && !worker_memory_reserve_spare(worker, request, 1 + n)) n = 0;
        request->n_guesses = n;
        int32_t *fed = step->fed + step->n_tokens;
        fed[0] = request->tokens[request->n_tokens - 1];
        memcpy(fed + 1, request->lookup.guesses, (size_t)n * sizeof *fed);
        add_run(step, request, fed, 1 + n, 1 + n);
    }
    step->n_decoding = step->n_tokens;
}

// How many tokens of prompts this step may read.
static int reading_budget(const struct worker_step *step) {
    int n_max = step->n_tokens_max - step->n_tokens;
    if (n_max > step->chunk) n_max = step->chunk;
    if (step->n_decoding == 0) return n_max;
    double base_s = step_cost_predict(&step->cost, step->n_decoding, false);
    double limit_s = 2 * base_s > base_s + short_delay_s ? 2 * base_s : base_s + short_delay_s;
    int n = READ_MIN;
    while (n + READ_ROUND <= n_max &&
           step_cost_predict(&step->cost, step->n_decoding + n + READ_ROUND, false) <= limit_s)
        n += READ_ROUND;
    return n < n_max ? n : n_max;
}

// When a user's last chunk was read, whoever of the requests it was of.
static uint64_t last_read_of(const struct xl_worker *worker, const char *user) {
    uint64_t last = 0;
    for (int i = 0; i < worker->n_running; i++)
        if (worker->running[i]->last_read > last &&
            strcmp(worker->running[i]->turn.user, user) == 0)
            last = worker->running[i]->last_read;
    return last;
}

// Whose prompt is read next among those of a priority; NULL: nobody's.
static struct xl_request *next_reader(const struct xl_worker *worker, xl_priority priority) {
    struct xl_request *best = NULL;
    uint64_t best_read = 0;
    for (int i = 0; i < worker->n_running; i++) {
        struct xl_request *request = worker->running[i];
        if (request->is_in_step || !reads(request) || request->turn.priority != priority) continue;
        uint64_t read = last_read_of(worker, request->turn.user);
        if (best &&
            (read > best_read || (read == best_read && request->turn.arrival > best->turn.arrival)))
            continue;
        best = request;
        best_read = read;
    }
    return best;
}

static struct xl_request *choose_reader(struct xl_worker *worker) {
    struct worker_step *step = worker->step;
    struct xl_request *interactive = next_reader(worker, XL_INTERACTIVE);
    struct xl_request *background = next_reader(worker, XL_BACKGROUND);
    bool is_turn = step->n_interactive_chunks >= BACKGROUND_SHARE - 1;
    if (!interactive || (background && is_turn)) {
        step->n_interactive_chunks = 0;
        return background;
    }
    if (background) step->n_interactive_chunks++;
    return interactive;
}

// Another request whose next page will hold what this one's does, and which is further: to wait for
// it is cheaper than reading the same beside it.
static struct xl_request *leader_of(const struct xl_worker *worker,
                                    const struct xl_request *request) {
    int first = request->n_nodes * PAGE_TOKENS, end = first + PAGE_TOKENS;
    if (request->no_prefix || request->cache.n_used != first || request->n_tokens <= end)
        return NULL;
    for (int i = 0; i < worker->n_running; i++) {
        struct xl_request *other = worker->running[i];
        bool is_further =
            other->cache.n_used > first ||
            (other->cache.n_used == first && other->turn.arrival < request->turn.arrival);
        if (other != request && is_further && !other->no_prefix && reads(other) &&
            other->node == request->node && other->n_nodes == request->n_nodes &&
            other->n_tokens >= end &&
            memcmp(other->tokens + first, request->tokens + first,
                   PAGE_TOKENS * sizeof *request->tokens) == 0)
            return other;
    }
    return NULL;
}

static void read_chunk(struct xl_worker *worker, struct xl_request *request, int *n_left) {
    struct worker_step *step = worker->step;
    int first = request->cache.n_used, n = request->n_tokens - first;
    if (n > *n_left) n = *n_left;
    bool is_last = first + n == request->n_tokens;
    request->last_read = step->n_chunks;
    add_run(step, request, request->tokens + first, n,
            is_last && request->n_tokens < request->n_tokens_max ? 1 : 0);
    *n_left -= n;
}

// Pages for all of every prompt, as long as nobody is part of the step yet.
static void reserve_prompts(struct xl_worker *worker) {
    for (int i = 0; i < worker->n_running; i++) {
        struct xl_request *request = worker->running[i];
        if (!reads(request)) continue;
        if (!worker_memory_reserve(worker, i, request->n_tokens - request->cache.n_used)) break;
    }
}

// Chunks of prompts, as far as the budget goes.
static void plan_reading(struct xl_worker *worker) {
    struct worker_step *step = worker->step;
    int n_left = reading_budget(step);
    while (n_left > 0 && step->n_rows < step->n_rows_max) {
        struct xl_request *request = choose_reader(worker);
        if (!request) break;
        request->is_in_step = true; // considered, at least
        request->last_read = ++step->n_chunks;
        worker_memory_follow(worker, request);
        struct xl_request *leader = leader_of(worker, request);
        if (!leader)
            read_chunk(worker, request, &n_left);
        else if (!leader->is_in_step)
            read_chunk(worker, leader, &n_left); // in its place
    }
}

static void plan(struct xl_worker *worker) {
    struct worker_step *step = worker->step;
    step->n_runs = step->n_tokens = step->n_rows = step->n_decoding = 0;
    for (int i = 0; i < worker->n_running; i++) {
        worker->running[i]->is_in_step = false;
        worker->running[i]->row = NULL;
        worker->running[i]->n_guesses = 0;
    }
    reserve_prompts(worker);
    plan_decoding(worker);
    plan_reading(worker);
}

// ---- What comes of it --------------------------------------------------------------------------

static xl_finish limit_reached(const struct xl_request *request) {
    if (request_cancelled(request)) return XL_FINISH_CANCELLED;
    if (request->n_tokens < request->n_tokens_max) return XL_FINISH_NONE;
    int max = request->generate.max_tokens;
    return max >= 0 && request->chooser.n_generated >= max ? XL_FINISH_LENGTH : XL_FINISH_CONTEXT;
}

static void choose(struct xl_request *request, const float *logits, struct first_choice *choice) {
    choice->status = chooser_choose(&request->chooser, logits, &choice->token, &choice->err);
    if (choice->status == STATUS_OK)
        request_find_odds(request, choice->token, logits, &choice->odds);
}

// Each thread of the pool takes the next run that nobody has taken.
static void choose_firsts(void *argument, int thread_index, int n_threads) {
    struct worker_step *step = argument;
    (void)thread_index;
    (void)n_threads;
    for (;;) {
        int i = __atomic_fetch_add(&step->n_taken, 1, __ATOMIC_RELAXED);
        if (i >= step->n_runs) return;
        if (step->members[i]->row && !step->runs[i].cancelled)
            choose(step->members[i], step->members[i]->row, &step->choices[i]);
    }
}

static enum status take_token(struct xl_request *request, const struct first_choice *chosen,
                              struct error *err) {
    enum choice choice;
    if (request->first_token_s == 0) request->first_token_s = clock_seconds();
    TRY(chooser_take(&request->chooser, chosen->token, &choice, err));
    if (choice == CHOICE_END) {
        request->finish = XL_FINISH_END;
        return STATUS_OK;
    }
    request->tokens[request->n_tokens++] = chosen->token;
    request_tell_token(request, chosen->token, &chosen->odds);
    if (choice == CHOICE_STOP)
        request->finish = XL_FINISH_STOP;
    else
        request->finish = choice == CHOICE_GOES_ON ? limit_reached(request) : XL_FINISH_END;
    return STATUS_OK;
}

// Takes the tokens that follow from the rows, up to the first that is not as guessed. The cache
// then holds all of them but the last, as if they had been fed one by one.
static enum status take_rows(struct worker_step *step, struct xl_request *request,
                             struct first_choice *choice, double step_s, struct error *err) {
    int32_t chosen[GUESSES_MAX + 1];
    int n_tried = request->n_guesses, n_chosen = 0;
    int n_before = request->cache.n_used - n_tried;
    bool goes_on = true;
    while (goes_on) {
        if (n_chosen > 0)
            choose(request, request->row + (size_t)n_chosen * (size_t)step->n_vocab, choice);
        if (choice->status != STATUS_OK) {
            *err = choice->err;
            return choice->status;
        }
        goes_on = n_chosen < n_tried && choice->token == request->lookup.guesses[n_chosen];
        chosen[n_chosen++] = choice->token;
        TRY(take_token(request, choice, err));
        if (request->finish != XL_FINISH_NONE) goes_on = false;
    }
    kv_cache_rewind(&request->cache, n_before + n_chosen - 1);
    prompt_lookup_learn(&request->lookup, chosen, n_chosen, n_tried, step_s);
    request->drafted_tokens += n_tried;
    request->accepted_tokens += n_chosen - 1;
    return STATUS_OK;
}

static enum status finish(struct xl_request *request, struct error *err) {
    enum choice choice;
    if (request->finish == XL_FINISH_CANCELLED)
        return error_set(err, STATUS_CANCELLED, "cancelled after %d tokens",
                         request->chooser.n_generated);
    TRY(chooser_finish(&request->chooser, &choice, err));
    if (choice == CHOICE_STOP) request->finish = XL_FINISH_STOP;
    return STATUS_OK;
}

// What a run that was computed means for its request. Returns what it ended with, if it did.
static enum status advance(struct xl_worker *worker, int i, double step_s, struct error *err) {
    struct worker_step *step = worker->step;
    struct xl_request *request = step->members[i];
    if (request->row)
        TRY(take_rows(step, request, &step->choices[i], step_s, err));
    else if (request->cache.n_used == request->n_tokens)
        request->finish = limit_reached(request); // nothing is to be generated
    worker_memory_remember(worker, request);
    TRY(worker_memory_save(worker, request, err));
    return request->finish == XL_FINISH_NONE ? STATUS_OK : finish(request, err);
}

static int index_of(const struct xl_worker *worker, const struct xl_request *request) {
    int index = 0;
    while (worker->running[index] != request)
        index++;
    return index;
}

static void take_run(struct xl_worker *worker, int i, enum status pass, double step_s,
                     const struct error *pass_err) {
    struct xl_request *request = worker->step->members[i];
    struct error err = *pass_err;
    enum status status = pass;
    if (status == STATUS_OK && worker->step->runs[i].cancelled) status = STATUS_CANCELLED;
    if (status == STATUS_OK) status = advance(worker, i, step_s, &err);
    if (status == STATUS_OK && request->finish == XL_FINISH_NONE) return;
    if (status == STATUS_CANCELLED) {
        request->finish = XL_FINISH_CANCELLED;
        error_set(&err, status, "cancelled after %d tokens", request->chooser.n_generated);
    }
    worker_end_running(worker, index_of(worker, request), status, &err);
}

static void count(struct xl_worker *worker, double step_s) {
    const struct worker_step *step = worker->step;
    xl_worker_stats *stats = &worker->stats;
    pthread_mutex_lock(&worker->lock);
    stats->steps++;
    stats->step_tokens += (uint64_t)step->n_tokens;
    stats->busy_s += step_s;
    pthread_mutex_unlock(&worker->lock);
}

void worker_step_run(struct xl_worker *worker) {
    struct worker_step *step = worker->step;
    struct error err = {0};
    plan(worker);
    if (step->n_runs == 0) return;
    if (step->n_rows > step->n_rows_used) step->n_rows_used = step->n_rows;
    fair_lock_take(&worker->engine->turn);
    double start = clock_seconds();
    enum status status =
        model_forward_runs(worker->engine->model, step->workspace, step->runs, step->n_runs, &err);
    double step_s = clock_seconds() - start;
    step->n_taken = 0;
    if (status == STATUS_OK)
        thread_pool_run_some(worker->engine->pool, worker->engine->n_threads, choose_firsts, step);
    fair_lock_give(&worker->engine->turn);
    if (status == STATUS_OK) step_cost_learn(&step->cost, step->n_tokens, step_s);
    count(worker, step_s);
    for (int i = 0; i < step->n_runs; i++)
        take_run(worker, i, status, step_s, &err);
}
