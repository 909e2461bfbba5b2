// SPDX-License-Identifier: Apache-2.0
// Speculation by prompt lookup must change nothing but the time: the same tokens, text, logits and
// position with any number of guesses, wherever a generation ends. And it must know when to stop.
#include "harness.h"

#include "engine/engine.h"
#include "engine/prompt_lookup.h"
#include "tiny_model.h"

#include <stdlib.h>
#include <string.h>

enum { CONTEXT = 160, N_PROMPT = 60, TEXT_MAX = 4096 };

// What a caller sees of one generation.
struct outcome {
    int32_t tokens[CONTEXT];
    char text[TEXT_MAX];
    float logits[TINY_VOCAB];
    size_t text_bytes;
    int n_tokens, position;
    xl_status status;
    xl_generate_result result;
};

static int keep_token(void *user, int32_t token) {
    struct outcome *outcome = user;
    outcome->tokens[outcome->n_tokens++] = token;
    return 0;
}

static int keep_text(void *user, const char *text, size_t text_bytes) {
    struct outcome *outcome = user;
    memcpy(outcome->text + outcome->text_bytes, text, text_bytes);
    outcome->text_bytes += text_bytes;
    return 0;
}

static xl_engine *open_tiny(void) {
    char path[512];
    xl_engine *engine = NULL;
    xl_error error;
    xl_engine_options options = xl_engine_options_default();
    options.context = CONTEXT;
    options.threads = 2;
    snprintf(path, sizeof path, "%s/tiny.gguf", harness_scratch());
    if (!tiny_model_write(path, 5, true)) return NULL;
    if (xl_engine_open(path, &options, &engine, &error) != XL_OK) printf("    %s\n", error.message);
    return engine;
}

// A prompt that repeats itself, so that guesses are made from the first token on.
static bool generate(xl_engine *engine, const xl_generate_options *given, int draft_max,
                     struct outcome *outcome) {
    int32_t prompt[N_PROMPT] = {TINY_BOS};
    xl_session *session = NULL;
    xl_generate_options options = *given;
    memset(outcome, 0, sizeof *outcome);
    for (int i = 1; i < N_PROMPT; i++)
        prompt[i] = TINY_LETTERS + i % 7;
    options.draft_max = draft_max;
    options.on_token = keep_token;
    options.on_text = keep_text;
    options.user = outcome;
    if (xl_session_open(engine, &session, NULL) != XL_OK) return false;
    outcome->result.size = sizeof outcome->result;
    outcome->status =
        xl_session_generate_tokens(session, prompt, N_PROMPT, &options, &outcome->result, NULL);
    outcome->position = xl_session_position(session);
    const float *logits = xl_session_logits(session);
    if (logits) memcpy(outcome->logits, logits, sizeof outcome->logits);
    xl_session_close(session);
    return true;
}

static bool same(const struct outcome *a, const struct outcome *b) {
    return a->n_tokens == b->n_tokens && a->position == b->position && a->status == b->status &&
           a->text_bytes == b->text_bytes && a->result.finish == b->result.finish &&
           memcmp(a->tokens, b->tokens, sizeof a->tokens) == 0 &&
           memcmp(a->text, b->text, sizeof a->text) == 0 &&
           memcmp(a->logits, b->logits, sizeof a->logits) == 0;
}

