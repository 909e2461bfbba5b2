// SPDX-License-Identifier: Apache-2.0
// Regular expressions as tokenizers use them: Oniguruma and Rust dialects, translated for PCRE2.
// A compiled expression is immutable; whoever searches brings a scratch.
#ifndef XL_TOKENIZER_SPLIT_REGEX_H
#define XL_TOKENIZER_SPLIT_REGEX_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct split_regex;
struct split_scratch; // one per thread that searches

// `pattern` is bytes; with `literal` every character stands for itself.
enum status split_regex_compile(struct split_regex **regex, const char *pattern,
                                size_t pattern_bytes, bool literal, struct error *err);
void split_regex_destroy(struct split_regex *regex); // NULL is allowed

enum status split_scratch_create(struct split_scratch **scratch, struct error *err);
void split_scratch_destroy(struct split_scratch *scratch); // NULL is allowed

// The first match at or after start_bytes in valid UTF-8. *found tells whether there is one; it may
// be empty. STATUS_FAILED if the search exceeds its step limit.
enum status split_regex_find(const struct split_regex *regex, struct split_scratch *scratch,
                             const char *text, size_t text_bytes, size_t start_bytes, bool *found,
                             size_t *begin_bytes, size_t *end_bytes, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
