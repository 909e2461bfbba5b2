// SPDX-License-Identifier: Apache-2.0
// Items and flat tools of the Responses API as the messages and tools of chat.
#ifndef XL_SERVER_RESPONSES_INPUT_H
#define XL_SERVER_RESPONSES_INPUT_H

#include "server/openai_error.h"

#include <jansson.h>

// New values; NULL with the error. tools NULL gives NULL without an error.
json_t *responses_input_messages(const json_t *input, const char *instructions,
                                 struct openai_error *error);
json_t *responses_input_tools(const json_t *tools, struct openai_error *error);

#endif
