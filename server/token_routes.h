// SPDX-License-Identifier: Apache-2.0
// POST /tokenize, /detokenize and /apply-template: what the model sees.
#ifndef XL_SERVER_TOKEN_ROUTES_H
#define XL_SERVER_TOKEN_ROUTES_H

#include "server/json_reader.h"

struct exchange;

void tokenize_route_handle(struct exchange *exchange);
void detokenize_route_handle(struct exchange *exchange);
void apply_template_route_handle(struct exchange *exchange);
extern const struct field_table tokenize_route_tables[], detokenize_route_tables[];
extern const size_t tokenize_route_n_tables, detokenize_route_n_tables;

#endif
