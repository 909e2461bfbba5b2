// SPDX-License-Identifier: Apache-2.0
// The public API on a tiny random model: whatever the threads, the chunks, the rewinds and the
// snapshots, the same tokens; and every refusal with its status.
#include "harness.h"

#include "base/hash64.h"
#include "engine/stop_filter.h"
#include "tiny_model.h"
#include "xinglin/xinglin.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { N_PROMPT = 40, N_TOKENS = 30, TOKENS_MAX = 512 };

static const char *model_path(void) {
    static char path[512];
    if (!path[0]) {
        snprintf(path, sizeof path, "%s/tiny.gguf", harness_scratch());
        if (!tiny_model_write(path, 1, true)) path[0] = '\0';
    }
    return path;
}

static const int32_t *prompt(void) {
    static int32_t tokens[N_PROMPT];
    if (tokens[0] == TINY_BOS) return tokens; // threads find it filled
    tokens[0] = TINY_BOS;
    for (int i = 1; i < N_PROMPT; i++)
        tokens[i] = TINY_LETTERS + (i * 7 + i * i) % 40;
    return tokens;
}

static xl_engine *open_engine(int threads, int chunk, int context) {
    xl_engine_options options = xl_engine_options_default();
    xl_engine *engine = NULL;
    xl_error error;
    options.threads = threads;
    options.chunk = chunk;
    options.context = context;
    if (xl_engine_open(model_path(), &options, &engine, &error) != XL_OK)
        printf("    open: %s\n", error.message);
    return engine;
}

static xl_session *open_session(xl_engine *engine) {
    xl_session *session = NULL;
    xl_error error;
    if (xl_session_open(engine, &session, &error) != XL_OK) printf("    %s\n", error.message);
    return session;
}

// Everything a generation reported.
struct record {
    int32_t tokens[TOKENS_MAX];
    int n_tokens;
    char text[8192];
    size_t n_text;
    int n_pieces;
    int cancel_after; // 0: never
    bool cancel_by_session;
    xl_session *session;
};

static int record_token(void *user, int32_t token) {
    struct record *r = user;
    if (r->n_tokens < TOKENS_MAX) r->tokens[r->n_tokens++] = token;
    if (r->n_tokens != r->cancel_after) return 0;
    if (r->cancel_by_session) xl_session_cancel(r->session);
    return !r->cancel_by_session;
}

static int record_text(void *user, const char *text, size_t text_bytes) {
    struct record *r = user;
    r->n_pieces++;
    if (r->n_text + text_bytes < sizeof r->text) {
        memcpy(r->text + r->n_text, text, text_bytes);
        r->n_text += text_bytes;
        r->text[r->n_text] = '\0';
    }
    return 0;
}

static xl_generate_options recording(struct record *r, int max_tokens) {
    xl_generate_options options = xl_generate_options_default();
    memset(r, 0, sizeof *r);
    options.max_tokens = max_tokens;
    options.ignore_end = true;
    options.on_text = record_text;
    options.on_token = record_token;
    options.user = r;
    return options;
}

static bool same_tokens(const struct record *a, const struct record *b) {
    return a->n_tokens == b->n_tokens &&
           memcmp(a->tokens, b->tokens, (size_t)a->n_tokens * sizeof *a->tokens) == 0;
}

static enum test_result test_same_tokens(void) {
    static struct record first, other;
    for (int sampled = 0; sampled < 2; sampled++)
        for (int threads = 1; threads <= 3; threads++)
            for (int chunk = 1; chunk <= 64; chunk = chunk * 3 + 1) {
                xl_engine *engine = open_engine(threads, chunk, 100);
                CHECK(engine);
                xl_session *session = open_session(engine);
                CHECK(session);
                struct record *r = threads == 1 && chunk == 1 ? &first : &other;
                xl_generate_options options = recording(r, N_TOKENS);
                if (sampled) options.temperature = 1.2f, options.top_p = 0.95f, options.seed = 5;
                CHECK(xl_session_generate_tokens(session, prompt(), N_PROMPT, &options, NULL,
                                                 NULL) == XL_OK);
                CHECK(r->n_tokens == N_TOKENS);
                CHECK_MESSAGE(r == &first || same_tokens(&first, r), "threads %d, chunk %d",
                              threads, chunk);
                xl_session_close(session);
                xl_engine_close(engine);
            }
    return TEST_PASS;
}

