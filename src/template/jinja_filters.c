// SPDX-License-Identifier: Apache-2.0
// The table of filters, and those that work on one value. Filters over sequences are in
// jinja_sequence.c.
#include "template/jinja_filters.h"

#include "template/jinja_literal.h"
#include "template/jinja_str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// The input as a text; texts keep their mark.
static enum status soft_text(struct run *run, const struct value *input, struct value *text) {
    *text = *input;
    if (input->kind == VALUE_TEXT) return STATUS_OK;
    TRY(to_text(run, input, &text->as.text));
    *text = value_text(text->as.text);
    return STATUS_OK;
}

static bool given(const struct value *slot) {
    return slot->kind != VALUE_MISSING;
}

static enum status filter_default(struct run *run, const struct value *input,
                                  const struct value *slots, struct value *result) {
    *result = *input;
    if (input->kind != VALUE_UNDEFINED && (!value_truth(&slots[1]) || value_truth(input)))
        return STATUS_OK;
    if (!given(&slots[0])) return run_literal(run, "", result);
    *result = slots[0];
    return STATUS_OK;
}

static enum status filter_string(struct run *run, const struct value *input,
                                 const struct value *slots, struct value *result) {
    (void)slots;
    return soft_text(run, input, result);
}

static enum status filter_safe(struct run *run, const struct value *input,
                               const struct value *slots, struct value *result) {
    (void)slots;
    TRY(soft_text(run, input, result));
    result->markup = true;
    return STATUS_OK;
}

static enum status filter_escape(struct run *run, const struct value *input,
                                 const struct value *slots, struct value *result) {
    (void)slots;
    return escape_markup(run, input, result);
}

static enum status filter_forceescape(struct run *run, const struct value *input,
                                      const struct value *slots, struct value *result) {
    (void)slots;
    struct value plain = *input;
    plain.markup = false;
    return escape_markup(run, &plain, result);
}

static enum status filter_trim(struct run *run, const struct value *input,
                               const struct value *slots, struct value *result) {
    struct value text;
    TRY(soft_text(run, input, &text));
    return str_strip(run, &text, slots, result);
}

static enum status filter_upper(struct run *run, const struct value *input,
                                const struct value *slots, struct value *result) {
    struct value text;
    TRY(soft_text(run, input, &text));
    return str_upper(run, &text, slots, result);
}

static enum status filter_lower(struct run *run, const struct value *input,
                                const struct value *slots, struct value *result) {
    struct value text;
    TRY(soft_text(run, input, &text));
    return str_lower(run, &text, slots, result);
}

static enum status filter_capitalize(struct run *run, const struct value *input,
                                     const struct value *slots, struct value *result) {
    struct value text;
    TRY(soft_text(run, input, &text));
    return str_capitalize(run, &text, slots, result);
}

static enum status filter_title(struct run *run, const struct value *input,
                                const struct value *slots, struct value *result) {
    (void)slots;
    struct value text;
    TRY(soft_text(run, input, &text));
    TRY(run_steps(run, 1 + text.as.text->size_bytes / 8));
    struct text *title = text_change_case(&run->arena, text.as.text, CASE_TITLE_WORDS);
    if (!title) return run_no_memory(run);
    *result = value_text(title);
    return STATUS_OK;
}

static enum status filter_center(struct run *run, const struct value *input,
                                 const struct value *slots, struct value *result) {
    struct value text, width[2] = {given(&slots[0]) ? slots[0] : value_int(80), {0}};
    TRY(soft_text(run, input, &text));
    return str_center(run, &text, width, result);
}

static enum status filter_replace(struct run *run, const struct value *input,
                                  const struct value *slots, struct value *result) {
    struct text *text, *old, *with;
    int64_t count = -1;
    TRY(to_text(run, input, &text));
    TRY(to_text(run, &slots[0], &old));
    TRY(to_text(run, &slots[1], &with));
    if (given(&slots[2]) && slots[2].kind != VALUE_NONE)
        TRY(want_int(run, &slots[2], "replace", &count));
    return str_replace_text(run, text, old, with, count, result);
}

static enum status indentation(struct run *run, const struct value *slot, struct text **text) {
    int64_t width = 4;
    if (slot->kind == VALUE_TEXT) {
        *text = slot->as.text;
        return STATUS_OK;
    }
    if (given(slot)) TRY(want_int(run, slot, "indent", &width));
    if (width > 10000) return run_fail(run, STATUS_BAD_INPUT, "indent is too wide");
    struct text_builder builder;
    struct value built;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    for (int64_t i = 0; i < width; i++)
        builder_append_literal(&builder, " ");
    TRY(run_built(run, &builder, &built));
    *text = built.as.text;
    return STATUS_OK;
}

