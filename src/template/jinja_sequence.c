// SPDX-License-Identifier: Apache-2.0
// Filters over sequences. What Jinja computes lazily is computed at once here and handed out as an
// iterator, which prints, counts and ends as lazy results do.
#include "template/jinja_filters.h"
#include "template/jinja_lexer.h"
#include "template/jinja_str.h"

#include <string.h>

static bool given(const struct value *slot) {
    return slot->kind != VALUE_MISSING && slot->kind != VALUE_NONE;
}

// A lazy result of something that cannot work: Python notices when it is walked.
static enum status broken_iterator(struct run *run, const char *problem, struct value *result) {
    TRY(run_iterator(run, NULL, result));
    result->as.iterator->problem = problem;
    return STATUS_OK;
}

// What fails for one item fails for who walks that far, and not at all if nobody does; but budgets
// that are exhausted end the rendering.
static enum status defer_failure(struct run *run, enum status status, int depth, struct list *items,
                                 struct value *result) {
    struct value message;
    if (status != STATUS_BAD_INPUT || run->depth >= run->depth_max) return status;
    run->depth = depth;
    TRY(run_literal(run, run->err ? run->err->message : "a filter failed", &message));
    TRY(broken_iterator(run, "", result));
    result->as.iterator->items = items;
    char *copy = arena_alloc(&run->arena, message.as.text->size_bytes + 1);
    if (!copy) return run_no_memory(run);
    memcpy(copy, message.as.text->data, message.as.text->size_bytes);
    result->as.iterator->problem = copy;
    return STATUS_OK;
}

static bool can_iterate(const struct value *value) {
    if (value->kind == VALUE_ITERATOR && value->as.iterator->problem) return false;
    return value->kind == VALUE_UNDEFINED ||
           (value->kind >= VALUE_TEXT && value->kind <= VALUE_RANGE);
}

static enum status filter_length(struct run *run, const struct value *input,
                                 const struct value *slots, struct value *result) {
    (void)slots;
    size_t length;
    TRY(run_length(run, input, &length));
    *result = value_int((int64_t)length);
    return STATUS_OK;
}

static enum status filter_list(struct run *run, const struct value *input,
                               const struct value *slots, struct value *result) {
    (void)slots;
    struct list *list;
    TRY(run_copy_items(run, input, &list));
    *result = value_list(list);
    return STATUS_OK;
}

static enum status filter_first(struct run *run, const struct value *input,
                                const struct value *slots, struct value *result) {
    (void)slots;
    struct list *items;
    if (input->kind == VALUE_ITERATOR) {
        struct iterator *iterator = input->as.iterator;
        *result = value_undefined(NULL);
        if (iterator->items && iterator->next < iterator->items->n_items)
            *result = iterator->items->items[iterator->next++];
        else if (iterator->problem)
            return run_fail(run, STATUS_BAD_INPUT, "%s", iterator->problem);
        return STATUS_OK;
    }
    TRY(run_items(run, input, &items));
    *result = items->n_items ? items->items[0] : value_undefined(NULL);
    return STATUS_OK;
}

static enum status filter_last(struct run *run, const struct value *input,
                               const struct value *slots, struct value *result) {
    (void)slots;
    struct list *items;
    if (input->kind == VALUE_ITERATOR)
        return run_fail(run, STATUS_BAD_INPUT, "last: a %s cannot be reversed",
                        value_type_name(input));
    TRY(run_items(run, input, &items));
    *result = items->n_items ? items->items[items->n_items - 1] : value_undefined(NULL);
    return STATUS_OK;
}

static enum status filter_join(struct run *run, const struct value *input,
                               const struct value *slots, struct value *result) {
    struct list *items;
    struct text *separator = NULL;
    struct text_builder builder;
    TRY(run_items(run, input, &items));
    if (slots[0].kind != VALUE_MISSING) TRY(to_text(run, &slots[0], &separator));
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    for (size_t i = 0; i < items->n_items; i++) {
        struct value item = items->items[i];
        struct text *text;
        if (given(&slots[1])) TRY(get_path(run, &items->items[i], &slots[1], &item));
        TRY(to_text(run, &item, &text));
        TRY(run_steps(run, 1 + (text->size_bytes + (separator ? separator->size_bytes : 0)) / 64));
        if (i && separator) builder_append_text(&builder, separator);
        if (!builder_append_text(&builder, text)) return run_no_memory(run);
    }
    return run_built(run, &builder, result);
}

