// SPDX-License-Identifier: Apache-2.0
// The tools of a request: checked, told to the model as text where its template cannot, and turned
// into the JSON Schema of a call.
#ifndef XL_SERVER_TOOL_SCHEMA_H
#define XL_SERVER_TOOL_SCHEMA_H

#include "server/openai_error.h"

#include <jansson.h>
#include <stdbool.h>

enum { TOOLS_MAX = 128 };

// {"type": "function", "function": {"name", "description", "parameters", "strict"}}
bool tool_schema_check(const json_t *tools, struct openai_error *error); // NULL is fine
const char *tool_schema_name(const json_t *tool);
// Adds the tools to the system message, or a system message with them.
bool tool_schema_tell(json_t *messages, const json_t *tools);
// {"name", "arguments"} of `chosen`, or of any if it is NULL; free(). NULL: no memory.
char *tool_schema_write(const json_t *tools, const json_t *chosen);

#endif
