// SPDX-License-Identifier: Apache-2.0
// Tokenizers against their libraries' answers (tests/golden/tokenizers) and llama.cpp's vectors,
// whole and as a stream, special tokens, long words, damaged inputs.
#include "base/buffer.h"
#include "base/clock.h"
#include "base/mapped_file.h"
#include "base/utf8.h"
#include "harness.h"
#include "model/vocabulary_gguf.h"
#include "tokenizer/tokenizer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct tokenizer *open_file(const char *path, struct error *err) {
    struct mapped_file file;
    struct vocabulary vocabulary;
    struct tokenizer *tokenizer = NULL;
    if (mapped_file_open(&file, path, err) != STATUS_OK) return NULL;
    const char *text = (const char *)file.data;
    enum status status =
        strstr(path, ".json") != NULL
            ? vocabulary_from_tokenizer_json(&vocabulary, text, file.size_bytes, NULL, 0, err)
            : vocabulary_from_sentencepiece(&vocabulary, text, file.size_bytes, NULL, 0, err);
    if (status == STATUS_OK) tokenizer_create(&tokenizer, &vocabulary, err);
    mapped_file_close(&file);
    return tokenizer;
}

static struct tokenizer *open_golden(const char *name) {
    char path[512], relative[128];
    struct error err = {0};
    snprintf(relative, sizeof relative, "tests/golden/tokenizers/%s", name);
    if (!harness_repo_path(relative, path, sizeof path)) return NULL;
    struct tokenizer *tokenizer = open_file(path, &err);
    if (tokenizer == NULL) printf("    %s: %s\n", name, err.message);
    return tokenizer;
}

static struct token_list encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                                unsigned flags) {
    struct token_list list = {NULL, 0, 0};
    struct error err = {0};
    if (tokenizer_encode(tokenizer, text, size, flags, &list, &err) != STATUS_OK) {
        printf("    %s\n", err.message);
        list.n_tokens = SIZE_MAX / 8; // equal to nothing
    }
    return list;
}

static bool same_ids(const struct token_list *list, const json_t *ids) {
    if (list->n_tokens != json_array_size(ids)) return false;
    for (size_t i = 0; i < list->n_tokens; i++)
        if (list->ids[i] != json_integer_value(json_array_get(ids, i))) return false;
    return true;
}

// The stream of characters equals the whole text with malformed bytes replaced.
static bool streams_alike(const struct tokenizer *tokenizer, const struct token_list *list) {
    struct detokenizer detokenizer;
    struct buffer out;
    struct error err = {0};
    char *text = NULL;
    size_t size = 0;
    buffer_init(&out, 1 << 24);
    detokenizer_init(&detokenizer, tokenizer, false);
    bool good = tokenizer_decode(tokenizer, list->ids, list->n_tokens, false, &text, &size, &err) ==
                STATUS_OK;
    for (size_t i = 0; i < list->n_tokens && good; i++) {
        good = detokenizer_push(&detokenizer, list->ids[i], &out) == STATUS_OK &&
               (out.size_bytes == 0 || utf8_is_valid(out.data, out.size_bytes));
    }
    good = good && detokenizer_flush(&detokenizer, &out) == STATUS_OK;
    if (good && utf8_is_valid(text, size))
        good = size == out.size_bytes && (size == 0 || memcmp(text, out.data, size) == 0);
    buffer_deinit(&out);
    free(text);
    return good;
}

static enum test_result check_one(const json_t *entry, const json_t *texts) {
    const char *name = json_string_value(json_object_get(entry, "file"));
    unsigned flags = json_is_true(json_object_get(entry, "special")) ? ENCODE_PARSE_SPECIAL : 0;
    struct tokenizer *tokenizer = open_golden(name);
    CHECK_MESSAGE(tokenizer != NULL, "%s does not load", name);
    size_t index;
    json_t *text;
    json_array_foreach(texts, index, text) {
        bool is_bert = strncmp(name, "bert", 4) == 0;
        if (is_bert && strstr(json_string_value(text), "\xe2\x96\x81") != NULL) continue;
        const json_t *ids = json_array_get(json_object_get(entry, "ids"), index);
        struct token_list list =
            encode(tokenizer, json_string_value(text), json_string_length(text), flags);
        CHECK_MESSAGE(same_ids(&list, ids), "%s: text %zu has other ids", name, index);
        CHECK_MESSAGE(streams_alike(tokenizer, &list), "%s: text %zu streams badly", name, index);
        free(list.ids);
    }
    const json_t *framed = json_object_get(entry, "framed");
    struct token_list list = encode(tokenizer, "Hello", 5, ENCODE_ADD_SPECIAL);
    CHECK_MESSAGE(framed == NULL || same_ids(&list, framed), "%s: other surroundings", name);
    free(list.ids);
    tokenizer_destroy(tokenizer);
    return TEST_PASS;
}

