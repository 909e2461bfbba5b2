// SPDX-License-Identifier: Apache-2.0
// JSON as text with numbers as people wrote them: 0.1, which jansson alone writes as
// 0.10000000000000001, into prompts, schemas and the arguments of calls.
#ifndef XL_SERVER_JSON_DUMP_H
#define XL_SERVER_JSON_DUMP_H

#include <jansson.h>

// Compact. Numbers have as few digits as give all the same values back. NULL: no memory; free().
char *json_dump(const json_t *value);

#endif
