// SPDX-License-Identifier: Apache-2.0
// enum and const: a list of whole values, each checked against everything else that is asked.
#include "base/utf8.h"
#include "grammar/schema_compiler.h"
#include "grammar/text_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool schema_equal(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b)) {
        if (json_is_integer(a) && json_is_integer(b))
            return json_integer_value(a) == json_integer_value(b);
        return json_number_value(a) == json_number_value(b);
    }
    return json_equal(a, b) != 0;
}

static uint32_t count_characters(const char *text, size_t text_bytes) {
    uint32_t n = 0, code;
    for (size_t i = 0; i < text_bytes; n++)
        i += utf8_decode(text + i, text_bytes - i, &code);
    return n;
}

static bool is_listed(const struct schema_compiler *c, uint32_t at, const json_t *value) {
    const struct schema_value *list = &c->document.values[at];
    if (strcmp(list->key, "const") == 0) return schema_equal(list->json, value);
    for (uint32_t i = 0; i < list->n; i++)
        if (schema_equal(c->document.values[list->first + i].json, value)) return true;
    return false;
}

// Whether all enums and consts of the set but list `own` have the value.
static enum status is_in_all(struct schema_compiler *c, const struct schema_set *set, uint32_t own,
                             const json_t *value, bool *is_in) {
    static const char *const names[] = {"enum", "const"};
    *is_in = true;
    for (uint32_t i = 0; i < 2 * set->n && *is_in; i++) {
        uint32_t at = schema_child(&c->document, set->members[i / 2].value, names[i % 2]);
        if (at == SCHEMA_NONE || at == own) continue;
        TRY(schema_spend(c, 1 + c->document.values[at].n));
        *is_in = is_listed(c, at, value);
    }
    return STATUS_OK;
}

// Keywords about parts of values cannot be checked here.
static enum status refuse_parts(const struct schema_compiler *c, const struct schema_set *set,
                                const struct schema_shape *shape, unsigned type) {
    static const struct {
        const char *name;
        unsigned type;
    } parts[] = {{"pattern", TYPE_STRING},    {"format", TYPE_STRING},
                 {"items", TYPE_ARRAY},       {"prefixItems", TYPE_ARRAY},
                 {"uniqueItems", TYPE_ARRAY}, {"properties", TYPE_OBJECT},
                 {"required", TYPE_OBJECT},   {"additionalProperties", TYPE_OBJECT}};
    for (uint32_t i = 0; i < set->n; i++)
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            if (parts[k].type & type &&
                schema_child(&c->document, set->members[i].value, parts[k].name) != SCHEMA_NONE)
                return schema_refuse(c, c->document.values[shape->values].parent, parts[k].name,
                                     "together with enum or const");
    return STATUS_OK;
}

static bool size_fits(const json_t *value, unsigned type, const struct schema_shape *s) {
    size_t n;
    switch (type) {
    case TYPE_STRING:
        n = count_characters(json_string_value(value), json_string_length(value));
        return n >= s->length_min && n <= s->length_max;
    case TYPE_ARRAY:
        n = json_array_size(value);
        return n >= s->items_min && n <= s->items_max;
    case TYPE_OBJECT:
        n = json_object_size(value);
        return n >= s->keys_min && n <= s->keys_max;
    case TYPE_INTEGER:
    case TYPE_FRACTION:
        return schema_number_fits(s, value);
    default:
        return true;
    }
}

static enum status add_value(struct schema_compiler *c, const struct schema_set *set,
                             const struct schema_shape *shape, const json_t *value,
                             json_t *values) {
    unsigned type = schema_type_of(value);
    bool is_in;
    TRY(schema_spend(c, 4));
    TRY(is_in_all(c, set, shape->values, value, &is_in));
    if (!(type & shape->types) || !is_in) return STATUS_OK;
    TRY(refuse_parts(c, set, shape, type));
    if (!size_fits(value, type, shape)) return STATUS_OK;
    if (json_array_append(values, (json_t *)value) == 0) return STATUS_OK;
    return error_no_memory(c->err, "a JSON Schema", sizeof value);
}

static enum status add_values(struct schema_compiler *c, const struct schema_set *set,
                              const struct schema_shape *shape, json_t *values) {
    const struct schema_value *list = &c->document.values[shape->values];
    if (strcmp(list->key, "const") == 0) return add_value(c, set, shape, list->json, values);
    for (uint32_t i = 0; i < list->n; i++) {
        const json_t *value = c->document.values[list->first + i].json;
        TRY(add_value(c, set, shape, value, values));
    }
    return STATUS_OK;
}

enum status schema_values_of(struct schema_compiler *c, const struct schema_set *set,
                             const struct schema_shape *shape, json_t **values) {
    *values = NULL;
    if (shape->values == SCHEMA_NONE) return STATUS_OK;
    *values = json_array();
    if (!*values) return error_no_memory(c->err, "a JSON Schema", sizeof *values);
    enum status status = add_values(c, set, shape, *values);
    if (status == STATUS_OK) return STATUS_OK;
    json_decref(*values);
    *values = NULL;
    return status;
}

char *schema_text_of(const json_t *value) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text || !json_is_real(value)) return text;
    // Fewer digits if they mean the same.
    for (int precision = 1; precision < 17; precision++) {
        char *shorter = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(precision));
        if (shorter && strtod(shorter, NULL) == json_real_value(value)) {
            free(text);
            return shorter;
        }
        free(shorter);
    }
    return text;
}

enum status schema_build_values(struct schema_compiler *c, json_t *values,
                                struct fragment *fragment) {
    struct text_tree tree;
    enum status status = STATUS_OK;
    text_tree_init(&tree);
    for (size_t i = 0; i < json_array_size(values) && status == STATUS_OK; i++) {
        char *text = schema_text_of(json_array_get(values, i));
        if (text)
            text_tree_add(&tree, text, strlen(text));
        else
            status = error_no_memory(c->err, "a JSON Schema", 0);
        free(text);
    }
    if (status == STATUS_OK) {
        uint32_t end = build_place(&c->builder);
        *fragment = (struct fragment){text_tree_build_any(&tree, &c->builder, end), end};
        status = c->builder.status;
    }
    text_tree_deinit(&tree);
    return status;
}
