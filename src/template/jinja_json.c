// SPDX-License-Identifier: Apache-2.0
// The tojson filter as model templates expect it: Python's json.dumps with ensure_ascii off, not
// the HTML-safe form of plain Jinja.
#include "template/jinja_literal.h"
#include "template/jinja_run.h"

#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

struct json_writer {
    struct run *run;
    struct text_builder *builder;
    bool ensure_ascii, sort_keys, has_indent;
    const struct text *indent; // of one level
    const struct text *item_separator, *key_separator;
};

static void append_string(struct json_writer *writer, const struct text *text) {
    struct text_builder *builder = writer->builder;
    builder_append_literal(builder, "\"");
    for (size_t i = 0; i < text->size_bytes;) {
        uint32_t code;
        size_t used = utf8_decode(text->data + i, text->size_bytes - i, &code);
        static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
        char escaped[16] = "";
        for (const char *pair = shorts; *pair; pair += 2)
            if ((unsigned char)*pair == code) snprintf(escaped, sizeof escaped, "\\%c", pair[1]);
        if (!escaped[0] && (code < 0x20 || (writer->ensure_ascii && code > 0x7e && code < 0x10000)))
            snprintf(escaped, sizeof escaped, "\\u%04x", code);
        if (!escaped[0] && writer->ensure_ascii && code >= 0x10000)
            snprintf(escaped, sizeof escaped, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                     0xdc00 + ((code - 0x10000) & 0x3ff));
        if (escaped[0])
            builder_append_literal(builder, escaped);
        else
            builder_append(builder, text->data + i, used);
        i += used;
    }
    builder_append_literal(builder, "\"");
}

static void append_real(struct json_writer *writer, double real) {
    char text[FLOAT_TEXT_MAX];
    float_to_text(real, text);
    builder_append_literal(writer->builder, isnan(real)    ? "NaN"
                                            : !isinf(real) ? text
                                            : real > 0     ? "Infinity"
                                                           : "-Infinity");
}

static void new_line(struct json_writer *writer, int level) {
    if (!writer->has_indent) return;
    builder_append_literal(writer->builder, "\n");
    for (int i = 0; i < level; i++)
        builder_append_text(writer->builder, writer->indent);
}

static enum status write_json(struct json_writer *writer, const struct value *value, int level);

static enum status write_list(struct json_writer *writer, const struct list *list, int level) {
    builder_append_literal(writer->builder, "[");
    for (size_t i = 0; i < list->n_items; i++) {
        if (i) builder_append_text(writer->builder, writer->item_separator);
        new_line(writer, level + 1);
        TRY(write_json(writer, &list->items[i], level + 1));
    }
    if (list->n_items) new_line(writer, level);
    builder_append_literal(writer->builder, "]");
    return STATUS_OK;
}

static enum status write_key(struct json_writer *writer, const struct value *key) {
    if (key->kind == VALUE_TEXT) {
        append_string(writer, key->as.text);
        return STATUS_OK;
    }
    if (!value_is_number(key) && key->kind != VALUE_NONE)
        return run_fail(writer->run, STATUS_BAD_INPUT, "tojson: a %s cannot be a key",
                        value_type_name(key));
    builder_append_literal(writer->builder, "\"");
    TRY(write_json(writer, key, 0));
    builder_append_literal(writer->builder, "\"");
    return STATUS_OK;
}

// The entries in the order in which they are written.
static enum status order_entries(struct json_writer *writer, const struct dict *dict,
                                 struct list **keys, struct list **values) {
    TRY(run_new_list(writer->run, dict->n_entries, keys));
    TRY(run_new_list(writer->run, dict->n_entries, values));
    for (size_t i = 0; i < dict->n_entries; i++) {
        TRY(run_append(writer->run, *keys, dict->entries[i].key));
        TRY(run_append(writer->run, *values, dict->entries[i].value));
    }
    return writer->sort_keys ? run_sort(writer->run, *values, *keys, false) : STATUS_OK;
}

static enum status write_dict(struct json_writer *writer, const struct dict *dict, int level) {
    struct list *keys, *values;
    TRY(order_entries(writer, dict, &keys, &values));
    builder_append_literal(writer->builder, "{");
    for (size_t i = 0; i < keys->n_items; i++) {
        if (i) builder_append_text(writer->builder, writer->item_separator);
        new_line(writer, level + 1);
        TRY(write_key(writer, &keys->items[i]));
        builder_append_text(writer->builder, writer->key_separator);
        TRY(write_json(writer, &values->items[i], level + 1));
    }
    if (keys->n_items) new_line(writer, level);
    builder_append_literal(writer->builder, "}");
    return STATUS_OK;
}

