// SPDX-License-Identifier: Apache-2.0
// Readers of vocabularies: special tokens from configurations, names of pre-tokenizers, padding,
// and damaged or hostile files, which must be refused with a message or read.
#include "base/mapped_file.h"
#include "harness.h"
#include "tokenizer/pre_names.h"
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

static enum status read_json(struct vocabulary *vocabulary, const char *json, const char *config,
                             struct error *err) {
    return vocabulary_from_tokenizer_json(vocabulary, json, strlen(json), config,
                                          config == NULL ? 0 : strlen(config), err);
}

#define MODEL                                                                                      \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"
#define ADDED "\"added_tokens\":[{\"id\":4,\"content\":\"<|im_end|>\",\"special\":true}]"

static enum test_result test_config(void) {
    static const char config[] =
        "{\"model_max_length\":1000000000000000019884624838656,\"eos_token\":{\"content\":\"<|im_"
        "end|>\"},\"bos_token\":null,\"add_bos_token\":false,"
        "\"chat_template\":[{\"name\":\"rag\",\"template\":\"no\"},"
        "{\"name\":\"default\",\"template\":\"yes\"}]}";
    struct vocabulary vocabulary;
    struct error err = {0};
    CHECK_MESSAGE(read_json(&vocabulary, "{" MODEL "," ADDED "}", config, &err) == STATUS_OK, "%s",
                  err.message);
    CHECK(vocabulary.n_tokens == 5 && vocabulary.eos == 4 && vocabulary.bos == -1);
    CHECK(vocabulary.types[3] == TOKEN_UNUSED && vocabulary.types[4] == TOKEN_CONTROL);
    CHECK(vocabulary.texts[3].size_bytes == 6 && !memcmp(vocabulary.texts[3].data, "[PAD3]", 6));
    CHECK(vocabulary.chat_template != NULL && strcmp(vocabulary.chat_template, "yes") == 0);
    CHECK(vocabulary_pad(&vocabulary, 8, &err) == STATUS_OK && vocabulary.n_tokens == 8);
    CHECK(!memcmp(vocabulary.texts[7].data, "[PAD7]", 6) && vocabulary.types[7] == TOKEN_UNUSED);
    vocabulary_deinit(&vocabulary);
    CHECK(vocabulary.n_tokens == 0 && vocabulary.storage == NULL);
    return TEST_PASS;
}

static enum test_result test_names(void) {
    static const char *const known[] = {
        "default", "gpt-2",  "llama-bpe",   "qwen2",       "qwen35",    "deepseek-llm", "falcon",
        "mpt",     "smollm", "chatglm-bpe", "deepseek-v3", "gpt-4o",    "tekken",       "refact",
        "glm4",    "llama4", "starcoder",   "command-r",   "stablelm2", "gemma4",       "dbrx"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const struct pre_scheme *scheme = pre_scheme_find(known[i]);
        CHECK_MESSAGE(scheme != NULL, "%s is unknown", known[i]);
        struct pretokenizer pretokenizer = {.n_steps = 0};
        for (int k = 0; k < scheme->n_steps; k++) {
            const struct pre_step *step = &scheme->steps[k];
            struct error err = {0};
            if (step->kind == PRETOKENIZER_SPLIT)
                CHECK_MESSAGE(pretokenizer_add_split(&pretokenizer, step->pattern,
                                                     strlen(step->pattern), false, step->behavior,
                                                     false, &err) == STATUS_OK,
                              "%s: %s", known[i], err.message);
        }
        pretokenizer_deinit(&pretokenizer);
        const struct pre_scheme *back = pre_scheme_recognise(scheme->steps, scheme->n_steps,
                                                             scheme->nfc, scheme->ignore_merges);
        CHECK_MESSAGE(scheme->space_marks || scheme->add_sep ||
                          (back != NULL && back->n_steps == scheme->n_steps),
                      "%s is recognised as %s", known[i], back == NULL ? "-" : back->names[0]);
    }
    CHECK(pre_scheme_find("no such name") == NULL);
    CHECK(pre_scheme_find("") == pre_scheme_find("default"));
    return TEST_PASS;
}

static enum test_result test_recognises(void) {
    static const char json[] =
        "{\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
        "{\"type\":\"Digits\",\"individual_digits\":true},"
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}]}," MODEL "}";
    struct vocabulary vocabulary;
    struct error err = {0};
    CHECK(read_json(&vocabulary, json, NULL, &err) == STATUS_OK);
    CHECK_MESSAGE(strcmp(vocabulary.pre, "starcoder") == 0, "is \"%s\"", vocabulary.pre);
    CHECK(vocabulary.n_merges == 1 && vocabulary.huggingface_json != NULL);
    vocabulary_deinit(&vocabulary);
    return TEST_PASS;
}

static enum test_result test_refuses_json(void) {
    static const char *const files[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"model\":{}}",
        "{\"model\":{\"type\":\"BPE\"}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":999999999},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1.5},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}",
        "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}",
        "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[1,2]]}}",
        "{" MODEL ",\"added_tokens\":[{\"id\":\"x\",\"content\":\"y\"}]}",
        "{" MODEL ",\"added_tokens\":[{\"id\":5}]}"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct vocabulary vocabulary;
        struct error err = {0};
        CHECK_MESSAGE(read_json(&vocabulary, files[i], NULL, &err) != STATUS_OK, "accepts %s",
                      files[i]);
        CHECK_MESSAGE(err.message[0] != '\0', "no message for %s", files[i]);
        CHECK(vocabulary.storage == NULL);
    }
    return TEST_PASS;
}

