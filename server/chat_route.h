// SPDX-License-Identifier: Apache-2.0
// POST /v1/chat/completions, and what /v1/responses and /apply-template share with it.
#ifndef XL_SERVER_CHAT_ROUTE_H
#define XL_SERVER_CHAT_ROUTE_H

#include "server/answer.h"
#include "server/chat_prompt.h"
#include "server/json_reader.h"

void chat_route_handle(struct exchange *exchange);
extern const struct field_table chat_route_tables[];
extern const size_t chat_route_n_tables;

// From a prompt request to running sequences: template, tokens, form, tools. Ends the job.
void chat_route_run(struct answer *answer, struct chat_prompt_request *request);
// The messages and tools of a chat body, for /apply-template.
bool chat_route_read_prompt(struct exchange *exchange, const json_t *body,
                            struct chat_prompt_request *request);

#endif
