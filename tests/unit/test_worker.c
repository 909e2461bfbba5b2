// SPDX-License-Identifier: Apache-2.0
// What a request gets from a worker is what a session alone would have given, byte for byte, in any
// company; and every request ends exactly once.
#include "harness.h"

#include "request_wish.h"
#include "tiny_model.h"

#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

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

static enum test_result mix_on(xl_engine *engine) {
    static struct wish wishes[N_MIX];
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
        do // the last one is told its end before it is counted out
            xl_worker_describe(worker, &stats);
        while (stats.running + stats.waiting > 0);
        CHECK(stats.requests == 3 * N_MIX && stats.failed == 0 && stats.generated_tokens > 0);
        CHECK(stats.kv_used_bytes == 0 && stats.memory_tokens > 0 && stats.steps > 0);
        xl_worker_close(worker);
    }
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_mix(void) {
    return mix_on(wish_open_engine());
}

// A trained model, whose texts are not random.
static enum test_result test_stories(void) {
    char source[1024], script[1024], out[1024], path[1100];
    char *arguments[] = {(char *)"python3", script, source, out, NULL};
    pid_t child;
    int status;
    if (!harness_shared_path("data/stories260K", source, sizeof source))
        return harness_skip("no stories260K in the shared data");
    CHECK(harness_repo_path("tests/golden/stories260k.py", script, sizeof script));
    snprintf(out, sizeof out, "%s/stories", harness_scratch());
    if (posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ) != 0 ||
        waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return harness_skip("python3 cannot convert stories260K");
    snprintf(path, sizeof path, "%s/stories260K.gguf", out);
    return mix_on(wish_open_file(path));
}

// ---- Beside other users of the engine ----------------------------------------------------------

struct neighbour {
    xl_engine *engine;
    const struct wish *wish;
    float expected[32];
    bool is_right;
};

static bool embed(const struct neighbour *neighbour, float *vector) {
    const int32_t *texts[] = {neighbour->wish->prompt};
    size_t sizes[] = {neighbour->wish->options.n_prompt};
    return xl_embed(neighbour->engine, texts, sizes, 1, XL_POOLING_MEAN, true, vector, NULL) ==
           XL_OK;
}

static void *be_neighbour(void *argument) {
    struct neighbour *neighbour = argument;
    neighbour->is_right = true;
    for (int i = 0; i < 20; i++) {
        float vector[32];
        neighbour->is_right = neighbour->is_right && embed(neighbour, vector) &&
                              memcmp(vector, neighbour->expected, sizeof vector) == 0;
    }
    return NULL;
}

