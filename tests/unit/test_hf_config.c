// SPDX-License-Identifier: Apache-2.0
// The small files of a Hugging Face directory: found, told apart, limited.
#include "harness.h"

#include "format/hf_config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[512];

// A fresh directory for each test.
static bool begin(const char *name) {
    snprintf(directory, sizeof directory, "%s/%s", harness_scratch(), name);
    return mkdir(directory, 0700) == 0;
}

static bool write_bytes(const char *name, const char *bytes, size_t size) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    bool written = file && fwrite(bytes, 1, size, file) == size;
    if (file) fclose(file);
    return written;
}

static bool write_text(const char *name, const char *text) {
    return write_bytes(name, text, strlen(text));
}

static enum test_result everything(void) {
    struct hf_config *config;
    struct error err = {0};
    uint64_t number;
    double real;
    bool boolean;
    CHECK(begin("everything"));
    CHECK(write_text("config.json",
                     "{\"n\":7,\"x\":0.5,\"t\":true,\"s\":\"name\",\"m\":-1,\"z\":null}"));
    CHECK(write_text("generation_config.json", "{\"eos_token_id\":2}"));
    CHECK(write_text("tokenizer_config.json", "{\"chat_template\":\"{{ x }}\"}"));
    CHECK(write_text("tokenizer.json", "{}"));
    CHECK(write_text("special_tokens_map.json", "{}"));
    CHECK(write_text("added_tokens.json", "{}"));
    CHECK(write_text("vocab.txt", "[PAD]\n"));
    CHECK(write_bytes("tokenizer.model", "\n\x05\n\x03<s>", 7));
    CHECK(write_text("qwen.tiktoken", "IQ== 0\nIg== 1\n"));
    CHECK_MESSAGE(hf_config_open(&config, directory, &err) == STATUS_OK, "%s", err.message);
    CHECK(json_get_u64(config->config, "n", &number) && number == 7);
    CHECK(json_get_f64(config->config, "x", &real) && real == 0.5);
    CHECK(json_get_f64(config->config, "n", &real) && real == 7);
    CHECK(json_get_bool(config->config, "t", &boolean) && boolean);
    CHECK(strcmp(json_get_text(config->config, "s"), "name") == 0);
    CHECK(!json_get_u64(config->config, "m", &number) &&
          !json_get_u64(config->config, "x", &number));
    CHECK(!json_get_bool(config->config, "n", &boolean) && !json_get_text(config->config, "n"));
    CHECK(!json_get_f64(config->config, "z", &real) && !json_get_u64(NULL, "n", &number));
    CHECK(config->generation && config->tokenizer_config && config->tokenizer_json.data);
    CHECK(config->sentencepiece.size_bytes == 7 && config->tiktoken.size_bytes == 14);
    CHECK(strcmp(config->chat_template.data, "{{ x }}") == 0);
    CHECK(config->special_tokens_map.data && config->added_tokens.data);
    CHECK(config->bert_vocabulary.size_bytes == 6);
    hf_config_close(config);
    return TEST_PASS;
}

static enum test_result absence(void) {
    struct hf_config *config;
    struct error err = {0};
    CHECK(begin("absence"));
    CHECK(hf_config_open(&config, directory, &err) == STATUS_OK);
    CHECK(!config->config && !config->tokenizer_json.data && !config->chat_template.data);
    hf_config_close(config);
    CHECK(hf_config_open(&config, "/nonexistent", &err) == STATUS_NOT_FOUND && !config);
    return TEST_PASS;
}

static enum test_result tokenizer_models(void) {
    static const struct {
        const char *bytes;
        size_t size;
        bool tiktoken;
    } cases[] = {
        {"IQ== 0\nIg== 1\n", 14, true}, {"IQ== 0\r\n", 8, true}, {"YWI= 12", 7, true},
        {"\n\x05\n\x03<s>", 7, false},  {"IQ==\n", 5, false},    {"IQ== x\n", 7, false},
        {"abc def 1\n", 10, false},     {"", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hf_config *config;
        struct error err = {0};
        char name[32];
        snprintf(name, sizeof name, "model%zu", i);
        CHECK(begin(name));
        CHECK(write_bytes("tokenizer.model", cases[i].bytes, cases[i].size));
        CHECK(hf_config_open(&config, directory, &err) == STATUS_OK);
        CHECK_MESSAGE(!!config->tiktoken.data == cases[i].tiktoken, "case %zu", i);
        CHECK_MESSAGE(!!config->sentencepiece.data != cases[i].tiktoken, "case %zu", i);
        hf_config_close(config);
    }
    return TEST_PASS;
}

static enum test_result templates(void) {
    static const struct {
        const char *jinja, *tokenizer_config, *older, *expected, *phrase;
    } cases[] = {
        {"file", "{\"chat_template\":\"inline\"}", NULL, "file", NULL},
        {NULL,
         "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"t\"},"
         "{\"name\":\"default\",\"template\":\"d\"}]}",
         NULL, "d", NULL},
        {NULL, "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"r\"}]}", NULL, "r", NULL},
        {NULL, "{\"chat_template\":null}", NULL, NULL, NULL},
        {NULL, "{}", "{\"chat_template\":\"older\"}", "older", NULL},
        {NULL, "{\"chat_template\":7}", NULL, NULL, "neither text nor a list"},
        {NULL, "{\"chat_template\":[{\"name\":\"x\"}]}", NULL, NULL, "lacks a name"},
        {"\xff\xfe", "{}", NULL, NULL, "not valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hf_config *config;
        struct error err = {0};
        char name[32];
        snprintf(name, sizeof name, "template%zu", i);
        CHECK(begin(name));
        if (cases[i].jinja) CHECK(write_text("chat_template.jinja", cases[i].jinja));
        if (cases[i].older) CHECK(write_text("chat_template.json", cases[i].older));
        CHECK(write_text("tokenizer_config.json", cases[i].tokenizer_config));
        enum status status = hf_config_open(&config, directory, &err);
        if (cases[i].phrase) {
            CHECK_MESSAGE(status == STATUS_BAD_INPUT && strstr(err.message, cases[i].phrase),
                          "case %zu: %s", i, err.message);
            continue;
        }
        CHECK_MESSAGE(status == STATUS_OK, "case %zu: %s", i, err.message);
        const char *text = config->chat_template.data;
        CHECK(cases[i].expected ? text && strcmp(text, cases[i].expected) == 0 : !text);
        hf_config_close(config);
    }
    return TEST_PASS;
}

static enum test_result hostile_json(void) {
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"a\":1,\"a\":2}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":1}x",
        "{\"a\":\"\\ud800\"}",
        "{\"\xff\":1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":1e999}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":1,}",
        "// {}",
    };
    CHECK(begin("hostile"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct hf_config *config;
        struct error err = {0};
        CHECK(write_text("config.json", texts[i]));
        CHECK_MESSAGE(hf_config_open(&config, directory, &err) == STATUS_BAD_INPUT, "%s", texts[i]);
        CHECK_MESSAGE(strstr(err.message, "config.json: at byte "), "%s", err.message);
    }
    return TEST_PASS;
}

