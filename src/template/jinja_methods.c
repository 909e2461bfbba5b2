// SPDX-License-Identifier: Apache-2.0
// Which methods objects have. Those that would change a list or a dict count as unsafe, as in the
// sandbox that templates are written for: they are undefined, so only calling them fails.
#include "template/jinja_run.h"
#include "template/jinja_str.h"

#include <string.h>

enum { METHOD_ARGUMENTS_MAX = 3 };

// Parameters named "" can only be given by position.
struct method_entry {
    enum value_kind kind;
    const char *name;
    enum status (*call)(struct run *run, const struct value *self, const struct value *slots,
                        struct value *result);
    const char *parameters[METHOD_ARGUMENTS_MAX];
    size_t n_parameters, n_required;
};

static enum status make_view(struct run *run, const struct value *self, const char *name,
                             bool with_keys, bool with_values, struct value *result) {
    const struct dict *dict = self->as.dict;
    struct list *list, *pair;
    TRY(run_new_list(run, dict->n_entries, &list));
    list->view_name = name;
    for (size_t i = 0; i < dict->n_entries; i++) {
        const struct dict_entry *entry = &dict->entries[i];
        struct value item = with_keys ? entry->key : entry->value;
        if (with_keys && with_values) {
            TRY(run_new_list(run, 2, &pair));
            TRY(run_append(run, pair, entry->key));
            TRY(run_append(run, pair, entry->value));
            item = value_tuple(pair);
        }
        TRY(run_append(run, list, item));
    }
    *result = (struct value){.kind = VALUE_VIEW, .as.list = list};
    return STATUS_OK;
}

static enum status dict_items(struct run *run, const struct value *self, const struct value *slots,
                              struct value *result) {
    (void)slots;
    return make_view(run, self, "dict_items", true, true, result);
}

static enum status dict_keys(struct run *run, const struct value *self, const struct value *slots,
                             struct value *result) {
    (void)slots;
    return make_view(run, self, "dict_keys", true, false, result);
}

static enum status dict_values(struct run *run, const struct value *self, const struct value *slots,
                               struct value *result) {
    (void)slots;
    return make_view(run, self, "dict_values", false, true, result);
}

static enum status dict_find(struct run *run, const struct value *self, const struct value *slots,
                             struct value *result) {
    if (!value_is_hashable(&run->arena, &slots[0], VALUE_DEPTH_MAX))
        return run_fail(run, STATUS_BAD_INPUT, "a %s cannot be a key", value_type_name(&slots[0]));
    const struct value *found = dict_get(&run->arena, self->as.dict, &slots[0]);
    *result = found ? *found : slots[1].kind == VALUE_MISSING ? value_none() : slots[1];
    return run_steps(run, 1);
}

static enum status self_copy(struct run *run, const struct value *self, const struct value *slots,
                             struct value *result) {
    (void)run, (void)slots;
    *result = *self; // nothing can change either of the two
    return STATUS_OK;
}

static enum status list_count(struct run *run, const struct value *self, const struct value *slots,
                              struct value *result) {
    int64_t n = 0;
    for (size_t i = 0; i < self->as.list->n_items; i++)
        n += value_equal(&run->arena, &self->as.list->items[i], &slots[0], VALUE_DEPTH_MAX);
    *result = value_int(n);
    return run_steps(run, 1);
}

static enum status list_index(struct run *run, const struct value *self, const struct value *slots,
                              struct value *result) {
    for (size_t i = 0; i < self->as.list->n_items; i++) {
        if (!value_equal(&run->arena, &self->as.list->items[i], &slots[0], VALUE_DEPTH_MAX))
            continue;
        *result = value_int((int64_t)i);
        return STATUS_OK;
    }
    return run_fail(run, STATUS_BAD_INPUT, "the list has no such item");
}

static enum status cycler_next(struct run *run, const struct value *self, const struct value *slots,
                               struct value *result) {
    (void)slots;
    struct cycler *cycler = self->as.cycler;
    *result = cycler->items->items[cycler->next];
    cycler->next = (cycler->next + 1) % cycler->items->n_items;
    return run_steps(run, 1);
}

static enum status cycler_reset(struct run *run, const struct value *self,
                                const struct value *slots, struct value *result) {
    (void)slots;
    self->as.cycler->next = 0;
    *result = value_none();
    return run_steps(run, 1);
}

