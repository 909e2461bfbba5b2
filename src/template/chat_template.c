// SPDX-License-Identifier: Apache-2.0
// Compiling and rendering. Numbers are read and printed in the "C" locale whatever the process
// uses, because templates mean Python's forms.
#define _GNU_SOURCE // newlocale, uselocale
#include "template/chat_template.h"

#include "template/jinja_lexer.h"
#include "template/jinja_parser.h"
#include "template/jinja_run.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS_MAX = 20 * 1000 * 1000,
    OUTPUT_BYTES_MAX = 16 * 1024 * 1024,
    MEMORY_BYTES_MAX = 256 * 1024 * 1024,
    DEPTH_MAX = 1500,
    // A syntax tree takes some hundred bytes for each byte of a template made of nothing but
    // tokens.
    COMPILE_BYTES_PER_BYTE = 2048,
    COMPILE_BYTES_MIN = 1024 * 1024,
    COMPILE_BYTES_MAX = 512 * 1024 * 1024
};

struct chat_template {
    struct arena arena;
    struct node *root;
    struct known_names names;
};

void chat_template_limits_default(struct chat_template_limits *limits) {
    *limits = (struct chat_template_limits){.steps_max = STEPS_MAX,
                                            .output_bytes_max = OUTPUT_BYTES_MAX,
                                            .memory_bytes_max = MEMORY_BYTES_MAX,
                                            .depth_max = DEPTH_MAX};
}

struct locale_guard {
    locale_t plain, before;
};

static void enter_plain_locale(struct locale_guard *guard) {
    guard->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    guard->before = guard->plain ? uselocale(guard->plain) : (locale_t)0;
}

static void leave_plain_locale(struct locale_guard *guard) {
    if (!guard->plain) return;
    uselocale(guard->before);
    freelocale(guard->plain);
}

static enum status intern(struct parser *parser, const char *name, const struct text **interned) {
    struct text text = {.data = name, .size_bytes = strlen(name)}, *result;
    TRY(parser_intern(parser, &text, &result));
    *interned = result;
    return STATUS_OK;
}

static enum status compile(struct chat_template *chat_template, const char *source,
                           size_t source_bytes, struct error *err) {
    struct token_array tokens;
    struct parser parser = {.arena = &chat_template->arena, .err = err};
    TRY(jinja_lex(parser.arena, source, source_bytes, &tokens, err));
    parser.tokens = tokens.items;
    parser.names = dict_create(parser.arena);
    if (!parser.names) return error_no_memory(err, "a chat template", source_bytes);
    TRY(intern(&parser, "loop", &chat_template->names.loop));
    TRY(intern(&parser, "caller", &chat_template->names.caller));
    TRY(intern(&parser, "varargs", &chat_template->names.varargs));
    TRY(intern(&parser, "kwargs", &chat_template->names.kwargs));
    TRY(jinja_parse(&parser, &chat_template->root));
    return jinja_check_names(chat_template->root, err);
}

enum status chat_template_compile(struct chat_template **result, const char *source,
                                  size_t source_bytes, struct error *err) {
    size_t max_bytes = COMPILE_BYTES_MAX;
    *result = NULL;
    if (source_bytes < COMPILE_BYTES_MAX / COMPILE_BYTES_PER_BYTE)
        max_bytes = COMPILE_BYTES_MIN + source_bytes * COMPILE_BYTES_PER_BYTE;
    struct chat_template *chat_template = calloc(1, sizeof *chat_template);
    if (!chat_template) return error_no_memory(err, "a chat template", sizeof *chat_template);
    // Compilation is linear in the source, so its steps need no limit.
    arena_init(&chat_template->arena, max_bytes, SIZE_MAX);
    struct locale_guard guard;
    enter_plain_locale(&guard);
    enum status status = compile(chat_template, source, source_bytes, err);
    leave_plain_locale(&guard);
    if (status != STATUS_OK) {
        chat_template_destroy(chat_template);
        return status;
    }
    *result = chat_template;
    return STATUS_OK;
}

void chat_template_destroy(struct chat_template *chat_template) {
    if (!chat_template) return;
    arena_deinit(&chat_template->arena);
    free(chat_template);
}

static enum status render(struct run *run, const struct chat_template *chat_template,
                          const json_t *context) {
    struct value globals;
    struct scope *scope;
    if (!json_is_object(context))
        return error_set(run->err, STATUS_USAGE, "the context of a template must be an object");
    TRY(run_from_json(run, context, &globals));
    run->globals = globals.as.dict;
    TRY(scope_push(run, &scope));
    return exec_block(run, chat_template->root);
}

static enum status copy_output(const struct text_builder *output, char **text, size_t *text_bytes,
                               struct error *err) {
    *text = malloc(output->size_bytes + 1);
    if (!*text) return error_no_memory(err, "rendered text", output->size_bytes + 1);
    if (output->size_bytes) memcpy(*text, output->data, output->size_bytes);
    (*text)[output->size_bytes] = '\0';
    if (text_bytes) *text_bytes = output->size_bytes;
    return STATUS_OK;
}

enum status chat_template_render(const struct chat_template *chat_template, const json_t *context,
                                 long long now_unix_s, const struct chat_template_limits *limits,
                                 char **text, size_t *text_bytes, struct error *err) {
    struct chat_template_limits defaults;
    chat_template_limits_default(&defaults);
    if (!limits) limits = &defaults;
    struct run run = {.output_bytes_max = limits->output_bytes_max,
                      .depth_max = limits->depth_max,
                      .names = &chat_template->names,
                      .now_unix_s = now_unix_s,
                      .line = 1,
                      .err = err};
    struct text_builder output;
    struct locale_guard guard;
    *text = NULL;
    arena_init(&run.arena, limits->memory_bytes_max, limits->steps_max);
    builder_init(&output, &run.arena, limits->output_bytes_max);
    run.out = &output;
    enter_plain_locale(&guard);
    enum status status = render(&run, chat_template, context);
    if (status == STATUS_OK) status = copy_output(&output, text, text_bytes, err);
    leave_plain_locale(&guard);
    arena_deinit(&run.arena);
    return status;
}
