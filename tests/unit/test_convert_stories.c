// SPDX-License-Identifier: Apache-2.0
// The whole journey through the public header: stories260K as GGUF, safetensors and .pth, converted
// with its tokenizer, opened, and asked to write. As fp32 it must write exactly what llama2.c
// wrote.
#include "harness.h"
#include "xinglin/xinglin.h"

#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

enum { N_STEPS = 200, TEXT_MAX = 4096 };

struct text {
    char data[TEXT_MAX];
    size_t size_bytes;
};

static char sources[512]; // directory with the three checkpoints; "" until they are there

static bool make_sources(void) {
    char name[] = "python3", file[1024], directory[1024], script[1024];
    if (sources[0]) return true;
    if (!harness_shared_path("data/stories260K/stories260K.bin", file, sizeof file) ||
        !harness_shared_path("data/stories260K", directory, sizeof directory) ||
        !harness_repo_path("tests/golden/stories260k.py", script, sizeof script))
        return false;
    snprintf(sources, sizeof sources, "%s/sources", harness_scratch());
    char *arguments[] = {name, script, directory, sources, NULL};
    pid_t child;
    int status = 1;
    if (posix_spawnp(&child, name, NULL, NULL, arguments, environ) == 0 &&
        waitpid(child, &status, 0) == child && status == 0)
        return true;
    sources[0] = '\0';
    return false;
}

static bool read_expected(struct text *text) {
    char path[1024];
    if (!harness_shared_path("data/stories260K/expected-greedy-200.txt", path, sizeof path))
        return false;
    FILE *file = fopen(path, "rb");
    text->size_bytes = file ? fread(text->data, 1, sizeof text->data, file) : 0;
    if (file) fclose(file);
    return text->size_bytes > 0;
}

static int collect(void *user, const char *data, size_t size_bytes) {
    struct text *text = user;
    if (size_bytes > sizeof text->data - text->size_bytes) return 1;
    memcpy(text->data + text->size_bytes, data, size_bytes);
    text->size_bytes += size_bytes;
    return 0;
}

static xl_status write_story(const char *model, struct text *text, xl_error *error) {
    xl_engine *engine = NULL;
    xl_session *session = NULL;
    xl_engine_options options = xl_engine_options_default();
    options.context = N_STEPS + 8;
    options.threads = 1;
    xl_status status = xl_engine_open(model, &options, &engine, error);
    if (status == XL_OK) status = xl_session_open(engine, &session, error);
    if (status == XL_OK) {
        xl_generate_options generate = xl_generate_options_default();
        generate.max_tokens = N_STEPS;
        generate.add_special = true;
        generate.ignore_end = true;
        generate.on_text = collect;
        generate.user = text;
        status = xl_session_generate(session, "", &generate, NULL, error);
    }
    xl_session_close(session);
    xl_engine_close(engine);
    return status;
}

static xl_status convert(const char *source, const char *type, char **path, xl_error *error) {
    char model[700], out_dir[600];
    snprintf(model, sizeof model, "%s/%s", sources, source);
    snprintf(out_dir, sizeof out_dir, "%s/out-%.3s", harness_scratch(), source);
    mkdir(out_dir, 0700);
    xl_convert_options options = xl_convert_options_default();
    options.type = type;
    options.out_dir = out_dir;
    return xl_convert(model, &options, path, error);
}

static enum test_result run_exact(void) {
    static const char *const names[] = {"stories260K.gguf", "safetensors", "pth"};
    static struct text expected;
    if (!make_sources() || !read_expected(&expected))
        return harness_skip("no stories260K in the shared data, or no python3");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        static struct text text;
        xl_error error;
        char *path;
        text.size_bytes = 0;
        CHECK_MESSAGE(convert(names[i], "fp32", &path, &error) == XL_OK, "%s: %s", names[i],
                      error.message);
        CHECK_MESSAGE(write_story(path, &text, &error) == XL_OK, "%s: %s", path, error.message);
        CHECK_MESSAGE(text.size_bytes == expected.size_bytes &&
                          memcmp(text.data, expected.data, text.size_bytes) == 0,
                      "%s wrote: %.*s", path, (int)text.size_bytes, text.data);
        xl_free(path);
    }
    return TEST_PASS;
}

// Every type still tells a story.
static enum test_result run_types(void) {
    if (!make_sources()) return harness_skip("no stories260K in the shared data, or no python3");
    for (const char *const *type = xl_convert_types(); *type; type++) {
        static struct text text;
        static const char begin[] = "Once upon a time";
        xl_error error;
        char *path;
        text.size_bytes = 0;
        CHECK_MESSAGE(convert("safetensors", *type, &path, &error) == XL_OK, "%s: %s", *type,
                      error.message);
        CHECK_MESSAGE(write_story(path, &text, &error) == XL_OK, "%s: %s", *type, error.message);
        CHECK_MESSAGE(text.size_bytes > sizeof begin &&
                          memcmp(text.data, begin, sizeof begin - 1) == 0,
                      "%s wrote: %.*s", *type, (int)text.size_bytes, text.data);
        xl_free(path);
    }
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"exact", "fp32 from three kinds of checkpoint: the text to the byte", run_exact},
        {"types", "every type begins the same story", run_types},
    };
    return harness_main("convert_stories", tests, sizeof tests / sizeof *tests, argc, argv);
}