static enum test_result test_refuses_parts(void) {
    static const char *const parts[] = {
        "\"normalizer\":{\"type\":\"NoSuch\"}",
        "\"pre_tokenizer\":{\"type\":\"NoSuch\"}",
        "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"}}",
        "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&b]\"}}",
        "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"!!\"}",
        "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////w==\"}",
        "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"x\",99],\"sep\":[\"y\",1]}"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char json[1024];
        struct vocabulary vocabulary;
        struct tokenizer *tokenizer;
        struct error err = {0};
        snprintf(json, sizeof json, "{%s," MODEL "}", parts[i]);
        if (read_json(&vocabulary, json, NULL, &err) != STATUS_OK) continue;
        CHECK_MESSAGE(tokenizer_create(&tokenizer, &vocabulary, &err) != STATUS_OK, "accepts %s",
                      parts[i]);
        CHECK(tokenizer == NULL && err.message[0] != '\0');
    }
    return TEST_PASS;
}

static enum test_result test_tiktoken(void) {
    static const char good[] = "YQ== 0\nYg== 1\r\nYWI= 2\nYWJh 3\n";
    static const char *const bad[] = {"",
                                      "YQ==\n",
                                      "YQ== x\n",
                                      "Y*== 0\n",
                                      "YQ== 99999999999\n",
                                      "YQ== 0\nYg== 0\n",
                                      "YQ== 99999\n"};
    struct vocabulary vocabulary;
    struct tokenizer *tokenizer;
    struct token_list list = {NULL, 0, 0};
    struct error err = {0};
    CHECK_MESSAGE(vocabulary_from_tiktoken(&vocabulary, good, sizeof good - 1, "chatglm-bpe", NULL,
                                           0, &err) == STATUS_OK,
                  "%s", err.message);
    CHECK(tokenizer_create(&tokenizer, &vocabulary, &err) == STATUS_OK);
    CHECK(tokenizer_encode(tokenizer, "ababa", 5, 0, &list, &err) == STATUS_OK);
    CHECK(list.n_tokens == 2 && list.ids[0] == 2 && list.ids[1] == 3);
    free(list.ids);
    tokenizer_destroy(tokenizer);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_MESSAGE(vocabulary_from_tiktoken(&vocabulary, bad[i], strlen(bad[i]), "qwen2", NULL,
                                               0, &err) != STATUS_OK,
                      "accepts %s", bad[i]);
    CHECK(vocabulary_from_tiktoken(&vocabulary, good, sizeof good - 1, "nonsense", NULL, 0, &err) ==
          STATUS_UNSUPPORTED);
    return TEST_PASS;
}

// Every truncation and every 97th flipped byte is refused or gives a tokenizer that works.
static enum test_result test_damaged_sentencepiece(void) {
    char path[512];
    struct mapped_file file;
    CHECK(harness_repo_path("tests/golden/tokenizers/sp_bpe.model", path, sizeof path));
    CHECK(mapped_file_open(&file, path, NULL) == STATUS_OK);
    uint8_t *copy = malloc(file.size_bytes);
    CHECK(copy != NULL);
    for (size_t i = 0; i < file.size_bytes; i += 97) {
        for (int kind = 0; kind < 2; kind++) {
            struct vocabulary vocabulary;
            struct tokenizer *tokenizer = NULL;
            struct token_list list = {NULL, 0, 0};
            struct error err = {0};
            memcpy(copy, file.data, file.size_bytes);
            if (kind == 1) copy[i] ^= 0x5a;
            size_t size = kind == 0 ? i : file.size_bytes;
            if (vocabulary_from_sentencepiece(&vocabulary, copy, size, NULL, 0, &err) !=
                    STATUS_OK ||
                tokenizer_create(&tokenizer, &vocabulary, &err) != STATUS_OK) {
                CHECK(err.message[0] != '\0');
                continue;
            }
            CHECK(tokenizer_encode(tokenizer, "Hello mmHg", 10, 3, &list, &err) == STATUS_OK);
            free(list.ids);
            tokenizer_destroy(tokenizer);
        }
    }
    free(copy);
    mapped_file_close(&file);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"config", "tokenizer_config.json, holes and padding", test_config},
        {"names", "every named scheme compiles and is recognised", test_names},
        {"recognises", "a tokenizer.json gets its GGUF name", test_recognises},
        {"refuses_json", "damaged tokenizer.json", test_refuses_json},
        {"refuses_parts", "unknown or damaged parts of a tokenizer.json", test_refuses_parts},
        {"tiktoken", "good and bad tiktoken text", test_tiktoken},
        {"damaged_sentencepiece", "truncated and flipped models", test_damaged_sentencepiece},
    };
    return harness_main("vocabulary", tests, sizeof tests / sizeof tests[0], argc, argv);
}
