// SPDX-License-Identifier: Apache-2.0
// Every allocation fails once: opening, generating, saving and describing a model either work or
// say that memory is out. Nothing crashes and (under AddressSanitizer) nothing leaks. The linker
// sends the library's allocations here (--wrap).
#include "harness.h"

#include "tiny_model.h"
#include "xinglin/xinglin.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_long allocations_left = -1; // < 0: never fail

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static bool fails_now(void) {
    if (atomic_load(&allocations_left) < 0) return false;
    return atomic_fetch_sub(&allocations_left, 1) == 0;
}

void *__wrap_malloc(size_t size) {
    return fails_now() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *memory, size_t size) {
    return fails_now() ? NULL : __real_realloc(memory, size);
}
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}
char *__wrap_strdup(const char *text) {
    return fails_now() ? NULL : __real_strdup(text);
}
char *__wrap_strndup(const char *text, size_t size) {
    return fails_now() ? NULL : __real_strndup(text, size);
}

static char model_path[512];

// Runs `work` with the first, second, … allocation failing until none is left to fail.
static enum test_result fail_each(xl_status (*work)(xl_error *error), const char *name) {
    for (long n = 0; n < 100000; n++) {
        xl_error error = {0};
        atomic_store(&allocations_left, n);
        xl_status status = work(&error);
        bool reached = atomic_exchange(&allocations_left, -1) < 0;
        if (!reached) {
            CHECK_MESSAGE(status == XL_OK, "%s: %s", name, error.message);
            printf("    %s: each of %ld allocations failed once\n", name, n);
            return TEST_PASS;
        }
        CHECK_MESSAGE(status == XL_OK || status == XL_NO_MEMORY, "%s, allocation %ld: %s (%s)",
                      name, n, xl_status_name(status), error.message);
        CHECK(status == XL_OK || error.message[0]);
    }
    return TEST_FAIL;
}

static xl_status open_and_generate(xl_error *error) {
    const char *const stops[] = {"zz"};
    xl_engine_options options = xl_engine_options_default();
    xl_engine *engine = NULL;
    xl_session *session = NULL;
    void *snapshot = NULL;
    size_t size;
    options.threads = 1;
    options.isa = "scalar";
    xl_generate_options generate = xl_generate_options_default();
    generate.max_tokens = 4;
    generate.temperature = 1;
    generate.repetition_penalty = 1.1f;
    generate.stops = stops, generate.n_stops = 1;
    xl_status status = xl_engine_open(model_path, &options, &engine, error);
    if (status == XL_OK) status = xl_session_open(engine, &session, error);
    if (status == XL_OK) status = xl_session_generate(session, "ab c", &generate, NULL, error);
    if (status == XL_OK) status = xl_session_snapshot(session, &snapshot, &size, error);
    if (status == XL_OK) status = xl_session_restore(session, snapshot, size, error);
    xl_free(snapshot);
    xl_session_close(session);
    xl_engine_close(engine);
    return status;
}

static xl_status inspect(xl_error *error) {
    char *json = NULL;
    xl_status status = xl_inspect(model_path, &json, error);
    xl_free(json);
    return status;
}

static xl_status render(xl_error *error) {
    char *text = NULL;
    xl_status status = xl_template_render(
        "{% for m in messages %}{{ m.role | upper }}: {{ m.content }}{% endfor %}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}", &text, NULL, error);
    xl_free(text);
    return status;
}

// A schema and a grammar, and a generation by each.
static xl_status generate_by_grammars(xl_error *error) {
    static const char schema[] =
        "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\", \"pattern\": "
        "\"^[^a-f]{1,3}x|y$\"}, \"b\": {\"enum\": [\"b\", \"bc\", 1.5]}}, "
        "\"additionalProperties\": {\"type\": \"integer\", \"minimum\": 3, \"maximum\": 40}}";
    static const char gbnf[] = "root ::= item{2,5} [^a-z]\nitem ::= \"a\" | [b-d] \"c\"*\n";
    xl_engine_options options = xl_engine_options_default();
    xl_engine *engine = NULL;
    xl_session *session = NULL;
    xl_grammar *grammar = NULL;
    options.threads = 1;
    options.isa = "scalar";
    xl_generate_options generate = xl_generate_options_default();
    generate.max_tokens = 6;
    xl_status status = xl_engine_open(model_path, &options, &engine, error);
    if (status == XL_OK) status = xl_session_open(engine, &session, error);
    for (int i = 0; i < 2 && status == XL_OK; i++) {
        status = i == 0
                     ? xl_grammar_from_json_schema(engine, schema, strlen(schema), &grammar, error)
                     : xl_grammar_from_gbnf(engine, gbnf, strlen(gbnf), &grammar, error);
        generate.grammar = grammar;
        generate.grammar_begin = i == 0 ? NULL : "b";
        if (status == XL_OK) status = xl_session_generate(session, "ab c", &generate, NULL, error);
        xl_grammar_close(grammar);
        grammar = NULL;
    }
    xl_session_close(session);
    xl_engine_close(engine);
    return status;
}

static enum test_result test_grammars(void) {
    return fail_each(generate_by_grammars, "grammars");
}
static enum test_result test_generate(void) {
    return fail_each(open_and_generate, "generate");
}
static enum test_result test_inspect(void) {
    return fail_each(inspect, "inspect");
}
static enum test_result test_render(void) {
    return fail_each(render, "render");
}

static const struct test tests[] = {
    {"generate", "open, generate, snapshot, restore", test_generate},
    {"grammars", "compile and generate by them", test_grammars},
    {"inspect", "describe a file", test_inspect},
    {"render", "render a template", test_render},
};

int main(int argc, char **argv) {
    snprintf(model_path, sizeof model_path, "%s/tiny.gguf", harness_scratch());
    if (!tiny_model_write(model_path, 1, true)) return 1;
    return harness_main("allocation", tests, sizeof tests / sizeof *tests, argc, argv);
}
