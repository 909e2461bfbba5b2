// SPDX-License-Identifier: Apache-2.0
// Failures as OpenAI's clients know them: {"error": {"message", "type", "param", "code"}} with a
// status. A message never holds text of the request beyond names of its fields.
#ifndef XL_SERVER_OPENAI_ERROR_H
#define XL_SERVER_OPENAI_ERROR_H

#include "server/json_writer.h"
#include "xinglin/xinglin.h"

struct openai_error {
    int http_status; // 0: none
    int retry_after; // seconds; 0: not said
    char code[48], param[96], message[640];
};

// All three return false, so that a check can end with `return openai_error_…`.
bool openai_error_set(struct openai_error *error, int http_status, const char *code,
                      const char *param, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
bool openai_error_no_memory(struct openai_error *error);
// What the engine said; `param` is the field that it concerns, or NULL.
bool openai_error_from_engine(struct openai_error *error, const xl_error *from, const char *param);

void openai_error_write(const struct openai_error *error, struct json_writer *writer);

#endif
