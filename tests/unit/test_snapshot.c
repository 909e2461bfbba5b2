// SPDX-License-Identifier: Apache-2.0
// What a snapshot must not be able to do: enter a model of another blueprint, bring tokens that the
// model does not know, or leave keys and values behind that closing the session would not wipe.
#include "harness.h"

#include "base/hash64.h"
#include "engine/engine.h"
#include "tiny_model.h"

#include <stdlib.h>
#include <string.h>

enum { N_TOKENS = 12, CHECKSUM_AT = 24, HEADER_BYTES = 64, MODEL_BYTES_MAX = 1 << 18 };

static const char *scratch_path(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", harness_scratch(), name);
    return path;
}

static xl_engine *open_model(const char *path) {
    xl_engine *engine = NULL;
    xl_error error;
    if (xl_engine_open(path, NULL, &engine, &error) != XL_OK) printf("    %s\n", error.message);
    return engine;
}

// A snapshot of a session that was fed a few tokens.
static bool take_snapshot(xl_engine *engine, void **data, size_t *size_bytes) {
    xl_session *session = NULL;
    int32_t tokens[N_TOKENS] = {TINY_BOS};
    for (int i = 1; i < N_TOKENS; i++)
        tokens[i] = TINY_LETTERS + i;
    bool good = xl_session_open(engine, &session, NULL) == XL_OK &&
                xl_session_feed(session, tokens, N_TOKENS, NULL) == XL_OK &&
                xl_session_snapshot(session, data, size_bytes, NULL) == XL_OK;
    xl_session_close(session);
    return good;
}

static enum test_result test_wiped(void) {
    void *data;
    size_t size;
    xl_session *session;
    CHECK(tiny_model_write(scratch_path("tiny.gguf"), 1, true));
    xl_engine *engine = open_model(scratch_path("tiny.gguf"));
    CHECK(engine && take_snapshot(engine, &data, &size));
    CHECK(xl_session_open(engine, &session, NULL) == XL_OK);
    CHECK(session->cache.n_pages == 0);
    CHECK(xl_session_restore(session, data, size, NULL) == XL_OK);
    CHECK(session->cache.n_pages == kv_pages_of(N_TOKENS)); // deinit wipes those
    CHECK(xl_session_rewind(session, 0, NULL) == XL_OK &&
          session->cache.n_pages == kv_pages_of(N_TOKENS));
    xl_session_close(session);
    xl_engine_close(engine);
    xl_free(data);
    return TEST_PASS;
}

// The same weights with another number in the metadata.
static bool write_variant(const char *from, const char *to, const char *key, float number) {
    static char bytes[MODEL_BYTES_MAX];
    FILE *file = fopen(from, "rb");
    if (!file) return false;
    size_t size = fread(bytes, 1, sizeof bytes, file), length = strlen(key);
    fclose(file);
    size_t at = 0;
    while (at + length + 8 < size && memcmp(bytes + at, key, length) != 0)
        at++;
    if (at + length + 8 >= size) return false;
    memcpy(bytes + at + length + 4, &number, sizeof number); // after the type
    file = fopen(to, "wb");
    return file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0;
}

static enum test_result test_blueprint(void) {
    char from[512];
    void *data;
    size_t size;
    xl_session *session;
    xl_error error;
    snprintf(from, sizeof from, "%s", scratch_path("tiny.gguf"));
    CHECK(tiny_model_write(from, 1, true));
    CHECK(write_variant(from, scratch_path("other.gguf"), "layer_norm_rms_epsilon", 0.25f));
    xl_engine *engine = open_model(from), *other = open_model(scratch_path("other.gguf"));
    CHECK(engine && other && take_snapshot(engine, &data, &size));
    CHECK(xl_session_open(other, &session, NULL) == XL_OK);
    CHECK(xl_session_restore(session, data, size, &error) == XL_BAD_INPUT);
    CHECK_MESSAGE(strstr(error.message, "another model"), "%s", error.message);
    CHECK(xl_session_position(session) == 0);
    xl_session_close(session);
    xl_engine_close(other);
    other = open_model(from); // opened again it is the same model
    CHECK(other && xl_session_open(other, &session, NULL) == XL_OK);
    CHECK(xl_session_restore(session, data, size, NULL) == XL_OK);
    xl_session_close(session);
    xl_engine_close(other);
    xl_engine_close(engine);
    xl_free(data);
    return TEST_PASS;
}

