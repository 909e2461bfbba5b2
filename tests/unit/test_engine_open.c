// SPDX-License-Identifier: Apache-2.0
// Opening models through the public API: wrong calls and wrong files are refused with a status and
// a message, damaged files are refused or harmless, and the program of examples/ runs.
#include "harness.h"

#include "tiny_model.h"
#include "xinglin/xinglin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char model_path[512];

static enum test_result test_refusals(void) {
    xl_engine *engine = (xl_engine *)1;
    xl_error error;
    CHECK(xl_engine_open("/nonexistent/model.gguf", NULL, &engine, &error) == XL_NOT_FOUND);
    CHECK(!engine && strstr(error.message, "/nonexistent/model.gguf"));
    xl_engine_options options = xl_engine_options_default();
    options.isa = "abacus";
    CHECK(xl_engine_open(model_path, &options, &engine, &error) == XL_USAGE);
    CHECK(strstr(error.message, "abacus"));
    options = xl_engine_options_default();
    options.threads = -1;
    CHECK(xl_engine_open(model_path, &options, &engine, &error) == XL_USAGE);
    options = xl_engine_options_default();
    options.family = "qwen2";
    CHECK(xl_engine_open(model_path, &options, &engine, &error) == XL_USAGE);
    CHECK_MESSAGE(strstr(error.message, "llama"), "%s", error.message);
    options = xl_engine_options_default();
    options.size = sizeof options + 8;
    CHECK(xl_engine_open(model_path, &options, &engine, &error) == XL_USAGE);
    options.size = 24; // an older header: what it lacks is default
    CHECK(xl_engine_open(model_path, &options, &engine, &error) == XL_OK);
    xl_session *session;
    CHECK(xl_session_open(engine, &session, NULL) == XL_OK);
    xl_generate_options generate = xl_generate_options_default();
    generate.size = 3;
    CHECK(xl_session_generate(session, "x", &generate, NULL, &error) == XL_USAGE);
    generate = xl_generate_options_default();
    generate.temperature = -1;
    CHECK(xl_session_generate(session, "x", &generate, NULL, &error) == XL_USAGE);
    CHECK(xl_session_generate(session, NULL, NULL, NULL, &error) == XL_USAGE);
    CHECK(xl_session_generate(session, "x", NULL, NULL, NULL) == XL_OK); // error may be NULL
    xl_session_close(session);
    xl_engine_close(engine);
    xl_engine_close(NULL);
    xl_session_close(NULL);
    return TEST_PASS;
}

static bool read_all(const char *path, uint8_t *bytes, size_t size_max, size_t *size_bytes) {
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    *size_bytes = fread(bytes, 1, size_max, file);
    return fclose(file) == 0 && *size_bytes < size_max;
}

// Opens a damaged model and uses whatever was accepted.
static enum test_result try_mutant(const char *path) {
    static const int32_t tokens[] = {1, 260, 3, 285};
    xl_engine_options options = xl_engine_options_default();
    xl_engine *engine = NULL;
    xl_session *session = NULL;
    xl_error error = {0};
    char *json = NULL;
    options.threads = 1;
    options.context = 16;
    xl_generate_options generate = xl_generate_options_default();
    generate.max_tokens = 3;
    if (xl_inspect(path, &json, &error) == XL_OK)
        xl_free(json);
    else
        CHECK(error.message[0]);
    if (xl_engine_open(path, &options, &engine, &error) != XL_OK) {
        CHECK(error.message[0] && !engine);
        return TEST_PASS;
    }
    if (xl_session_open(engine, &session, &error) == XL_OK) {
        xl_session_feed(session, tokens, 4, &error);
        xl_session_generate(session, "ab c", &generate, NULL, &error);
    }
    xl_session_close(session);
    xl_engine_close(engine);
    return TEST_PASS;
}

// Damaged metadata is refused with a message or harmless; mostly in the head, where sizes live.
static enum test_result test_mutants(void) {
    enum { N_MUTANTS = 1500, HEAD_BYTES = 14000 };
    static uint8_t bytes[1 << 20];
    static const uint8_t extremes[] = {0, 1, 0x7f, 0x80, 0xff};
    size_t size;
    char path[512];
    uint64_t state = 1;
    CHECK(read_all(model_path, bytes, sizeof bytes, &size) && size > HEAD_BYTES);
    snprintf(path, sizeof path, "%s/mutant.gguf", harness_scratch());
    for (int i = 0; i < N_MUTANTS; i++) {
        size_t at[3];
        uint8_t before[3];
        int n = 1 + i % 3;
        for (int j = 0; j < n; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            at[j] = (size_t)(state >> 33) % (i % 16 ? HEAD_BYTES : size);
            before[j] = bytes[at[j]];
            bytes[at[j]] = i % 2 ? extremes[(state >> 20) % 5] : (uint8_t)(state >> 24);
        }
        FILE *file = fopen(path, "wb");
        CHECK(file && fwrite(bytes, 1, i % 64 == 5 ? at[0] + 1 : size, file) > 0);
        fclose(file);
        CHECK(try_mutant(path) == TEST_PASS);
        for (int j = n - 1; j >= 0; j--)
            bytes[at[j]] = before[j];
    }
    return TEST_PASS;
}

