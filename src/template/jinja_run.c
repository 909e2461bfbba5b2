// SPDX-License-Identifier: Apache-2.0
// Budgets, errors, and the walks over values that filters, loops and operators share.
#include "template/jinja_run.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status run_fail(struct run *run, enum status status, const char *format, ...) {
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return error_set(run->err, status, "template line %d: %s", run->line, message);
}

enum status run_steps(struct run *run, size_t n_steps) {
    if (arena_spend(&run->arena, n_steps)) return STATUS_OK;
    return run_fail(run, STATUS_BAD_INPUT, "the template takes more steps than it may");
}

enum status run_no_memory(struct run *run) {
    return run_fail(run, STATUS_NO_MEMORY, "the template needs more memory than it may (%zu bytes)",
                    run->arena.max_bytes);
}

enum status run_enter(struct run *run) {
    if (++run->depth > run->depth_max)
        return run_fail(run, STATUS_BAD_INPUT, "the template nests deeper than %d levels",
                        run->depth_max);
    return STATUS_OK;
}

void run_leave(struct run *run) {
    run->depth--;
}

enum status run_text(struct run *run, const char *data, size_t size_bytes, struct value *result) {
    struct text *text = text_create(&run->arena, data, size_bytes);
    if (!text) return run_no_memory(run);
    *result = value_text(text);
    return run_steps(run, 1 + size_bytes / 64);
}

enum status run_literal(struct run *run, const char *literal, struct value *result) {
    return run_text(run, literal, strlen(literal), result);
}

enum status run_new_list(struct run *run, size_t capacity, struct list **list) {
    *list = list_create(&run->arena, capacity);
    return *list ? run_steps(run, 1 + capacity / 8) : run_no_memory(run);
}

enum status run_append(struct run *run, struct list *list, struct value value) {
    if (!list_append(&run->arena, list, value)) return run_no_memory(run);
    return run_steps(run, 1);
}

enum status run_set(struct run *run, struct dict *dict, struct value key, struct value value) {
    if (!value_is_hashable(&run->arena, &key, VALUE_DEPTH_MAX))
        return run_fail(run, STATUS_BAD_INPUT, "a %s cannot be a key", value_type_name(&key));
    if (!dict_set(&run->arena, dict, key, value)) return run_no_memory(run);
    return run_steps(run, 1);
}

enum status run_built(struct run *run, struct text_builder *builder, struct value *result) {
    struct text *text = builder_text(builder);
    if (!text) return run_no_memory(run);
    *result = value_text(text);
    return run_steps(run, 1 + text->size_bytes / 64);
}

enum status run_iterator(struct run *run, struct list *items, struct value *result) {
    struct iterator *iterator = arena_alloc(&run->arena, sizeof *iterator);
    if (!iterator) return run_no_memory(run);
    iterator->items = items;
    *result = (struct value){.kind = VALUE_ITERATOR, .as.iterator = iterator};
    return STATUS_OK;
}

enum status run_undefined(struct run *run, const char *what, struct value *result) {
    TRY(run_literal(run, what, result));
    *result = value_undefined(result->as.text);
    return STATUS_OK;
}

static enum status characters(struct run *run, const struct value *value, struct list *items) {
    const struct text *text = value->as.text;
    for (size_t i = 0; i < text->size_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text->data + i, text->size_bytes - i, &code);
        struct text *one = text_wrap(&run->arena, text->data + i, used);
        if (!one) return run_no_memory(run);
        one->n_chars = 1;
        TRY(run_append(run, items, value_text(one)));
        i += used;
    }
    return STATUS_OK;
}

