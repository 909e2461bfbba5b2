// SPDX-License-Identifier: Apache-2.0
#include "server/chat_messages.h"

#include "server/json_dump.h"
#include "server/json_reader.h"
#include "server/special_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGES_MAX = 4096,
    ARGUMENTS_BYTES_MAX = 512 << 10 // of all calls: JSON in a string escapes the body's limits
};

struct message {
    const char *role, *tool_call_id;
    const json_t *content, *tool_calls;
    size_t *arguments_left; // bytes, of all messages
};

static const struct json_field message_fields[] = {
    {.name = "role", .kind = FIELD_TEXT, .offset = offsetof(struct message, role), .max = 32},
    {.name = "content", .kind = FIELD_JSON, .offset = offsetof(struct message, content)},
    {.name = "tool_calls", .kind = FIELD_JSON, .offset = offsetof(struct message, tool_calls)},
    {.name = "tool_call_id",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct message, tool_call_id),
     .max = 256},
    {.name = "name", .kind = FIELD_IGNORED},
    {.name = "refusal", .kind = FIELD_IGNORED},
    {.name = "annotations", .kind = FIELD_IGNORED},
    {.name = "reasoning_content", .kind = FIELD_IGNORED},
    {.name = "function_call", .kind = FIELD_ONLY, .only = "null", .help = "use tool_calls"},
    {.name = "audio", .kind = FIELD_ONLY, .only = "null", .help = "text only"},
};

static const struct field_table message_table = {
    message_fields, sizeof message_fields / sizeof message_fields[0], 0};

json_t *chat_messages_text(const json_t *content, const char *place, struct openai_error *error) {
    size_t i;
    json_t *part;
    if (json_is_string(content)) return json_incref((json_t *)content);
    struct json_writer text = {0};
    if (!json_is_array(content)) {
        openai_error_set(error, 400, "invalid_type", place,
                         "%s must be a string or an array of text parts", place);
        return NULL;
    }
    json_array_foreach((json_t *)content, i, part) {
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *value = json_object_get(part, "text");
        bool is_text = type && (strcmp(type, "text") == 0 || strcmp(type, "input_text") == 0 ||
                                strcmp(type, "output_text") == 0);
        if (!is_text || !json_is_string(value)) {
            openai_error_set(
                error, 400, "unsupported_content", place,
                "%s[%zu] is not a text part; images, audio and files are not supported", place, i);
            writer_free(&text);
            return NULL;
        }
        put_raw(&text, json_string_value(value), json_string_length(value));
    }
    json_t *joined = text.failed ? NULL : json_stringn(text.data ? text.data : "", text.size);
    writer_free(&text);
    if (!joined) openai_error_no_memory(error);
    return joined;
}

// Arguments as JSON; text that is none stays text.
static json_t *call_function(const json_t *call) {
    const json_t *function = json_object_get(call, "function");
    const char *name = json_string_value(json_object_get(function, "name"));
    json_t *arguments = json_object_get(function, "arguments"), *value = NULL;
    if (json_is_string(arguments))
        value = json_loadb(json_string_value(arguments), json_string_length(arguments),
                           JSON_REJECT_DUPLICATES, NULL);
    if (!value) value = json_incref(arguments ? arguments : json_null());
    return json_pack("{s:s, s:o}", "name", name ? name : "", "arguments", value);
}

static json_t *read_calls(const json_t *calls, size_t *n_left, const char *place,
                          struct openai_error *error) {
    json_t *list = json_array(), *call;
    size_t i;
    bool is_good = json_is_array(calls);
    json_array_foreach((json_t *)calls, i, call) {
        const json_t *function = json_object_get(call, "function");
        const json_t *id = json_object_get(call, "id");
        size_t n_bytes = json_string_length(json_object_get(function, "arguments"));
        is_good = is_good && json_is_string(json_object_get(function, "name"));
        if (is_good && n_bytes > *n_left) {
            json_decref(list);
            openai_error_set(error, 400, "invalid_value", place,
                             "the arguments of all tool_calls are longer than %d bytes",
                             ARGUMENTS_BYTES_MAX);
            return NULL;
        }
        if (!is_good) break;
        *n_left -= n_bytes;
        json_t *entry =
            json_pack("{s:s, s:o}", "type", "function", "function", call_function(call));
        if (id) json_object_set(entry, "id", (json_t *)id);
        json_array_append_new(list, entry);
    }
    if (is_good) return list;
    json_decref(list);
    openai_error_set(error, 400, "invalid_type", place,
                     "%s.tool_calls must be an array of {\"function\": {\"name\", \"arguments\"}}",
                     place);
    return NULL;
}