static enum test_result test_golden(void) {
    char path[512];
    json_error_t where;
    CHECK(harness_repo_path("tests/golden/tokenizers/vectors.txt", path, sizeof path));
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &where);
    CHECK_MESSAGE(root != NULL, "vectors: %s", where.text);
    enum test_result result = TEST_PASS;
    size_t index;
    json_t *entry;
    json_array_foreach(json_object_get(root, "tokenizers"), index, entry) {
        if (result == TEST_PASS) result = check_one(entry, json_object_get(root, "texts"));
    }
    CHECK(index >= 17);
    json_decref(root);
    return result;
}

// Text pieces of an .inp file, lines of ids of its .out file.
static enum test_result check_vectors(const struct tokenizer *tokenizer, const char *name,
                                      const char *inputs, size_t inputs_bytes, const char *ids) {
    static const char mark[] = "\n__ggml_vocab_test__\n";
    int n_texts = 0;
    for (const char *text = inputs, *end = inputs + inputs_bytes; text != NULL; n_texts++) {
        const char *next = strstr(text, mark);
        size_t size = (size_t)((next != NULL ? next : end) - text);
        struct token_list list = encode(tokenizer, text, size, 0);
        const char *line_end = ids + strcspn(ids, "\n");
        for (size_t i = 0; i < list.n_tokens; i++) {
            char *after;
            CHECK_MESSAGE(ids < line_end && strtol(ids, &after, 10) == list.ids[i],
                          "%s: text %d has other ids", name, n_texts);
            ids = after + (*after == ' ');
        }
        CHECK_MESSAGE(ids + strspn(ids, " ") >= line_end, "%s: text %d has too few ids", name,
                      n_texts);
        free(list.ids);
        ids = line_end + (*line_end == '\n');
        text = next == NULL ? NULL : next + sizeof mark - 1;
    }
    CHECK(n_texts >= 46);
    return TEST_PASS;
}

static char *read_terminated(const char *relative, size_t *size) {
    char path[512];
    struct mapped_file file;
    if (!harness_input_path(relative, path, sizeof path) ||
        mapped_file_open(&file, path, NULL) != STATUS_OK)
        return NULL;
    char *copy = malloc(file.size_bytes + 1);
    if (copy != NULL) {
        memcpy(copy, file.data, file.size_bytes);
        copy[file.size_bytes] = '\0';
        *size = file.size_bytes;
    }
    mapped_file_close(&file);
    return copy;
}

static enum test_result check_gguf(const char *name, int *n_checked) {
    char path[512], relative[128];
    struct gguf *gguf;
    struct vocabulary vocabulary;
    struct tokenizer *tokenizer;
    struct error err = {0};
    size_t inputs_bytes = 0, ids_bytes = 0;
    snprintf(relative, sizeof relative, "llama.cpp/models/ggml-vocab-%s.gguf", name);
    if (!harness_input_path(relative, path, sizeof path)) return TEST_SKIP;
    CHECK_MESSAGE(gguf_open(&gguf, path, &err) == STATUS_OK, "%s", err.message);
    CHECK_MESSAGE(vocabulary_from_gguf(&vocabulary, gguf, &err) == STATUS_OK, "%s", err.message);
    CHECK_MESSAGE(tokenizer_create(&tokenizer, &vocabulary, &err) == STATUS_OK, "%s: %s", name,
                  err.message);
    snprintf(relative, sizeof relative, "llama.cpp/models/ggml-vocab-%s.gguf.inp", name);
    char *inputs = read_terminated(relative, &inputs_bytes);
    snprintf(relative, sizeof relative, "llama.cpp/models/ggml-vocab-%s.gguf.out", name);
    char *ids = read_terminated(relative, &ids_bytes);
    enum test_result result = TEST_PASS;
    if (inputs != NULL && ids != NULL) {
        result = check_vectors(tokenizer, name, inputs, inputs_bytes, ids);
        (*n_checked)++;
    }
    free(inputs);
    free(ids);
    tokenizer_destroy(tokenizer);
    gguf_close(gguf);
    return result;
}

static enum test_result test_gguf_vectors(void) {
    static const char *const names[] = {"bert-bge",  "command-r", "deepseek-coder", "deepseek-llm",
                                        "falcon",    "gemma-4",   "gpt-2",          "llama-bpe",
                                        "llama-spm", "mpt",       "phi-3",          "qwen2",
                                        "qwen35",    "refact",    "starcoder",      "aquila",
                                        "baichuan",  "gpt-neox",  "nomic-bert-moe"};
    int n_checked = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (check_gguf(names[i], &n_checked) == TEST_FAIL) return TEST_FAIL;
    if (n_checked == 0) return harness_skip("llama.cpp/models is not among the fetched inputs");
    CHECK(n_checked >= 14);
    return TEST_PASS;
}

