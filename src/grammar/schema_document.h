// SPDX-License-Identifier: Apache-2.0
// A JSON Schema as numbered values: every value knows its parent, so that errors can point at it
// (JSON pointer, RFC 6901), and local references find theirs. It does not know what keywords mean.
#ifndef XL_GRAMMAR_SCHEMA_DOCUMENT_H
#define XL_GRAMMAR_SCHEMA_DOCUMENT_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SCHEMA_BYTES_MAX = 1 << 20, SCHEMA_VALUES_MAX = 1 << 16 };
#define SCHEMA_NONE UINT32_MAX

struct schema_value {
    const json_t *json;
    uint32_t parent, first, n; // children are values[first .. first + n), in the text's order
    const char *key;           // in an object; else NULL
};

struct schema_document {
    json_t *root;
    struct schema_value *values; // [n_values], 0 is the root
    uint32_t n_values;
};

enum status schema_document_init(struct schema_document *document, const char *text,
                                 size_t text_bytes, struct error *err);
void schema_document_deinit(struct schema_document *document);
// The child of that name; SCHEMA_NONE if there is none or the value is no object.
uint32_t schema_child(const struct schema_document *document, uint32_t value, const char *key);
// What a "$ref" in the document means; SCHEMA_NONE if it is not "#" or "#/…" or leads nowhere.
uint32_t schema_resolve(const struct schema_document *document, const char *reference);
// A text without NUL inside; NULL: none or another value.
const char *schema_plain_text(const json_t *value);
// The JSON pointer of a value, shortened in the middle if it is long; returns `text`.
const char *schema_pointer(const struct schema_document *document, uint32_t value, char text[160]);

#ifdef __cplusplus
}
#endif
#endif
