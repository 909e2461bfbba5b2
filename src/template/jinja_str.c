// SPDX-License-Identifier: Apache-2.0
#include "template/jinja_str.h"

#include "base/utf8.h"

#include <string.h>

enum status str_part(struct run *run, const struct value *of, size_t from, size_t to,
                     struct value *result) {
    struct text *text = text_wrap(&run->arena, of->as.text->data + from, to - from);
    if (!text) return run_no_memory(run);
    *result = value_text(text);
    result->markup = of->markup;
    return run_steps(run, 1 + (to - from) / 64);
}

static enum status optional_text(struct run *run, const struct value *slot, const char *what,
                                 struct text **text) {
    *text = NULL;
    if (slot->kind == VALUE_MISSING || slot->kind == VALUE_NONE) return STATUS_OK;
    return want_text(run, slot, what, text);
}

static enum status optional_int(struct run *run, const struct value *slot, const char *what,
                                int64_t *integer) {
    if (slot->kind == VALUE_MISSING || slot->kind == VALUE_NONE) return STATUS_OK;
    return want_int(run, slot, what, integer);
}

static enum status strip(struct run *run, const struct value *self, const struct value *slots,
                         int sides, struct value *result) {
    struct text *chars;
    size_t from = 0, to = self->as.text->size_bytes;
    TRY(optional_text(run, &slots[0], "strip", &chars));
    text_strip_range(self->as.text->data, &from, &to, chars, sides);
    TRY(run_steps(run, (self->as.text->size_bytes - (to - from)) *
                           (chars ? 1 + chars->size_bytes : 1) / 16));
    return str_part(run, self, from, to, result);
}

enum status str_strip(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    return strip(run, self, slots, STRIP_LEFT | STRIP_RIGHT, result);
}

enum status str_lstrip(struct run *run, const struct value *self, const struct value *slots,
                       struct value *result) {
    return strip(run, self, slots, STRIP_LEFT, result);
}

enum status str_rstrip(struct run *run, const struct value *self, const struct value *slots,
                       struct value *result) {
    return strip(run, self, slots, STRIP_RIGHT, result);
}

static enum status append_part(struct run *run, struct list *list, const struct value *of,
                               size_t from, size_t to) {
    struct value part;
    TRY(str_part(run, of, from, to, &part));
    return run_append(run, list, part);
}

static enum status split_at_space(struct run *run, const struct value *self, int64_t max_split,
                                  struct list *list) {
    const char *data = self->as.text->data;
    size_t at = 0, end = self->as.text->size_bytes;
    for (;;) {
        text_strip_range(data, &at, &end, NULL, STRIP_LEFT);
        if (at == end) return STATUS_OK;
        size_t stop = at;
        if (max_split-- == 0) {
            text_strip_range(data, &at, &end, NULL, STRIP_RIGHT);
            return append_part(run, list, self, at, end);
        }
        while (stop < end) {
            uint32_t code;
            size_t used = utf8_decode(data + stop, end - stop, &code);
            if (code_is_space(code)) break;
            stop += used;
        }
        TRY(append_part(run, list, self, at, stop));
        at = stop;
    }
}

static enum status rsplit_at_space(struct run *run, const struct value *self, int64_t max_split,
                                   struct list *list) {
    const char *data = self->as.text->data;
    size_t begin = 0, end = self->as.text->size_bytes;
    for (;;) {
        text_strip_range(data, &begin, &end, NULL, STRIP_RIGHT);
        if (end == 0) return STATUS_OK;
        size_t start = end, previous;
        if (max_split-- == 0) {
            size_t from = 0;
            text_strip_range(data, &from, &end, NULL, STRIP_LEFT);
            return append_part(run, list, self, from, end);
        }
        while (start > 0 && !code_is_space(utf8_last(data, start, &previous)))
            start = previous;
        TRY(append_part(run, list, self, start, end));
        end = start;
    }
}

static enum status split_at_text(struct run *run, const struct value *self,
                                 const struct text *separator, int64_t max_split,
                                 struct list *list) {
    const struct text *text = self->as.text;
    size_t from = 0;
    for (size_t at; max_split != 0 && (at = text_find(text, separator, from)) != SIZE_MAX;
         max_split--) {
        TRY(append_part(run, list, self, from, at));
        from = at + separator->size_bytes;
    }
    return append_part(run, list, self, from, text->size_bytes);
}

