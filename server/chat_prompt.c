// SPDX-License-Identifier: Apache-2.0
#include "server/chat_prompt.h"

#include "server/chat_messages.h"
#include "server/json_dump.h"
#include "server/json_memory.h"
#include "server/special_guard.h"
#include "server/tool_schema.h"

#include <stdlib.h>
#include <string.h>

static const char call_mark[] = "<tool_call>\n", think_mark[] = "<think>\n";

static bool name_choice(struct chat_prompt_request *request, struct openai_error *error) {
    // {"type": "function", "function": {"name"}} or, flat, {"type": "function", "name"}.
    const json_t *function = json_object_get(request->tool_choice, "function");
    const char *name =
        json_string_value(json_object_get(function ? function : request->tool_choice, "name"));
    size_t i;
    json_t *tool;
    if (!name)
        return openai_error_set(error, 400, "invalid_type", "tool_choice",
                                "tool_choice must be \"none\", \"auto\", \"required\" or an object "
                                "that names a function");
    json_array_foreach((json_t *)request->tools, i, tool) {
        if (strcmp(tool_schema_name(tool), name) != 0) continue;
        request->chosen = tool;
        request->choice = TOOLS_NAMED;
        return true;
    }
    return openai_error_set(error, 400, "invalid_value", "tool_choice",
                            "tool_choice names a function that is not among the tools");
}

static bool read_choice(struct chat_prompt_request *request, struct openai_error *error) {
    const char *word = json_string_value(request->tool_choice);
    bool has_tools = json_array_size(request->tools) > 0;
    request->choice = has_tools ? TOOLS_AUTO : TOOLS_NONE;
    if (!request->tool_choice) return true;
    if (!word) return name_choice(request, error);
    if (strcmp(word, "none") == 0)
        request->choice = TOOLS_NONE;
    else if (strcmp(word, "required") == 0)
        request->choice = TOOLS_REQUIRED;
    else if (strcmp(word, "auto") != 0)
        return name_choice(request, error);
    return request->choice != TOOLS_REQUIRED || has_tools ||
           openai_error_set(error, 400, "invalid_value", "tool_choice",
                            "tool_choice is \"required\" but there are no tools");
}

bool chat_prompt_read_tools(struct chat_prompt_request *request, struct openai_error *error) {
    return tool_schema_check(request->tools, error) && read_choice(request, error);
}

char *chat_prompt_call_schema(const struct chat_prompt_request *request) {
    return tool_schema_write(request->tools, request->chosen);
}

static void set_text(json_t *context, const char *key, const char *text) {
    if (text) json_object_set_new(context, key, json_string(text));
}

// chat_template_kwargs: plain values only, and none of the names that the server fills.
static bool add_arguments(json_t *context, const struct special_guard *guard,
                          const json_t *arguments, struct openai_error *error) {
    const char *name;
    json_t *value;
    if (arguments && !json_is_object(arguments))
        return openai_error_set(error, 400, "invalid_type", "chat_template_kwargs",
                                "chat_template_kwargs must be an object");
    json_object_foreach((json_t *)arguments, name, value) {
        if (strcmp(name, "enable_thinking") == 0 && json_is_boolean(value)) continue; // is set
        bool is_plain = json_is_boolean(value) || json_is_string(value) || json_is_number(value);
        if (!is_plain || json_object_get(context, name))
            return openai_error_set(error, 400, "invalid_value", "chat_template_kwargs",
                                    "chat_template_kwargs takes booleans, numbers and strings "
                                    "under names that the server does not fill itself");
        if (json_object_set_new(context, name, special_guard_mark_all(guard, value)) != 0)
            return openai_error_no_memory(error);
    }
    return true;
}