static enum test_result test_describe(void) {
    xl_engine *engine = open_engine(2, 0, 0);
    CHECK(engine);
    xl_engine_info info = {.size = sizeof info};
    CHECK(xl_engine_describe(engine, &info) == XL_OK);
    CHECK(strcmp(info.family, "llama") == 0 && strcmp(info.name, "tiny") == 0);
    CHECK(strcmp(info.weight_type, "f32") == 0 && strcmp(info.kv_type, "f32") == 0);
    CHECK(info.n_vocab == TINY_VOCAB && info.n_layers == 2 && info.n_embd == 32);
    CHECK(info.context == 128 && info.context_train == 128 && info.threads >= 1 &&
          info.threads <= 2);
    CHECK(info.has_chat_template && info.load_s > 0 && info.weight_bytes > 0);
    CHECK(info.kv_bytes == 2u * 2 * 2 * 8 * 128 * 4);
    info.size = 0;
    CHECK(xl_engine_describe(engine, &info) == XL_USAGE);
    xl_engine_close(engine);
    char *json;
    CHECK(xl_machine_describe(&json, NULL) == XL_OK);
    CHECK(strstr(json, "\"scalar\"") && strstr(json, "\"threads\""));
    xl_free(json);
    CHECK(xl_inspect(model_path(), &json, NULL) == XL_OK);
    CHECK(strstr(json, "\"blk.1.ffn_down.weight\"") && strstr(json, "\"array_of\": \"string\""));
    CHECK(strstr(json, "\"parameters\"") && strstr(json, "\"llama\"") && strlen(json) < 20000);
    xl_free(json);
    return TEST_PASS;
}

