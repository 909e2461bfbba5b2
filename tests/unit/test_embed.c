// SPDX-License-Identifier: Apache-2.0
// Embeddings of a causal model and engines that are opened for their tokenizer only.
#include "harness.h"

#include "tiny_model.h"
#include "xinglin/xinglin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_TEXTS = 4 };

static char model_path[512];
static const char *const texts[N_TEXTS] = {"a", "patient admitted with fever", "no cough",
                                           "a longer text than the chunk of the second engine"};

struct batch {
    int32_t *tokens[N_TEXTS];
    size_t n_tokens[N_TEXTS];
    float *rows; // [N_TEXTS][n_embd]
    size_t n_embd;
};

static xl_engine *open_engine(int chunk, int context) {
    xl_engine_options options = xl_engine_options_default();
    options.chunk = chunk;
    options.context = context;
    xl_engine *engine = NULL;
    return xl_engine_open(model_path, &options, &engine, NULL) == XL_OK ? engine : NULL;
}

static bool batch_init(struct batch *batch, const xl_engine *engine) {
    xl_engine_info info = {.size = sizeof info};
    if (xl_engine_describe(engine, &info) != XL_OK) return false;
    batch->n_embd = (size_t)info.n_embd;
    batch->rows = malloc(N_TEXTS * batch->n_embd * sizeof *batch->rows);
    for (int i = 0; i < N_TEXTS; i++)
        if (xl_tokenize(engine, texts[i], strlen(texts[i]), true, false, &batch->tokens[i],
                        &batch->n_tokens[i], NULL) != XL_OK)
            return false;
    return batch->rows != NULL;
}

static void batch_deinit(struct batch *batch) {
    for (int i = 0; i < N_TEXTS; i++)
        xl_free(batch->tokens[i]);
    free(batch->rows);
}

static xl_status embed(xl_engine *engine, const struct batch *batch, xl_pooling pooling,
                       bool normalize, float *rows, xl_error *error) {
    const int32_t *const *tokens = (const int32_t *const *)batch->tokens;
    return xl_embed(engine, tokens, batch->n_tokens, N_TEXTS, pooling, normalize, rows, error);
}

// Neither the chunk nor the texts beside it change a bit of a text's vector.
static enum test_result test_same_bytes(void) {
    xl_engine *engine = open_engine(0, 0), *narrow = open_engine(3, 0);
    struct batch batch = {0};
    CHECK(engine && narrow && batch_init(&batch, engine));
    size_t row_bytes = batch.n_embd * sizeof(float);
    float *other = malloc(N_TEXTS * row_bytes);
    CHECK(other);
    CHECK(embed(engine, &batch, XL_POOLING_AUTO, false, batch.rows, NULL) == XL_OK);
    CHECK(embed(narrow, &batch, XL_POOLING_MEAN, false, other, NULL) == XL_OK);
    CHECK(memcmp(batch.rows, other, N_TEXTS * row_bytes) == 0);
    for (int i = 0; i < N_TEXTS; i++) {
        const int32_t *one = batch.tokens[i];
        CHECK(xl_embed(engine, &one, &batch.n_tokens[i], 1, XL_POOLING_MEAN, false, other, NULL) ==
              XL_OK);
        CHECK(memcmp(batch.rows + (size_t)i * batch.n_embd, other, row_bytes) == 0);
    }
    free(other);
    batch_deinit(&batch);
    xl_engine_close(narrow);
    xl_engine_close(engine);
    return TEST_PASS;
}

