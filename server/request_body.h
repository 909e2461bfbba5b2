// SPDX-License-Identifier: Apache-2.0
// The bytes of a request's body: collected up to a limit, and turned into JSON only after one pass
// over them has shown that depth and number of values are harmless. Errors never quote the body.
#ifndef XL_SERVER_REQUEST_BODY_H
#define XL_SERVER_REQUEST_BODY_H

#include "server/openai_error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { BODY_DEPTH_MAX = 128, BODY_CONTAINERS_MAX = 50000, BODY_VALUES_MAX = 500000 };

struct request_body {
    char *data;
    size_t size, capacity, max;
};

// False if it would be longer than max, or no memory is there (is_full tells which).
bool request_body_add(struct request_body *body, const char *bytes, size_t n_bytes, bool *is_full);
void request_body_free(struct request_body *body); // wiped
// A JSON object, or NULL with the error.
json_t *request_body_parse(const struct request_body *body, struct openai_error *error);
// The same with other bounds than BODY_CONTAINERS_MAX and BODY_VALUES_MAX.
json_t *request_body_parse_within(const struct request_body *body, size_t containers_max,
                                  size_t values_max, struct openai_error *error);

#endif