static enum status filter_reverse(struct run *run, const struct value *input,
                                  const struct value *slots, struct value *result) {
    (void)slots;
    struct list *items;
    if (input->kind == VALUE_TEXT) {
        struct value bounds[3] = {value_none(), value_none(), value_int(-1)};
        return get_slice(run, input, bounds, result);
    }
    bool is_lazy = input->kind != VALUE_ITERATOR;
    TRY(run_copy_items(run, input, &items));
    for (size_t i = 0; i < items->n_items / 2; i++) {
        struct value swap = items->items[i];
        items->items[i] = items->items[items->n_items - 1 - i];
        items->items[items->n_items - 1 - i] = swap;
    }
    if (is_lazy) return run_iterator(run, items, result);
    *result = value_list(items);
    return STATUS_OK;
}

static enum status filter_items(struct run *run, const struct value *input,
                                const struct value *slots, struct value *result) {
    (void)slots;
    struct list *items, *pair;
    TRY(run_new_list(run, 0, &items));
    if (input->kind != VALUE_DICT && input->kind != VALUE_UNDEFINED)
        return broken_iterator(run, "items: the value is not a mapping", result);
    size_t n = input->kind == VALUE_DICT ? input->as.dict->n_entries : 0;
    for (size_t i = 0; i < n; i++) {
        TRY(run_new_list(run, 2, &pair));
        TRY(run_append(run, pair, input->as.dict->entries[i].key));
        TRY(run_append(run, pair, input->as.dict->entries[i].value));
        TRY(run_append(run, items, value_tuple(pair)));
    }
    return run_iterator(run, items, result);
}

// A text in lower case; other values as they are.
static enum status ignore_case(struct run *run, struct value *value) {
    struct value text = *value;
    return value->kind == VALUE_TEXT ? str_lower(run, &text, NULL, value) : STATUS_OK;
}

// What items are ordered or told apart by: themselves or the value at a path.
static enum status sort_key(struct run *run, const struct value *item, const struct value *path,
                            bool case_sensitive, struct value *key) {
    *key = *item;
    if (given(path)) TRY(get_path(run, item, path, key));
    return case_sensitive ? STATUS_OK : ignore_case(run, key);
}

static enum status sort_keys(struct run *run, const struct list *items, const struct value *path,
                             bool case_sensitive, struct list **keys) {
    TRY(run_new_list(run, items->n_items, keys));
    for (size_t i = 0; i < items->n_items; i++) {
        struct value key;
        TRY(sort_key(run, &items->items[i], path, case_sensitive, &key));
        TRY(run_append(run, *keys, key));
    }
    return STATUS_OK;
}

// Keys of the sort filter: for each item the list of its values at the paths "a,b".
static enum status sort_key_lists(struct run *run, const struct list *items,
                                  const struct value *paths, bool case_sensitive,
                                  struct list **keys) {
    struct value split = {0}, slots[2] = {{0}, {0}};
    struct list *path_list;
    TRY(run_new_list(run, 1, &path_list));
    TRY(run_append(run, path_list, *paths));
    if (paths->kind == VALUE_TEXT) {
        TRY(run_literal(run, ",", &slots[0]));
        TRY(str_split(run, paths, slots, &split));
        path_list = split.as.list;
    }
    TRY(run_new_list(run, items->n_items, keys));
    for (size_t i = 0; i < items->n_items; i++) {
        struct list *parts;
        TRY(run_new_list(run, 0, &parts));
        for (size_t j = 0; j < path_list->n_items; j++) {
            struct value key;
            TRY(sort_key(run, &items->items[i], &path_list->items[j], case_sensitive, &key));
            TRY(run_append(run, parts, key));
        }
        TRY(run_append(run, *keys, value_list(parts)));
    }
    return STATUS_OK;
}

// reverse, case_sensitive, attribute
static enum status filter_sort(struct run *run, const struct value *input,
                               const struct value *slots, struct value *result) {
    struct list *items, *keys;
    TRY(run_copy_items(run, input, &items));
    TRY(sort_key_lists(run, items, &slots[2], value_truth(&slots[1]), &keys));
    TRY(run_sort(run, items, keys, value_truth(&slots[0])));
    *result = value_list(items);
    return STATUS_OK;
}

