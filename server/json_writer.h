// SPDX-License-Identifier: Apache-2.0
// A growing buffer that JSON is written into, commas by itself. After a failed allocation it stays
// empty and says so; callers look once at the end. Freed memory is wiped: it held patient text.
#ifndef XL_SERVER_JSON_WRITER_H
#define XL_SERVER_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_writer {
    char *data; // [size], not terminated
    size_t size, capacity;
    bool comma;  // the next value needs one before it
    bool failed; // out of memory
};

void writer_free(struct json_writer *writer);
void writer_clear(struct json_writer *writer); // keeps the memory
// Bytes as they are.
void put_raw(struct json_writer *writer, const char *bytes, size_t n_bytes);
void put_format(struct json_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// JSON.
void put_open(struct json_writer *writer, char bracket);  // '{' or '['
void put_close(struct json_writer *writer, char bracket); // '}' or ']'
void put_key(struct json_writer *writer, const char *key);
void put_string(struct json_writer *writer, const char *text, size_t n_bytes);
void put_text(struct json_writer *writer, const char *text); // NULL: null
void put_int(struct json_writer *writer, int64_t value);
void put_number(struct json_writer *writer, double value); // not finite: null
void put_bool(struct json_writer *writer, bool value);
void put_null(struct json_writer *writer);
void put_json(struct json_writer *writer, const char *json, size_t n_bytes); // a whole value
// A string in parts: put_quote, put_escaped as often as needed, put_quote_end.
void put_quote(struct json_writer *writer);
void put_quote_end(struct json_writer *writer);
void put_escaped(struct json_writer *writer, const char *text, size_t n_bytes);

static inline void put_key_text(struct json_writer *writer, const char *key, const char *text) {
    put_key(writer, key);
    put_text(writer, text);
}

static inline void put_key_string(struct json_writer *writer, const char *key, const char *text,
                                  size_t n_bytes) {
    put_key(writer, key);
    put_string(writer, text, n_bytes);
}

static inline void put_key_int(struct json_writer *writer, const char *key, int64_t value) {
    put_key(writer, key);
    put_int(writer, value);
}

static inline void put_key_number(struct json_writer *writer, const char *key, double value) {
    put_key(writer, key);
    put_number(writer, value);
}

static inline void put_key_bool(struct json_writer *writer, const char *key, bool value) {
    put_key(writer, key);
    put_bool(writer, value);
}

static inline void put_key_null(struct json_writer *writer, const char *key) {
    put_key(writer, key);
    put_null(writer);
}

#endif
