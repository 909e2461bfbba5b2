// SPDX-License-Identifier: Apache-2.0
// Reads a JSON object into a struct by a table: one row a field, with its type and its range. What
// no row names is refused by name: a field that a client sends and a server drops silently is a
// promise broken. Clients' harmless extras have rows that say "ignored". The same tables become
// /openapi.json.
#ifndef XL_SERVER_JSON_READER_H
#define XL_SERVER_JSON_READER_H

#include "server/openai_error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum field_kind {
    FIELD_BOOL,    // bool
    FIELD_INT,     // int64_t, min .. max
    FIELD_NUMBER,  // double, min .. max
    FIELD_TEXT,    // const char *, at most `max` bytes; belongs to the JSON
    FIELD_JSON,    // const json_t *, anything; the route looks at it
    FIELD_IGNORED, // changes nothing that is promised
    FIELD_ONLY     // must be the JSON value in `only`: another would change the meaning
};

struct json_field {
    const char *name;
    enum field_kind kind;
    size_t offset;   // in the target
    double min, max; // of numbers; max of FIELD_TEXT in bytes
    const char *only;
    const char *help;  // for /openapi.json
    const char *shape; // JSON Schema of a FIELD_JSON, for /openapi.json; NULL: anything
};

struct field_table {
    const struct json_field *fields;
    size_t n_fields;
    size_t base; // added to the offsets of its fields
};

// null counts as absent. Fields that are absent keep what the target holds. `tables` together
// describe the object. `where` is put before names in errors ("messages[3]."); "" at the top.
bool json_reader_read(const json_t *object, const struct field_table *tables, size_t n_tables,
                      void *target, const char *where, struct openai_error *error);

#endif
