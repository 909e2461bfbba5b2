// SPDX-License-Identifier: Apache-2.0
// POST /v1/responses: the same conversation as chat, in the form of OpenAI's Responses API. Nothing
// is stored, so there is nothing to continue by an id.
#ifndef XL_SERVER_RESPONSES_ROUTE_H
#define XL_SERVER_RESPONSES_ROUTE_H

#include "server/json_reader.h"

struct exchange;

void responses_route_handle(struct exchange *exchange);
extern const struct field_table responses_route_tables[];
extern const size_t responses_route_n_tables;

#endif
