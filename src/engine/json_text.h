// SPDX-License-Identifier: Apache-2.0
// JSON strings from bytes that may be anything and of any length, and JSON to text for callers.
#ifndef XL_ENGINE_JSON_TEXT_H
#define XL_ENGINE_JSON_TEXT_H

#include "base/status.h"

#include <jansson.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// A JSON string: malformed bytes become U+FFFD, NUL too, and what is longer than max_bytes is cut
// and says so. NULL only without memory.
json_t *json_text_create(const char *data, size_t size_bytes, size_t max_bytes);
// Takes over `root` (NULL: no memory) and gives its text, to be freed with free().
enum status json_text_finish(json_t *root, char **text, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
