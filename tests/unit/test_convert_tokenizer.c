// SPDX-License-Identifier: Apache-2.0
// A tokenizer's way into GGUF metadata and back: real tokenizers of every kind (fetched inputs and
// ../shared) give the same ids, the same text and the same special tokens after it.
#include "engine/convert_tokenizer.h"
#include "engine/vocabulary_source.h"
#include "harness.h"
#include "model/vocabulary_gguf.h"
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { N_PADDING = 5 };

static const char *const texts[] = {
    "",
    " ",
    "Hello world",
    "  leading, trailing  and   many    spaces   ",
    "患者男性，67岁，因“反复胸闷、气促3年，加重1周”入院。",
    "血压 135/85 mmHg，体温36.8℃，SpO₂ 97%，肌酐 88 μmol/L，阿司匹林肠溶片 100 mg qd。",
    "line one\nline two\r\n\n\n\tTabbed\n",
    "for (int i = 0; i < 10; i++) { x[i] += 0x1F; } // it's done, we'll see",
    "👩‍⚕️🏥 e\xcc\x81t\xc3\xa9 \xef\xac\x81 \xe2\x84\xab \xe3\x80\x80 Ünïcödé",
    "1234567890 3.14159 1,000,000 ２０２４年",
    "<s> </s> <|im_start|>user\nhi<|im_end|> <|endoftext|> <bos><eos> [CLS] [gMASK] <0x41>",
    "bad \xff\xfe bytes \xe4\xb8 cut",
    "ALLCAPS MixedCase don't DON'T naïve-ish",
};
enum { N_TEXTS = sizeof texts / sizeof *texts };

static enum test_result compare_texts(const struct tokenizer *before,
                                      const struct tokenizer *after) {
    static const unsigned flags[] = {0, ENCODE_ADD_SPECIAL, ENCODE_PARSE_SPECIAL,
                                     ENCODE_ADD_SPECIAL | ENCODE_PARSE_SPECIAL};
    struct error err;
    for (int t = 0; t < N_TEXTS * 4; t++) {
        const char *text = texts[t / 4];
        struct token_list one = {0}, other = {0};
        CHECK(tokenizer_encode(before, text, strlen(text), flags[t % 4], &one, &err) == STATUS_OK);
        CHECK(tokenizer_encode(after, text, strlen(text), flags[t % 4], &other, &err) == STATUS_OK);
        CHECK_MESSAGE(one.n_tokens == other.n_tokens &&
                          (one.n_tokens == 0 ||
                           memcmp(one.ids, other.ids, one.n_tokens * sizeof *one.ids) == 0),
                      "flags %u: \"%s\"", flags[t % 4], text);
        char *plain, *again;
        size_t plain_bytes, again_bytes;
        CHECK(tokenizer_decode(before, one.ids, one.n_tokens, true, &plain, &plain_bytes, &err) ==
              STATUS_OK);
        CHECK(tokenizer_decode(after, one.ids, one.n_tokens, true, &again, &again_bytes, &err) ==
              STATUS_OK);
        CHECK_MESSAGE(plain_bytes == again_bytes && memcmp(plain, again, plain_bytes) == 0,
                      "\"%s\" decodes to \"%s\" and \"%s\"", text, plain, again);
        free(plain);
        free(again);
        free(one.ids);
        free(other.ids);
    }
    return TEST_PASS;
}

static enum test_result compare(const struct tokenizer *before, const struct tokenizer *after) {
    const struct vocabulary *a = tokenizer_vocabulary(before), *b = tokenizer_vocabulary(after);
    CHECK(b->n_tokens == a->n_tokens + N_PADDING && a->model == b->model);
    CHECK(a->bos == b->bos && a->eos == b->eos && a->eot == b->eot && a->eom == b->eom);
    CHECK(a->unk == b->unk && a->pad == b->pad && a->sep == b->sep && a->mask == b->mask);
    CHECK(a->add_bos == b->add_bos && a->add_eos == b->add_eos && a->add_sep == b->add_sep);
    CHECK(!a->chat_template == !b->chat_template &&
          (!a->chat_template || strcmp(a->chat_template, b->chat_template) == 0));
    for (int32_t id = 0; id < a->n_tokens; id++)
        CHECK_MESSAGE(tokenizer_is_end(before, id) == tokenizer_is_end(after, id), "%d", (int)id);
    return compare_texts(before, after);
}