enum status run_copy_items(struct run *run, const struct value *value, struct list **items) {
    struct list *source = NULL;
    TRY(run_new_list(run, 0, items));
    switch (value->kind) {
    case VALUE_UNDEFINED:
        return STATUS_OK;
    case VALUE_TEXT:
        return characters(run, value, *items);
    case VALUE_DICT:
        for (size_t i = 0; i < value->as.dict->n_entries; i++)
            TRY(run_append(run, *items, value->as.dict->entries[i].key));
        return STATUS_OK;
    case VALUE_RANGE:
        for (size_t i = 0; i < value->as.range->n_items; i++)
            TRY(run_append(run, *items,
                           value_int(value->as.range->start + (int64_t)i * value->as.range->step)));
        return STATUS_OK;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_VIEW:
        source = value->as.list;
        for (size_t i = 0; i < source->n_items; i++)
            TRY(run_append(run, *items, source->items[i]));
        return STATUS_OK;
    case VALUE_ITERATOR:
        if (value->as.iterator->problem)
            return run_fail(run, STATUS_BAD_INPUT, "%s", value->as.iterator->problem);
        source = value->as.iterator->items;
        while (value->as.iterator->next < source->n_items)
            TRY(run_append(run, *items, source->items[value->as.iterator->next++]));
        return STATUS_OK;
    default:
        return run_fail(run, STATUS_BAD_INPUT, "a %s cannot be iterated over",
                        value_type_name(value));
    }
}

enum status run_items(struct run *run, const struct value *value, struct list **items) {
    if (value->kind == VALUE_LIST || value->kind == VALUE_TUPLE || value->kind == VALUE_VIEW) {
        *items = value->as.list;
        return STATUS_OK;
    }
    return run_copy_items(run, value, items);
}

enum status run_length(struct run *run, const struct value *value, size_t *length) {
    switch (value->kind) {
    case VALUE_UNDEFINED:
        *length = 0;
        return STATUS_OK;
    case VALUE_TEXT:
        *length = text_chars(value->as.text);
        return STATUS_OK;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_VIEW:
        *length = value->as.list->n_items;
        return STATUS_OK;
    case VALUE_DICT:
        *length = value->as.dict->n_entries;
        return STATUS_OK;
    case VALUE_RANGE:
        *length = value->as.range->n_items;
        return STATUS_OK;
    case VALUE_LOOP:
        *length = value->as.loop->items->n_items;
        return STATUS_OK;
    default:
        return run_fail(run, STATUS_BAD_INPUT, "a %s has no length", value_type_name(value));
    }
}

static enum status lists_less(struct run *run, const struct list *a, const struct list *b,
                              bool *less) {
    size_t n = a->n_items < b->n_items ? a->n_items : b->n_items;
    for (size_t i = 0; i < n; i++) {
        bool equal = value_equal(&run->arena, &a->items[i], &b->items[i], VALUE_DEPTH_MAX);
        TRY(run_steps(run, 1));
        if (!equal) return run_less(run, &a->items[i], &b->items[i], less);
    }
    *less = a->n_items < b->n_items;
    return STATUS_OK;
}

enum status run_less(struct run *run, const struct value *a, const struct value *b, bool *less) {
    TRY(run_steps(run, 1));
    if (value_is_number(a) && value_is_number(b)) {
        if (a->kind == VALUE_FLOAT || b->kind == VALUE_FLOAT)
            *less = value_as_double(a) < value_as_double(b);
        else
            *less = value_as_int(a) < value_as_int(b);
        return STATUS_OK;
    }
    if (a->kind == VALUE_TEXT && b->kind == VALUE_TEXT) {
        *less = text_compare(a->as.text, b->as.text) < 0;
        return STATUS_OK;
    }
    if ((a->kind == VALUE_LIST || a->kind == VALUE_TUPLE) && a->kind == b->kind) {
        TRY(run_enter(run));
        TRY(lists_less(run, a->as.list, b->as.list, less));
        run_leave(run);
        return STATUS_OK;
    }
    return run_fail(run, STATUS_BAD_INPUT, "a %s and a %s have no order", value_type_name(a),
                    value_type_name(b));
}

// Merges the sorted halves [from, middle) and [middle, to) of `order` by way of `spare`.
static enum status merge(struct run *run, const struct value *keys, size_t *order, size_t *spare,
                         size_t from, size_t middle, size_t to, bool reverse) {
    size_t left = from, right = middle, out = from;
    while (left < middle && right < to) {
        bool swap;
        const struct value *a = &keys[order[left]], *b = &keys[order[right]];
        TRY(reverse ? run_less(run, a, b, &swap) : run_less(run, b, a, &swap));
        spare[out++] = swap ? order[right++] : order[left++];
    }
    while (left < middle)
        spare[out++] = order[left++];
    while (right < to)
        spare[out++] = order[right++];
    memcpy(order + from, spare + from, (to - from) * sizeof *order);
    return STATUS_OK;
}

