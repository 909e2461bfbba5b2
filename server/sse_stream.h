// SPDX-License-Identifier: Apache-2.0
// Server-sent events: "event: NAME\ndata: JSON\n\n".
#ifndef XL_SERVER_SSE_STREAM_H
#define XL_SERVER_SSE_STREAM_H

#include "server/json_writer.h"
#include "server/openai_error.h"

#include <stddef.h>
#include <string.h>

// Begins an event (name NULL: data only); the JSON is written behind it, then sse_end.
static inline void sse_begin(struct json_writer *writer, const char *name) {
    if (name) put_format(writer, "event: %s\n", name);
    put_raw(writer, "data: ", 6);
    writer->comma = false;
}

static inline void sse_end(struct json_writer *writer) {
    put_raw(writer, "\n\n", 2);
    writer->comma = false;
}

static inline void sse_error(struct json_writer *writer, const struct openai_error *error) {
    sse_begin(writer, NULL);
    openai_error_write(error, writer);
    sse_end(writer);
}

static inline void sse_done(struct json_writer *writer) {
    put_raw(writer, "data: [DONE]\n\n", 14);
}

#endif
