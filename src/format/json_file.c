// SPDX-License-Identifier: Apache-2.0
// See json_file.h. jansson checks the grammar; the scan before it bounds what jansson may build.
#include "format/json_file.h"

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
    json_t *value = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &problem);
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
