// SPDX-License-Identifier: Apache-2.0
// object.name, object[key] and object[a:b:c]. The dot looks for attributes (methods) first, the
// brackets for items first, and each falls back to the other; what is not there is undefined.
#include "template/jinja_run.h"

#include <string.h>

static enum status undefined_access(struct run *run, const struct value *object) {
    const struct text *what = object->as.text;
    if (!what) return run_fail(run, STATUS_BAD_INPUT, "use of an undefined value");
    return run_fail(run, STATUS_BAD_INPUT, "use of an undefined value: %.*s",
                    what->size_bytes < 100 ? (int)what->size_bytes : 100, what->data);
}

// Attributes proper, without the items of a dict.
static enum status find_attribute(struct run *run, const struct value *object,
                                  const struct text *name, bool *found, struct value *result) {
    struct value key = value_text((struct text *)name);
    const struct value *value = NULL;
    *found = true;
    if (object->kind == VALUE_NAMESPACE) {
        if (name->size_bytes && name->data[0] == '_')
            return run_undefined(run, "access to this attribute is unsafe", result);
        value = dict_get(&run->arena, object->as.dict, &key);
        *found = value != NULL;
        if (value) *result = *value;
        return STATUS_OK;
    }
    if (object->kind == VALUE_LOOP) {
        TRY(loop_attribute(run, object->as.loop, name, result));
        *found = result->kind != VALUE_MISSING;
        return STATUS_OK;
    }
    if (object->kind == VALUE_MACRO && text_equals(name, "name") && object->as.macro->name) {
        *result = value_text((struct text *)object->as.macro->name);
        return STATUS_OK;
    }
    if (object->kind == VALUE_TUPLE && object->as.list->is_group &&
        (text_equals(name, "grouper") || text_equals(name, "list"))) {
        *result = object->as.list->items[text_equals(name, "list")];
        return STATUS_OK;
    }
    return method_find(run, object, name, found, result);
}

static bool find_entry(struct run *run, const struct value *object, const struct value *key,
                       struct value *result) {
    if (object->kind != VALUE_DICT || !value_is_hashable(&run->arena, key, VALUE_DEPTH_MAX))
        return false;
    const struct value *value = dict_get(&run->arena, object->as.dict, key);
    if (value) *result = *value;
    return value != NULL;
}

enum status get_attribute(struct run *run, const struct value *object, const struct text *name,
                          struct value *result) {
    bool found;
    if (object->kind == VALUE_UNDEFINED) return undefined_access(run, object);
    TRY(find_attribute(run, object, name, &found, result));
    if (found) return STATUS_OK;
    struct value key = value_text((struct text *)name);
    if (!find_entry(run, object, &key, result)) *result = value_undefined((struct text *)name);
    return STATUS_OK;
}

static enum status character_at(struct run *run, const struct value *object, int64_t index,
                                struct value *result) {
    struct text *text = object->as.text;
    size_t from = text_offset(text, (size_t)index), to = text_offset(text, (size_t)index + 1);
    TRY(run_steps(run, 1 + to / 64));
    struct text *one = text_wrap(&run->arena, text->data + from, to - from);
    if (!one) return run_no_memory(run);
    one->n_chars = 1;
    *result = value_text(one);
    result->markup = object->markup;
    return STATUS_OK;
}

static bool is_indexable(const struct value *object) {
    return object->kind == VALUE_LIST || object->kind == VALUE_TUPLE ||
           object->kind == VALUE_TEXT || object->kind == VALUE_RANGE;
}

static enum status item_at(struct run *run, const struct value *object, int64_t index,
                           struct value *result) {
    size_t length;
    TRY(run_length(run, object, &length));
    if (index < 0) index += (int64_t)length;
    if (index < 0 || (size_t)index >= length) {
        *result = value_undefined(NULL);
        return STATUS_OK;
    }
    if (object->kind == VALUE_TEXT) return character_at(run, object, index, result);
    if (object->kind == VALUE_RANGE)
        *result = value_int(object->as.range->start + index * object->as.range->step);
    else
        *result = object->as.list->items[index];
    return STATUS_OK;
}

enum status get_item(struct run *run, const struct value *object, const struct value *key,
                     struct value *result) {
    if (object->kind == VALUE_UNDEFINED) return undefined_access(run, object);
    if (is_indexable(object) && (key->kind == VALUE_INT || key->kind == VALUE_BOOL))
        return item_at(run, object, value_as_int(key), result);
    if (find_entry(run, object, key, result)) return STATUS_OK;
    bool found = false;
    if (key->kind == VALUE_TEXT) TRY(find_attribute(run, object, key->as.text, &found, result));
    if (!found) *result = value_undefined(key->kind == VALUE_TEXT ? key->as.text : NULL);
    return STATUS_OK;
}

static bool is_digits(const char *data, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (data[i] < '0' || data[i] > '9') return false;
    return n > 0 && n < 18;
}

enum status get_path(struct run *run, const struct value *object, const struct value *path,
                     struct value *result) {
    const struct value none = value_none();
    return get_path_or(run, object, path, &none, result);
}

static void use_fallback(const struct value *fallback, struct value *value) {
    bool has_one = fallback->kind != VALUE_NONE && fallback->kind != VALUE_MISSING;
    if (value->kind == VALUE_UNDEFINED && has_one) *value = *fallback;
}