// Runs the program of examples/ on a model; its output goes to a file.
static int run_example(const char *model, const char *output) {
    pid_t child = fork();
    if (child == 0) {
        if (freopen(output, "w", stdout) && freopen("/dev/null", "w", stderr))
            execl(XL_EXAMPLE_PROGRAM, "generate", model, "abc", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

static enum test_result test_example(void) {
    char output[512], text[4096];
    snprintf(output, sizeof output, "%s/example.txt", harness_scratch());
    CHECK(run_example(model_path, output) == 0);
    FILE *file = fopen(output, "r");
    CHECK(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    for (size_t i = 0; i < n; i++) // a random model writes any byte
        if (text[i] == '\0') text[i] = ' ';
    CHECK(strstr(text, "ms a token]"));
    CHECK(run_example("/nonexistent/model.gguf", output) == 3);
    return TEST_PASS;
}

static int count_beyond(void *user, int32_t token) {
    *(int32_t *)user += token > 1;
    return 0;
}

static int check_plain(void *user, const char *text, size_t text_bytes) {
    (void)user;
    for (size_t i = 0; i < text_bytes; i++)
        if (text[i] != 'a' && text[i] != 'b') return 1; // ends the generation as cancelled
    return 0;
}

// A checkpoint of 192 embedding rows whose tokenizer has two tokens.
static bool write_narrow_tokenizer(char *directory, size_t size) {
    static const char tokenizer[] =
        "{\"version\": \"1.0\", \"added_tokens\": [], \"model\": {\"type\": \"BPE\", "
        "\"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": []}}";
    static const char *const links[] = {"config.json", "model.safetensors"};
    char from[512], to[600], relative[128];
    snprintf(directory, size, "%s/narrow", harness_scratch());
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) return false;
    for (int i = 0; i < 2; i++) {
        snprintf(relative, sizeof relative, "tests/golden/models/llama/%s", links[i]);
        snprintf(to, sizeof to, "%s/%s", directory, links[i]);
        if (!harness_repo_path(relative, from, sizeof from)) return false;
        if (symlink(from, to) != 0 && errno != EEXIST) return false;
    }
    snprintf(to, sizeof to, "%s/tokenizer.json", directory);
    FILE *file = fopen(to, "w");
    return file && fputs(tokenizer, file) >= 0 && fclose(file) == 0;
}

// Ids that have no token show as nothing, wherever they come from.
static enum test_result test_narrow_tokenizer(void) {
    char directory[512], *text = NULL;
    int32_t tokens[] = {0, 150, 191, 1}, n_beyond = 0;
    xl_engine *engine = NULL;
    xl_session *session = NULL;
    xl_error error = {0};
    CHECK(write_narrow_tokenizer(directory, sizeof directory));
    CHECK_MESSAGE(xl_engine_open(directory, NULL, &engine, &error) == XL_OK, "%s", error.message);
    CHECK(xl_detokenize(engine, tokens, 4, true, &text, NULL, &error) == XL_OK);
    CHECK_MESSAGE(strcmp(text, "ab") == 0, "\"%s\"", text);
    xl_free(text);
    tokens[3] = 192;
    CHECK(xl_detokenize(engine, tokens, 4, true, &text, NULL, &error) == XL_USAGE);
    CHECK(xl_session_open(engine, &session, &error) == XL_OK);
    xl_generate_options options = xl_generate_options_default();
    options.max_tokens = 40;
    options.on_token = count_beyond;
    options.on_text = check_plain;
    options.user = &n_beyond;
    CHECK_MESSAGE(xl_session_generate(session, "ab", &options, NULL, &error) == XL_OK, "%s",
                  error.message);
    CHECK(n_beyond > 0); // else it proves nothing
    xl_session_close(session);
    xl_engine_close(engine);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"refusals", "wrong calls and files", test_refusals},
    {"mutants", "damaged models are refused or harmless", test_mutants},
    {"narrow_tokenizer", "more embedding rows than tokens", test_narrow_tokenizer},
    {"example", "examples/generate.c runs", test_example},
};

int main(int argc, char **argv) {
    snprintf(model_path, sizeof model_path, "%s/tiny.gguf", harness_scratch());
    if (!tiny_model_write(model_path, 1, true)) return 1;
    return harness_main("engine_open", tests, sizeof tests / sizeof *tests, argc, argv);
}