// width, first, blank
static enum status filter_indent(struct run *run, const struct value *input,
                                 const struct value *slots, struct value *result) {
    struct text *indent = NULL, *text, newline = {.data = "\n", .size_bytes = 1, .n_chars = 1};
    struct list *lines;
    struct text_builder builder;
    TRY(indentation(run, &slots[0], &indent));
    TRY(want_text(run, input, "indent", &text));
    text = text_concat(&run->arena, text, &newline);
    if (!text) return run_no_memory(run);
    struct value with_newline = value_text(text);
    TRY(str_split_lines(run, &with_newline, false, &lines));
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    if (value_truth(&slots[1])) builder_append_text(&builder, indent);
    for (size_t i = 0; i < lines->n_items; i++) {
        const struct text *line = lines->items[i].as.text;
        TRY(run_steps(run, 1 + indent->size_bytes / 16));
        if (i) builder_append_literal(&builder, "\n");
        if (i && (line->size_bytes || value_truth(&slots[2])))
            builder_append_text(&builder, indent);
        builder_append_text(&builder, line);
    }
    TRY(run_built(run, &builder, result));
    result->markup = input->markup;
    return STATUS_OK;
}

static enum status undefined_number(struct run *run, const struct value *input) {
    return input->kind == VALUE_UNDEFINED
               ? run_fail(run, STATUS_BAD_INPUT, "an undefined value is no number")
               : STATUS_OK;
}

static bool real_to_int(double real, struct value *result) {
    if (!(fabs(real) < 9.2e18)) return false;
    *result = value_int((int64_t)real);
    return true;
}

// default, base
static enum status filter_int(struct run *run, const struct value *input, const struct value *slots,
                              struct value *result) {
    int64_t integer, base = 10;
    double real;
    TRY(undefined_number(run, input));
    if (given(&slots[1])) TRY(want_int(run, &slots[1], "int: base", &base));
    *result = given(&slots[0]) ? slots[0] : value_int(0);
    if (input->kind == VALUE_INT || input->kind == VALUE_BOOL)
        *result = value_int(value_as_int(input));
    else if (input->kind == VALUE_FLOAT && isinf(input->as.real))
        return run_fail(run, STATUS_BAD_INPUT, "int of an infinite number");
    else if (input->kind == VALUE_FLOAT)
        real_to_int(input->as.real, result);
    else if (input->kind == VALUE_TEXT && text_to_int(input->as.text, (int)base, &integer))
        *result = value_int(integer);
    else if (input->kind == VALUE_TEXT && text_to_float(input->as.text, &real))
        real_to_int(real, result);
    return STATUS_OK;
}

static enum status filter_float(struct run *run, const struct value *input,
                                const struct value *slots, struct value *result) {
    double real;
    TRY(undefined_number(run, input));
    *result = given(&slots[0]) ? slots[0] : value_float(0);
    if (value_is_number(input))
        *result = value_float(value_as_double(input));
    else if (input->kind == VALUE_TEXT && text_to_float(input->as.text, &real))
        *result = value_float(real);
    return STATUS_OK;
}

static enum status filter_abs(struct run *run, const struct value *input, const struct value *slots,
                              struct value *result) {
    (void)slots;
    if (!value_is_number(input))
        return run_fail(run, STATUS_BAD_INPUT, "abs of a %s", value_type_name(input));
    if (input->kind == VALUE_FLOAT)
        *result = value_float(fabs(input->as.real));
    else
        *result = value_int(value_as_int(input) < 0 ? -value_as_int(input) : value_as_int(input));
    return STATUS_OK;
}

// Python rounds the exact decimal value, half to even, as printf does.
static double round_common(double real, int64_t precision) {
    char text[400];
    double rounded = real, scale = pow(10, (double)-precision);
    if (isnan(real) || isinf(real) || precision > 22) return real;
    if (precision < 0) return nearbyint(real / scale) * scale;
    snprintf(text, sizeof text, "%.*f", (int)precision, real);
    struct text view = {.data = text, .size_bytes = strlen(text)};
    return text_to_float(&view, &rounded) ? rounded : real;
}