static json_t *make_context(const struct model_host *host,
                            const struct chat_prompt_request *request, struct openai_error *error) {
    bool shows_tools = request->choice != TOOLS_NONE;
    bool knows_tools = host->template_tools;
    json_t *context = json_object();
    json_t *messages = chat_messages_read(request->messages, knows_tools, host->guard, error);
    json_t *tools = shows_tools ? special_guard_mark_all(host->guard, request->tools) : NULL;
    bool is_told = !shows_tools || (tools && (knows_tools || tool_schema_tell(messages, tools)));
    if (messages && !is_told) {
        json_decref(messages);
        messages = NULL;
        openai_error_no_memory(error);
    }
    if (!messages || json_object_set_new(context, "messages", messages) != 0) {
        if (!error->http_status) openai_error_no_memory(error);
        json_decref(context);
        json_decref(tools);
        return NULL;
    }
    json_object_set_new(context, "add_generation_prompt",
                        json_boolean(!request->no_generation_prompt));
    json_object_set(context, "tools", shows_tools && knows_tools ? tools : json_null());
    json_decref(tools);
    json_object_set_new(context, "documents", json_null());
    set_text(context, "bos_token", host->bos);
    set_text(context, "eos_token", host->eos);
    set_text(context, "unk_token", host->unk);
    set_text(context, "pad_token", host->pad);
    if (request->thinking >= 0)
        json_object_set_new(context, "enable_thinking", json_boolean(request->thinking));
    if (add_arguments(context, host->guard, request->template_arguments, error)) return context;
    json_decref(context);
    return NULL;
}

static bool ends_with(const char *text, size_t size, const char *end) {
    size_t length = strlen(end);
    while (size > 0 && strchr(" \n", text[size - 1]))
        size--;
    return size >= length && memcmp(text + size - length, end, length) == 0;
}

static bool append(struct chat_prompt *prompt, const char *text) {
    size_t length = strlen(text);
    char *grown = realloc(prompt->text, prompt->text_bytes + length + 1);
    if (!grown) return false;
    memcpy(grown + prompt->text_bytes, text, length + 1);
    prompt->text = grown;
    prompt->text_bytes += length;
    return true;
}

// A schema binds behind </think>. A model that may think, or not, would leave open from where on:
// it is made to think by an opened <think>, unless the template has closed it already. And a call
// that must come begins in the prompt, so that nothing but the call can follow.
static bool begin_answer(const struct model_host *host, const struct chat_prompt_request *request,
                         bool schema_follows, struct chat_prompt *prompt) {
    bool must_call = request->choice == TOOLS_REQUIRED || request->choice == TOOLS_NAMED;
    if (request->no_generation_prompt) return true;
    prompt->is_thinking = ends_with(prompt->text, prompt->text_bytes, "<think>");
    bool may_think = host->template_thinks && request->thinking != 0 &&
                     !ends_with(prompt->text, prompt->text_bytes, "</think>");
    if ((schema_follows || must_call) && may_think && !prompt->is_thinking) {
        prompt->is_thinking = true;
        if (!append(prompt, think_mark)) return false;
    }
    prompt->is_calling = must_call;
    return !must_call || prompt->is_thinking || append(prompt, call_mark);
}

bool chat_prompt_make(const struct model_host *host, const struct chat_prompt_request *request,
                      bool schema_follows, struct chat_prompt *prompt, struct openai_error *error) {
    xl_error engine_error;
    char *text = NULL, *json;
    *prompt = (struct chat_prompt){0};
    if (!host->chat_template)
        return openai_error_set(error, 400, "no_chat_template", "messages",
                                "the model has no chat template, so it is no chat model; use "
                                "/v1/completions");
    json_t *context = make_context(host, request, error);
    if (!context) return false;
    json = json_dump(context);
    json_decref(context);
    if (!json) return openai_error_no_memory(error);
    xl_status status =
        xl_template_render(host->chat_template, json, &text, &prompt->text_bytes, &engine_error);
    explicit_bzero(json, strlen(json));
    free(json);
    if (json_memory_is_lost()) {
        if (status == XL_OK) explicit_bzero(text, prompt->text_bytes);
        xl_free(text);
        return openai_error_no_memory(error);
    }
    if (status != XL_OK) return openai_error_from_engine(error, &engine_error, "messages");
    prompt->text = malloc(prompt->text_bytes + 1);
    if (prompt->text) memcpy(prompt->text, text, prompt->text_bytes + 1);
    explicit_bzero(text, prompt->text_bytes);
    xl_free(text);
    if (prompt->text && begin_answer(host, request, schema_follows, prompt)) return true;
    chat_prompt_free(prompt);
    return openai_error_no_memory(error);
}

void chat_prompt_free(struct chat_prompt *prompt) {
    if (prompt->text) explicit_bzero(prompt->text, prompt->text_bytes);
    free(prompt->text);
    *prompt = (struct chat_prompt){0};
}
