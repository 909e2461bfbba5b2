// SPDX-License-Identifier: Apache-2.0
#include "server/json_reader.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const struct json_field *find_field(const struct field_table *tables, size_t n_tables,
                                           const char *name, size_t *base) {
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t].n_fields; i++)
            if (strcmp(tables[t].fields[i].name, name) == 0) {
                *base = tables[t].base;
                return &tables[t].fields[i];
            }
    return NULL;
}

static bool wrong_type(struct openai_error *error, const char *path, const char *wanted) {
    return openai_error_set(error, 400, "invalid_type", path, "%s must be %s", path, wanted);
}

static bool read_int(const struct json_field *field, const json_t *value, int64_t *target,
                     const char *path, struct openai_error *error) {
    double number = json_number_value(value);
    if (!json_is_number(value) || number != floor(number))
        return wrong_type(error, path, "an integer");
    if (!(number >= field->min && number <= field->max))
        return openai_error_set(error, 400, "invalid_value", path, "%s must be %.15g to %.15g",
                                path, field->min, field->max);
    *target = json_is_integer(value) ? (int64_t)json_integer_value(value) : (int64_t)number;
    return true;
}

static bool read_number(const struct json_field *field, const json_t *value, double *target,
                        const char *path, struct openai_error *error) {
    if (!json_is_number(value)) return wrong_type(error, path, "a number");
    double number = json_number_value(value);
    if (!(number >= field->min && number <= field->max))
        return openai_error_set(error, 400, "invalid_value", path, "%s must be %.15g to %.15g",
                                path, field->min, field->max);
    *target = number;
    return true;
}

static bool read_text(const struct json_field *field, const json_t *value, const char **target,
                      const char *path, struct openai_error *error) {
    if (!json_is_string(value)) return wrong_type(error, path, "a string");
    if ((double)json_string_length(value) > field->max)
        return openai_error_set(error, 400, "string_too_long", path, "%s is longer than %.0f bytes",
                                path, field->max);
    *target = json_string_value(value);
    return true;
}

static bool read_only(const struct json_field *field, const json_t *value, const char *path,
                      struct openai_error *error) {
    json_t *wanted = json_loads(field->only, JSON_DECODE_ANY, NULL);
    if (!wanted) return openai_error_no_memory(error);
    bool is_same = json_is_number(wanted) && json_is_number(value)
                       ? json_number_value(wanted) == json_number_value(value)
                       : json_equal(wanted, value);
    json_decref(wanted);
    return is_same ||
           openai_error_set(error, 400, "unsupported_value", path,
                            "%s is supported only as %s (%s)", path, field->only, field->help);
}

static bool read_field(const struct json_field *field, const json_t *value, char *target,
                       const char *path, struct openai_error *error) {
    void *place = target + field->offset;
    switch (field->kind) {
    case FIELD_BOOL:
        if (!json_is_boolean(value)) return wrong_type(error, path, "true or false");
        *(bool *)place = json_is_true(value);
        return true;
    case FIELD_INT:
        return read_int(field, value, place, path, error);
    case FIELD_NUMBER:
        return read_number(field, value, place, path, error);
    case FIELD_TEXT:
        return read_text(field, value, place, path, error);
    case FIELD_JSON:
        *(const json_t **)place = value;
        return true;
    case FIELD_IGNORED:
        return true;
    case FIELD_ONLY:
        return read_only(field, value, path, error);
    }
    return false;
}

// Names are shown in ASCII: they may be cut anywhere, and may be anything.
static void write_path(char *path, size_t path_bytes, const char *where, const char *name) {
    snprintf(path, path_bytes, "%.40s%.50s", where, name);
    for (char *at = path; *at; at++)
        if ((unsigned char)*at >= 0x80) *at = '?';
}

bool json_reader_read(const json_t *object, const struct field_table *tables, size_t n_tables,
                      void *target, const char *where, struct openai_error *error) {
    const char *name;
    json_t *value;
    if (!json_is_object(object)) return wrong_type(error, *where ? where : "the body", "an object");
    json_object_foreach((json_t *)object, name, value) {
        char path[96];
        write_path(path, sizeof path, where, name);
        size_t base = 0;
        const struct json_field *field = find_field(tables, n_tables, name, &base);
        if (!field)
            return openai_error_set(error, 400, "unknown_field", path,
                                    "%s is not a field that this server knows; what it cannot do "
                                    "it does not accept",
                                    path);
        if (json_is_null(value)) continue;
        if (!read_field(field, value, (char *)target + base, path, error)) return false;
    }
    return true;
}