// precision, method
static enum status filter_round(struct run *run, const struct value *input,
                                const struct value *slots, struct value *result) {
    int64_t precision = 0;
    struct text common = {.data = "common", .size_bytes = 6}, *method = &common;
    if (given(&slots[0])) TRY(want_int(run, &slots[0], "round", &precision));
    if (given(&slots[1])) TRY(want_text(run, &slots[1], "round", &method));
    if (!value_is_number(input))
        return run_fail(run, STATUS_BAD_INPUT, "round of a %s", value_type_name(input));
    double real = value_as_double(input), scale = pow(10, (double)precision);
    if (text_equals(method, "common")) {
        if (input->kind != VALUE_FLOAT && precision >= 0)
            *result = value_int(value_as_int(input));
        else if (input->kind != VALUE_FLOAT)
            *result = value_int((int64_t)round_common(real, precision));
        else
            *result = value_float(round_common(real, precision));
    } else if (text_equals(method, "ceil")) {
        *result = value_float(ceil(real * scale) / scale);
    } else if (text_equals(method, "floor")) {
        *result = value_float(floor(real * scale) / scale);
    } else {
        return run_fail(run, STATUS_BAD_INPUT, "round: the method must be common, ceil or floor");
    }
    return STATUS_OK;
}

// length, killwords, end, leeway
static enum status filter_truncate(struct run *run, const struct value *input,
                                   const struct value *slots, struct value *result) {
    int64_t length = 255, leeway = 5;
    struct text dots = {.data = "...", .size_bytes = 3, .n_chars = 3}, *end = &dots, *text;
    size_t n_chars;
    TRY(run_length(run, input, &n_chars));
    if (given(&slots[0])) TRY(want_int(run, &slots[0], "truncate", &length));
    if (given(&slots[2])) TRY(want_text(run, &slots[2], "truncate", &end));
    if (given(&slots[3]) && slots[3].kind != VALUE_NONE)
        TRY(want_int(run, &slots[3], "truncate", &leeway));
    int64_t n_end = (int64_t)text_chars(end);
    if (length < n_end || leeway < 0)
        return run_fail(run, STATUS_BAD_INPUT, "truncate: the length or leeway is too small");
    *result = *input;
    if ((int64_t)n_chars <= length + leeway) return STATUS_OK;
    TRY(want_text(run, input, "truncate", &text));
    size_t cut = text_offset(text, (size_t)(length - n_end));
    struct text space = {.data = " ", .size_bytes = 1};
    size_t word = text_find_last(text, &space, cut);
    if (!value_truth(&slots[1]) && word != SIZE_MAX) cut = word;
    struct value head;
    TRY(str_part(run, input, 0, cut, &head));
    struct text *joined = text_concat(&run->arena, head.as.text, end);
    if (!joined) return run_no_memory(run);
    *result = value_text(joined);
    return STATUS_OK;
}

static enum status filter_wordcount(struct run *run, const struct value *input,
                                    const struct value *slots, struct value *result) {
    (void)slots;
    struct value text;
    struct list *characters;
    int64_t n = 0;
    bool in_word = false;
    TRY(soft_text(run, input, &text));
    TRY(run_copy_items(run, &text, &characters));
    for (size_t i = 0; i < characters->n_items; i++) {
        struct value is_word;
        TRY(str_isalnum(run, &characters->items[i], NULL, &is_word));
        bool word = is_word.as.boolean || text_equals(characters->items[i].as.text, "_");
        n += word && !in_word;
        in_word = word;
    }
    *result = value_int(n);
    return STATUS_OK;
}

static enum status filter_attr(struct run *run, const struct value *input,
                               const struct value *slots, struct value *result) {
    struct text *name;
    bool found;
    TRY(want_text(run, &slots[0], "attr", &name));
    if (input->kind == VALUE_NAMESPACE || input->kind == VALUE_LOOP ||
        input->kind == VALUE_UNDEFINED)
        return get_attribute(run, input, name, result);
    TRY(method_find(run, input, name, &found, result));
    if (!found) *result = value_undefined(name);
    return STATUS_OK;
}