static enum test_result test_text(void) {
    xl_engine *engine = open_engine(1, 0, 0);
    CHECK(engine);
    int32_t *tokens;
    size_t n_tokens, text_bytes;
    char *text;
    const char sample[] = "ab c 入院";
    CHECK(xl_tokenize(engine, sample, strlen(sample), true, false, &tokens, &n_tokens, NULL) ==
          XL_OK);
    CHECK(n_tokens > 5 && tokens[0] == TINY_BOS);
    CHECK(xl_detokenize(engine, tokens, n_tokens, false, &text, &text_bytes, NULL) == XL_OK);
    CHECK_MESSAGE(strcmp(text, sample) == 0 && text_bytes == strlen(sample), "[%s]", text);
    xl_free(text);
    xl_free(tokens);
    CHECK(xl_tokenize(engine, NULL, 0, false, false, &tokens, &n_tokens, NULL) == XL_OK);
    CHECK(n_tokens == 0 && tokens);
    xl_free(tokens);
    CHECK(xl_token_is_end(engine, TINY_END) && !xl_token_is_end(engine, TINY_LETTERS));
    CHECK(!xl_token_is_end(engine, -1) && !xl_token_is_end(engine, 1 << 30));
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_chat(void) {
    xl_engine *engine = open_engine(1, 0, 0);
    CHECK(engine);
    const xl_message messages[] = {{"system", "you"}, {"user", "发热"}};
    char *text;
    size_t text_bytes;
    xl_error error;
    CHECK(xl_chat_format(engine, NULL, messages, 2, true, &text, &text_bytes, &error) == XL_OK);
    CHECK_MESSAGE(strcmp(text, "<s>[system]you[user]发热[assistant]") == 0, "[%s]", text);
    xl_free(text);
    CHECK(xl_chat_format(engine, "{{ messages[1].content }}", messages, 2, false, &text, NULL,
                         NULL) == XL_OK);
    CHECK(strcmp(text, "发热") == 0);
    xl_free(text);
    CHECK(xl_template_render("{{ x + 1 }}", "{\"x\": 41}", &text, &text_bytes, &error) == XL_OK);
    CHECK(strcmp(text, "42") == 0);
    xl_free(text);
    CHECK(xl_template_render("{{ x }}", "[1]", &text, NULL, &error) == XL_BAD_INPUT);
    CHECK(xl_template_render("{{ x", "{}", &text, NULL, &error) != XL_OK);
    xl_engine_close(engine);
    char path[512];
    snprintf(path, sizeof path, "%s/no-template.gguf", harness_scratch());
    CHECK(tiny_model_write(path, 1, false));
    CHECK(xl_engine_open(path, NULL, &engine, NULL) == XL_OK);
    CHECK(xl_chat_format(engine, NULL, messages, 2, true, &text, NULL, &error) == XL_NOT_FOUND);
    xl_engine_close(engine);
    return TEST_PASS;
}

// At once, token by token, after a rewind, with all logits: the same bits.
static enum test_result test_feed(void) {
    xl_engine *engine = open_engine(2, 16, 64);
    CHECK(engine);
    xl_session *session = open_session(engine);
    CHECK(session && !xl_session_logits(session) && xl_session_position(session) == 0);
    static float all[N_PROMPT][TINY_VOCAB];
    CHECK(xl_session_feed_all(session, prompt(), N_PROMPT, &all[0][0], NULL) == XL_OK);
    CHECK(memcmp(xl_session_logits(session), all[N_PROMPT - 1], sizeof all[0]) == 0);
    for (int start = 0; start < N_PROMPT; start += 13) {
        CHECK(xl_session_rewind(session, start, NULL) == XL_OK);
        CHECK(!xl_session_logits(session) && xl_session_position(session) == start);
        for (int i = start; i < N_PROMPT; i++) {
            CHECK(xl_session_feed(session, prompt() + i, 1, NULL) == XL_OK);
            CHECK(memcmp(xl_session_logits(session), all[i], sizeof all[0]) == 0);
        }
    }
    CHECK(xl_session_rewind(session, N_PROMPT + 1, NULL) == XL_USAGE);
    CHECK(xl_session_rewind(session, -1, NULL) == XL_USAGE);
    xl_session_close(session);
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_context_full(void) {
    xl_engine *engine = open_engine(1, 0, 48);
    CHECK(engine);
    xl_session *session = open_session(engine);
    static struct record r;
    static int32_t many[100];
    xl_error error;
    xl_generate_result result = {.size = sizeof result};
    for (int i = 0; i < 100; i++)
        many[i] = TINY_LETTERS;
    CHECK(xl_session_feed(session, many, 49, &error) == XL_CONTEXT_FULL);
    CHECK(strstr(error.message, "49") && strstr(error.message, "48"));
    CHECK(xl_session_position(session) == 0);
    xl_generate_options options = recording(&r, -1);
    CHECK(xl_session_generate_tokens(session, prompt(), N_PROMPT, &options, &result, &error) ==
          XL_OK);
    CHECK(result.finish == XL_FINISH_CONTEXT && result.prompt_tokens == N_PROMPT);
    CHECK(result.generated_tokens == 48 - N_PROMPT + 1); // the last one need not be held
    CHECK(xl_session_position(session) == 48);
    CHECK(xl_session_feed(session, many, 1, &error) == XL_CONTEXT_FULL);
    CHECK(xl_session_logits(session)); // refused calls change nothing
    many[0] = TINY_VOCAB;
    CHECK(xl_session_rewind(session, 0, NULL) == XL_OK);
    CHECK(xl_session_feed(session, many, 1, &error) == XL_USAGE);
    CHECK(xl_session_generate_tokens(session, NULL, 0, &options, NULL, &error) == XL_USAGE);
    xl_session_close(session);
    xl_engine_close(engine);
    return TEST_PASS;
}

// Only some letters may be chosen, so that the text is readable.
static size_t allow_letters(xl_logit_bias *biases) {
    for (int i = 0; i < TINY_VOCAB; i++)
        biases[i] = (xl_logit_bias){i, i >= TINY_LETTERS && i < TINY_LETTERS + 26 ? 0 : -INFINITY};
    return TINY_VOCAB;
}

static enum test_result test_stops(void) {
    static xl_logit_bias biases[TINY_VOCAB];
    static struct record whole, stopped;
    xl_engine *engine = open_engine(1, 0, 0);
    CHECK(engine);
    xl_session *session = open_session(engine);
    xl_generate_result result = {.size = sizeof result};
    xl_generate_options options = recording(&whole, 40);
    options.biases = biases;
    options.n_biases = allow_letters(biases);
    options.temperature = 1.5f;
    options.seed = 11;
    CHECK(xl_session_generate(session, "abc", &options, &result, NULL) == XL_OK);
    CHECK(result.finish == XL_FINISH_LENGTH && whole.n_text == 40 && whole.n_pieces == 40);
    for (int at = 0; at + 3 <= 40; at++) {
        char stop[4];
        memcpy(stop, whole.text + at, 3);
        stop[3] = '\0';
        const char *const stops[] = {"0123456789", stop, "zzzzzzzzzzzz"};
        size_t first = (size_t)(strstr(whole.text, stop) - whole.text);
        xl_generate_options again = recording(&stopped, 40);
        again.biases = biases, again.n_biases = TINY_VOCAB;
        again.temperature = 1.5f, again.seed = 11;
        again.stops = stops, again.n_stops = 3;
        CHECK(xl_session_rewind(session, 0, NULL) == XL_OK);
        CHECK(xl_session_generate(session, "abc", &again, &result, NULL) == XL_OK);
        CHECK_MESSAGE(result.finish == XL_FINISH_STOP && stopped.n_text == first &&
                          memcmp(stopped.text, whole.text, first) == 0,
                      "stop \"%s\" gave \"%s\" of \"%s\"", stop, stopped.text, whole.text);
        CHECK(result.generated_tokens == (int)first + 3);
    }
    const char *const empty[] = {""};
    options.stops = empty, options.n_stops = 1;
    CHECK(xl_session_generate(session, "abc", &options, &result, NULL) == XL_USAGE);
    xl_session_close(session);
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_stop_filter(void) {
    const char *const stops[] = {"停止", "ab", "aaab"};
    struct stop_filter filter;
    bool stopped;
    CHECK(stop_filter_init(&filter, stops, 3, NULL) == STATUS_OK);
    buffer_append_text(&filter.waiting, "xa");
    CHECK(stop_filter_ready(&filter, false, &stopped) == 1 && !stopped);
    CHECK(stop_filter_ready(&filter, true, &stopped) == 2 && !stopped);
    stop_filter_drop(&filter, 1);
    buffer_append_text(&filter.waiting, "a");
    CHECK(stop_filter_ready(&filter, false, &stopped) == 0 && !stopped);
    buffer_append_text(&filter.waiting, "b");
    CHECK(stop_filter_ready(&filter, false, &stopped) == 1 && stopped); // "a" then "ab"
    stop_filter_drop(&filter, 3);
    buffer_append_text(&filter.waiting, "急停");
    CHECK(stop_filter_ready(&filter, false, &stopped) == 3 && !stopped);
    stop_filter_deinit(&filter);
    return TEST_PASS;
}

static enum test_result test_utf8_stream(void) {
    static xl_logit_bias biases[TINY_VOCAB];
    static struct record r;
    xl_engine *engine = open_engine(1, 0, 0);
    CHECK(engine);
    xl_session *session = open_session(engine);
    for (int i = 0; i < TINY_VOCAB; i++) // continuation and lead bytes at random
        biases[i] = (xl_logit_bias){i, i >= TINY_BYTES + 0x80 && i < TINY_LETTERS ? 0 : -INFINITY};
    xl_generate_options options = recording(&r, 60);
    options.biases = biases, options.n_biases = TINY_VOCAB;
    options.temperature = 2, options.seed = 3;
    CHECK(xl_session_generate(session, "x", &options, NULL, NULL) == XL_OK);
    CHECK(r.n_tokens == 60 && r.n_text > 0);
    for (size_t i = 0; i < r.n_text;) { // well-formed, whatever came
        unsigned char c = (unsigned char)r.text[i];
        size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
        CHECK(c < 0x80 || (c >= 0xc2 && c < 0xf5));
        for (size_t j = 1; j < n; j++)
            CHECK(((unsigned char)r.text[i + j] & 0xc0) == 0x80);
        i += n;
    }
    xl_session_close(session);
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_ends(void) {
    static struct record r;
    xl_engine *engine = open_engine(1, 0, 0);
    CHECK(engine);
    xl_session *session = open_session(engine);
    xl_generate_result result = {.size = sizeof result};
    const xl_logit_bias force = {TINY_END, INFINITY};
    xl_generate_options options = recording(&r, 5);
    options.biases = &force, options.n_biases = 1;
    options.ignore_end = false;
    CHECK(xl_session_generate(session, "a", &options, &result, NULL) == XL_OK);
    CHECK(result.finish == XL_FINISH_END && result.generated_tokens == 1 && r.n_text == 0);
    options.ignore_end = true;
    CHECK(xl_session_generate(session, "a", &options, &result, NULL) == XL_OK);
    CHECK(result.finish == XL_FINISH_LENGTH && result.generated_tokens == 5 && r.n_text == 0);
    options.max_tokens = 0;
    CHECK(xl_session_generate(session, "a", &options, &result, NULL) == XL_OK);
    CHECK(result.finish == XL_FINISH_LENGTH && result.generated_tokens == 0);
    CHECK(result.first_token_s >= 0 && result.prompt_tokens > 0);
    xl_session_close(session);
    xl_engine_close(engine);
    return TEST_PASS;
}

// Ten tokens and ten more are twenty; a cancelled generation goes on where it was.
static enum test_result test_continue(void) {
    static struct record whole, half, rest;
    xl_engine *engine = open_engine(1, 0, 0);
    CHECK(engine);
    xl_session *session = open_session(engine);
    xl_generate_options options = recording(&whole, 20);
    xl_generate_result result = {.size = sizeof result};
    CHECK(xl_session_generate(session, "hello", &options, &result, NULL) == XL_OK);
    CHECK(result.next_token_p50_s > 0 && result.next_token_p99_s >= result.next_token_p50_s);
    for (int mode = 0; mode < 3; mode++) { // by length, by callback, by xl_session_cancel
        CHECK(xl_session_rewind(session, 0, NULL) == XL_OK);
        options = recording(&half, mode == 0 ? 10 : 20);
        half.cancel_after = mode == 0 ? 0 : 10;
        half.cancel_by_session = mode == 2;
        half.session = session;
        xl_status status = xl_session_generate(session, "hello", &options, &result, NULL);
        CHECK(status == (mode == 0 ? XL_OK : XL_CANCELLED));
        CHECK(result.finish == (mode == 0 ? XL_FINISH_LENGTH : XL_FINISH_CANCELLED));
        CHECK(result.generated_tokens == 10);
        options = recording(&rest, 10);
        CHECK(xl_session_generate(session, "", &options, &result, NULL) == XL_OK);
        CHECK(memcmp(whole.tokens, half.tokens, 10 * sizeof(int32_t)) == 0);
        CHECK(memcmp(whole.tokens + 10, rest.tokens, 10 * sizeof(int32_t)) == 0);
    }
    xl_session_close(session);
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_snapshot(void) {
    static struct record expected, restored;
    xl_engine *engine = open_engine(1, 0, 100);
    CHECK(engine);
    xl_session *session = open_session(engine), *other = open_session(engine);
    void *data;
    size_t size;
    CHECK(xl_session_feed(session, prompt(), N_PROMPT, NULL) == XL_OK);
    CHECK(xl_session_snapshot(session, &data, &size, NULL) == XL_OK);
    xl_generate_options options = recording(&expected, N_TOKENS);
    CHECK(xl_session_generate_tokens(session, NULL, 0, &options, NULL, NULL) == XL_OK);
    CHECK(xl_session_restore(other, data, size, NULL) == XL_OK);
    CHECK(xl_session_position(other) == N_PROMPT && xl_session_logits(other));
    options = recording(&restored, N_TOKENS);
    CHECK(xl_session_generate_tokens(other, NULL, 0, &options, NULL, NULL) == XL_OK);
    CHECK(same_tokens(&expected, &restored));
    uint8_t *bytes = data;
    xl_error error;
    for (size_t at = 0; at < size; at += at < 200 ? 1 : 97) { // every damaged byte is noticed
        bytes[at] ^= 0x41;
        CHECK_MESSAGE(xl_session_restore(other, data, size, &error) == XL_BAD_INPUT, "byte %zu",
                      at);
        CHECK(xl_session_position(other) == 0 && !xl_session_logits(other));
        bytes[at] ^= 0x41;
    }
    for (size_t cut = 0; cut < size; cut += 61)
        CHECK(xl_session_restore(other, data, cut, &error) == XL_BAD_INPUT);
    CHECK(xl_session_restore(other, NULL, 0, &error) == XL_BAD_INPUT);
    CHECK(xl_session_restore(other, data, size, &error) == XL_OK);
    char path[512];
    snprintf(path, sizeof path, "%s/other.gguf", harness_scratch());
    CHECK(tiny_model_write(path, 2, true));
    xl_engine *foreign;
    CHECK(xl_engine_open(path, NULL, &foreign, NULL) == XL_OK);
    xl_session *foreign_session = open_session(foreign);
    CHECK(xl_session_restore(foreign_session, data, size, &error) == XL_BAD_INPUT);
    CHECK(strstr(error.message, "another model"));
    xl_session_close(foreign_session);
    xl_engine_close(foreign);
    xl_free(data);
    xl_session_close(session);
    xl_session_close(other);
    xl_engine_close(engine);
    return TEST_PASS;
}

struct worker {
    xl_engine *engine;
    struct record record;
    xl_status status;
};

static void *work(void *argument) {
    struct worker *worker = argument;
    xl_session *session = open_session(worker->engine);
    xl_generate_options options = recording(&worker->record, N_TOKENS);
    worker->status = xl_session_generate_tokens(session, prompt(), N_PROMPT, &options, NULL, NULL);
    xl_session_close(session);
    return NULL;
}

// Sessions of one engine, token by token in turn and from several threads, do not disturb another.
static enum test_result test_sessions(void) {
    static struct record alone;
    static struct worker workers[3];
    xl_engine *engine = open_engine(2, 8, 100);
    CHECK(engine);
    xl_session *session = open_session(engine), *other = open_session(engine);
    xl_generate_options options = recording(&alone, N_TOKENS);
    CHECK(xl_session_generate_tokens(session, prompt(), N_PROMPT, &options, NULL, NULL) == XL_OK);
    CHECK(xl_session_rewind(session, 0, NULL) == XL_OK);
    static float expected[N_PROMPT][TINY_VOCAB];
    CHECK(xl_session_feed_all(session, prompt(), N_PROMPT, &expected[0][0], NULL) == XL_OK);
    CHECK(xl_session_rewind(session, 0, NULL) == XL_OK);
    for (int i = 0; i < N_PROMPT; i++) {
        CHECK(xl_session_feed(session, prompt() + i, 1, NULL) == XL_OK);
        CHECK(xl_session_feed(other, prompt() + N_PROMPT - 1 - i, 1, NULL) == XL_OK);
        CHECK(memcmp(xl_session_logits(session), expected[i], sizeof expected[i]) == 0);
    }
    xl_session_close(session);
    xl_session_close(other);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        workers[i].engine = engine;
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 3; i++)
        CHECK(workers[i].status == XL_OK && same_tokens(&alone, &workers[i].record));
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_status(void) {
    CHECK(strcmp(xl_version(), "0.1.0") == 0);
    CHECK(strcmp(xl_status_name(XL_BAD_INPUT), "bad input") == 0);
    CHECK(xl_status_exit_code(XL_OK) == 0 && xl_status_exit_code(XL_FAILED) == 1);
    CHECK(xl_status_exit_code(XL_USAGE) == 2 && xl_status_exit_code(XL_NOT_FOUND) == 3);
    CHECK(xl_status_exit_code(XL_NO_SPACE) == 4 && xl_status_exit_code(XL_VERIFY) == 5);
    const char *const *families = xl_families();
    CHECK(families[0] && strcmp(families[0], "llama") == 0);
    CHECK(hash64("", 0, 0) == 0xef46db3751d8e999u); // published vectors
    CHECK(hash64("a", 1, 0) == 0xd24ec4f1a98c6e5bu);
    CHECK(hash64("abc", 3, 0) == 0x44bc2cf5ad770999u);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"status", "version, exit codes, families, checksum", test_status},
    {"describe", "engine, machine and file descriptions", test_describe},
    {"text", "tokens there and back", test_text},
    {"chat", "chat templates", test_chat},
    {"feed", "at once = token by token = after rewind, bit by bit", test_feed},
    {"same_tokens", "the same tokens for all threads and chunks", test_same_tokens},
    {"context_full", "a full context is refused with numbers", test_context_full},
    {"stop_filter", "held back, shown, found", test_stop_filter},
    {"stops", "stop strings across tokens", test_stops},
    {"utf8_stream", "only whole characters are shown", test_utf8_stream},
    {"ends", "end tokens and limits", test_ends},
    {"continue", "stopped generations go on seamlessly", test_continue},
    {"snapshot", "restored sessions go on; damage is refused", test_snapshot},
    {"sessions", "sessions do not disturb each other", test_sessions},
};

int main(int argc, char **argv) {
    return harness_main("engine", tests, sizeof tests / sizeof *tests, argc, argv);
}
