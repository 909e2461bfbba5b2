// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Breadth first, so that children are side by side and nothing recurses.
static enum status number_values(struct schema_document *d, uint32_t capacity, struct error *err) {
    for (uint32_t i = 0; i < d->n_values; i++) {
        json_t *json = (json_t *)d->values[i].json, *child;
        size_t n = json_is_array(json) ? json_array_size(json) : json_object_size(json);
        if (n > SCHEMA_VALUES_MAX - d->n_values)
            return error_set(err, STATUS_UNSUPPORTED, "JSON Schema: more than %d values",
                             SCHEMA_VALUES_MAX);
        if (n > capacity - d->n_values) {
            while (n > capacity - d->n_values)
                capacity *= 2;
            struct schema_value *values = realloc(d->values, capacity * sizeof *values);
            if (!values) return error_no_memory(err, "a JSON Schema", capacity * sizeof *values);
            d->values = values;
        }
        d->values[i].first = d->n_values;
        d->values[i].n = (uint32_t)n;
        if (json_is_array(json)) {
            for (size_t k = 0; k < n; k++)
                d->values[d->n_values++] =
                    (struct schema_value){.json = json_array_get(json, k), .parent = i};
        } else {
            const char *key;
            json_object_foreach(json, key, child) d->values[d->n_values++] =
                (struct schema_value){.json = child, .parent = i, .key = key};
        }
    }
    return STATUS_OK;
}

enum status schema_document_init(struct schema_document *d, const char *text, size_t text_bytes,
                                 struct error *err) {
    enum { FIRST_CAPACITY = 256 };
    json_error_t problem;
    *d = (struct schema_document){0};
    if (text_bytes > SCHEMA_BYTES_MAX)
        return error_set(err, STATUS_UNSUPPORTED, "JSON Schema: %zu bytes of text; at most %d",
                         text_bytes, SCHEMA_BYTES_MAX);
    d->root = json_loadb(text, text_bytes,
                         JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (!d->root)
        return error_set(err, STATUS_BAD_INPUT, "JSON Schema, line %d: %s", problem.line,
                         problem.text);
    d->values = malloc(FIRST_CAPACITY * sizeof *d->values);
    if (!d->values) {
        schema_document_deinit(d);
        return error_no_memory(err, "a JSON Schema", FIRST_CAPACITY * sizeof *d->values);
    }
    d->values[0] = (struct schema_value){.json = d->root, .parent = SCHEMA_NONE};
    d->n_values = 1;
    enum status status = number_values(d, FIRST_CAPACITY, err);
    if (status != STATUS_OK) schema_document_deinit(d);
    return status;
}

void schema_document_deinit(struct schema_document *d) {
    json_decref(d->root);
    free(d->values);
    *d = (struct schema_document){0};
}

uint32_t schema_child(const struct schema_document *d, uint32_t value, const char *key) {
    const struct schema_value *v = &d->values[value];
    const json_t *child = json_object_get(v->json, key);
    if (!child) return SCHEMA_NONE;
    for (uint32_t i = v->first; i < v->first + v->n; i++)
        if (d->values[i].json == child && strcmp(d->values[i].key, key) == 0) return i;
    return SCHEMA_NONE;
}

const char *schema_plain_text(const json_t *value) {
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// One step of a pointer, %XX and ~0 ~1 resolved, to step[]; false: malformed or too long.
static bool read_step(const char **text, char *step, size_t step_bytes) {
    const char *c = *text;
    size_t n = 0;
    for (; *c && *c != '/'; n++) {
        if (n + 1 >= step_bytes) return false;
        char byte = *c++;
        if (byte == '%') {
            int high = hex_digit(c[0]), low = high < 0 ? -1 : hex_digit(c[1]);
            if (low < 0) return false;
            byte = (char)(high << 4 | low);
            c += 2;
        }
        if (byte == '~') {
            if (*c != '0' && *c != '1') return false;
            byte = *c++ == '0' ? '~' : '/';
        }
        step[n] = byte;
    }
    step[n] = '\0';
    *text = c;
    return true;
}

static uint32_t child_of_step(const struct schema_document *d, uint32_t value, const char *step) {
    const struct schema_value *v = &d->values[value];
    if (!json_is_array(v->json)) return schema_child(d, value, step);
    char *end;
    unsigned long index = strtoul(step, &end, 10);
    if (step[0] < '0' || step[0] > '9' || *end || index >= v->n) return SCHEMA_NONE;
    return v->first + (uint32_t)index;
}

uint32_t schema_resolve(const struct schema_document *d, const char *reference) {
    char step[1024];
    uint32_t value = 0;
    if (*reference++ != '#') return SCHEMA_NONE;
    while (*reference) {
        if (*reference++ != '/') return SCHEMA_NONE;
        if (!read_step(&reference, step, sizeof step)) return SCHEMA_NONE;
        value = child_of_step(d, value, step);
        if (value == SCHEMA_NONE) return SCHEMA_NONE;
    }
    return value;
}

const char *schema_pointer(const struct schema_document *d, uint32_t value, char text[160]) {
    char reversed[160];
    size_t n = 0;
    bool whole = true;
    for (; value != 0 && value != SCHEMA_NONE && whole; value = d->values[value].parent) {
        const struct schema_value *v = &d->values[value];
        char step[64], number[16];
        if (!v->key) snprintf(number, sizeof number, "%u", value - d->values[v->parent].first);
        const char *name = v->key ? v->key : number;
        size_t k = 0;
        for (; *name && k + 3 < sizeof step; name++) {
            if (*name == '~' || *name == '/') step[k++] = '~';
            step[k++] = *name == '~' ? '0' : *name == '/' ? '1' : *name;
        }
        whole = n + k + 4 < sizeof reversed;
        for (; whole && k > 0; k--)
            reversed[n++] = step[k - 1];
        if (whole) reversed[n++] = '/';
    }
    size_t at = 0;
    text[at++] = '#';
    if (!whole) at += (size_t)snprintf(text + at, 8, "/...");
    while (n > 0 && at < 159)
        text[at++] = reversed[--n];
    text[at] = '\0';
    return text;
}