static enum test_result test_beside(void) {
    static struct wish wishes[N_MIX];
    pthread_t thread;
    xl_worker *worker = NULL;
    xl_engine *engine = wish_open_engine();
    CHECK(engine && xl_worker_open(engine, NULL, &worker, NULL) == XL_OK);
    wish_seed(9);
    for (int i = 0; i < N_MIX; i++)
        wish_make(&wishes[i], i);
    struct neighbour neighbour = {.engine = engine, .wish = &wishes[0]};
    CHECK(embed(&neighbour, neighbour.expected));
    CHECK(pthread_create(&thread, NULL, be_neighbour, &neighbour) == 0);
    for (int i = 0; i < N_MIX; i++)
        CHECK(wish_submit(worker, &wishes[i]));
    for (int i = 0; i < N_MIX; i++) // sessions run, too
        CHECK(request_log_alone(&wishes[i].alone, engine, &wishes[i].options));
    for (int i = 0; i < N_MIX; i++) {
        request_log_wait(&wishes[i].worker);
        CHECK(wish_judge(&wishes[i]));
        xl_request_release(wishes[i].worker.request);
    }
    pthread_join(thread, NULL);
    CHECK(neighbour.is_right);
    xl_worker_close(worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

// Logprobs are those of the logits that a session has before each token.
static enum test_result test_logprobs(void) {
    static struct wish wish;
    xl_worker *worker = NULL;
    xl_session *session = NULL;
    xl_engine *engine = wish_open_engine();
    CHECK(engine && xl_worker_open(engine, NULL, &worker, NULL) == XL_OK);
    CHECK(xl_session_open(engine, &session, NULL) == XL_OK);
    wish_seed(2);
    wish_make(&wish, 1);
    wish.generate.max_tokens = 30;
    wish.generate.temperature = 1;
    wish.options.n_logprobs = 0;
    CHECK(wish_submit(worker, &wish));
    request_log_wait(&wish.worker);
    const struct request_log *log = &wish.worker;
    CHECK(log->n_tokens > 0 && log->last.status == XL_OK);
    CHECK(xl_session_feed(session, wish.prompt, wish.options.n_prompt, NULL) == XL_OK);
    for (int t = 0; t < log->n_tokens; t++) {
        const float *logits = xl_session_logits(session);
        double sum = 0;
        for (int i = 0; i < TINY_VOCAB; i++)
            sum += exp((double)logits[i]);
        double expected = (double)logits[log->tokens[t]] - log1p(sum - 1);
        CHECK_MESSAGE(fabs(expected - (double)log->logprobs[t]) < 1e-5, "token %d: %g, not %g", t,
                      (double)log->logprobs[t], expected);
        CHECK(xl_session_feed(session, &log->tokens[t], 1, NULL) == XL_OK);
    }
    xl_request_release(wish.worker.request);
    xl_session_close(session);
    xl_worker_close(worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

// Grammars bind requests as they bind sessions, with guesses, and live as long as they are used.
static enum test_result test_grammar(void) {
    static struct wish wishes[N_MIX];
    static const char gbnf[] = "root ::= [a-d]{3,20} (\" \" [a-d]{3,20}){1,8}";
    xl_worker *worker = NULL;
    xl_grammar *grammar = NULL;
    xl_error error;
    xl_engine *engine = wish_open_engine();
    CHECK(engine && xl_worker_open(engine, NULL, &worker, NULL) == XL_OK);
    CHECK_MESSAGE(xl_grammar_from_gbnf(engine, gbnf, strlen(gbnf), &grammar, &error) == XL_OK, "%s",
                  error.message);
    wish_seed(17);
    for (int i = 0; i < N_MIX; i++) {
        wish_make(&wishes[i], i);
        wishes[i].generate.max_tokens = 40;
        if (i % 4 > 0) wishes[i].generate.grammar = grammar;
        if (i % 4 == 3) wishes[i].generate.grammar_begin = "b";
        CHECK(request_log_alone(&wishes[i].alone, engine, &wishes[i].options));
    }
    for (int i = 0; i < N_MIX; i++)
        CHECK(wish_submit(worker, &wishes[i]));
    xl_grammar_close(grammar);
    for (int i = 0; i < N_MIX; i++) {
        request_log_wait(&wishes[i].worker);
        CHECK(wish_judge(&wishes[i]));
        const struct request_log *log = &wishes[i].worker;
        for (size_t at = 0; i % 4 == 1 && at < log->text_bytes; at++)
            CHECK_MESSAGE(strchr("abcd ", log->text[at]), "%.*s", (int)log->text_bytes, log->text);
        xl_request_release(wishes[i].worker.request);
    }
    xl_worker_close(worker);
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
    {"stories", "the same with a trained model", test_stories},
    {"beside", "the same beside sessions and embeddings", test_beside},
    {"logprobs", "the model's own logprobs", test_logprobs},
    {"grammar", "grammars bind requests as they bind sessions", test_grammar},
    {"close", "closing ends every request once", test_close},
    {"refusals", "what makes no sense is refused at submission", test_refusals},
};

int main(int argc, char **argv) {
    return harness_main("worker", tests, sizeof tests / sizeof *tests, argc, argv);
}
