// SPDX-License-Identifier: Apache-2.0
// See request_wish.h.
#include "request_wish.h"

#include "harness.h"
#include "tiny_model.h"

#include <stdio.h>

static _Thread_local uint64_t random_state;

void wish_seed(uint64_t seed) {
    random_state = seed;
}

int wish_random(int n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (uint64_t)n);
}

xl_engine *wish_open_file(const char *path) {
    xl_engine *engine = NULL;
    xl_error error;
    xl_engine_options options = xl_engine_options_default();
    options.context = WISH_CONTEXT;
    options.threads = 2;
    options.chunk = 48;
    if (xl_engine_open(path, &options, &engine, &error) != XL_OK) printf("    %s\n", error.message);
    return engine;
}

xl_engine *wish_open_engine(void) {
    char path[512];
    snprintf(path, sizeof path, "%s/tiny.gguf", harness_scratch());
    return tiny_model_write(path, 5, true) ? wish_open_file(path) : NULL;
}

// Prompts with common beginnings, some of which repeat themselves; all kinds of options.
void wish_make(struct wish *wish, int index) {
    static const char *const users[] = {NULL, "a", "b", "c"};
    int n_prompt = 1 + wish_random(WISH_PROMPT_MAX - 1), n_common = wish_random(WISH_PROMPT_MAX);
    wish->prompt[0] = TINY_BOS;
    for (int i = 1; i < n_prompt; i++)
        wish->prompt[i] = i < n_common ? TINY_LETTERS + i % 7 : TINY_LETTERS + wish_random(26);
    wish->generate = xl_generate_options_default();
    wish->generate.max_tokens = wish_random(8) == 0 ? -1 : wish_random(60);
    wish->generate.ignore_end = wish_random(3) > 0;
    wish->generate.temperature = wish_random(2) ? 0 : 0.9f;
    wish->generate.seed = (uint64_t)index;
    if (wish_random(2)) wish->generate.top_k = 20;
    if (wish_random(2)) wish->generate.top_p = 0.9f;
    if (wish_random(3) == 0) wish->generate.repetition_penalty = 1.2f;
    if (wish_random(3) == 0) wish->generate.frequency_penalty = 0.2f;
    wish->generate.draft_max = wish_random(3) ? -1 : wish_random(8);
    wish->bias = (xl_logit_bias){TINY_LETTERS + wish_random(26), 2};
    if (wish_random(3) == 0) wish->generate.biases = &wish->bias, wish->generate.n_biases = 1;
    wish->stop = "ab";
    if (wish_random(3) == 0) wish->generate.stops = &wish->stop, wish->generate.n_stops = 1;
    wish->options = xl_request_options_default();
    wish->options.prompt = wish->prompt;
    wish->options.n_prompt = (size_t)n_prompt;
    wish->options.generate = &wish->generate;
    wish->options.user = users[wish_random(4)];
    wish->options.priority = wish_random(4) ? XL_INTERACTIVE : XL_BACKGROUND;
    wish->options.n_logprobs = wish_random(4) - 1;
    wish->options.no_prefix = wish_random(6) == 0;
    wish->options.on_event = request_log_event;
    wish->options.user_data = &wish->worker;
    request_log_init(&wish->alone);
    request_log_init(&wish->worker);
}

bool wish_submit(xl_worker *worker, struct wish *wish) {
    xl_error error;
    if (xl_request_submit(worker, &wish->options, &wish->worker.request, &error) == XL_OK)
        return true;
    printf("    %s\n", error.message);
    return false;
}

bool wish_judge(struct wish *wish) {
    if (wish->worker.last.status == XL_CANCELLED)
        return wish->worker.n_ends == 1 && !wish->worker.is_late &&
               request_log_begins(&wish->alone, &wish->worker);
    return request_log_same(&wish->alone, &wish->worker);
}

void wish_forget(struct wish *wish) {
    request_log_deinit(&wish->worker);
    request_log_init(&wish->worker);
}
