// SPDX-License-Identifier: Apache-2.0
#include "server/json_writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_BYTES_MAX = 1024 };

static void wipe(void *memory, size_t n_bytes) {
    explicit_bzero(memory, n_bytes);
}

void writer_free(struct json_writer *writer) {
    if (writer->data) wipe(writer->data, writer->capacity);
    free(writer->data);
    *writer = (struct json_writer){0};
}

void writer_clear(struct json_writer *writer) {
    writer->size = 0;
    writer->comma = false;
}

static bool reserve(struct json_writer *writer, size_t n_bytes) {
    if (writer->failed) return false;
    if (n_bytes <= writer->capacity - writer->size) return true;
    size_t capacity = writer->capacity ? writer->capacity : 512;
    while (capacity - writer->size < n_bytes && capacity < SIZE_MAX / 4)
        capacity *= 2;
    char *grown = capacity - writer->size >= n_bytes ? malloc(capacity) : NULL;
    if (!grown) {
        writer_free(writer);
        writer->failed = true;
        return false;
    }
    if (writer->size) memcpy(grown, writer->data, writer->size);
    if (writer->data) wipe(writer->data, writer->size);
    free(writer->data);
    writer->data = grown;
    writer->capacity = capacity;
    return true;
}

void put_raw(struct json_writer *writer, const char *bytes, size_t n_bytes) {
    if (n_bytes == 0 || !reserve(writer, n_bytes)) return;
    memcpy(writer->data + writer->size, bytes, n_bytes);
    writer->size += n_bytes;
}

void put_format(struct json_writer *writer, const char *format, ...) {
    char text[FORMAT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n > 0) put_raw(writer, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static void separate(struct json_writer *writer) {
    if (writer->comma) put_raw(writer, ",", 1);
    writer->comma = true;
}

void put_open(struct json_writer *writer, char bracket) {
    separate(writer);
    put_raw(writer, &bracket, 1);
    writer->comma = false;
}

void put_close(struct json_writer *writer, char bracket) {
    put_raw(writer, &bracket, 1);
    writer->comma = true;
}

void put_escaped(struct json_writer *writer, const char *text, size_t n_bytes) {
    size_t from = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        put_raw(writer, text + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\')
            put_raw(writer, (char[]){'\\', (char)c}, 2);
        else if (c == '\n')
            put_raw(writer, "\\n", 2);
        else if (c == '\t')
            put_raw(writer, "\\t", 2);
        else
            put_format(writer, "\\u%04x", c);
    }
    put_raw(writer, text + from, n_bytes - from);
}

void put_quote(struct json_writer *writer) {
    separate(writer);
    put_raw(writer, "\"", 1);
}

void put_quote_end(struct json_writer *writer) {
    put_raw(writer, "\"", 1);
}

void put_string(struct json_writer *writer, const char *text, size_t n_bytes) {
    put_quote(writer);
    put_escaped(writer, text, n_bytes);
    put_quote_end(writer);
}

void put_key(struct json_writer *writer, const char *key) {
    put_string(writer, key, strlen(key));
    put_raw(writer, ":", 1);
    writer->comma = false;
}

void put_text(struct json_writer *writer, const char *text) {
    if (text)
        put_string(writer, text, strlen(text));
    else
        put_null(writer);
}

void put_int(struct json_writer *writer, int64_t value) {
    separate(writer);
    put_format(writer, "%lld", (long long)value);
}

void put_number(struct json_writer *writer, double value) {
    separate(writer);
    if (isfinite(value))
        put_format(writer, "%.9g", value);
    else
        put_raw(writer, "null", 4);
}

void put_bool(struct json_writer *writer, bool value) {
    separate(writer);
    put_raw(writer, value ? "true" : "false", value ? 4 : 5);
}

void put_null(struct json_writer *writer) {
    separate(writer);
    put_raw(writer, "null", 4);
}

void put_json(struct json_writer *writer, const char *json, size_t n_bytes) {
    separate(writer);
    put_raw(writer, json, n_bytes);
}