// case_sensitive, by, reverse
static enum status filter_dictsort(struct run *run, const struct value *input,
                                   const struct value *slots, struct value *result) {
    struct value pairs;
    struct list *items, *keys;
    bool by_value = false;
    if (input->kind != VALUE_DICT)
        return run_fail(run, STATUS_BAD_INPUT, "dictsort of a %s", value_type_name(input));
    if (slots[1].kind != VALUE_MISSING) {
        by_value = slots[1].kind == VALUE_TEXT && text_equals(slots[1].as.text, "value");
        if (!by_value && !(slots[1].kind == VALUE_TEXT && text_equals(slots[1].as.text, "key")))
            return run_fail(run, STATUS_BAD_INPUT, "dictsort sorts by \"key\" or \"value\"");
    }
    struct value path = value_int(by_value);
    TRY(filter_items(run, input, NULL, &pairs));
    TRY(run_copy_items(run, &pairs, &items));
    TRY(sort_keys(run, items, &path, value_truth(&slots[0]), &keys));
    TRY(run_sort(run, items, keys, value_truth(&slots[2])));
    *result = value_list(items);
    return STATUS_OK;
}

// Whether an item is the first with its key.
static enum status is_new(struct run *run, const struct value *item, const struct value *slots,
                          struct dict *seen, bool *result) {
    struct value key;
    size_t n_before = seen->n_entries;
    TRY(sort_key(run, item, &slots[1], value_truth(&slots[0]), &key));
    TRY(run_set(run, seen, key, value_none()));
    *result = seen->n_entries > n_before;
    return STATUS_OK;
}

// case_sensitive, attribute
static enum status filter_unique(struct run *run, const struct value *input,
                                 const struct value *slots, struct value *result) {
    struct list *items, *chosen;
    struct dict *seen = dict_create(&run->arena);
    int depth = run->depth;
    if (!seen) return run_no_memory(run);
    if (!can_iterate(input)) return broken_iterator(run, "unique: not iterable", result);
    TRY(run_items(run, input, &items));
    TRY(run_new_list(run, 0, &chosen));
    for (size_t i = 0; i < items->n_items; i++) {
        bool chooses;
        enum status status = is_new(run, &items->items[i], slots, seen, &chooses);
        if (status != STATUS_OK) return defer_failure(run, status, depth, chosen, result);
        if (chooses) TRY(run_append(run, chosen, items->items[i]));
    }
    return run_iterator(run, chosen, result);
}

static enum status extreme(struct run *run, const struct value *input, const struct value *slots,
                           bool largest, struct value *result) {
    struct list *items, *keys;
    size_t best = 0;
    TRY(run_items(run, input, &items));
    *result = value_undefined(NULL);
    if (items->n_items == 0) return STATUS_OK;
    TRY(sort_keys(run, items, &slots[1], value_truth(&slots[0]), &keys));
    for (size_t i = 1; i < items->n_items; i++) {
        bool better;
        const struct value *a = &keys->items[i], *b = &keys->items[best];
        TRY(largest ? run_less(run, b, a, &better) : run_less(run, a, b, &better));
        if (better) best = i;
    }
    *result = items->items[best];
    return STATUS_OK;
}

static enum status filter_min(struct run *run, const struct value *input, const struct value *slots,
                              struct value *result) {
    return extreme(run, input, slots, false, result);
}

static enum status filter_max(struct run *run, const struct value *input, const struct value *slots,
                              struct value *result) {
    return extreme(run, input, slots, true, result);
}

// attribute, start
static enum status filter_sum(struct run *run, const struct value *input, const struct value *slots,
                              struct value *result) {
    struct list *items;
    TRY(run_items(run, input, &items));
    *result = slots[1].kind == VALUE_MISSING ? value_int(0) : slots[1];
    if (result->kind == VALUE_TEXT)
        return run_fail(run, STATUS_BAD_INPUT, "sum does not join strings");
    for (size_t i = 0; i < items->n_items; i++) {
        struct value item = items->items[i], sum = *result;
        if (given(&slots[0])) TRY(get_path(run, &items->items[i], &slots[0], &item));
        TRY(operate_binary(run, TOKEN_ADD, &sum, &item, result));
    }
    return STATUS_OK;
}