// A text of one token has one state; a causal model's first state does not see what follows; and
// the mean of two is what it says.
static enum test_result test_pooling(void) {
    xl_engine *engine = open_engine(0, 0);
    CHECK(engine);
    xl_engine_info info = {.size = sizeof info};
    CHECK(xl_engine_describe(engine, &info) == XL_OK);
    size_t n = (size_t)info.n_embd;
    float *rows = malloc(4 * n * sizeof *rows);
    CHECK(rows);
    const int32_t ids[2] = {TINY_BOS, TINY_LETTERS};
    const int32_t *const two = ids;
    const size_t lengths[2] = {1, 2};
    float *first = rows, *last = rows + n, *mean = rows + 2 * n, *cls = rows + 3 * n;
    CHECK(xl_embed(engine, &two, &lengths[0], 1, XL_POOLING_MEAN, false, first, NULL) == XL_OK);
    CHECK(xl_embed(engine, &two, &lengths[1], 1, XL_POOLING_LAST, false, last, NULL) == XL_OK);
    CHECK(xl_embed(engine, &two, &lengths[1], 1, XL_POOLING_MEAN, false, mean, NULL) == XL_OK);
    CHECK(xl_embed(engine, &two, &lengths[1], 1, XL_POOLING_CLS, false, cls, NULL) == XL_OK);
    CHECK(memcmp(first, cls, n * sizeof *rows) == 0);
    CHECK(memcmp(first, last, n * sizeof *rows) != 0);
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        CHECK(mean[i] == (float)(((double)first[i] + (double)last[i]) / 2));
        squares += (double)mean[i] * (double)mean[i];
    }
    float *unit = first;
    CHECK(xl_embed(engine, &two, &lengths[1], 1, XL_POOLING_MEAN, true, unit, NULL) == XL_OK);
    double length = 0;
    for (size_t i = 0; i < n; i++) {
        CHECK(fabs((double)unit[i] * sqrt(squares) - (double)mean[i]) < 1e-5);
        length += (double)unit[i] * (double)unit[i];
    }
    CHECK(fabs(length - 1) < 1e-6);
    free(rows);
    xl_engine_close(engine);
    return TEST_PASS;
}

// Without pooling every token has a row, text after text; the poolings follow from them.
static enum test_result test_every_state(void) {
    xl_engine *engine = open_engine(0, 0), *narrow = open_engine(3, 0);
    struct batch batch = {0};
    CHECK(engine && narrow && batch_init(&batch, engine));
    size_t n = batch.n_embd, n_tokens = 0;
    for (int i = 0; i < N_TEXTS; i++)
        n_tokens += batch.n_tokens[i];
    float *states = malloc(n_tokens * n * sizeof *states);
    float *other = malloc(n_tokens * n * sizeof *other);
    CHECK(states && other);
    CHECK(embed(engine, &batch, XL_POOLING_NONE, false, states, NULL) == XL_OK);
    CHECK(embed(narrow, &batch, XL_POOLING_NONE, false, other, NULL) == XL_OK);
    CHECK(memcmp(states, other, n_tokens * n * sizeof *states) == 0);
    CHECK(embed(engine, &batch, XL_POOLING_LAST, false, batch.rows, NULL) == XL_OK);
    size_t end = 0;
    for (int i = 0; i < N_TEXTS; i++) {
        end += batch.n_tokens[i];
        CHECK(memcmp(states + (end - 1) * n, batch.rows + (size_t)i * n, n * sizeof *states) == 0);
    }
    CHECK(embed(engine, &batch, XL_POOLING_NONE, true, other, NULL) == XL_OK);
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)other[(n_tokens - 1) * n + i] * (double)other[(n_tokens - 1) * n + i];
    CHECK(fabs(squares - 1) < 1e-5);
    free(states);
    free(other);
    batch_deinit(&batch);
    xl_engine_close(narrow);
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_refusals(void) {
    xl_engine *engine = open_engine(0, 8);
    struct batch batch = {0};
    xl_error error;
    CHECK(engine && batch_init(&batch, engine));
    CHECK(embed(NULL, &batch, XL_POOLING_AUTO, true, batch.rows, &error) == XL_USAGE);
    CHECK(embed(engine, &batch, XL_POOLING_AUTO, true, batch.rows, &error) == XL_CONTEXT_FULL);
    CHECK_MESSAGE(strstr(error.message, "text 1 of 4"), "%s", error.message);
    CHECK(embed(engine, &batch, (xl_pooling)9, true, batch.rows, &error) == XL_USAGE);
    CHECK(embed(engine, &batch, XL_POOLING_AUTO, true, NULL, &error) == XL_USAGE);
    CHECK(xl_embed(engine, NULL, NULL, 0, XL_POOLING_AUTO, true, NULL, &error) == XL_OK);
    const int32_t wrong = TINY_VOCAB, *const one = &wrong;
    const size_t lengths[2] = {1, 0};
    CHECK(xl_embed(engine, &one, &lengths[0], 1, XL_POOLING_AUTO, true, batch.rows, &error) ==
          XL_USAGE);
    CHECK_MESSAGE(strstr(error.message, "300"), "%s", error.message);
    CHECK(xl_embed(engine, &one, &lengths[1], 1, XL_POOLING_AUTO, true, batch.rows, &error) ==
          XL_USAGE);
    batch_deinit(&batch);
    xl_engine_close(engine);
    return TEST_PASS;
}