// Searches from the right compare at every place.
static enum status pay_search(struct run *run, const struct text *text, const struct text *part) {
    return run_steps(run, (1 + text->size_bytes / 16) * (1 + part->size_bytes / 64));
}

static enum status rsplit_at_text(struct run *run, const struct value *self,
                                  const struct text *separator, int64_t max_split,
                                  struct list *list) {
    const struct text *text = self->as.text;
    size_t end = text->size_bytes;
    TRY(pay_search(run, text, separator));
    for (size_t at; max_split != 0 && (at = text_find_last(text, separator, end)) != SIZE_MAX;
         max_split--) {
        TRY(append_part(run, list, self, at + separator->size_bytes, end));
        end = at;
    }
    return append_part(run, list, self, 0, end);
}

static void reverse_items(struct list *list) {
    for (size_t i = 0; i < list->n_items / 2; i++) {
        struct value swap = list->items[i];
        list->items[i] = list->items[list->n_items - 1 - i];
        list->items[list->n_items - 1 - i] = swap;
    }
}

static enum status split(struct run *run, const struct value *self, const struct value *slots,
                         bool from_right, struct value *result) {
    struct text *separator;
    struct list *list;
    int64_t max_split = -1;
    TRY(optional_text(run, &slots[0], "split", &separator));
    TRY(optional_int(run, &slots[1], "split", &max_split));
    TRY(run_new_list(run, 0, &list));
    TRY(run_steps(run, 1 + self->as.text->size_bytes / 16));
    if (separator && separator->size_bytes == 0)
        return run_fail(run, STATUS_BAD_INPUT, "split: the separator is empty");
    if (!separator)
        TRY(from_right ? rsplit_at_space(run, self, max_split, list)
                       : split_at_space(run, self, max_split, list));
    else
        TRY(from_right ? rsplit_at_text(run, self, separator, max_split, list)
                       : split_at_text(run, self, separator, max_split, list));
    if (from_right) reverse_items(list);
    *result = value_list(list);
    return STATUS_OK;
}

enum status str_split(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    return split(run, self, slots, false, result);
}

enum status str_rsplit(struct run *run, const struct value *self, const struct value *slots,
                       struct value *result) {
    return split(run, self, slots, true, result);
}

enum status str_split_lines(struct run *run, const struct value *self, bool keep_ends,
                            struct list **lines) {
    const struct text *text = self->as.text;
    size_t from = 0;
    TRY(run_new_list(run, 0, lines));
    for (size_t at = 0; at < text->size_bytes;) {
        uint32_t code;
        size_t next = at + utf8_decode(text->data + at, text->size_bytes - at, &code);
        if (code_is_line_end(code)) {
            if (code == '\r' && next < text->size_bytes && text->data[next] == '\n') next++;
            TRY(append_part(run, *lines, self, from, keep_ends ? next : at));
            from = next;
        }
        at = next;
    }
    TRY(run_steps(run, 1 + text->size_bytes / 16));
    if (from == text->size_bytes) return STATUS_OK;
    return append_part(run, *lines, self, from, text->size_bytes);
}

enum status str_splitlines(struct run *run, const struct value *self, const struct value *slots,
                           struct value *result) {
    struct list *lines;
    TRY(str_split_lines(run, self, value_truth(&slots[0]), &lines));
    *result = value_list(lines);
    return STATUS_OK;
}

// The part of self that start and end (code points, as for slices) leave.
static enum status search_range(struct run *run, const struct value *self,
                                const struct value *slots, size_t *from, size_t *to) {
    struct text *text = self->as.text;
    int64_t length = (int64_t)text_chars(text), bounds[2] = {0, length};
    for (int i = 0; i < 2; i++) {
        TRY(optional_int(run, &slots[1 + i], "a search", &bounds[i]));
        if (bounds[i] < 0) bounds[i] = bounds[i] < -length ? 0 : bounds[i] + length;
    }
    if (bounds[1] > length) bounds[1] = length;
    *from = *to = SIZE_MAX; // an empty range that not even "" is found in
    if (bounds[0] > bounds[1]) return STATUS_OK;
    *from = text_offset(text, (size_t)bounds[0]);
    *to = text_offset(text, (size_t)bounds[1]);
    return run_steps(run, 1 + text->size_bytes / 64);
}