static bool write_file(const char *path, const char *directory, int n_vocab, struct error *err) {
    struct gguf_writer *writer;
    if (gguf_writer_create(&writer, path, err) != STATUS_OK) return false;
    gguf_writer_text(writer, "general.architecture", "llama");
    if (convert_tokenizer(writer, NULL, directory, n_vocab, err) == STATUS_OK &&
        gguf_writer_begin_data(writer, err) == STATUS_OK)
        return gguf_writer_commit(writer, err) == STATUS_OK;
    gguf_writer_abort(writer);
    return false;
}

static enum test_result check_directory(const char *directory) {
    struct hf_config *hf;
    struct vocabulary vocabulary;
    struct tokenizer *before, *after;
    struct gguf *gguf;
    struct error err;
    char path[1024];
    CHECK(hf_config_open(&hf, directory, &err) == STATUS_OK);
    CHECK_MESSAGE(vocabulary_from_hugging_face(&vocabulary, hf, &err) == STATUS_OK, "%s: %s",
                  directory, err.message);
    int n_vocab = vocabulary.n_tokens + N_PADDING;
    CHECK_MESSAGE(tokenizer_create(&before, &vocabulary, &err) == STATUS_OK, "%s: %s", directory,
                  err.message);
    snprintf(path, sizeof path, "%s/tokenizer.gguf", harness_scratch());
    CHECK_MESSAGE(write_file(path, directory, n_vocab, &err), "%s: %s", directory, err.message);
    CHECK(gguf_open(&gguf, path, &err) == STATUS_OK);
    CHECK_MESSAGE(vocabulary_from_gguf(&vocabulary, gguf, &err) == STATUS_OK, "%s: %s", directory,
                  err.message);
    CHECK_MESSAGE(tokenizer_create(&after, &vocabulary, &err) == STATUS_OK, "%s: %s", directory,
                  err.message);
    enum test_result result = compare(before, after);
    if (result != TEST_PASS) printf("    … of %s\n", directory);
    tokenizer_destroy(before);
    tokenizer_destroy(after);
    gguf_close(gguf);
    hf_config_close(hf);
    return result;
}

static enum test_result check_all(const char *const *names, size_t n_names,
                                  bool (*find)(const char *, char *, size_t)) {
    int n_found = 0;
    for (size_t i = 0; i < n_names; i++) {
        char directory[1024];
        if (!find(names[i], directory, sizeof directory)) continue;
        n_found++;
        if (check_directory(directory) != TEST_PASS) return TEST_FAIL;
    }
    return n_found ? TEST_PASS : harness_skip("no tokenizers there");
}

static enum test_result run_shared(void) {
    static const char *const names[] = {"data/tokenizers/llama2",   "data/tokenizers/baichuan2",
                                        "data/tokenizers/chatglm3", "data/tokenizers/internlm2",
                                        "data/tokenizers/glm4",     "data/tokenizers/qwen1"};
    return check_all(names, sizeof names / sizeof *names, harness_shared_path);
}

static enum test_result run_fetched(void) {
    static const char *const names[] = {"tokenizers/qwen3",  "tokenizers/llama3_1",
                                        "tokenizers/gemma3", "tokenizers/deepseek_v3",
                                        "tokenizers/gptoss", "tokenizers/gpt4o"};
    return check_all(names, sizeof names / sizeof *names, harness_input_path);
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"shared", "SentencePiece and tiktoken files", run_shared},
        {"fetched", "tokenizer.json of large models", run_fetched},
    };
    return harness_main("convert_tokenizer", tests, sizeof tests / sizeof *tests, argc, argv);
}