// linecount, fill_with
static enum status filter_batch(struct run *run, const struct value *input,
                                const struct value *slots, struct value *result) {
    struct list *items, *batches, *batch = NULL;
    int64_t size;
    if (!can_iterate(input)) return broken_iterator(run, "batch: not iterable", result);
    TRY(want_int(run, &slots[0], "batch", &size));
    TRY(run_items(run, input, &items));
    TRY(run_new_list(run, 0, &batches));
    for (size_t i = 0; i < items->n_items; i++) {
        if (!batch || (int64_t)batch->n_items == size) {
            TRY(run_new_list(run, 0, &batch));
            TRY(run_append(run, batches, value_list(batch)));
        }
        TRY(run_append(run, batch, items->items[i]));
    }
    while (batch && given(&slots[1]) && (int64_t)batch->n_items < size)
        TRY(run_append(run, batch, slots[1]));
    return run_iterator(run, batches, result);
}

// slices, fill_with
static enum status filter_slice(struct run *run, const struct value *input,
                                const struct value *slots, struct value *result) {
    struct list *items, *slices, *slice;
    int64_t n_slices;
    size_t next = 0;
    if (!can_iterate(input)) return broken_iterator(run, "slice: not iterable", result);
    TRY(want_int(run, &slots[0], "slice", &n_slices));
    TRY(run_items(run, input, &items));
    TRY(run_new_list(run, 0, &slices));
    if (n_slices == 0) return run_fail(run, STATUS_BAD_INPUT, "slice into 0 parts");
    for (int64_t i = 0; i < n_slices; i++) {
        bool is_long = (size_t)i < items->n_items % (size_t)n_slices;
        size_t end = next + items->n_items / (size_t)n_slices + is_long;
        TRY(run_new_list(run, 0, &slice));
        while (next < end)
            TRY(run_append(run, slice, items->items[next++]));
        if (given(&slots[1]) && !is_long) TRY(run_append(run, slice, slots[1]));
        TRY(run_append(run, slices, value_list(slice)));
    }
    return run_iterator(run, slices, result);
}

// attribute, default, case_sensitive
static enum status filter_groupby(struct run *run, const struct value *input,
                                  const struct value *slots, struct value *result) {
    struct list *items, *keys, *groups, *group = NULL, *pair;
    TRY(run_copy_items(run, input, &items));
    TRY(run_new_list(run, items->n_items, &keys));
    for (size_t i = 0; i < items->n_items; i++) {
        struct value key;
        TRY(get_path_or(run, &items->items[i], &slots[0], &slots[1], &key));
        if (!value_truth(&slots[2])) TRY(ignore_case(run, &key));
        TRY(run_append(run, keys, key));
    }
    TRY(run_sort(run, items, keys, false));
    TRY(run_new_list(run, 0, &groups));
    for (size_t i = 0; i < items->n_items; i++) {
        if (i == 0 ||
            !value_equal(&run->arena, &keys->items[i - 1], &keys->items[i], VALUE_DEPTH_MAX)) {
            struct value name;
            TRY(get_path_or(run, &items->items[i], &slots[0], &slots[1], &name));
            TRY(run_new_list(run, 2, &pair));
            TRY(run_new_list(run, 0, &group));
            pair->is_group = true;
            TRY(run_append(run, pair, name));
            TRY(run_append(run, pair, value_list(group)));
            TRY(run_append(run, groups, value_tuple(pair)));
        }
        TRY(run_append(run, group, items->items[i]));
    }
    *result = value_list(groups);
    return STATUS_OK;
}

static const struct filter_entry sequence_filters[] = {
    {"length", filter_length, {NULL}, 0, 0},
    {"count", filter_length, {NULL}, 0, 0},
    {"list", filter_list, {NULL}, 0, 0},
    {"first", filter_first, {NULL}, 0, 0},
    {"last", filter_last, {NULL}, 0, 0},
    {"join", filter_join, {"d", "attribute"}, 2, 0},
    {"reverse", filter_reverse, {NULL}, 0, 0},
    {"items", filter_items, {NULL}, 0, 0},
    {"sort", filter_sort, {"reverse", "case_sensitive", "attribute"}, 3, 0},
    {"dictsort", filter_dictsort, {"case_sensitive", "by", "reverse"}, 3, 0},
    {"unique", filter_unique, {"case_sensitive", "attribute"}, 2, 0},
    {"min", filter_min, {"case_sensitive", "attribute"}, 2, 0},
    {"max", filter_max, {"case_sensitive", "attribute"}, 2, 0},
    {"sum", filter_sum, {"attribute", "start"}, 2, 0},
    {"batch", filter_batch, {"linecount", "fill_with"}, 2, 1},
    {"slice", filter_slice, {"slices", "fill_with"}, 2, 1},
    {"groupby", filter_groupby, {"attribute", "default", "case_sensitive"}, 3, 1},
};