static bool matches_at(const struct text *text, size_t at, const struct text *part) {
    return memcmp(text->data + at, part->data, part->size_bytes) == 0;
}

static enum status ends_with(struct run *run, const struct value *self, const struct value *slots,
                             bool at_end, struct value *result) {
    size_t from, to;
    struct list one = {.items = (struct value *)&slots[0], .n_items = 1};
    const struct list *parts = slots[0].kind == VALUE_TUPLE ? slots[0].as.list : &one;
    TRY(search_range(run, self, slots, &from, &to));
    *result = value_bool(false);
    for (size_t i = 0; i < parts->n_items; i++) {
        struct text *part;
        TRY(want_text(run, &parts->items[i], "startswith or endswith", &part));
        TRY(run_steps(run, 1 + part->size_bytes / 64));
        if (from == SIZE_MAX || part->size_bytes > to - from) continue;
        if (matches_at(self->as.text, at_end ? to - part->size_bytes : from, part))
            *result = value_bool(true);
    }
    return STATUS_OK;
}

enum status str_startswith(struct run *run, const struct value *self, const struct value *slots,
                           struct value *result) {
    return ends_with(run, self, slots, false, result);
}

enum status str_endswith(struct run *run, const struct value *self, const struct value *slots,
                         struct value *result) {
    return ends_with(run, self, slots, true, result);
}

// The next code point boundary after `at`.
static size_t step_over(const struct text *text, size_t at) {
    uint32_t code;
    return at + utf8_decode(text->data + at, text->size_bytes - at, &code);
}

enum status str_replace_text(struct run *run, const struct text *text, const struct text *old,
                             const struct text *with, int64_t count, struct value *result) {
    struct text_builder builder;
    size_t from = 0, at;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    TRY(run_steps(run, 1 + text->size_bytes / 16));
    for (; count != 0 && (at = text_find(text, old, from)) != SIZE_MAX; count--) {
        TRY(run_steps(run, 1 + with->size_bytes / 64));
        builder_append(&builder, text->data + from, at - from);
        if (!builder_append_text(&builder, with)) return run_no_memory(run);
        from = at + old->size_bytes;
        if (old->size_bytes) continue;
        // An empty text is found before every character and at the end.
        if (at == text->size_bytes) return run_built(run, &builder, result);
        from = step_over(text, at);
        builder_append(&builder, text->data + at, from - at);
    }
    builder_append(&builder, text->data + from, text->size_bytes - from);
    return run_built(run, &builder, result);
}

enum status str_replace(struct run *run, const struct value *self, const struct value *slots,
                        struct value *result) {
    struct text *old, *with;
    struct value escaped = slots[1];
    int64_t count = -1;
    TRY(want_text(run, &slots[0], "replace", &old));
    TRY(want_text(run, &slots[1], "replace", &with));
    if (slots[2].kind != VALUE_MISSING) TRY(want_int(run, &slots[2], "replace", &count));
    if (self->markup) TRY(escape_markup(run, &slots[1], &escaped));
    TRY(str_replace_text(run, self->as.text, old, escaped.as.text, count, result));
    result->markup = self->markup;
    return STATUS_OK;
}

enum status str_join(struct run *run, const struct value *self, const struct value *slots,
                     struct value *result) {
    struct list *items;
    struct text_builder builder;
    TRY(run_items(run, &slots[0], &items));
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    for (size_t i = 0; i < items->n_items; i++) {
        struct text *text;
        struct value item = items->items[i];
        if (self->markup) TRY(escape_markup(run, &items->items[i], &item));
        TRY(want_text(run, &item, "join", &text));
        TRY(run_steps(run, 1 + (text->size_bytes + self->as.text->size_bytes) / 64));
        if (i) builder_append_text(&builder, self->as.text);
        if (!builder_append_text(&builder, text)) return run_no_memory(run);
    }
    TRY(run_built(run, &builder, result));
    result->markup = self->markup;
    return STATUS_OK;
}