static const struct filter_entry value_filters[] = {
    {"default", filter_default, {"default_value", "boolean"}, 2, 0},
    {"d", filter_default, {"default_value", "boolean"}, 2, 0},
    {"string", filter_string, {NULL}, 0, 0},
    {"safe", filter_safe, {NULL}, 0, 0},
    {"e", filter_escape, {NULL}, 0, 0},
    {"escape", filter_escape, {NULL}, 0, 0},
    {"forceescape", filter_forceescape, {NULL}, 0, 0},
    {"trim", filter_trim, {"chars"}, 1, 0},
    {"upper", filter_upper, {NULL}, 0, 0},
    {"lower", filter_lower, {NULL}, 0, 0},
    {"capitalize", filter_capitalize, {NULL}, 0, 0},
    {"title", filter_title, {NULL}, 0, 0},
    {"center", filter_center, {"width"}, 1, 0},
    {"replace", filter_replace, {"old", "new", "count"}, 3, 2},
    {"indent", filter_indent, {"width", "first", "blank"}, 3, 0},
    {"int", filter_int, {"default", "base"}, 2, 0},
    {"float", filter_float, {"default"}, 1, 0},
    {"abs", filter_abs, {NULL}, 0, 0},
    {"round", filter_round, {"precision", "method"}, 2, 0},
    {"truncate", filter_truncate, {"length", "killwords", "end", "leeway"}, 4, 0},
    {"wordcount", filter_wordcount, {NULL}, 0, 0},
    {"attr", filter_attr, {"name"}, 1, 1},
};

// Filters that take arguments of any number and name.
static const char *const open_filters[] = {"tojson",     "map",        "select", "reject",
                                           "selectattr", "rejectattr", "format"};
// Filters that Jinja has and we do not.
static const char *const missing_filters[] = {"filesizeformat", "pprint", "random",   "striptags",
                                              "urlencode",      "urlize", "wordwrap", "xmlattr"};

static bool is_one_of(const struct text *name, const char *const *names, size_t n_names) {
    for (size_t i = 0; i < n_names; i++)
        if (text_equals(name, names[i])) return true;
    return false;
}

static bool is_missing(const struct text *name) {
    return is_one_of(name, missing_filters, sizeof missing_filters / sizeof missing_filters[0]);
}

static const struct filter_entry *find_filter(const struct text *name) {
    for (size_t i = 0; i < sizeof value_filters / sizeof value_filters[0]; i++)
        if (text_equals(name, value_filters[i].name)) return &value_filters[i];
    return sequence_filter_find(name);
}

bool filter_exists(const struct text *name) {
    return find_filter(name) || is_missing(name) ||
           is_one_of(name, open_filters, sizeof open_filters / sizeof open_filters[0]);
}

static enum status filter_format(struct run *run, const struct value *input,
                                 const struct arguments *arguments, struct value *result) {
    struct value text, operand;
    TRY(soft_text(run, input, &text));
    if (arguments->n_items && arguments->n_keywords)
        return run_fail(run, STATUS_BAD_INPUT, "format: names and positions cannot be mixed");
    if (arguments->n_keywords) {
        struct dict *dict = dict_create(&run->arena);
        if (!dict) return run_no_memory(run);
        for (size_t i = 0; i < arguments->n_keywords; i++)
            TRY(run_set(run, dict, value_text((struct text *)arguments->keywords[i].name),
                        arguments->keywords[i].value));
        operand = value_dict(dict);
    } else {
        struct list *list;
        TRY(run_new_list(run, 0, &list));
        list->items = arguments->items;
        list->n_items = list->capacity = arguments->n_items;
        operand = value_tuple(list);
    }
    return format_percent(run, &text, &operand, result);
}

enum status filter_call(struct run *run, const struct text *name, const struct value *input,
                        const struct arguments *arguments, struct value *result) {
    const struct filter_entry *entry = find_filter(name);
    struct value slots[FILTER_ARGUMENTS_MAX];
    TRY(run_steps(run, 1));
    if (entry) {
        TRY(bind_arguments(run, entry->name, arguments, entry->parameters, entry->n_parameters,
                           entry->n_required, slots));
        return entry->call(run, input, slots, result);
    }
    if (text_equals(name, "tojson")) return json_text(run, input, arguments, result);
    if (text_equals(name, "format")) return filter_format(run, input, arguments, result);
    if (text_equals(name, "map")) return filter_map(run, input, arguments, result);
    if (filter_exists(name) && !is_missing(name))
        return filter_select(run, name, input, arguments, result);
    return run_fail(run, is_missing(name) ? STATUS_UNSUPPORTED : STATUS_BAD_INPUT,
                    is_missing(name) ? "the filter '%.*s' is not supported"
                                     : "there is no filter '%.*s'",
                    (int)(name->size_bytes < 40 ? name->size_bytes : 40), name->data);
}
