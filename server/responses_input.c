// SPDX-License-Identifier: Apache-2.0
#include "server/responses_input.h"

#include <stdio.h>
#include <string.h>

enum { ITEMS_MAX = 4096 };

static json_t *call_message(const json_t *item) {
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *id = json_string_value(json_object_get(item, "call_id"));
    const char *arguments = json_string_value(json_object_get(item, "arguments"));
    if (!name || !arguments) return NULL;
    return json_pack("{s:s, s:[{s:s, s:s, s:{s:s, s:s}}]}", "role", "assistant", "tool_calls", "id",
                     id ? id : "", "type", "function", "function", "name", name, "arguments",
                     arguments);
}

static json_t *result_message(const json_t *item) {
    json_t *output = json_object_get(item, "output");
    const char *id = json_string_value(json_object_get(item, "call_id"));
    if (!output) return NULL;
    return json_pack("{s:s, s:s, s:O}", "role", "tool", "tool_call_id", id ? id : "", "content",
                     output);
}

static json_t *text_message(const json_t *item) {
    const json_t *role = json_object_get(item, "role");
    json_t *content = json_object_get(item, "content");
    if (!json_is_string(role) || !content) return NULL;
    return json_pack("{s:O, s:O}", "role", role, "content", content);
}

static bool add_item(json_t *messages, const json_t *item, size_t index,
                     struct openai_error *error) {
    const char *type = json_string_value(json_object_get(item, "type"));
    char place[32];
    json_t *message = NULL;
    snprintf(place, sizeof place, "input[%zu]", index);
    if (type && strcmp(type, "reasoning") == 0) return true; // what was thought is not said again
    if (!type || strcmp(type, "message") == 0)
        message = text_message(item);
    else if (strcmp(type, "function_call") == 0)
        message = call_message(item);
    else if (strcmp(type, "function_call_output") == 0)
        message = result_message(item);
    else
        return openai_error_set(error, 400, "unsupported_value", place,
                                "%s.type must be message, function_call, function_call_output or "
                                "reasoning",
                                place);
    if (!message)
        return openai_error_set(error, 400, "invalid_value", place, "%s lacks a field of its type",
                                place);
    return json_array_append_new(messages, message) == 0 || openai_error_no_memory(error);
}

json_t *responses_input_messages(const json_t *input, const char *instructions,
                                 struct openai_error *error) {
    json_t *messages = json_array(), *item;
    size_t i;
    bool is_good = messages != NULL;
    if (is_good && instructions)
        is_good = json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "system",
                                                            "content", instructions)) == 0;
    if (!is_good)
        openai_error_no_memory(error);
    else if (json_is_string(input))
        is_good = json_array_append_new(
                      messages, json_pack("{s:s, s:O}", "role", "user", "content", input)) == 0;
    else if (!json_is_array(input) || json_array_size(input) == 0 ||
             json_array_size(input) > ITEMS_MAX)
        is_good = openai_error_set(error, 400, "invalid_type", "input",
                                   "input must be a text or an array of 1 to %d items", ITEMS_MAX);
    else
        json_array_foreach((json_t *)input, i, item) {
            is_good = is_good && add_item(messages, item, i, error);
        }
    if (is_good) return messages;
    if (!error->http_status) openai_error_no_memory(error);
    json_decref(messages);
    return NULL;
}

json_t *responses_input_tools(const json_t *tools, struct openai_error *error) {
    json_t *list, *tool;
    size_t i;
    if (!tools) return NULL;
    if (!json_is_array(tools)) {
        openai_error_set(error, 400, "invalid_type", "tools", "tools must be an array");
        return NULL;
    }
    list = json_array();
    json_array_foreach((json_t *)tools, i, tool) {
        // {"type": "function", …} becomes {"type": "function", "function": {…}}.
        json_t *type = json_object_get(tool, "type"), *function = json_copy(tool);
        if (json_is_object(function)) json_object_del(function, "type");
        json_t *nested = json_pack("{s:O?, s:o}", "type", type, "function", function);
        if (nested && json_array_append_new(list, nested) == 0) continue;
        openai_error_set(error, 400, "invalid_type", "tools", "tools must be an array of objects");
        json_decref(list);
        return NULL;
    }
    return list;
}