enum status run_sort(struct run *run, struct list *items, struct list *keys, bool reverse) {
    size_t n = items->n_items;
    if (n < 2) return STATUS_OK;
    size_t *order = arena_array(&run->arena, n, sizeof *order);
    size_t *spare = arena_array(&run->arena, n, sizeof *spare);
    struct value *moved = arena_array(&run->arena, n, sizeof *moved);
    if (!order || !spare || !moved) return run_no_memory(run);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t width = 1; width < n; width *= 2)
        for (size_t from = 0; from + width < n; from += 2 * width) {
            size_t to = from + 2 * width < n ? from + 2 * width : n;
            TRY(merge(run, keys->items, order, spare, from, from + width, to, reverse));
        }
    for (size_t i = 0; i < n; i++)
        moved[i] = items->items[order[i]];
    memcpy(items->items, moved, n * sizeof *moved);
    if (keys == items) return STATUS_OK;
    for (size_t i = 0; i < n; i++)
        moved[i] = keys->items[order[i]];
    memcpy(keys->items, moved, n * sizeof *moved);
    return STATUS_OK;
}

static enum status list_contains(struct run *run, const struct value *container,
                                 const struct value *item, bool *result) {
    *result = false;
    if (container->kind == VALUE_ITERATOR) {
        struct iterator *iterator = container->as.iterator;
        while (!*result && iterator->items && iterator->next < iterator->items->n_items)
            *result = value_equal(&run->arena, &iterator->items->items[iterator->next++], item,
                                  VALUE_DEPTH_MAX);
        if (!*result && iterator->problem)
            return run_fail(run, STATUS_BAD_INPUT, "%s", iterator->problem);
        return run_steps(run, 1);
    }
    struct list *items;
    TRY(run_items(run, container, &items));
    for (size_t i = 0; i < items->n_items && !*result; i++)
        *result = value_equal(&run->arena, &items->items[i], item, VALUE_DEPTH_MAX);
    return run_steps(run, 1);
}

enum status run_contains(struct run *run, const struct value *container, const struct value *item,
                         bool *result) {
    if (container->kind == VALUE_TEXT) {
        if (item->kind != VALUE_TEXT)
            return run_fail(run, STATUS_BAD_INPUT, "'in' a str needs a str, not a %s",
                            value_type_name(item));
        TRY(run_steps(run, 1 + container->as.text->size_bytes / 64));
        *result = text_find(container->as.text, item->as.text, 0) != SIZE_MAX;
        return STATUS_OK;
    }
    if (container->kind == VALUE_DICT) {
        if (!value_is_hashable(&run->arena, item, VALUE_DEPTH_MAX))
            return run_fail(run, STATUS_BAD_INPUT, "a %s cannot be a key", value_type_name(item));
        *result = dict_get(&run->arena, container->as.dict, item) != NULL;
        return run_steps(run, 1);
    }
    return list_contains(run, container, item, result);
}

static enum status object_from_json(struct run *run, const json_t *json, struct value *result) {
    struct dict *dict = dict_create(&run->arena);
    if (!dict) return run_no_memory(run);
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)json, name, member) {
        struct value key, value;
        TRY(run_text(run, name, strlen(name), &key));
        TRY(run_from_json(run, member, &value));
        TRY(run_set(run, dict, key, value));
    }
    *result = value_dict(dict);
    return STATUS_OK;
}

enum status run_from_json(struct run *run, const json_t *json, struct value *result) {
    struct list *list;
    TRY(run_enter(run));
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        TRY(object_from_json(run, json, result));
        break;
    case JSON_ARRAY:
        TRY(run_new_list(run, json_array_size(json), &list));
        for (size_t i = 0; i < json_array_size(json); i++) {
            struct value item;
            TRY(run_from_json(run, json_array_get(json, i), &item));
            TRY(run_append(run, list, item));
        }
        *result = value_list(list);
        break;
    case JSON_STRING:
        TRY(run_text(run, json_string_value(json), json_string_length(json), result));
        break;
    case JSON_INTEGER:
        *result = value_int(json_integer_value(json));
        break;
    case JSON_REAL:
        *result = value_float(json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *result = value_bool(json_is_true(json));
        break;
    case JSON_NULL:
        *result = value_none();
        break;
    }
    run_leave(run);
    return STATUS_OK;
}
