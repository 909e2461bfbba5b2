// SPDX-License-Identifier: Apache-2.0
// POST /v1/embeddings, and /rerank, which compares such vectors.
#ifndef XL_SERVER_EMBEDDING_ROUTE_H
#define XL_SERVER_EMBEDDING_ROUTE_H

#include "server/json_reader.h"

struct exchange;

void embedding_route_handle(struct exchange *exchange);
void rerank_route_handle(struct exchange *exchange);
extern const struct field_table embedding_route_tables[], rerank_route_tables[];
extern const size_t embedding_route_n_tables, rerank_route_n_tables;

#endif