const struct filter_entry *sequence_filter_find(const struct text *name) {
    for (size_t i = 0; i < sizeof sequence_filters / sizeof sequence_filters[0]; i++)
        if (text_equals(name, sequence_filters[i].name)) return &sequence_filters[i];
    return NULL;
}

// map(attribute="a.b", default=…)
static enum status map_attribute(struct run *run, const struct list *items,
                                 const struct arguments *arguments, struct list *mapped) {
    static const char *const names[] = {"attribute", "default"};
    struct value slots[2], value;
    TRY(bind_arguments(run, "map", arguments, names, 2, 1, slots));
    for (size_t i = 0; i < items->n_items; i++) {
        TRY(get_path_or(run, &items->items[i], &slots[0], &slots[1], &value));
        TRY(run_append(run, mapped, value));
    }
    return STATUS_OK;
}

static bool has_keyword(const struct arguments *arguments, const char *name) {
    for (size_t i = 0; i < arguments->n_keywords; i++)
        if (text_equals(arguments->keywords[i].name, name)) return true;
    return false;
}

enum status filter_map(struct run *run, const struct value *input,
                       const struct arguments *arguments, struct value *result) {
    struct list *items, *mapped;
    struct text *name;
    TRY(run_new_list(run, 0, &mapped));
    if (!value_truth(input)) return run_iterator(run, mapped, result);
    if (!can_iterate(input)) return broken_iterator(run, "map: not iterable", result);
    TRY(run_items(run, input, &items));
    if (arguments->n_items == 0 && has_keyword(arguments, "attribute")) {
        TRY(map_attribute(run, items, arguments, mapped));
        return run_iterator(run, mapped, result);
    }
    if (arguments->n_items == 0)
        return run_fail(run, STATUS_BAD_INPUT, "map needs the name of a filter");
    TRY(want_text(run, &arguments->items[0], "map", &name));
    struct arguments rest = {arguments->items + 1, arguments->n_items - 1, arguments->keywords,
                             arguments->n_keywords};
    int depth = run->depth;
    TRY(run_enter(run));
    for (size_t i = 0; i < items->n_items; i++) {
        struct value value;
        enum status status = filter_call(run, name, &items->items[i], &rest, &value);
        if (status != STATUS_OK) return defer_failure(run, status, depth, mapped, result);
        TRY(run_append(run, mapped, value));
    }
    run_leave(run);
    return run_iterator(run, mapped, result);
}

// Whether one item passes select and its kin.
static enum status is_selected(struct run *run, const struct value *item, const struct value *path,
                               const struct text *test, const struct arguments *rest, bool *holds) {
    struct value value = *item;
    if (path) TRY(get_path(run, item, path, &value));
    if (test) return test_call(run, test, &value, rest, holds);
    *holds = value_truth(&value);
    return STATUS_OK;
}

enum status filter_select(struct run *run, const struct text *name, const struct value *input,
                          const struct arguments *arguments, struct value *result) {
    bool rejects = name->size_bytes > 6 ? text_equals(name, "rejectattr") : name->data[0] == 'r';
    size_t offset = name->size_bytes > 6;
    struct list *items, *chosen;
    struct text *test = NULL;
    TRY(run_new_list(run, 0, &chosen));
    if (!value_truth(input)) return run_iterator(run, chosen, result);
    if (!can_iterate(input)) return broken_iterator(run, "select: not iterable", result);
    TRY(run_items(run, input, &items));
    if (arguments->n_items < offset)
        return run_fail(run, STATUS_BAD_INPUT, "the name of an attribute is missing");
    struct arguments rest = {arguments->items, 0, arguments->keywords, arguments->n_keywords};
    if (arguments->n_items > offset) {
        TRY(want_text(run, &arguments->items[offset], "the name of a test", &test));
        rest.items = arguments->items + offset + 1;
        rest.n_items = arguments->n_items - offset - 1;
    }
    int depth = run->depth;
    for (size_t i = 0; i < items->n_items; i++) {
        bool holds;
        enum status status = is_selected(run, &items->items[i],
                                         offset ? &arguments->items[0] : NULL, test, &rest, &holds);
        if (status != STATUS_OK) return defer_failure(run, status, depth, chosen, result);
        if (holds != rejects) TRY(run_append(run, chosen, items->items[i]));
    }
    return run_iterator(run, chosen, result);
}