enum status get_path_or(struct run *run, const struct value *object, const struct value *path,
                        const struct value *fallback, struct value *result) {
    if (path->kind != VALUE_TEXT) {
        TRY(get_item(run, object, path, result));
        use_fallback(fallback, result);
        return STATUS_OK;
    }
    const char *at = path->as.text->data, *end = at + path->as.text->size_bytes;
    *result = *object;
    for (;;) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        size_t n = (size_t)((dot ? dot : end) - at);
        struct value key, inner = *result;
        TRY(run_text(run, at, n, &key));
        if (is_digits(at, n)) {
            int64_t number = 0;
            for (size_t i = 0; i < n; i++)
                number = number * 10 + (at[i] - '0');
            key = value_int(number);
        }
        TRY(get_item(run, &inner, &key, result));
        use_fallback(fallback, result);
        if (!dot) return STATUS_OK;
        at = dot + 1;
    }
}

static enum status slice_bound(struct run *run, const struct value *bound, int64_t *value) {
    if (bound->kind == VALUE_NONE) return STATUS_OK;
    if (bound->kind != VALUE_INT && bound->kind != VALUE_BOOL)
        return run_fail(run, STATUS_BAD_INPUT, "a slice needs integers, not a %s",
                        value_type_name(bound));
    *value = value_as_int(bound);
    return STATUS_OK;
}

static int64_t clamp_bound(int64_t bound, int64_t length, int64_t low, int64_t high) {
    if (bound < 0) bound = bound < -length ? low : bound + length;
    return bound < low ? low : bound > high ? high : bound;
}

// Positions of a slice as Python counts them: first index, step, and how many.
static enum status slice_positions(struct run *run, const struct value bounds[3], int64_t length,
                                   int64_t *start, int64_t *step, int64_t *n) {
    *step = 1;
    TRY(slice_bound(run, &bounds[2], step));
    if (*step == 0) return run_fail(run, STATUS_BAD_INPUT, "the step of a slice is 0");
    int64_t low = *step > 0 ? 0 : -1, high = *step > 0 ? length : length - 1;
    int64_t stop = *step > 0 ? high : low;
    *start = *step > 0 ? low : high;
    if (bounds[0].kind != VALUE_NONE) {
        TRY(slice_bound(run, &bounds[0], start));
        *start = clamp_bound(*start, length, low, high);
    }
    if (bounds[1].kind != VALUE_NONE) {
        TRY(slice_bound(run, &bounds[1], &stop));
        stop = clamp_bound(stop, length, low, high);
    }
    if (*step < -length) *step = -length - 1;
    if (*step > length) *step = length + 1;
    int64_t distance = *step > 0 ? stop - *start : *start - stop;
    int64_t stride = *step > 0 ? *step : -*step;
    *n = distance <= 0 ? 0 : (distance + stride - 1) / stride;
    return STATUS_OK;
}

static enum status slice_text(struct run *run, const struct value *object, int64_t start,
                              int64_t step, int64_t n, struct value *result) {
    struct text *text = object->as.text;
    TRY(run_steps(run, 1 + text->size_bytes / 64 + (step == 1 ? 0 : (size_t)n)));
    if (step == 1 || n == 0) {
        size_t from = n ? text_offset(text, (size_t)start) : 0;
        size_t to = n ? text_offset(text, (size_t)(start + n)) : 0;
        struct text *part = text_wrap(&run->arena, text->data + from, to - from);
        if (!part) return run_no_memory(run);
        *result = value_text(part);
    } else {
        struct value items;
        struct list *characters;
        TRY(run_copy_items(run, object, &characters));
        items = value_list(characters);
        struct text_builder builder;
        builder_init(&builder, &run->arena, run->arena.max_bytes);
        for (int64_t i = 0; i < n; i++)
            builder_append_text(&builder, items.as.list->items[start + i * step].as.text);
        TRY(run_built(run, &builder, result));
    }
    result->markup = object->markup;
    return STATUS_OK;
}

enum status get_slice(struct run *run, const struct value *object, const struct value bounds[3],
                      struct value *result) {
    if (object->kind == VALUE_UNDEFINED) return undefined_access(run, object);
    if (!is_indexable(object))
        return run_fail(run, STATUS_BAD_INPUT, "a %s cannot be sliced", value_type_name(object));
    size_t length;
    int64_t start = 0, step = 1, n = 0;
    TRY(run_length(run, object, &length));
    TRY(slice_positions(run, bounds, (int64_t)length, &start, &step, &n));
    if (object->kind == VALUE_TEXT) return slice_text(run, object, start, step, n, result);
    if (object->kind == VALUE_RANGE) {
        const struct range *range = object->as.range;
        struct range *part = arena_alloc(&run->arena, sizeof *part);
        if (!part) return run_no_memory(run);
        *part = (struct range){range->start + start * range->step,
                               range->start + (start + n * step) * range->step, range->step * step,
                               (size_t)n};
        *result = (struct value){.kind = VALUE_RANGE, .as.range = part};
        return STATUS_OK;
    }
    struct list *list;
    TRY(run_new_list(run, (size_t)n, &list));
    for (int64_t i = 0; i < n; i++)
        TRY(run_append(run, list, object->as.list->items[start + i * step]));
    *result = object->kind == VALUE_LIST ? value_list(list) : value_tuple(list);
    return STATUS_OK;
}
