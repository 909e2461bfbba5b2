// SPDX-License-Identifier: Apache-2.0
// What a request gets from a worker is what a session alone would have given, byte for byte, in any
// company; and every request ends exactly once.
#include "harness.h"

#include "request_wish.h"
#include "tiny_model.h"

#include <stdlib.h>
#include <string.h>

enum { N_MIX = 24 };

// A mix through one worker, three times, with cancels now and then.
static bool run_mix(xl_worker *worker, struct wish *wishes, bool with_cancels) {
    bool ok = true;
    for (int i = 0; ok && i < N_MIX; i++) {
        if (with_cancels && wish_random(4) == 0)
            wishes[i].worker.n_tokens_max = 1 + wish_random(20);
        ok = wish_submit(worker, &wishes[i]);
    }
    for (int i = 0; ok && i < N_MIX; i++)
        if (with_cancels && wish_random(8) == 0) xl_request_cancel(wishes[i].worker.request);
    for (int i = 0; ok && i < N_MIX; i++) {
        request_log_wait(&wishes[i].worker);
        ok = wish_judge(&wishes[i]);
        if (!ok) printf("    request %d\n", i);
    }
    for (int i = 0; i < N_MIX; i++)
        xl_request_release(wishes[i].worker.request);
    return ok;
}

static enum test_result test_mix(void) {
    static struct wish wishes[N_MIX];
    xl_engine *engine = wish_open_engine();
    CHECK(engine);
    wish_seed(7);
    for (int i = 0; i < N_MIX; i++) {
        wish_make(&wishes[i], i);
        CHECK(request_log_alone(&wishes[i].alone, engine, &wishes[i].options));
    }
    for (int round = 0; round < 2; round++) { // two workers after each other
        xl_worker *worker = NULL;
        xl_error error;
        CHECK_MESSAGE(xl_worker_open(engine, NULL, &worker, &error) == XL_OK, "%s", error.message);
        for (int pass = 0; pass < 3; pass++) {
            for (int i = 0; i < N_MIX; i++)
                wish_forget(&wishes[i]);
            CHECK(run_mix(worker, wishes, pass == 1));
        }
        xl_worker_stats stats = {.size = sizeof stats};
        xl_worker_describe(worker, &stats);
        CHECK(stats.running == 0 && stats.waiting == 0 && stats.requests == 3 * N_MIX);
        CHECK(stats.kv_used_bytes == 0 && stats.failed == 0);
        xl_worker_close(worker);
    }
    xl_engine_close(engine);
    return TEST_PASS;
}

// What runs and what waits is cancelled, ends once, and can be released afterwards.
static enum test_result test_close(void) {
    static struct wish wishes[N_MIX];
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = NULL;
    CHECK(engine && xl_worker_open(engine, NULL, &worker, NULL) == XL_OK);
    wish_seed(11);
    for (int i = 0; i < N_MIX; i++) {
        wish_make(&wishes[i], i);
        wishes[i].generate.max_tokens = -1;
        CHECK(wish_submit(worker, &wishes[i]));
    }
    while (request_log_tokens(&wishes[0].worker) == 0)
        ;
    xl_worker_close(worker);
    for (int i = 0; i < N_MIX; i++) {
        CHECK(wishes[i].worker.n_ends == 1 && !wishes[i].worker.is_late);
        xl_request_release(wishes[i].worker.request);
    }
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_refusals(void) {
    static struct wish wish;
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = NULL;
    xl_request *request;
    CHECK(engine && xl_worker_open(engine, NULL, &worker, NULL) == XL_OK);
    wish_make(&wish, 0);
    xl_request_options options = wish.options;
    options.n_prompt = 0;
    CHECK(xl_request_submit(worker, &options, &request, NULL) == XL_USAGE && !request);
    options = wish.options;
    options.on_event = NULL;
    CHECK(xl_request_submit(worker, &options, &request, NULL) == XL_USAGE);
    options = wish.options;
    options.n_logprobs = 21;
    CHECK(xl_request_submit(worker, &options, &request, NULL) == XL_USAGE);
    options = wish.options;
    static int32_t long_prompt[WISH_CONTEXT + 1];
    options.prompt = long_prompt;
    options.n_prompt = WISH_CONTEXT + 1;
    CHECK(xl_request_submit(worker, &options, &request, NULL) == XL_CONTEXT_FULL);
    wish.prompt[0] = TINY_VOCAB;
    CHECK(xl_request_submit(worker, &wish.options, &request, NULL) == XL_USAGE);
    wish.prompt[0] = TINY_BOS;
    wish.generate.temperature = -1;
    CHECK(xl_request_submit(worker, &wish.options, &request, NULL) == XL_USAGE);
    xl_worker_stats stats = {.size = sizeof stats};
    xl_worker_describe(worker, &stats);
    CHECK(stats.requests == 0 && stats.refused == 6);
    xl_worker_close(worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"mix", "bytes as a session alone, in any company, with cancels", test_mix},
    {"close", "closing ends every request once", test_close},
    {"refusals", "what makes no sense is refused at submission", test_refusals},
};

int main(int argc, char **argv) {
    return harness_main("worker", tests, sizeof tests / sizeof *tests, argc, argv);
}