static enum test_result test_forged(void) {
    static const int32_t forged[] = {-1, TINY_VOCAB, INT32_MAX, INT32_MIN};
    void *data;
    size_t size;
    xl_session *session;
    xl_error error;
    CHECK(tiny_model_write(scratch_path("tiny.gguf"), 1, true));
    xl_engine *engine = open_model(scratch_path("tiny.gguf"));
    CHECK(engine && take_snapshot(engine, &data, &size));
    CHECK(xl_session_open(engine, &session, NULL) == XL_OK);
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        uint8_t *bytes = data;
        uint64_t checksum = 0;
        memcpy(bytes + HEADER_BYTES + 4 * i, &forged[i], sizeof forged[i]);
        memcpy(bytes + CHECKSUM_AT, &checksum, sizeof checksum);
        checksum =
            hash64(bytes + HEADER_BYTES, size - HEADER_BYTES, hash64(bytes, HEADER_BYTES, 0));
        memcpy(bytes + CHECKSUM_AT, &checksum, sizeof checksum);
        CHECK(xl_session_restore(session, data, size, &error) == XL_BAD_INPUT);
        CHECK_MESSAGE(strstr(error.message, "tokens beyond"), "%s", error.message);
        CHECK(xl_session_position(session) == 0 && !xl_session_logits(session));
    }
    xl_session_close(session);
    xl_engine_close(engine);
    xl_free(data);
    return TEST_PASS;
}

// Feeds tokens [begin, end) of a fixed text.
static bool feed_text(xl_session *session, int begin, int end, int32_t offset) {
    int32_t tokens[40];
    for (int i = begin; i < end; i++)
        tokens[i - begin] = i ? TINY_LETTERS + 1 + (i + offset) % 8 : TINY_BOS;
    return xl_session_feed(session, tokens, (size_t)(end - begin), NULL) == XL_OK;
}

// A snapshot in the middle of a tile: what another text left behind it is not in the bytes, and the
// copy goes on as the original does.
static enum test_result check_rest(xl_engine *engine) {
    xl_session *one, *two;
    void *first, *second;
    size_t first_bytes, second_bytes, n = sizeof(float) * TINY_VOCAB;
    CHECK(xl_session_open(engine, &one, NULL) == XL_OK);
    CHECK(xl_session_open(engine, &two, NULL) == XL_OK);
    CHECK(feed_text(one, 0, 21, 0));
    CHECK(xl_session_snapshot(one, &first, &first_bytes, NULL) == XL_OK);
    CHECK(feed_text(two, 0, 20, 0) && feed_text(two, 20, 31, 3)); // another text, forgotten
    CHECK(xl_session_rewind(two, 20, NULL) == XL_OK && feed_text(two, 20, 21, 0));
    CHECK(xl_session_snapshot(two, &second, &second_bytes, NULL) == XL_OK);
    CHECK(first_bytes == second_bytes && memcmp(first, second, first_bytes) == 0);
    CHECK(xl_session_rewind(two, 0, NULL) == XL_OK);
    CHECK(xl_session_restore(two, first, first_bytes, NULL) == XL_OK);
    CHECK(feed_text(one, 21, 35, 0) && feed_text(two, 21, 35, 0));
    CHECK(memcmp(xl_session_logits(one), xl_session_logits(two), n) == 0);
    xl_free(first);
    xl_free(second);
    xl_session_close(one);
    xl_session_close(two);
    return TEST_PASS;
}

static enum test_result test_types(void) {
    static const char *const names[] = {"f32", "f16", "bf16", "i8"};
    CHECK(tiny_model_write(scratch_path("tiny.gguf"), 1, true));
    for (int i = 0; i < 4; i++) {
        xl_engine_options options = xl_engine_options_default();
        xl_engine_info info = {.size = sizeof info};
        xl_engine *engine;
        options.kv_type = (xl_kv_type)(XL_KV_F32 + i);
        CHECK(xl_engine_open(scratch_path("tiny.gguf"), &options, &engine, NULL) == XL_OK);
        CHECK(xl_engine_describe(engine, &info) == XL_OK && strcmp(info.kv_type, names[i]) == 0);
        CHECK_MESSAGE(check_rest(engine) == TEST_PASS, "%s", names[i]);
        xl_engine_close(engine);
    }
    xl_engine_options options = xl_engine_options_default();
    xl_engine *engine;
    options.kv_type = (xl_kv_type)(XL_KV_I8 + 1);
    CHECK(xl_engine_open(scratch_path("tiny.gguf"), &options, &engine, NULL) == XL_USAGE);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"types", "every KV type: snapshots in the middle of a tile, without other texts", test_types},
    {"wiped", "a restored session is wiped when it closes", test_wiped},
    {"blueprint", "the same weights with another blueprint are another model", test_blueprint},
    {"forged", "tokens that the model does not know are refused", test_forged},
};

int main(int argc, char **argv) {
    return harness_main("snapshot", tests, sizeof tests / sizeof *tests, argc, argv);
}
