// SPDX-License-Identifier: Apache-2.0
// A worker's memory: too little for all at once changes no byte of what requests get, known
// beginnings are found again, users take turns, and after any number of requests nothing is held.
#include "harness.h"

#include "request_wish.h"
#include "tiny_model.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_MIX = 24,
    N_CYCLES = 3000,
    N_SLOTS = 40,
    N_VISITORS = 4,
    KEY_VALUE_BYTES = 64 * 2 * 2 * 8 * 2 * 4
};

static xl_worker *open_worker(xl_engine *engine, int n_pages, int running_max) {
    xl_worker_options options = xl_worker_options_default();
    xl_worker *worker = NULL;
    xl_error error;
    options.kv_bytes = (uint64_t)n_pages * KEY_VALUE_BYTES;
    options.running_max = running_max;
    if (xl_worker_open(engine, &options, &worker, &error) != XL_OK)
        printf("    %s\n", error.message);
    return worker;
}

static xl_worker_stats stats_of(xl_worker *worker) {
    xl_worker_stats stats = {.size = sizeof stats};
    xl_worker_describe(worker, &stats);
    return stats;
}

// Requests have to give their pages back in the middle, and begin again.
static enum test_result test_shortage(void) {
    static struct wish wishes[N_MIX];
    xl_engine *engine = wish_open_engine();
    CHECK(engine);
    wish_seed(21);
    for (int i = 0; i < N_MIX; i++) {
        wish_make(&wishes[i], i);
        if (i % 2) wishes[i].generate.max_tokens = 100;
        CHECK(request_log_alone(&wishes[i].alone, engine, &wishes[i].options));
    }
    for (int n_pages = 5; n_pages <= 14; n_pages += 3) {
        xl_worker *worker = open_worker(engine, n_pages, n_pages);
        CHECK(worker && stats_of(worker).kv_bytes == (uint64_t)n_pages * KEY_VALUE_BYTES);
        for (int i = 0; i < N_MIX; i++) {
            wish_forget(&wishes[i]);
            CHECK(wish_submit(worker, &wishes[i]));
        }
        for (int i = 0; i < N_MIX; i++) {
            request_log_wait(&wishes[i].worker);
            CHECK_MESSAGE(wish_judge(&wishes[i]), "request %d with %d pages", i, n_pages);
            xl_request_release(wishes[i].worker.request);
        }
        xl_worker_close(worker);
    }
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_never_fits(void) {
    static struct wish wish;
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = engine ? open_worker(engine, 2, 4) : NULL;
    xl_request *request;
    xl_error error;
    CHECK(worker);
    wish_make(&wish, 0);
    wish.options.n_prompt = 100;
    wish.generate.max_tokens = 29; // the last one needs no memory
    CHECK(xl_request_submit(worker, &wish.options, &request, NULL) == XL_OK);
    xl_request_release(request);
    request_log_wait(&wish.worker);
    wish.generate.max_tokens = 30;
    CHECK(xl_request_submit(worker, &wish.options, &request, &error) == XL_NO_MEMORY && !request);
    CHECK_MESSAGE(strstr(error.message, "100 tokens") && strstr(error.message, "3 pages") &&
                      strstr(error.message, "has 2"),
                  "%s", error.message);
    xl_worker_close(worker);
    worker = NULL;
    xl_worker_options options = xl_worker_options_default();
    options.kv_bytes = KEY_VALUE_BYTES - 1;
    CHECK(xl_worker_open(engine, &options, &worker, NULL) == XL_NO_MEMORY && !worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

// One request after the other; what the worker knew of each prompt.
static bool known_tokens(xl_worker *worker, struct wish *wish, int *n_known) {
    wish_forget(wish);
    if (!wish_submit(worker, wish)) return false;
    request_log_wait(&wish->worker);
    xl_request_release(wish->worker.request);
    *n_known = wish->worker.last.memory_tokens;
    return wish_judge(wish);
}

static enum test_result test_known(void) {
    static struct wish wish;
    int n_known;
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = engine ? open_worker(engine, 64, 4) : NULL;
    CHECK(worker);
    wish_seed(5);
    wish_make(&wish, 3);
    wish.options.n_prompt = 150;
    wish.options.no_prefix = false;
    wish.generate.max_tokens = 10;
    wish.generate.ignore_end = true;
    wish.generate.n_stops = 0;
    CHECK(request_log_alone(&wish.alone, engine, &wish.options));
    CHECK(known_tokens(worker, &wish, &n_known) && n_known == 0);
    CHECK(stats_of(worker).kv_kept_bytes == 3 * KEY_VALUE_BYTES); // 159 tokens
    CHECK(known_tokens(worker, &wish, &n_known) && n_known == 149);
    wish.options.no_prefix = true;
    CHECK(known_tokens(worker, &wish, &n_known) && n_known == 0);
    CHECK(stats_of(worker).kv_kept_bytes == 3 * KEY_VALUE_BYTES);
    // What was generated is known, too: the conversation goes on.
    wish.options.no_prefix = false;
    memcpy(wish.prompt + 150, wish.alone.tokens, 10 * sizeof *wish.prompt);
    wish.options.n_prompt = 165;
    memset(&wish.alone.n_tokens, 0, sizeof wish.alone.n_tokens);
    request_log_deinit(&wish.alone);
    request_log_init(&wish.alone);
    CHECK(request_log_alone(&wish.alone, engine, &wish.options));
    CHECK(known_tokens(worker, &wish, &n_known) && n_known == 159);
    CHECK(stats_of(worker).memory_tokens == 149 + 159 && stats_of(worker).kv_used_bytes == 0);
    xl_worker_close(worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

// Many with the same beginning at once read it once.
static enum test_result test_together(void) {
    static struct wish wishes[8];
    static const char *const users[8] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    int n_known = 0;
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = engine ? open_worker(engine, 64, 8) : NULL;
    CHECK(worker);
    wish_seed(6);
    for (int i = 0; i < 8; i++) {
        wish_make(&wishes[i], i);
        memcpy(wishes[i].prompt, wishes[0].prompt, sizeof wishes[0].prompt);
        wishes[i].options.n_prompt = 200;
        wishes[i].prompt[199] = TINY_LETTERS + i;
        wishes[i].options.no_prefix = false;
        wishes[i].options.user = users[i];
        CHECK(request_log_alone(&wishes[i].alone, engine, &wishes[i].options));
    }
    for (int i = 0; i < 8; i++)
        CHECK(wish_submit(worker, &wishes[i]));
    for (int i = 0; i < 8; i++) {
        request_log_wait(&wishes[i].worker);
        CHECK(wish_judge(&wishes[i]));
        n_known += wishes[i].worker.last.memory_tokens;
        xl_request_release(wishes[i].worker.request);
    }
    CHECK_MESSAGE(n_known >= 7 * 64, "%d", n_known);
    xl_worker_close(worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

// ---- Turns -------------------------------------------------------------------------------------

static char ends[64];
static atomic_int n_ends;

static void keep_end(void *user_data, const xl_request_event *event) {
    const char *user = user_data;
    if (event->is_last) ends[atomic_fetch_add(&n_ends, 1)] = user[0];
}

static enum test_result test_turns(void) {
    static struct wish wish, first;
    static const char *const users[] = {"a", "b", "night"};
    xl_request *requests[20];
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = engine ? open_worker(engine, 64, 1) : NULL;
    CHECK(worker);
    wish_make(&first, 1); // keeps the worker busy until all have come
    first.generate.max_tokens = 200;
    first.generate.ignore_end = true;
    first.generate.n_stops = 0;
    first.options.n_prompt = 100;
    CHECK(wish_submit(worker, &first));
    wish_make(&wish, 0);
    wish.generate.max_tokens = 2;
    wish.options.on_event = keep_end;
    for (int i = 0; i < 20; i++) {
        const char *user = users[i < 15 ? 0 : i < 19 ? 1 : 2];
        wish.options.user = user;
        wish.options.priority = i < 19 ? XL_INTERACTIVE : XL_BACKGROUND;
        wish.options.user_data = (void *)user;
        CHECK(xl_request_submit(worker, &wish.options, &requests[i], NULL) == XL_OK);
    }
    while (atomic_load(&n_ends) < 20)
        ;
    for (int i = 0; i < 20; i++)
        xl_request_release(requests[i]);
    xl_request_release(first.worker.request);
    request_log_wait(&first.worker);
    xl_worker_close(worker);
    xl_engine_close(engine);
    const char *night = strchr(ends, 'n'), *last_b = strrchr(ends, 'b');
    CHECK_MESSAGE(night && night - ends <= 8, "%.20s", ends);
    CHECK_MESSAGE(last_b && last_b - ends <= 10, "%.20s", ends);
    return TEST_PASS;
}

// ---- Cycles ------------------------------------------------------------------------------------

static size_t heap_bytes(void) {
    return mallinfo2().uordblks;
}

// Requests come, are cancelled at any moment, are released before or after their end. The
// environment may ask for more of them (XINGLIN_CYCLES).
static bool run_cycles(xl_worker *worker, struct wish *wishes, int n_slots, long n_cycles) {
    for (long cycle = 0; cycle < n_cycles; cycle++) {
        struct wish *wish = &wishes[wish_random(n_slots)];
        if (wish->worker.request) {
            if (wish_random(2)) xl_request_cancel(wish->worker.request);
            if (wish_random(2)) request_log_wait(&wish->worker);
            xl_request_release(wish->worker.request);
            request_log_wait(&wish->worker);
            if (!wish_judge(wish)) return false;
        }
        wish_forget(wish);
        if (wish_random(3) == 0) wish->worker.n_tokens_max = 1 + wish_random(20);
        if (!wish_submit(worker, wish)) return false;
    }
    for (int i = 0; i < n_slots; i++) {
        if (!wishes[i].worker.request) continue;
        xl_request_release(wishes[i].worker.request);
        request_log_wait(&wishes[i].worker);
        wishes[i].worker.request = NULL;
    }
    return true;
}

static enum test_result test_cycles(void) {
    static struct wish wishes[N_SLOTS];
    const char *wanted = getenv("XINGLIN_CYCLES");
    long n_cycles = wanted ? strtol(wanted, NULL, 10) : N_CYCLES;
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = engine ? open_worker(engine, 40, 16) : NULL;
    CHECK(worker);
    wish_seed(31);
    for (int i = 0; i < N_SLOTS; i++) {
        wish_make(&wishes[i], i);
        CHECK(request_log_alone(&wishes[i].alone, engine, &wishes[i].options));
    }
    size_t before = heap_bytes();
    CHECK(run_cycles(worker, wishes, N_SLOTS, n_cycles));
    xl_worker_stats stats;
    do // what was released ends a moment later
        stats = stats_of(worker);
    while (stats.running + stats.waiting > 0 || stats.kv_used_bytes > 0);
    CHECK(stats.requests == (uint64_t)n_cycles && stats.failed == 0 && stats.refused == 0);
    CHECK(stats.kv_kept_bytes <= stats.kv_bytes);
    xl_worker_close(worker); // after it the last request is freed
    size_t after = heap_bytes();
    CHECK_MESSAGE(after <= before, "%zu bytes before, %zu after", before, after);
    xl_engine_close(engine);
    return TEST_PASS;
}

// The same from several threads at once.
struct visitor {
    xl_worker *worker;
    struct wish wishes[N_SLOTS / N_VISITORS];
    uint64_t seed;
    bool is_right;
};

static void *visit(void *argument) {
    struct visitor *visitor = argument;
    wish_seed(visitor->seed);
    visitor->is_right = run_cycles(visitor->worker, visitor->wishes, N_SLOTS / N_VISITORS,
                                   N_CYCLES / N_VISITORS / 2);
    return NULL;
}

static enum test_result test_crowd(void) {
    static struct visitor visitors[N_VISITORS];
    pthread_t threads[N_VISITORS];
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = engine ? open_worker(engine, 30, 8) : NULL;
    CHECK(worker);
    wish_seed(41);
    for (int v = 0; v < N_VISITORS; v++) {
        visitors[v].worker = worker;
        visitors[v].seed = (uint64_t)v;
        for (int i = 0; i < N_SLOTS / N_VISITORS; i++) {
            struct wish *wish = &visitors[v].wishes[i];
            wish_make(wish, i);
            CHECK(request_log_alone(&wish->alone, engine, &wish->options));
        }
    }
    for (int v = 0; v < N_VISITORS; v++)
        CHECK(pthread_create(&threads[v], NULL, visit, &visitors[v]) == 0);
    for (int v = 0; v < N_VISITORS; v++) {
        pthread_join(threads[v], NULL);
        CHECK(visitors[v].is_right);
    }
    xl_worker_close(worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"shortage", "too little memory for all changes no byte", test_shortage},
    {"never_fits", "what could never run is refused with counts", test_never_fits},
    {"known", "known beginnings are found, also generated ones", test_known},
    {"together", "many with the same beginning read it once", test_together},
    {"turns", "users take turns, background waits but not for ever", test_turns},
    {"cycles", "after random cycles nothing is held", test_cycles},
    {"crowd", "the same from several threads", test_crowd},
};

int main(int argc, char **argv) {
    return harness_main("worker_memory", tests, sizeof tests / sizeof *tests, argc, argv);
}
