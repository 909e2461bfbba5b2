// SPDX-License-Identifier: Apache-2.0
// POST /v1/completions: texts or token ids to continue.
#ifndef XL_SERVER_COMPLETION_ROUTE_H
#define XL_SERVER_COMPLETION_ROUTE_H

#include "server/json_reader.h"

struct exchange;

void completion_route_handle(struct exchange *exchange);
extern const struct field_table completion_route_tables[];
extern const size_t completion_route_n_tables;

#endif
