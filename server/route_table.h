// SPDX-License-Identifier: Apache-2.0
// Every route there is, one row each: what is not in the table does not exist, and a row that does
// not say `is_public` needs a key with the row's scope. /openapi.json, docs and tests are made from
// this table.
#ifndef XL_SERVER_ROUTE_TABLE_H
#define XL_SERVER_ROUTE_TABLE_H

#include "server/json_reader.h"

#include <stdbool.h>
#include <stddef.h>

struct exchange;

enum key_scope {
    SCOPE_INFERENCE = 1, // texts in, texts and vectors out
    SCOPE_METRICS = 2    // /metrics
};

struct route {
    const char *method; // "GET" (answers HEAD, too) or "POST"
    const char *path;   // "/v1/models/*": with one more part
    bool is_public;     // needs no key
    enum key_scope scope;
    bool needs_model; // refused with 503 while loading and while draining
    void (*handle)(struct exchange *exchange);
    const struct field_table *tables; // of the body; NULL: no body
    const size_t *n_tables;
    const char *summary, *content_type;
};

extern const struct route route_table[];
extern const size_t n_routes;

// NULL: no such route. *allowed: the methods of the path ("GET, HEAD"), NULL if there is no path.
const struct route *route_find(const char *method, const char *path, const char **allowed);
// What stands for the * of the route's path; "" if there is none.
const char *route_rest(const struct route *route, const char *path);

#endif
