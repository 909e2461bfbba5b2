// SPDX-License-Identifier: Apache-2.0
// OpenAI's messages, checked and in the form that chat templates expect: content is one string,
// arguments of earlier calls are JSON and not text of JSON.
#ifndef XL_SERVER_CHAT_MESSAGES_H
#define XL_SERVER_CHAT_MESSAGES_H

#include "server/openai_error.h"

#include <jansson.h>
#include <stdbool.h>

struct special_guard;

// A new array; NULL with the error. Without knows_tools, calls and their results become text.
// Contents are marked by the guard.
json_t *chat_messages_read(const json_t *messages, bool knows_tools,
                           const struct special_guard *guard, struct openai_error *error);
// A string, or an array of {"type": "text", "text"} joined together; NULL with the error. Also
// takes the part names of /v1/responses.
json_t *chat_messages_text(const json_t *content, const char *place, struct openai_error *error);

#endif
