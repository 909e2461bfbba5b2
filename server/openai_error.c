// SPDX-License-Identifier: Apache-2.0
#include "server/openai_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Texts are cut at any byte, here and where they come from; JSON is UTF-8, so a torn character
// becomes question marks.
static void mend(char *text) {
    for (size_t at = 0; text[at];) {
        unsigned char lead = (unsigned char)text[at];
        size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        if (lead > 0xF4) length = 0;
        for (size_t i = 1; i < length; i++)
            if (((unsigned char)text[at + i] & 0xC0) != 0x80) length = 0;
        if (length == 0) text[at++] = '?';
        at += length;
    }
}

bool openai_error_set(struct openai_error *error, int http_status, const char *code,
                      const char *param, const char *format, ...) {
    va_list arguments;
    error->http_status = http_status;
    error->retry_after = http_status == 503 || http_status == 429 ? 1 : 0;
    snprintf(error->code, sizeof error->code, "%s", code ? code : "");
    snprintf(error->param, sizeof error->param, "%s", param ? param : "");
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    mend(error->param);
    mend(error->message);
    return false;
}

bool openai_error_no_memory(struct openai_error *error) {
    return openai_error_set(error, 503, "out_of_memory", NULL,
                            "the server has no memory for this request now");
}

bool openai_error_from_engine(struct openai_error *error, const xl_error *from, const char *param) {
    switch (from->status) {
    case XL_USAGE:
    case XL_BAD_INPUT:
    case XL_UNSUPPORTED:
    case XL_NOT_FOUND:
        return openai_error_set(error, 400, "invalid_value", param, "%s", from->message);
    case XL_CONTEXT_FULL:
        return openai_error_set(error, 400, "context_length_exceeded", param, "%s", from->message);
    case XL_NO_MEMORY:
        return openai_error_set(error, 503, "overloaded", NULL, "%s", from->message);
    default:
        return openai_error_set(error, 500, "internal_error", NULL, "%s", from->message);
    }
}

static const char *type_of(int http_status) {
    switch (http_status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 429:
        return "rate_limit_error";
    case 503:
        return "service_unavailable_error";
    default:
        return http_status >= 500 ? "server_error" : "invalid_request_error";
    }
}

void openai_error_write(const struct openai_error *error, struct json_writer *writer) {
    put_open(writer, '{');
    put_key(writer, "error");
    put_open(writer, '{');
    put_key_text(writer, "message", error->message);
    put_key_text(writer, "type", type_of(error->http_status));
    put_key_text(writer, "param", error->param[0] ? error->param : NULL);
    put_key_text(writer, "code", error->code[0] ? error->code : NULL);
    put_close(writer, '}');
    put_close(writer, '}');
}