static const struct method_entry methods[] = {
    {VALUE_DICT, "items", dict_items, {NULL}, 0, 0},
    {VALUE_DICT, "keys", dict_keys, {NULL}, 0, 0},
    {VALUE_DICT, "values", dict_values, {NULL}, 0, 0},
    {VALUE_DICT, "get", dict_find, {"", ""}, 2, 1},
    {VALUE_DICT, "copy", self_copy, {NULL}, 0, 0},
    {VALUE_LIST, "count", list_count, {""}, 1, 1},
    {VALUE_LIST, "index", list_index, {""}, 1, 1},
    {VALUE_LIST, "copy", self_copy, {NULL}, 0, 0},
    {VALUE_TUPLE, "count", list_count, {""}, 1, 1},
    {VALUE_TUPLE, "index", list_index, {""}, 1, 1},
    {VALUE_CYCLER, "next", cycler_next, {NULL}, 0, 0},
    {VALUE_CYCLER, "reset", cycler_reset, {NULL}, 0, 0},
    {VALUE_TEXT, "strip", str_strip, {""}, 1, 0},
    {VALUE_TEXT, "lstrip", str_lstrip, {""}, 1, 0},
    {VALUE_TEXT, "rstrip", str_rstrip, {""}, 1, 0},
    {VALUE_TEXT, "split", str_split, {"sep", "maxsplit"}, 2, 0},
    {VALUE_TEXT, "rsplit", str_rsplit, {"sep", "maxsplit"}, 2, 0},
    {VALUE_TEXT, "splitlines", str_splitlines, {"keepends"}, 1, 0},
    {VALUE_TEXT, "startswith", str_startswith, {"", "", ""}, 3, 1},
    {VALUE_TEXT, "endswith", str_endswith, {"", "", ""}, 3, 1},
    {VALUE_TEXT, "upper", str_upper, {NULL}, 0, 0},
    {VALUE_TEXT, "lower", str_lower, {NULL}, 0, 0},
    {VALUE_TEXT, "casefold", str_lower, {NULL}, 0, 0},
    {VALUE_TEXT, "title", str_title, {NULL}, 0, 0},
    {VALUE_TEXT, "capitalize", str_capitalize, {NULL}, 0, 0},
    {VALUE_TEXT, "swapcase", str_swapcase, {NULL}, 0, 0},
    {VALUE_TEXT, "replace", str_replace, {"", "", ""}, 3, 2},
    {VALUE_TEXT, "join", str_join, {""}, 1, 1},
    {VALUE_TEXT, "find", str_find, {"", "", ""}, 3, 1},
    {VALUE_TEXT, "rfind", str_rfind, {"", "", ""}, 3, 1},
    {VALUE_TEXT, "index", str_index, {"", "", ""}, 3, 1},
    {VALUE_TEXT, "count", str_count, {"", "", ""}, 3, 1},
    {VALUE_TEXT, "partition", str_partition, {""}, 1, 1},
    {VALUE_TEXT, "rpartition", str_rpartition, {""}, 1, 1},
    {VALUE_TEXT, "removeprefix", str_removeprefix, {""}, 1, 1},
    {VALUE_TEXT, "removesuffix", str_removesuffix, {""}, 1, 1},
    {VALUE_TEXT, "ljust", str_ljust, {"", ""}, 2, 1},
    {VALUE_TEXT, "rjust", str_rjust, {"", ""}, 2, 1},
    {VALUE_TEXT, "center", str_center, {"", ""}, 2, 1},
    {VALUE_TEXT, "zfill", str_zfill, {""}, 1, 1},
    {VALUE_TEXT, "isalpha", str_isalpha, {NULL}, 0, 0},
    {VALUE_TEXT, "isdigit", str_isdigit, {NULL}, 0, 0},
    {VALUE_TEXT, "isdecimal", str_isdigit, {NULL}, 0, 0},
    {VALUE_TEXT, "isnumeric", str_isdigit, {NULL}, 0, 0},
    {VALUE_TEXT, "isalnum", str_isalnum, {NULL}, 0, 0},
    {VALUE_TEXT, "isspace", str_isspace, {NULL}, 0, 0},
    {VALUE_TEXT, "isupper", str_isupper, {NULL}, 0, 0},
    {VALUE_TEXT, "islower", str_islower, {NULL}, 0, 0},
    {VALUE_TEXT, "isascii", str_isascii, {NULL}, 0, 0},
    {VALUE_TEXT, "format", NULL, {NULL}, 0, 0}, // takes any arguments: see call_method
};

static const struct {
    enum value_kind kind;
    const char *name;
} unsafe_methods[] = {
    {VALUE_DICT, "clear"},      {VALUE_DICT, "pop"},    {VALUE_DICT, "popitem"},
    {VALUE_DICT, "setdefault"}, {VALUE_DICT, "update"}, {VALUE_LIST, "append"},
    {VALUE_LIST, "clear"},      {VALUE_LIST, "pop"},    {VALUE_LIST, "reverse"},
    {VALUE_LIST, "insert"},     {VALUE_LIST, "sort"},   {VALUE_LIST, "extend"},
    {VALUE_LIST, "remove"},
};

enum status method_find(struct run *run, const struct value *object, const struct text *name,
                        bool *found, struct value *result) {
    *found = true;
    if (object->kind == VALUE_CYCLER && text_equals(name, "current")) {
        *result = object->as.cycler->items->items[object->as.cycler->next];
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (methods[i].kind != object->kind || !text_equals(name, methods[i].name)) continue;
        struct method *method = arena_alloc(&run->arena, sizeof *method);
        if (!method) return run_no_memory(run);
        *method = (struct method){*object, (int)i};
        *result = (struct value){.kind = VALUE_METHOD, .as.method = method};
        return run_steps(run, 1);
    }
    for (size_t i = 0; i < sizeof unsafe_methods / sizeof unsafe_methods[0]; i++)
        if (unsafe_methods[i].kind == object->kind && text_equals(name, unsafe_methods[i].name))
            return run_undefined(run, "methods that change lists or dicts are unsafe", result);
    *found = false;
    return STATUS_OK;
}

enum status call_method(struct run *run, const struct method *method, struct arguments *arguments,
                        struct value *result) {
    if (method->which < 0) return loop_method(run, method, arguments, result);
    const struct method_entry *entry = &methods[method->which];
    struct value slots[METHOD_ARGUMENTS_MAX];
    if (!entry->call) return format_braces(run, &method->self, arguments, result);
    TRY(bind_arguments(run, entry->name, arguments, entry->parameters, entry->n_parameters,
                       entry->n_required, slots));
    return entry->call(run, &method->self, slots, result);
}