static enum test_result test_invalid_bytes(void) {
    static const char *const files[] = {"roberta.json", "falcon_like.json", "llama_like.json",
                                        "metaspace_first.json", "sp_bpe.model"};
    static const char text[] = "a\xff\xfe b\xe4\xbd \xf0\x9f\x98\xff\xc0\xaf\xed\xa0\x80z";
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct tokenizer *tokenizer = open_golden(files[i]);
        struct error err = {0};
        char *decoded;
        size_t size;
        CHECK(tokenizer != NULL);
        struct token_list list = encode(tokenizer, text, sizeof text - 1, 0);
        CHECK(tokenizer_decode(tokenizer, list.ids, list.n_tokens, false, &decoded, &size, &err) ==
              STATUS_OK);
        size_t space = decoded[0] == ' ' && i == 0; // roberta's prefix space stays
        CHECK_MESSAGE(size - space == sizeof text - 1 &&
                          memcmp(decoded + space, text, sizeof text - 1) == 0,
                      "%s changes bytes", files[i]);
        CHECK(streams_alike(tokenizer, &list));
        free(decoded);
        free(list.ids);
        tokenizer_destroy(tokenizer);
    }
    return TEST_PASS;
}

static enum test_result test_long_words(void) {
    static const char *const files[] = {"roberta.json", "llama_like.json",
                                        "sp_bpe.model", "unigram_bytes.json",
                                        "bert.json",    "digits_bytes.json"};
    enum { SIZE = 1 << 19 };
    char *text = malloc(SIZE);
    CHECK(text != NULL);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct tokenizer *tokenizer = open_golden(files[i]);
        CHECK(tokenizer != NULL);
        for (int kind = 0; kind < 4; kind++) {
            for (size_t k = 0; k < SIZE; k++)
                text[k] = kind == 0 ? 'a' : kind == 1 ? ' ' : kind == 2 ? "ab\n"[k % 3] : '1';
            double start = clock_seconds();
            struct token_list list = encode(tokenizer, text, SIZE, 0);
            CHECK_MESSAGE(clock_seconds() - start < 120, "%s: half a MiB takes %.1f s", files[i],
                          clock_seconds() - start);
            CHECK(list.n_tokens <= SIZE + 1);
            free(list.ids);
        }
        tokenizer_destroy(tokenizer);
    }
    free(text);
    return TEST_PASS;
}

static enum test_result test_special_tokens(void) {
    struct tokenizer *tokenizer = open_golden("metaspace_first.json");
    CHECK(tokenizer != NULL);
    token_id bos = tokenizer_find(tokenizer, "<s>", 3), eos = tokenizer_find(tokenizer, "</s>", 4);
    CHECK(bos == 1 && eos == 2 && tokenizer_find(tokenizer, "no such token", 13) == -1);
    CHECK(tokenizer_is_end(tokenizer, eos) && !tokenizer_is_end(tokenizer, bos));
    CHECK(!tokenizer_is_end(tokenizer, -1) && !tokenizer_is_end(tokenizer, 1 << 20));
    struct token_list parsed = encode(tokenizer, "</s>", 4, ENCODE_PARSE_SPECIAL);
    struct token_list plain = encode(tokenizer, "</s>", 4, 0);
    CHECK(parsed.n_tokens == 1 && parsed.ids[0] == eos);
    CHECK(plain.n_tokens > 0 && plain.ids[0] != eos);
    size_t size;
    CHECK(tokenizer_piece(tokenizer, eos, false, &size) != NULL && size == 0);
    CHECK(tokenizer_piece(tokenizer, eos, true, &size) != NULL && size == 4);
    CHECK(tokenizer_piece(tokenizer, -1, true, &size) == NULL && size == 0);
    free(parsed.ids);
    free(plain.ids);
    tokenizer_destroy(tokenizer);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"golden", "ids of tokenizers and sentencepiece for every kind", test_golden},
        {"gguf_vectors", "llama.cpp's vocabulary vectors", test_gguf_vectors},
        {"invalid_bytes", "bytes that are no UTF-8 survive", test_invalid_bytes},
        {"long_words", "half a megabyte without a break is no problem", test_long_words},
        {"special_tokens", "control tokens in text and out", test_special_tokens},
    };
    return harness_main("tokenizer", tests, sizeof tests / sizeof tests[0], argc, argv);
}