// What a model that was told of tools in words would have written.
static json_t *calls_as_text(const json_t *content, const json_t *calls) {
    struct json_writer text = {0};
    json_t *call;
    size_t i;
    put_raw(&text, json_string_value(content), json_string_length(content));
    json_array_foreach((json_t *)calls, i, call) {
        char *line = json_dump(json_object_get(call, "function"));
        const char *begin = text.size ? "\n<tool_call>\n" : "<tool_call>\n";
        put_raw(&text, begin, strlen(begin));
        if (line) put_raw(&text, line, strlen(line));
        put_raw(&text, "\n</tool_call>", 13);
        free(line);
    }
    json_t *joined = text.failed ? NULL : json_stringn(text.data ? text.data : "", text.size);
    writer_free(&text);
    return joined;
}

static const char *check_role(const struct message *message, const char *place,
                              struct openai_error *error) {
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    const char *role = message->role ? message->role : "";
    if (strcmp(role, "developer") == 0) return "system";
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(role, roles[i]) == 0) return roles[i];
    openai_error_set(error, 400, "invalid_value", place,
                     "%s.role must be system, developer, user, assistant or tool", place);
    return NULL;
}

static json_t *result_as_text(const json_t *content) {
    return json_sprintf("<tool_response>\n%s\n</tool_response>", json_string_value(content));
}

static json_t *convert(const struct message *message, const char *role, bool knows_tools,
                       const char *place, struct openai_error *error) {
    char content_place[64];
    snprintf(content_place, sizeof content_place, "%s.content", place);
    bool has_calls = message->tool_calls && json_array_size(message->tool_calls) > 0;
    json_t *content = !message->content && has_calls
                          ? json_string("")
                          : chat_messages_text(message->content, content_place, error);
    json_t *calls = NULL, *result = NULL;
    if (!content) return NULL;
    if (has_calls) calls = read_calls(message->tool_calls, message->arguments_left, place, error);
    if (!has_calls || calls) {
        bool is_result = strcmp(role, "tool") == 0;
        if (calls && !knows_tools)
            result =
                json_pack("{s:s, s:o}", "role", role, "content", calls_as_text(content, calls));
        else if (is_result && !knows_tools)
            result = json_pack("{s:s, s:o}", "role", "user", "content", result_as_text(content));
        else
            result = json_pack("{s:s, s:O}", "role", role, "content", content);
        if (calls && knows_tools && result) json_object_set(result, "tool_calls", calls);
        if (!result) openai_error_no_memory(error);
    }
    json_decref(calls);
    json_decref(content);
    return result;
}

// Takes the message; NULL with the error if there is no memory.
static json_t *guard_texts(json_t *message, const struct special_guard *guard,
                           struct openai_error *error) {
    json_t *marked = special_guard_mark_all(guard, message);
    json_decref(message);
    if (!marked) openai_error_no_memory(error);
    return marked;
}

json_t *chat_messages_read(const json_t *messages, bool knows_tools,
                           const struct special_guard *guard, struct openai_error *error) {
    size_t i, arguments_left = ARGUMENTS_BYTES_MAX;
    json_t *each;
    if (!json_is_array(messages) || json_array_size(messages) == 0 ||
        json_array_size(messages) > MESSAGES_MAX) {
        openai_error_set(error, 400, "invalid_type", "messages",
                         "messages must be an array of 1 to %d messages", MESSAGES_MAX);
        return NULL;
    }
    json_t *list = json_array();
    json_array_foreach((json_t *)messages, i, each) {
        struct message message = {.arguments_left = &arguments_left};
        char place[32], prefix[40];
        snprintf(place, sizeof place, "messages[%zu]", i);
        snprintf(prefix, sizeof prefix, "%s.", place);
        const char *role = NULL;
        json_t *converted = NULL;
        if (!json_is_object(each))
            openai_error_set(error, 400, "invalid_type", place, "%s must be an object", place);
        else if (json_reader_read(each, &message_table, 1, &message, prefix, error))
            role = check_role(&message, place, error);
        if (role) converted = convert(&message, role, knows_tools, place, error);
        if (converted) converted = guard_texts(converted, guard, error);
        if (!converted || json_array_append_new(list, converted) != 0) {
            if (!error->http_status) openai_error_no_memory(error);
            json_decref(list);
            return NULL;
        }
    }
    return list;
}