static enum status find(struct run *run, const struct value *self, const struct value *slots,
                        bool last, struct value *result) {
    struct text *part;
    size_t from, to, at = SIZE_MAX;
    TRY(want_text(run, &slots[0], "find", &part));
    TRY(search_range(run, self, slots, &from, &to));
    *result = value_int(-1);
    if (from == SIZE_MAX) return STATUS_OK;
    struct text head = {.data = self->as.text->data, .size_bytes = to};
    if (last) TRY(pay_search(run, &head, part));
    at = last ? text_find_last(&head, part, to) : text_find(&head, part, from);
    if (at == SIZE_MAX || at < from) return STATUS_OK;
    struct text before = {
        .data = self->as.text->data, .size_bytes = at, .n_chars = TEXT_CHARS_UNKNOWN};
    *result = value_int((int64_t)text_chars(&before));
    return run_steps(run, 1 + to / 16);
}

enum status str_find(struct run *run, const struct value *self, const struct value *slots,
                     struct value *result) {
    return find(run, self, slots, false, result);
}

enum status str_rfind(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    return find(run, self, slots, true, result);
}

enum status str_index(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    TRY(find(run, self, slots, false, result));
    if (result->as.integer >= 0) return STATUS_OK;
    return run_fail(run, STATUS_BAD_INPUT, "index: the text is not found");
}

enum status str_count(struct run *run, const struct value *self, const struct value *slots,
                      struct value *result) {
    struct text *part;
    size_t from, to;
    int64_t n = 0;
    TRY(want_text(run, &slots[0], "count", &part));
    TRY(search_range(run, self, slots, &from, &to));
    *result = value_int(0);
    if (from == SIZE_MAX) return STATUS_OK;
    TRY(run_steps(run, 1 + (to - from) / 16));
    struct text head = {.data = self->as.text->data, .size_bytes = to};
    if (part->size_bytes == 0) {
        struct text range = {
            .data = head.data + from, .size_bytes = to - from, .n_chars = TEXT_CHARS_UNKNOWN};
        *result = value_int((int64_t)text_chars(&range) + 1);
        return STATUS_OK;
    }
    for (size_t at; (at = text_find(&head, part, from)) != SIZE_MAX; n++)
        from = at + part->size_bytes;
    *result = value_int(n);
    return STATUS_OK;
}

static enum status partition(struct run *run, const struct value *self, const struct value *slots,
                             bool last, struct value *result) {
    struct text *separator;
    struct list *parts;
    const struct text *text = self->as.text;
    TRY(want_text(run, &slots[0], "partition", &separator));
    if (separator->size_bytes == 0)
        return run_fail(run, STATUS_BAD_INPUT, "partition: the separator is empty");
    if (last) TRY(pay_search(run, text, separator));
    size_t at =
        last ? text_find_last(text, separator, text->size_bytes) : text_find(text, separator, 0);
    size_t cut = at != SIZE_MAX ? at : last ? 0 : text->size_bytes;
    size_t resume = at != SIZE_MAX ? at + separator->size_bytes : cut;
    TRY(run_steps(run, 1 + text->size_bytes / 16));
    TRY(run_new_list(run, 3, &parts));
    TRY(append_part(run, parts, self, 0, cut));
    TRY(append_part(run, parts, self, cut, resume));
    TRY(append_part(run, parts, self, resume, text->size_bytes));
    *result = value_tuple(parts);
    return STATUS_OK;
}

enum status str_partition(struct run *run, const struct value *self, const struct value *slots,
                          struct value *result) {
    return partition(run, self, slots, false, result);
}

enum status str_rpartition(struct run *run, const struct value *self, const struct value *slots,
                           struct value *result) {
    return partition(run, self, slots, true, result);
}

enum status str_removeprefix(struct run *run, const struct value *self, const struct value *slots,
                             struct value *result) {
    struct text *part;
    TRY(want_text(run, &slots[0], "removeprefix", &part));
    const struct text *text = self->as.text;
    bool has = part->size_bytes <= text->size_bytes && matches_at(text, 0, part);
    return str_part(run, self, has ? part->size_bytes : 0, text->size_bytes, result);
}

enum status str_removesuffix(struct run *run, const struct value *self, const struct value *slots,
                             struct value *result) {
    struct text *part;
    TRY(want_text(run, &slots[0], "removesuffix", &part));
    const struct text *text = self->as.text;
    size_t size = text->size_bytes;
    bool has = part->size_bytes <= size && matches_at(text, size - part->size_bytes, part);
    return str_part(run, self, 0, has ? size - part->size_bytes : size, result);
}