static enum test_result test_tokenizer_only(void) {
    xl_engine_options options = xl_engine_options_default();
    options.tokenizer_only = true;
    xl_engine *whole = open_engine(0, 0), *engine = NULL;
    xl_error error;
    CHECK(whole && xl_engine_open(model_path, &options, &engine, &error) == XL_OK);
    int32_t *ids[2];
    size_t n[2];
    CHECK(xl_tokenize(whole, texts[1], strlen(texts[1]), true, true, &ids[0], &n[0], NULL) ==
          XL_OK);
    CHECK(xl_tokenize(engine, texts[1], strlen(texts[1]), true, true, &ids[1], &n[1], NULL) ==
          XL_OK);
    CHECK(n[0] == n[1] && memcmp(ids[0], ids[1], n[0] * sizeof **ids) == 0);
    xl_engine_info info = {.size = sizeof info};
    CHECK(xl_engine_describe(engine, &info) == XL_OK && info.n_vocab == TINY_VOCAB);
    CHECK(info.n_layers == 0 && info.has_chat_template);
    CHECK(xl_token_is_end(engine, TINY_END));
    const xl_message message = {"user", "fever"};
    char *text = NULL;
    CHECK(xl_chat_format(engine, NULL, &message, 1, true, &text, NULL, &error) == XL_OK);
    xl_free(text);
    xl_session *session = NULL;
    CHECK(xl_session_open(engine, &session, &error) == XL_UNSUPPORTED && !session);
    CHECK_MESSAGE(strstr(error.message, "tokenizer only"), "%s", error.message);
    const int32_t *const one = ids[0];
    float row[1];
    CHECK(xl_embed(engine, &one, n, 1, XL_POOLING_AUTO, true, row, &error) == XL_UNSUPPORTED);
    xl_free(ids[0]);
    xl_free(ids[1]);
    xl_engine_close(engine);
    xl_engine_close(whole);
    char directory[600];
    snprintf(directory, sizeof directory, "%s.empty", model_path);
    CHECK(mkdir(directory, 0700) == 0);
    CHECK(xl_engine_open(directory, &options, &engine, &error) == XL_NOT_FOUND && !engine);
    CHECK_MESSAGE(strstr(error.message, directory), "%s", error.message);
    CHECK(rmdir(directory) == 0);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"same_bytes", "neither chunk nor neighbours change a vector", test_same_bytes},
    {"pooling", "first, last and mean; vectors of length 1", test_pooling},
    {"every_state", "a row a token, of which the poolings are made", test_every_state},
    {"refusals", "wrong calls", test_refusals},
    {"tokenizer_only", "no weights, no sessions", test_tokenizer_only},
};

int main(int argc, char **argv) {
    snprintf(model_path, sizeof model_path, "%s/tiny.gguf", harness_scratch());
    if (!tiny_model_write(model_path, 1, true)) return 1;
    return harness_main("embed", tests, sizeof tests / sizeof *tests, argc, argv);
}