// Every way of choosing and of ending, with 1, 3, 15 and automatic guesses against none.
static enum test_result test_lossless(void) {
    static struct outcome plain, guessed;
    static const int drafts[] = {1, 3, 15, -1};
    const char *const stops[] = {"ab", "qq"};
    int n_accepted = 0;
    xl_engine *engine = open_tiny();
    CHECK(engine);
    for (int trial = 0; trial < 40; trial++) {
        xl_generate_options options = xl_generate_options_default();
        options.max_tokens = trial % 5 == 4 ? -1 : 1 + trial * 3;
        options.ignore_end = trial % 2;
        options.seed = (uint64_t)trial;
        options.temperature = trial % 4 == 0 ? 0 : 0.05f * (float)(trial % 7);
        options.repetition_penalty = trial % 6 == 5 ? 1.1f : 1;
        options.stops = stops;
        options.n_stops = trial % 3 == 2 ? 2 : 0;
        CHECK(generate(engine, &options, 0, &plain));
        CHECK(plain.result.drafted_tokens == 0 && plain.result.accepted_tokens == 0);
        for (size_t i = 0; i < sizeof drafts / sizeof *drafts; i++) {
            CHECK(generate(engine, &options, drafts[i], &guessed));
            CHECK_MESSAGE(same(&plain, &guessed), "trial %d, %d guesses: %d and %d tokens", trial,
                          drafts[i], plain.n_tokens, guessed.n_tokens);
            CHECK(guessed.result.accepted_tokens <= guessed.result.drafted_tokens);
            n_accepted += guessed.result.accepted_tokens;
        }
    }
    CHECK_MESSAGE(n_accepted > 100, "only %d guesses were right: nothing was tested", n_accepted);
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_guess(void) {
    static const int32_t text[] = {5, 6, 7, 8, 9, 1, 6, 7, 2, 5, 6, 7};
    struct prompt_lookup lookup;
    prompt_lookup_init(&lookup, 4);
    // "5 6 7" goes on with 8 9 1 6; the later "6 7" is a shorter match
    CHECK(prompt_lookup_guess(&lookup, text, 12, 10) == 4);
    CHECK(lookup.guesses[0] == 8 && lookup.guesses[1] == 9 && lookup.guesses[3] == 6);
    CHECK(prompt_lookup_guess(&lookup, text, 12, 2) == 2);
    CHECK(prompt_lookup_guess(&lookup, text, 12, 0) == 0);
    CHECK(prompt_lookup_guess(&lookup, text, 12, -1) == 0);
    CHECK(prompt_lookup_guess(&lookup, text, 5, 10) == 0); // nothing repeats
    CHECK(prompt_lookup_guess(&lookup, text, 0, 10) == 0);
    prompt_lookup_init(&lookup, 0);
    CHECK(prompt_lookup_guess(&lookup, text, 12, 10) == 0);
    return TEST_PASS;
}

// Feeds made-up times: speculation goes as far as it pays, and stops where it does not.
static enum test_result test_pays(void) {
    static const int32_t text[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3};
    const int32_t right[] = {4, 5, 6, 7, 8, 9}, wrong[] = {7};
    struct prompt_lookup lookup;
    prompt_lookup_init(&lookup, -1);
    CHECK(prompt_lookup_guess(&lookup, text, 12, 99) == 0); // no pass was measured yet
    for (int i = 0; i < 100; i++) { // a pass costs the same whatever its size
        int n = prompt_lookup_guess(&lookup, text, 12, 5);
        prompt_lookup_learn(&lookup, right, 1 + n, n, 1);
    }
    CHECK(prompt_lookup_guess(&lookup, text, 12, 5) == 5);
    for (int i = 0; i < 100; i++) {
        int n = prompt_lookup_guess(&lookup, text, 12, 5);
        prompt_lookup_learn(&lookup, wrong, 1, n, n > 0 ? 1.5 : 1);
    }
    CHECK(prompt_lookup_guess(&lookup, text, 12, 5) == 0); // never right: off
    for (int i = 0; i < 100; i++) {
        int n = prompt_lookup_guess(&lookup, text, 12, 5);
        prompt_lookup_learn(&lookup, right, 1 + n, n, n > 0 ? 1.5 : 1);
    }
    CHECK(prompt_lookup_guess(&lookup, text, 12, 5) == 5); // right again: back, at 6 for 1.5
    for (int i = 0; i < 100; i++) {
        int n = prompt_lookup_guess(&lookup, text, 12, 5);
        prompt_lookup_learn(&lookup, right, 1 + n, n, 1 + 1.2 * n);
    }
    CHECK(prompt_lookup_guess(&lookup, text, 12, 5) == 0); // bound by arithmetic: does not pay
    return TEST_PASS;
}

static const struct test tests[] = {
    {"lossless", "any number of guesses gives the same bytes", test_lossless},
    {"guess", "the longest match, the latest of equals, within bounds", test_guess},
    {"pays", "guesses as far as measured times and success make it pay", test_pays},
};

int main(int argc, char **argv) {
    return harness_main("prompt_lookup", tests, sizeof tests / sizeof *tests, argc, argv);
}
