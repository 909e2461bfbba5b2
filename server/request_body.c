// SPDX-License-Identifier: Apache-2.0
#include "server/request_body.h"

#include "server/json_memory.h"

#include <stdlib.h>
#include <string.h>

bool request_body_add(struct request_body *body, const char *bytes, size_t n_bytes, bool *is_full) {
    *is_full = n_bytes > body->max - body->size;
    if (*is_full) return false;
    if (n_bytes > body->capacity - body->size) {
        size_t capacity = body->capacity ? body->capacity : 4096;
        while (capacity - body->size < n_bytes)
            capacity *= 2;
        char *grown = malloc(capacity);
        if (!grown) return false;
        if (body->size) memcpy(grown, body->data, body->size);
        if (body->data) explicit_bzero(body->data, body->size);
        free(body->data);
        body->data = grown;
        body->capacity = capacity;
    }
    memcpy(body->data + body->size, bytes, n_bytes);
    body->size += n_bytes;
    return true;
}

void request_body_free(struct request_body *body) {
    if (body->data) explicit_bzero(body->data, body->size);
    free(body->data);
    body->data = NULL;
    body->size = body->capacity = 0;
}

// Position behind the string that begins at `at` (its quote).
static size_t skip_string(const char *text, size_t size, size_t at) {
    for (at++; at < size; at++) {
        if (text[at] == '\\')
            at++;
        else if (text[at] == '"')
            return at + 1;
    }
    return size;
}

// The parser behind this recurses and allocates for every value, so both are counted first.
static bool check_shape(const struct request_body *body, size_t containers_max, size_t values_max,
                        struct openai_error *error) {
    size_t depth = 0, n_containers = 0, n_values = 0;
    for (size_t at = 0; at < body->size;) {
        char c = body->data[at];
        if (c == '"') {
            at = skip_string(body->data, body->size, at);
            continue;
        }
        at++;
        if (c == '{' || c == '[') {
            n_containers++;
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        else if (c == ',')
            n_values++;
        if (depth > BODY_DEPTH_MAX)
            return openai_error_set(error, 400, "json_too_deep", NULL,
                                    "the JSON body is nested deeper than %d levels",
                                    BODY_DEPTH_MAX);
        if (n_containers > containers_max || n_values > values_max)
            return openai_error_set(
                error, 400, "json_too_large", NULL,
                "the JSON body has more than %zu objects and arrays or %zu values", containers_max,
                values_max);
    }
    return true;
}

json_t *request_body_parse(const struct request_body *body, struct openai_error *error) {
    return request_body_parse_within(body, BODY_CONTAINERS_MAX, BODY_VALUES_MAX, error);
}

json_t *request_body_parse_within(const struct request_body *body, size_t containers_max,
                                  size_t values_max, struct openai_error *error) {
    if (!check_shape(body, containers_max, values_max, error)) return NULL;
    json_error_t where;
    json_memory_begin();
    json_t *root =
        json_loadb(body->data ? body->data : "", body->size, JSON_REJECT_DUPLICATES, &where);
    if (json_memory_is_lost()) {
        json_decref(root);
        openai_error_no_memory(error);
        return NULL;
    }
    if (json_is_object(root)) return root;
    if (root || body->size == 0)
        openai_error_set(error, 400, "invalid_json", NULL, "the body must be a JSON object");
    else
        openai_error_set(
            error, 400, "invalid_json", NULL, "the body is not valid JSON: %s (line %d, column %d)",
            json_error_code(&where) == json_error_duplicate_key ? "a key appears twice in an object"
            : json_error_code(&where) == json_error_null_character ? "a string has a NUL character"
            : json_error_code(&where) == json_error_invalid_utf8   ? "it is not UTF-8"
            : json_error_code(&where) == json_error_numeric_overflow ? "a number is too large"
                                                                     : "a syntax error",
            where.line, where.column);
    json_decref(root);
    return NULL;
}
