// SPDX-License-Identifier: Apache-2.0
// str() and repr() as Python prints values.
#include "template/jinja_literal.h"
#include "template/jinja_run.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static void append_quoted(struct text_builder *builder, const struct text *text) {
    bool has_single = memchr(text->data, '\'', text->size_bytes) != NULL;
    bool has_double = memchr(text->data, '"', text->size_bytes) != NULL;
    char quote = has_single && !has_double ? '"' : '\'';
    builder_append(builder, &quote, 1);
    for (size_t i = 0; i < text->size_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text->data + i, text->size_bytes - i, &code);
        char escaped[16] = "";
        if (code == (unsigned char)quote || code == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", (int)code);
        else if (code == '\n' || code == '\r' || code == '\t')
            snprintf(escaped, sizeof escaped, "\\%c",
                     code == '\n'   ? 'n'
                     : code == '\r' ? 'r'
                                    : 't');
        else if (!code_is_printable(code))
            snprintf(escaped, sizeof escaped,
                     code < 0x100     ? "\\x%02x"
                     : code < 0x10000 ? "\\u%04x"
                                      : "\\U%08x",
                     code);
        if (escaped[0])
            builder_append_literal(builder, escaped);
        else
            builder_append(builder, text->data + i, used);
        i += used;
    }
    builder_append(builder, &quote, 1);
}

static enum status append_items(struct run *run, struct text_builder *builder,
                                const struct list *list, const char *open, const char *close) {
    builder_append_literal(builder, open);
    for (size_t i = 0; i < list->n_items; i++) {
        if (i) builder_append_literal(builder, ", ");
        TRY(append_repr(run, builder, &list->items[i]));
    }
    builder_append_literal(builder, close);
    return STATUS_OK;
}

static enum status append_entries(struct run *run, struct text_builder *builder,
                                  const struct dict *dict) {
    builder_append_literal(builder, "{");
    for (size_t i = 0; i < dict->n_entries; i++) {
        if (i) builder_append_literal(builder, ", ");
        TRY(append_repr(run, builder, &dict->entries[i].key));
        builder_append_literal(builder, ": ");
        TRY(append_repr(run, builder, &dict->entries[i].value));
    }
    builder_append_literal(builder, "}");
    return STATUS_OK;
}

static enum status append_range(struct text_builder *builder, const struct range *range) {
    char text[100];
    int n = snprintf(text, sizeof text, "range(%lld, %lld", (long long)range->start,
                     (long long)range->stop);
    if (range->step != 1)
        snprintf(text + n, sizeof text - (size_t)n, ", %lld)", (long long)range->step);
    else
        snprintf(text + n, sizeof text - (size_t)n, ")");
    builder_append_literal(builder, text);
    return STATUS_OK;
}

static enum status append_container(struct run *run, struct text_builder *builder,
                                    const struct value *value) {
    const struct list *list = value->as.list;
    switch (value->kind) {
    case VALUE_LIST:
        return append_items(run, builder, list, "[", "]");
    case VALUE_TUPLE:
        return append_items(run, builder, list, "(", list->n_items == 1 ? ",)" : ")");
    case VALUE_VIEW:
        builder_append_literal(builder, list->view_name);
        return append_items(run, builder, list, "([", "])");
    case VALUE_DICT:
        return append_entries(run, builder, value->as.dict);
    case VALUE_NAMESPACE:
        builder_append_literal(builder, "<Namespace ");
        TRY(append_entries(run, builder, value->as.dict));
        builder_append_literal(builder, ">");
        return STATUS_OK;
    case VALUE_RANGE:
        return append_range(builder, value->as.range);
    default:
        // Python prints an address here, which nobody can depend on.
        return run_fail(run, STATUS_BAD_INPUT, "a %s cannot be printed", value_type_name(value));
    }
}

static void append_number(struct text_builder *builder, const struct value *value) {
    char text[FLOAT_TEXT_MAX];
    if (value->kind == VALUE_FLOAT)
        float_to_text(value->as.real, text);
    else
        snprintf(text, sizeof text, "%lld", (long long)value->as.integer);
    builder_append_literal(builder, text);
}

enum status append_str(struct run *run, struct text_builder *builder, const struct value *value) {
    if (value->kind == VALUE_UNDEFINED) return STATUS_OK;
    if (value->kind != VALUE_TEXT) return append_repr(run, builder, value);
    if (!builder_append_text(builder, value->as.text)) return run_no_memory(run);
    return run_steps(run, 1 + value->as.text->size_bytes / 64);
}

enum status append_repr(struct run *run, struct text_builder *builder, const struct value *value) {
    TRY(run_steps(run, 1));
    switch (value->kind) {
    case VALUE_UNDEFINED:
    case VALUE_MISSING:
        builder_append_literal(builder, "Undefined");
        break;
    case VALUE_NONE:
        builder_append_literal(builder, "None");
        break;
    case VALUE_BOOL:
        builder_append_literal(builder, value->as.boolean ? "True" : "False");
        break;
    case VALUE_INT:
    case VALUE_FLOAT:
        append_number(builder, value);
        break;
    case VALUE_TEXT:
        TRY(run_steps(run, value->as.text->size_bytes / 16));
        if (value->markup) builder_append_literal(builder, "Markup(");
        append_quoted(builder, value->as.text);
        if (value->markup) builder_append_literal(builder, ")");
        break;
    default:
        TRY(run_enter(run));
        TRY(append_container(run, builder, value));
        run_leave(run);
    }
    return builder->failed ? run_no_memory(run) : STATUS_OK;
}

enum status to_text(struct run *run, const struct value *value, struct text **text) {
    if (value->kind == VALUE_TEXT) {
        *text = value->as.text;
        return STATUS_OK;
    }
    struct text_builder builder;
    struct value built;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    if (value->kind != VALUE_UNDEFINED) TRY(append_repr(run, &builder, value));
    TRY(run_built(run, &builder, &built));
    *text = built.as.text;
    return STATUS_OK;
}

enum status want_text(struct run *run, const struct value *value, const char *what,
                      struct text **text) {
    if (value->kind != VALUE_TEXT)
        return run_fail(run, STATUS_BAD_INPUT, "%s needs a str, not a %s", what,
                        value_type_name(value));
    *text = value->as.text;
    return STATUS_OK;
}

enum status want_int(struct run *run, const struct value *value, const char *what,
                     int64_t *integer) {
    if (value->kind != VALUE_INT && value->kind != VALUE_BOOL)
        return run_fail(run, STATUS_BAD_INPUT, "%s needs an int, not a %s", what,
                        value_type_name(value));
    *integer = value_as_int(value);
    return STATUS_OK;
}

enum status escape_markup(struct run *run, const struct value *value, struct value *result) {
    struct text *text;
    TRY(to_text(run, value, &text));
    if (value->kind == VALUE_TEXT && value->markup) {
        *result = *value;
        return STATUS_OK;
    }
    struct text_builder builder;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    for (size_t i = 0; i < text->size_bytes; i++) {
        char c = text->data[i];
        const char *entity = c == '&'    ? "&amp;"
                             : c == '<'  ? "&lt;"
                             : c == '>'  ? "&gt;"
                             : c == '\'' ? "&#39;"
                             : c == '"'  ? "&#34;"
                                         : NULL;
        if (entity)
            builder_append_literal(&builder, entity);
        else
            builder_append(&builder, &c, 1);
    }
    TRY(run_built(run, &builder, result));
    result->markup = true;
    return STATUS_OK;
}