// "No limit" is written as 10^30; what fits must stay an integer, digits in texts must stay as they
// are.
static enum test_result wide_integers(void) {
    static const char text[] =
        "{\"max\":1000000000000000019884624838656,\"fits\":9223372036854775807,"
        "\"over\":9223372036854775808,\"low\":-99999999999999999999,\"list\":[1,"
        "18446744073709551615],\"real\":0.12345678901234567890123,\"tiny\":1e-"
        "00000000000000000000001,"
        "\"text\":\"\\\"123456789012345678901234\"}";
    struct hf_config *config;
    struct error err = {0};
    uint64_t number;
    double real;
    CHECK(begin("wide"));
    CHECK(write_text("config.json", text));
    CHECK_MESSAGE(hf_config_open(&config, directory, &err) == STATUS_OK, "%s", err.message);
    const json_t *root = config->config;
    CHECK(!json_get_u64(root, "max", &number) && json_get_f64(root, "max", &real));
    CHECK(real > 0.99e30 && real < 1.01e30);
    CHECK(json_get_u64(root, "fits", &number) && number == INT64_MAX);
    CHECK(!json_get_u64(root, "over", &number) && json_get_f64(root, "over", &real) &&
          real == 0x1p63);
    CHECK(json_get_f64(root, "low", &real) && real < -9.9e19 && real > -1.1e20);
    CHECK(json_is_real(json_array_get(json_object_get(root, "list"), 1)));
    CHECK(json_get_f64(root, "real", &real) && real > 0.12 && real < 0.13);
    CHECK(json_get_f64(root, "tiny", &real) && real == 0.1);
    CHECK(strcmp(json_get_text(root, "text"), "\"123456789012345678901234") == 0);
    hf_config_close(config);
    return TEST_PASS;
}

static enum test_result limits(void) {
    enum { LARGE = 5 << 20 };
    struct hf_config *config;
    struct error err = {0};
    char *text = malloc(LARGE);
    CHECK(text && begin("limits"));
    memset(text, '[', LARGE);
    memcpy(text, "{\"a\":", 5);
    CHECK(write_bytes("config.json", text, 1000000));
    CHECK(hf_config_open(&config, directory, &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "nested deeper"), "%s", err.message);
    memset(text, ' ', LARGE);
    CHECK(write_bytes("config.json", text, LARGE));
    CHECK(hf_config_open(&config, directory, &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "more than the limit"), "%s", err.message);
    memset(text, ',', LARGE);
    CHECK(write_bytes("config.json", text, 4 << 20));
    CHECK(hf_config_open(&config, directory, &err) == STATUS_BAD_INPUT);
    CHECK_MESSAGE(strstr(err.message, "values"), "%s", err.message);
    free(text);
    char path[1024];
    snprintf(path, sizeof path, "%s/config.json", directory);
    CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0); // must not wait for a writer
    CHECK(hf_config_open(&config, directory, &err) == STATUS_BAD_INPUT);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"everything", "all files at once, and the getters", everything},
    {"absence", "an empty directory, no directory", absence},
    {"tokenizer_models", "tiktoken text and protobuf in tokenizer.model", tokenizer_models},
    {"templates", "where chat templates come from", templates},
    {"hostile_json", "JSON that is not JSON", hostile_json},
    {"wide_integers", "integers beyond 64 bits", wide_integers},
    {"limits", "depth, size, number of values, a pipe", limits},
};

int main(int argc, char **argv) {
    return harness_main("hf_config", tests, sizeof tests / sizeof *tests, argc, argv);
}
