// SPDX-License-Identifier: Apache-2.0
// Text of users that spells a control token ("<|im_end|>") must not become one: a document could
// end its message and begin another in a stronger role. Such text is marked with a secret word
// before the template sees it, and the prompt is tokenized piece by piece between the marks, so
// that the spelling is cut in two.
#ifndef XL_SERVER_SPECIAL_GUARD_H
#define XL_SERVER_SPECIAL_GUARD_H

#include "server/json_writer.h"
#include "xinglin/xinglin.h"

#include <jansson.h>
#include <stddef.h>

struct special_guard;

// From xl_tokenizer_describe()'s object. NULL: no memory.
struct special_guard *special_guard_create(const xl_engine *engine, const json_t *tokenizer);
void special_guard_destroy(struct special_guard *guard);
// The text with marks; NULL: no memory. A new reference, or the same text if nothing needs one.
json_t *special_guard_mark(const struct special_guard *guard, const json_t *text);
// The same for all texts and names in a value, however deep.
json_t *special_guard_mark_all(const struct special_guard *guard, const json_t *value);
// The text without marks.
void special_guard_unmark(const struct special_guard *guard, const char *text, size_t text_bytes,
                          struct json_writer *writer);
// As xl_tokenize with parse_special and without add_special. *tokens: xl_free().
xl_status special_guard_tokenize(const struct special_guard *guard, const xl_engine *engine,
                                 const char *text, size_t text_bytes, int32_t **tokens,
                                 size_t *n_tokens, xl_error *error);

#endif
