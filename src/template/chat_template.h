// SPDX-License-Identifier: Apache-2.0
// Chat templates: the subset of Jinja that model templates use, run on hostile templates with step,
// depth and output budgets. Semantics follow Hugging Face's use of jinja2: sandboxed, immutable,
// trim_blocks, lstrip_blocks, loop controls, raise_exception, strftime_now, tojson.
#ifndef XL_TEMPLATE_CHAT_TEMPLATE_H
#define XL_TEMPLATE_CHAT_TEMPLATE_H

#include "base/status.h"

#include <jansson.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct chat_template; // compiled; immutable

struct chat_template_limits {
    size_t steps_max;        // statements, expressions and loop turns together
    size_t output_bytes_max; // of the rendered text
    size_t memory_bytes_max; // of all values alive during rendering
    int depth_max;           // nesting of syntax, calls and values
};

void chat_template_limits_default(struct chat_template_limits *limits);

// STATUS_BAD_INPUT with line and column for a syntax error, STATUS_UNSUPPORTED for Jinja outside
// the subset (naming it).
enum status chat_template_compile(struct chat_template **result, const char *source,
                                  size_t source_bytes, struct error *err);
void chat_template_destroy(struct chat_template *chat_template); // NULL is allowed

// Renders with the JSON object `context` as global variables (messages, tools, bos_token,
// add_generation_prompt, …). now_unix_s is what strftime_now shows (UTC). *text: free with free().
// raise_exception(...) gives STATUS_BAD_INPUT with the template's message. limits may be NULL.
enum status chat_template_render(const struct chat_template *chat_template, const json_t *context,
                                 long long now_unix_s, const struct chat_template_limits *limits,
                                 char **text, size_t *text_bytes, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
