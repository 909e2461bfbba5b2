// SPDX-License-Identifier: Apache-2.0
// Small readers for the JSON of tokenizers: absent or ill-typed members give the stated default.
#ifndef XL_TOKENIZER_JSON_ACCESS_H
#define XL_TOKENIZER_JSON_ACCESS_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline const char *json_text_or(const json_t *object, const char *key,
                                       const char *otherwise) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? otherwise : text;
}

static inline bool json_bool_or(const json_t *object, const char *key, bool otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

// Member "type" of an object.
static inline bool json_type_is(const json_t *object, const char *type) {
    return strcmp(json_text_or(object, "type", ""), type) == 0;
}

// The content of an added token: a string or an object with "content". NULL: neither.
static inline const json_t *json_token_content(const json_t *token) {
    if (json_is_object(token)) token = json_object_get(token, "content");
    return json_is_string(token) ? token : NULL;
}

#ifdef __cplusplus
}
#endif
#endif
