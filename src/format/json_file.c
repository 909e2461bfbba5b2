// SPDX-License-Identifier: Apache-2.0
// See json_file.h. jansson checks the grammar; the scan before it bounds what jansson may build.
#include "format/json_file.h"

#include "base/buffer.h"
#include "base/mapped_file.h"
#include "format/refuse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_VALUES_MAX = 1 << 21 };

void text_file_free(struct text_file *file) {
    free(file->data);
    file->data = NULL;
    file->size_bytes = 0;
}

enum status text_file_read(struct text_file *file, const char *path, size_t bytes_max,
                           struct error *err) {
    struct mapped_file mapping;
    file->data = NULL;
    file->size_bytes = 0;
    TRY(mapped_file_open(&mapping, path, err));
    enum status status = STATUS_OK;
    if (mapping.size_bytes > bytes_max)
        status = error_set(err, STATUS_BAD_INPUT, "%s: %zu bytes, more than the limit of %zu", path,
                           mapping.size_bytes, bytes_max);
    else if (!(file->data = malloc(mapping.size_bytes + 1)))
        status = error_no_memory(err, path, mapping.size_bytes + 1);
    if (status == STATUS_OK) {
        if (mapping.size_bytes) memcpy(file->data, mapping.data, mapping.size_bytes);
        file->size_bytes = mapping.size_bytes;
        file->data[file->size_bytes] = '\0';
    }
    mapped_file_close(&mapping);
    return status;
}

struct scan {
    size_t depth, values;
    size_t at; // where a limit was passed
    bool too_deep, too_many;
};

// Counts brackets and separators outside strings; the grammar is not its business.
static void scan_text(struct scan *scan, const char *text, size_t size_bytes, size_t values_max) {
    bool in_string = false;
    for (size_t i = 0; i < size_bytes; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if (c == '{' || c == '[') scan->depth++;
        if ((c == '}' || c == ']') && scan->depth > 0) scan->depth--;
        if (c == '{' || c == '[' || c == ',' || c == ':') scan->values++;
        scan->too_deep = scan->depth > JSON_FILE_DEPTH_MAX;
        scan->too_many = scan->values > values_max;
        scan->at = i;
        if (scan->too_deep || scan->too_many) return;
    }
}

// Finds the next integer outside strings that 64 bits cannot hold. Returns the offset of its end,
// or size_bytes if there is none from `at` on, which must lie outside strings.
static size_t next_wide_integer(const char *text, size_t size_bytes, size_t at) {
    static const char largest[] = "9223372036854775807";
    enum { DIGITS = sizeof largest - 1 };
    while (at < size_bytes) {
        if (text[at] == '"') {
            for (at++; at < size_bytes && text[at] != '"'; at++)
                if (text[at] == '\\') at++;
            at++;
            continue;
        }
        size_t begin = at;
        while (at < size_bytes && text[at] >= '0' && text[at] <= '9')
            at++;
        size_t n = at - begin;
        bool is_real = at < size_bytes && (text[at] == '.' || (text[at] | 0x20) == 'e');
        size_t sign = begin > 0 && (text[begin - 1] == '-' || text[begin - 1] == '+');
        char before = begin > sign ? text[begin - sign - 1] : ' ';
        bool is_tail = before == '.' || (before | 0x20) == 'e'; // of a real
        if (!is_real && !is_tail &&
            (n > DIGITS || (n == DIGITS && memcmp(text + begin, largest, DIGITS) > 0)))
            return at;
        if (n == 0) at++;
    }
    return size_bytes;
}

// Real configurations hold integers like 10^30 ("no limit"), which jansson refuses: in a copy they
// become reals, so that a reader of integers sees a number of another type. copy->data stays NULL
// if there are none.
static enum status widen_integers(const char *text, size_t size_bytes, struct buffer *copy,
                                  struct error *err) {
    size_t from = 0, end = next_wide_integer(text, size_bytes, 0);
    buffer_init(copy, 2 * size_bytes);
    if (end >= size_bytes) return STATUS_OK;
    while (end < size_bytes) {
        buffer_append(copy, text + from, end - from);
        buffer_append(copy, "e0", 2);
        from = end;
        end = next_wide_integer(text, size_bytes, end);
    }
    buffer_append(copy, text + from, size_bytes - from);
    if (copy->status == STATUS_OK) return STATUS_OK;
    buffer_deinit(copy);
    return error_no_memory(err, "JSON", size_bytes);
}

enum status json_text_parse(json_t **root, const char *label, uint64_t base_offset_bytes,
                            const char *text, size_t size_bytes, size_t values_max,
                            struct error *err) {
    struct scan scan = {0};
    json_error_t problem;
    *root = NULL;
    scan_text(&scan, text, size_bytes, values_max);
    if (scan.too_deep)
        return refuse_at(err, STATUS_BAD_INPUT, label, base_offset_bytes + scan.at,
                         "JSON nested deeper than %d", JSON_FILE_DEPTH_MAX);
    if (scan.too_many)
        return refuse_at(err, STATUS_BAD_INPUT, label, base_offset_bytes + scan.at,
                         "JSON with more than %zu values", values_max);
    struct buffer copy;
    TRY(widen_integers(text, size_bytes, &copy, err));
    json_t *value =
        json_loadb(copy.data ? copy.data : text, copy.data ? copy.size_bytes : size_bytes,
                   JSON_REJECT_DUPLICATES, &problem);
    buffer_deinit(&copy);
    if (!value && (problem.line < 0 || json_error_code(&problem) == json_error_out_of_memory))
        return error_no_memory(err, "JSON", size_bytes);
    if (!value)
        return refuse_at(
            err, STATUS_BAD_INPUT, label,
            base_offset_bytes + (problem.position > 0 ? (uint64_t)problem.position : 0),
            "bad JSON at line %d, column %d: %s", problem.line, problem.column, problem.text);
    if (!json_is_object(value)) {
        json_decref(value);
        return refuse_at(err, STATUS_BAD_INPUT, label, base_offset_bytes,
                         "the JSON is not an object");
    }
    *root = value;
    return STATUS_OK;
}

enum status json_file_read(json_t **root, const char *path, size_t bytes_max, struct error *err) {
    struct text_file file;
    *root = NULL;
    TRY(text_file_read(&file, path, bytes_max, err));
    enum status status =
        json_text_parse(root, path, 0, file.data, file.size_bytes, JSON_VALUES_MAX, err);
    text_file_free(&file);
    return status;
}

char *path_join(const char *directory, const char *name) {
    size_t a = strlen(directory), b = strlen(name);
    char *path = malloc(a + b + 2);
    if (!path) return NULL;
    memcpy(path, directory, a);
    size_t slash = a > 0 && directory[a - 1] != '/';
    if (slash) path[a] = '/';
    memcpy(path + a + slash, name, b + 1);
    return path;
}

bool json_get_u64(const json_t *object, const char *key, uint64_t *value) {
    const json_t *found = json_object_get(object, key);
    if (!json_is_integer(found) || json_integer_value(found) < 0) return false;
    *value = (uint64_t)json_integer_value(found);
    return true;
}

bool json_get_f64(const json_t *object, const char *key, double *value) {
    const json_t *found = json_object_get(object, key);
    if (!json_is_number(found)) return false;
    *value = json_number_value(found);
    return isfinite(*value);
}

bool json_get_bool(const json_t *object, const char *key, bool *value) {
    const json_t *found = json_object_get(object, key);
    if (!json_is_boolean(found)) return false;
    *value = json_is_true(found);
    return true;
}

const char *json_get_text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}
