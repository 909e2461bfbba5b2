// SPDX-License-Identifier: Apache-2.0
// Chat templates with the context that Hugging Face gives them: messages, add_generation_prompt,
// the special tokens by name, tools and documents as none.
#include "engine/engine.h"

#include "template/chat_template.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

enum { CONTEXT_BYTES_MAX = 1 << 28 };

static enum status render(const char *source, const json_t *context, char **text,
                          size_t *text_bytes, struct error *err) {
    struct chat_template *compiled;
    TRY(chat_template_compile(&compiled, source, strlen(source), err));
    enum status status =
        chat_template_render(compiled, context, (long long)time(NULL), NULL, text, text_bytes, err);
    chat_template_destroy(compiled);
    return status;
}

static enum status add_messages(json_t *context, const xl_message *messages, size_t n_messages,
                                struct error *err) {
    json_t *list = json_array();
    if (json_object_set_new(context, "messages", list) != 0)
        return error_no_memory(err, "messages", 0);
    for (size_t i = 0; i < n_messages; i++) {
        if (!messages[i].role || !messages[i].content)
            return error_set(err, STATUS_USAGE, "message %zu has no role or no content", i + 1);
        json_t *message =
            json_pack("{s:s, s:s}", "role", messages[i].role, "content", messages[i].content);
        if (!message)
            return error_set(err, STATUS_BAD_INPUT, "message %zu is not UTF-8 text", i + 1);
        if (json_array_append_new(list, message) != 0) return error_no_memory(err, "messages", 0);
    }
    return STATUS_OK;
}

// Special tokens that the model lacks stay undefined, as in Hugging Face.
static void add_special_token(json_t *context, const struct tokenizer *tokenizer, const char *name,
                              token_id id) {
    size_t size_bytes = 0;
    const char *piece = id < 0 ? NULL : tokenizer_piece(tokenizer, id, true, &size_bytes);
    if (piece) json_object_set_new(context, name, json_stringn(piece, size_bytes));
}

static enum status build_context(const struct tokenizer *tokenizer, const xl_message *messages,
                                 size_t n_messages, bool add_generation_prompt, json_t *context,
                                 struct error *err) {
    if (!messages && n_messages > 0) return error_set(err, STATUS_USAGE, "no messages given");
    TRY(add_messages(context, messages, n_messages, err));
    if (json_object_set_new(context, "add_generation_prompt",
                            json_boolean(add_generation_prompt)) != 0 ||
        json_object_set_new(context, "tools", json_null()) != 0 ||
        json_object_set_new(context, "documents", json_null()) != 0)
        return error_no_memory(err, "a template's context", 0);
    if (!tokenizer) return STATUS_OK;
    const struct vocabulary *vocabulary = tokenizer_vocabulary(tokenizer);
    add_special_token(context, tokenizer, "bos_token", vocabulary->bos);
    add_special_token(context, tokenizer, "eos_token", vocabulary->eos);
    add_special_token(context, tokenizer, "unk_token", vocabulary->unk);
    add_special_token(context, tokenizer, "pad_token", vocabulary->pad);
    return STATUS_OK;
}

static enum status find_template(const xl_engine *engine, const char **source, struct error *err) {
    if (*source) return STATUS_OK;
    if (!engine) return error_set(err, STATUS_USAGE, "neither an engine nor a template given");
    if (engine->tokenizer) *source = tokenizer_vocabulary(engine->tokenizer)->chat_template;
    if (!*source)
        return error_set(err, STATUS_NOT_FOUND,
                         "%s: the model has no chat template; give one, or use a plain prompt",
                         engine_path(engine));
    return STATUS_OK;
}

xl_status xl_chat_format(const xl_engine *engine, const char *template_text,
                         const xl_message *messages, size_t n_messages, bool add_generation_prompt,
                         char **text, size_t *text_bytes, xl_error *error) {
    struct error err = {0};
    size_t own_bytes;
    json_t *context = json_object();
    enum status status = find_template(engine, &template_text, &err);
    if (status == STATUS_OK && !context) status = error_no_memory(&err, "a template's context", 0);
    if (status == STATUS_OK && !text) status = error_set(&err, STATUS_USAGE, "nowhere to put text");
    if (status == STATUS_OK)
        status = build_context(engine ? engine->tokenizer : NULL, messages, n_messages,
                               add_generation_prompt, context, &err);
    if (status == STATUS_OK)
        status = render(template_text, context, text, text_bytes ? text_bytes : &own_bytes, &err);
    json_decref(context);
    return engine_report(error, status, &err);
}

xl_status xl_template_render(const char *template_text, const char *context_json, char **text,
                             size_t *text_bytes, xl_error *error) {
    struct error err = {0};
    size_t own_bytes;
    enum status status = STATUS_OK;
    json_t *context = NULL;
    if (!template_text || !context_json || !text)
        status = error_set(&err, STATUS_USAGE, "no template, no context or nowhere to put text");
    else if (strnlen(context_json, CONTEXT_BYTES_MAX) == CONTEXT_BYTES_MAX)
        status = error_set(&err, STATUS_BAD_INPUT, "the JSON context is too long");
    else {
        json_error_t where;
        context = json_loads(context_json, JSON_REJECT_DUPLICATES, &where);
        if (!json_is_object(context))
            status = error_set(&err, STATUS_BAD_INPUT,
                               "the template's context is no JSON object (line %d, column %d)",
                               where.line, where.column);
    }
    if (status == STATUS_OK)
        status = render(template_text, context, text, text_bytes ? text_bytes : &own_bytes, &err);
    json_decref(context);
    return engine_report(error, status, &err);
}
