// SPDX-License-Identifier: Apache-2.0
// Every route there is, one row each: what is not in a table does not exist, and a row that does
// not say `is_public` needs a key with the row's scope. /openapi.json, docs and tests are made from
// these rows: the server's own, and those of an extension that is given at the start.
#ifndef XL_SERVER_ROUTE_TABLE_H
#define XL_SERVER_ROUTE_TABLE_H

#include "server/json_reader.h"

#include <stdbool.h>
#include <stddef.h>

struct exchange;

enum key_scope {
    SCOPE_INFERENCE = 1, // texts in, texts and vectors out
    SCOPE_METRICS = 2,   // /metrics
    SCOPE_CLINIC = 4     // records pushed into the clinic's store
};

struct route {
    const char *method; // "GET" (answers HEAD, too) or "POST"
    const char *path;   // "/v1/models/*": and anything more; "/a/{id}/b": any one part between
    bool is_public;     // needs no key
    enum key_scope scope;
    bool needs_model; // refused with 503 while loading and while draining
    void (*handle)(struct exchange *exchange);
    const struct field_table *tables; // of the body; NULL: no body
    const size_t *n_tables;           // points to 0: any JSON object, which the route looks at
    const char *summary, *content_type;
};

extern const struct route route_table[];
extern const size_t n_routes;

// Routes that another part of the program brings along; the server knows nothing about them.
struct server_extension {
    const struct route *routes;
    size_t n_routes;
    void *user;                // of its routes
    void (*drain)(void *user); // the server begins to end; I/O thread
};

// The rows of both tables in their order; NULL behind the last. `extension` may be NULL.
const struct route *route_at(const struct server_extension *extension, size_t number);
size_t route_number(const struct server_extension *extension, const struct route *route);
// NULL: no such route. *allowed: the methods of the path ("GET, HEAD"), NULL if there is no path.
const struct route *route_find(const struct server_extension *extension, const char *method,
                               const char *path, const char **allowed);
// What stands for the * of the route's path; "" if there is none.
const char *route_rest(const struct route *route, const char *path);
// Copies what stands for the {…} number `which`; false if there is none or it is too long.
bool route_part(const struct route *route, const char *path, int which, char *part,
                size_t part_bytes);

#endif