static enum status write_container(struct json_writer *writer, const struct value *value,
                                   int level) {
    TRY(run_enter(writer->run));
    TRY(run_steps(writer->run, 1 + (writer->has_indent ? (size_t)level : 0)));
    if (value->kind == VALUE_DICT)
        TRY(write_dict(writer, value->as.dict, level));
    else
        TRY(write_list(writer, value->as.list, level));
    run_leave(writer->run);
    return writer->builder->failed ? run_no_memory(writer->run) : STATUS_OK;
}

static enum status write_json(struct json_writer *writer, const struct value *value, int level) {
    char number[32];
    TRY(run_steps(writer->run, 1));
    switch (value->kind) {
    case VALUE_NONE:
        builder_append_literal(writer->builder, "null");
        return STATUS_OK;
    case VALUE_BOOL:
        builder_append_literal(writer->builder, value->as.boolean ? "true" : "false");
        return STATUS_OK;
    case VALUE_INT:
        snprintf(number, sizeof number, "%lld", (long long)value->as.integer);
        builder_append_literal(writer->builder, number);
        return STATUS_OK;
    case VALUE_FLOAT:
        append_real(writer, value->as.real);
        return STATUS_OK;
    case VALUE_TEXT:
        TRY(run_steps(writer->run, value->as.text->size_bytes / 16));
        append_string(writer, value->as.text);
        return writer->builder->failed ? run_no_memory(writer->run) : STATUS_OK;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_DICT:
        return write_container(writer, value, level);
    default:
        return run_fail(writer->run, STATUS_BAD_INPUT, "tojson: a %s has no JSON form",
                        value_type_name(value));
    }
}

static enum status choose_indent(struct run *run, const struct value *slot,
                                 struct json_writer *writer) {
    static const struct text none = {.data = ""};
    writer->indent = &none;
    writer->has_indent = slot->kind != VALUE_MISSING && slot->kind != VALUE_NONE;
    if (!writer->has_indent) return STATUS_OK;
    struct text *text;
    if (slot->kind == VALUE_TEXT) {
        writer->indent = slot->as.text;
        return STATUS_OK;
    }
    int64_t width;
    TRY(want_int(run, slot, "tojson: indent", &width));
    if (width > 1000) return run_fail(run, STATUS_BAD_INPUT, "tojson: indent is too large");
    struct text_builder builder;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    for (int64_t i = 0; i < width; i++)
        builder_append_literal(&builder, " ");
    text = builder_text(&builder);
    if (!text) return run_no_memory(run);
    writer->indent = text;
    return STATUS_OK;
}

static enum status choose_separators(struct run *run, const struct value *slot,
                                     struct json_writer *writer) {
    static const struct text comma = {.data = ",", .size_bytes = 1};
    static const struct text comma_space = {.data = ", ", .size_bytes = 2};
    static const struct text colon_space = {.data = ": ", .size_bytes = 2};
    writer->item_separator = writer->has_indent ? &comma : &comma_space;
    writer->key_separator = &colon_space;
    if (slot->kind == VALUE_MISSING || slot->kind == VALUE_NONE) return STATUS_OK;
    struct list *pair;
    TRY(run_items(run, slot, &pair));
    if (pair->n_items != 2 || pair->items[0].kind != VALUE_TEXT ||
        pair->items[1].kind != VALUE_TEXT)
        return run_fail(run, STATUS_BAD_INPUT, "tojson: separators must be two strings");
    writer->item_separator = pair->items[0].as.text;
    writer->key_separator = pair->items[1].as.text;
    return STATUS_OK;
}

enum status json_text(struct run *run, const struct value *value, const struct arguments *arguments,
                      struct value *result) {
    static const char *const names[] = {"ensure_ascii", "indent", "separators", "sort_keys"};
    struct value slots[4];
    struct text_builder builder;
    struct json_writer writer = {.run = run, .builder = &builder};
    TRY(bind_arguments(run, "tojson", arguments, names, 4, 0, slots));
    writer.ensure_ascii = value_truth(&slots[0]);
    writer.sort_keys = value_truth(&slots[3]);
    TRY(choose_indent(run, &slots[1], &writer));
    TRY(choose_separators(run, &slots[2], &writer));
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    TRY(write_json(&writer, value, 0));
    return run_built(run, &builder, result);
}
