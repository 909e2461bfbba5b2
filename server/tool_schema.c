// SPDX-License-Identifier: Apache-2.0
#include "server/tool_schema.h"

#include "server/json_dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 64 };

static const char telling[] =
    "You can call functions. To call one, answer with nothing but\n<tool_call>\n"
    "{\"name\": \"function name\", \"arguments\": {\"argument\": \"value\"}}\n</tool_call>\n"
    "The functions are:\n";

const char *tool_schema_name(const json_t *tool) {
    const char *name =
        json_string_value(json_object_get(json_object_get(tool, "function"), "name"));
    return name ? name : "";
}

static bool check_function(const json_t *function, const char *place, struct openai_error *error) {
    static const char *const known[] = {"name", "description", "parameters", "strict"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)function, key, value) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            is_known = is_known || strcmp(key, known[i]) == 0;
        if (!is_known)
            return openai_error_set(error, 400, "unknown_field", place,
                                    "%s.function has a field that this server does not know",
                                    place);
    }
    const char *name = json_string_value(json_object_get(function, "name"));
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || length > NAME_BYTES_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != length)
        return openai_error_set(error, 400, "invalid_value", place,
                                "%s.function.name must have 1 to %d letters, digits, _, - and .",
                                place, NAME_BYTES_MAX);
    const json_t *parameters = json_object_get(function, "parameters");
    return !parameters || json_is_null(parameters) || json_is_object(parameters) ||
           openai_error_set(error, 400, "invalid_type", place,
                            "%s.function.parameters must be a JSON Schema object", place);
}

bool tool_schema_check(const json_t *tools, struct openai_error *error) {
    size_t i, j;
    json_t *tool, *other;
    if (!tools) return true;
    if (!json_is_array(tools) || json_array_size(tools) > TOOLS_MAX)
        return openai_error_set(error, 400, "invalid_type", "tools",
                                "tools must be an array of at most %d functions", TOOLS_MAX);
    json_array_foreach((json_t *)tools, i, tool) {
        char place[32];
        snprintf(place, sizeof place, "tools[%zu]", i);
        const char *type = json_string_value(json_object_get(tool, "type"));
        const json_t *function = json_object_get(tool, "function");
        if (!type || strcmp(type, "function") != 0 || !json_is_object(function))
            return openai_error_set(error, 400, "invalid_value", place,
                                    "%s must be {\"type\": \"function\", \"function\": {…}}; other "
                                    "tools are not supported",
                                    place);
        if (!check_function(function, place, error)) return false;
        json_array_foreach((json_t *)tools, j, other) {
            if (j < i && strcmp(tool_schema_name(tool), tool_schema_name(other)) == 0)
                return openai_error_set(error, 400, "invalid_value", place,
                                        "%s has the name of another tool", place);
        }
    }
    return true;
}

static char *describe(const json_t *tools) {
    size_t i, size = sizeof telling;
    json_t *tool;
    char *text = malloc(size);
    if (text) memcpy(text, telling, size);
    json_array_foreach((json_t *)tools, i, tool) {
        char *line = json_dump(json_object_get(tool, "function"));
        size_t length = line ? strlen(line) : 0;
        char *grown = text && line ? realloc(text, size + length + 1) : NULL;
        if (grown) {
            memcpy(grown + size - 1, line, length);
            memcpy(grown + size - 1 + length, "\n", 2);
            size += length + 1;
            text = grown;
        }
        free(line);
        if (!grown) {
            free(text);
            return NULL;
        }
    }
    return text;
}

bool tool_schema_tell(json_t *messages, const json_t *tools) {
    char *text = describe(tools);
    if (!text) return false;
    json_t *first = json_array_get(messages, 0);
    const char *role = json_string_value(json_object_get(first, "role"));
    bool is_done;
    if (role && strcmp(role, "system") == 0) {
        const char *content = json_string_value(json_object_get(first, "content"));
        json_t *both = json_sprintf("%s\n\n%s", content ? content : "", text);
        is_done = json_object_set_new(first, "content", both) == 0;
    } else {
        json_t *message = json_pack("{s:s, s:s}", "role", "system", "content", text);
        is_done = json_array_insert_new(messages, 0, message) == 0;
    }
    free(text);
    return is_done;
}

// References inside of a schema that moves down to `base` move with it ("#/a" → base "/a"). *found
// tells that there were any. The body's depth is limited, so this recursion is, too.
static bool move_references(json_t *value, const char *base, bool *found) {
    const char *key;
    json_t *each;
    void *next;
    size_t i;
    json_array_foreach(value, i, each) {
        if (!move_references(each, base, found)) return false;
    }
    json_object_foreach_safe(value, next, key, each) {
        const char *target = json_string_value(each);
        if (!move_references(each, base, found)) return false;
        if (!target || strcmp(key, "$ref") != 0 || target[0] != '#') continue;
        *found = true;
        if (json_object_set_new(value, key, json_sprintf("%s%s", base, target + 1)) != 0)
            return false;
    }
    return true;
}

// The schema of the arguments: in place, or among the definitions if it refers to itself.
static json_t *arguments_of(const json_t *tool, json_t *definitions, size_t index) {
    const json_t *parameters = json_object_get(json_object_get(tool, "function"), "parameters");
    char name[32], base[48];
    bool found = false;
    if (!json_is_object(parameters) || json_object_size(parameters) == 0)
        return json_pack("{s:s}", "type", "object");
    snprintf(name, sizeof name, "tool%zu", index);
    snprintf(base, sizeof base, "#/$defs/%s", name);
    json_t *copy = json_deep_copy(parameters);
    if (!copy || !move_references(copy, base, &found)) {
        json_decref(copy);
        return NULL;
    }
    if (!found) return copy;
    return json_object_set_new(definitions, name, copy) == 0 ? json_pack("{s:s}", "$ref", base)
                                                             : NULL;
}

static json_t *call_of(const json_t *tool, json_t *definitions, size_t index) {
    json_t *arguments = arguments_of(tool, definitions, index);
    if (!arguments) return NULL;
    return json_pack("{s:s, s:{s:{s:s}, s:o}, s:[s,s], s:b}", "type", "object", "properties",
                     "name", "const", tool_schema_name(tool), "arguments", arguments, "required",
                     "name", "arguments", "additionalProperties", 0);
}

char *tool_schema_write(const json_t *tools, const json_t *chosen) {
    json_t *definitions = json_object(), *calls = json_array(), *tool;
    size_t i;
    bool is_whole = definitions && calls;
    json_array_foreach((json_t *)tools, i, tool) {
        if (chosen && tool != chosen) continue;
        is_whole = is_whole && json_array_append_new(calls, call_of(tool, definitions, i)) == 0;
    }
    json_t *root = NULL;
    if (is_whole && json_array_size(calls) == 1)
        root = json_incref(json_array_get(calls, 0));
    else if (is_whole)
        root = json_pack("{s:O}", "anyOf", calls);
    if (root && json_object_size(definitions) > 0 &&
        json_object_set(root, "$defs", definitions) != 0)
        is_whole = false;
    char *text = root && is_whole ? json_dump(root) : NULL;
    json_decref(root);
    json_decref(calls);
    json_decref(definitions);
    return text;
}
