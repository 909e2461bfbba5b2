// SPDX-License-Identifier: Apache-2.0
// What a request gets from a worker is what a session alone would have given, byte for byte, in any
// company; and every request ends exactly once.
#include "harness.h"

#include "request_log.h"
#include "tiny_model.h"

#include <stdlib.h>
#include <string.h>

enum { CONTEXT = 320, N_MIX = 24, PROMPT_MAX = 200 };

static uint64_t random_state;

static int random_below(int n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (uint64_t)n);
}

static xl_engine *open_tiny(void) {
    char path[512];
    xl_engine *engine = NULL;
    xl_error error;
    xl_engine_options options = xl_engine_options_default();
    options.context = CONTEXT;
    options.threads = 2;
    options.chunk = 48;
    snprintf(path, sizeof path, "%s/tiny.gguf", harness_scratch());
    if (!tiny_model_write(path, 5, true)) return NULL;
    if (xl_engine_open(path, &options, &engine, &error) != XL_OK) printf("    %s\n", error.message);
    return engine;
}

// One request with everything that it points to.
struct wish {
    int32_t prompt[PROMPT_MAX];
    xl_generate_options generate;
    xl_request_options options;
    xl_logit_bias bias;
    const char *stop;
    struct request_log alone, worker;
};

// Prompts with common beginnings, some of which repeat themselves; all kinds of options.
static void make_wish(struct wish *wish, int index) {
    static const char *const users[] = {NULL, "a", "b", "c"};
    int n_prompt = 1 + random_below(PROMPT_MAX - 1), n_common = random_below(PROMPT_MAX);
    wish->prompt[0] = TINY_BOS;
    for (int i = 1; i < n_prompt; i++)
        wish->prompt[i] = i < n_common ? TINY_LETTERS + i % 7 : TINY_LETTERS + random_below(26);
    wish->generate = xl_generate_options_default();
    wish->generate.max_tokens = random_below(8) == 0 ? -1 : random_below(60);
    wish->generate.ignore_end = random_below(3) > 0;
    wish->generate.temperature = random_below(2) ? 0 : 0.9f;
    wish->generate.seed = (uint64_t)index;
    if (random_below(2)) wish->generate.top_k = 20;
    if (random_below(2)) wish->generate.top_p = 0.9f;
    if (random_below(3) == 0) wish->generate.repetition_penalty = 1.2f;
    if (random_below(3) == 0) wish->generate.frequency_penalty = 0.2f;
    wish->generate.draft_max = random_below(3) ? -1 : random_below(8);
    wish->bias = (xl_logit_bias){TINY_LETTERS + random_below(26), 2};
    if (random_below(3) == 0) wish->generate.biases = &wish->bias, wish->generate.n_biases = 1;
    wish->stop = "ab";
    if (random_below(3) == 0) wish->generate.stops = &wish->stop, wish->generate.n_stops = 1;
    wish->options = xl_request_options_default();
    wish->options.prompt = wish->prompt;
    wish->options.n_prompt = (size_t)n_prompt;
    wish->options.generate = &wish->generate;
    wish->options.user = users[random_below(4)];
    wish->options.priority = random_below(4) ? XL_INTERACTIVE : XL_BACKGROUND;
    wish->options.n_logprobs = random_below(4) - 1;
    wish->options.no_prefix = random_below(6) == 0;
    wish->options.on_event = request_log_event;
    wish->options.user_data = &wish->worker;
    request_log_init(&wish->alone);
    request_log_init(&wish->worker);
}

static bool submit(xl_worker *worker, struct wish *wish) {
    xl_error error;
    if (xl_request_submit(worker, &wish->options, &wish->worker.request, &error) == XL_OK)
        return true;
    printf("    %s\n", error.message);
    return false;
}

static bool judge(struct wish *wish) {
    if (wish->worker.last.status == XL_CANCELLED)
        return wish->worker.n_ends == 1 && !wish->worker.is_late &&
               request_log_begins(&wish->alone, &wish->worker);
    return request_log_same(&wish->alone, &wish->worker);
}

// A mix through one worker, three times, with cancels now and then.
static bool run_mix(xl_engine *engine, xl_worker *worker, struct wish *wishes, bool with_cancels) {
    bool ok = true;
    for (int i = 0; ok && i < N_MIX; i++) {
        if (with_cancels && random_below(4) == 0)
            wishes[i].worker.n_tokens_max = 1 + random_below(20);
        ok = submit(worker, &wishes[i]);
    }
    for (int i = 0; ok && i < N_MIX; i++)
        if (with_cancels && random_below(8) == 0) xl_request_cancel(wishes[i].worker.request);
    for (int i = 0; ok && i < N_MIX; i++) {
        request_log_wait(&wishes[i].worker);
        ok = judge(&wishes[i]);
        if (!ok) printf("    request %d\n", i);
    }
    for (int i = 0; i < N_MIX; i++)
        xl_request_release(wishes[i].worker.request);
    (void)engine;
    return ok;
}

static enum test_result test_mix(void) {
    static struct wish wishes[N_MIX];
    xl_engine *engine = open_tiny();
    CHECK(engine);
    random_state = 7;
    for (int i = 0; i < N_MIX; i++) {
        make_wish(&wishes[i], i);
        CHECK(request_log_alone(&wishes[i].alone, engine, &wishes[i].options));
    }
    for (int round = 0; round < 2; round++) { // two workers after each other
        xl_worker *worker = NULL;
        xl_error error;
        CHECK_MESSAGE(xl_worker_open(engine, NULL, &worker, &error) == XL_OK, "%s", error.message);
        for (int pass = 0; pass < 3; pass++) {
            for (int i = 0; i < N_MIX; i++) {
                request_log_deinit(&wishes[i].worker);
                request_log_init(&wishes[i].worker);
            }
            CHECK(run_mix(engine, worker, wishes, pass == 1));
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
    xl_engine *engine = open_tiny();
    xl_worker *worker = NULL;
    CHECK(engine && xl_worker_open(engine, NULL, &worker, NULL) == XL_OK);
    random_state = 11;
    for (int i = 0; i < N_MIX; i++) {
        make_wish(&wishes[i], i);
        wishes[i].generate.max_tokens = -1;
        CHECK(submit(worker, &wishes[i]));
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
    xl_engine *engine = open_tiny();
    xl_worker *worker = NULL;
    xl_request *request;
    CHECK(engine && xl_worker_open(engine, NULL, &worker, NULL) == XL_OK);
    make_wish(&wish, 0);
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
    static int32_t long_prompt[CONTEXT + 1];
    options.prompt = long_prompt;
    options.n_prompt = CONTEXT + 1;
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
