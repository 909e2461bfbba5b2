// SPDX-License-Identifier: Apache-2.0
// The member "text" of a JSON object that arrives in pieces, as plain text: escapes decoded,
// control characters and line ends dropped, and markup ("<|im_end|>", "<script>") dropped, too: no
// field of a record has any. "P<0.05" is no markup. What a model thinks, from "<think>" to
// "</think>" or to the end, is no text.
#ifndef XL_CLINIC_JSON_TEXT_STREAM_H
#define XL_CLINIC_JSON_TEXT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_TEXT_MARKUP_MAX = 40 };

struct json_text_stream {
    void *user;
    void (*on_text)(void *user, const char *text, size_t text_bytes);
    int depth;
    bool in_string, is_escape, is_key_next, is_wanted, is_text, is_closed;
    bool is_thinking;
    int hex_left;
    uint32_t hex, high_surrogate;
    char key[8]; // as far as it is needed to know "text"
    size_t key_bytes;
    char held[JSON_TEXT_MARKUP_MAX]; // from a '<' that may be markup
    size_t held_bytes;
};

void json_text_stream_init(struct json_text_stream *stream,
                           void (*on_text)(void *user, const char *text, size_t text_bytes),
                           void *user);
// Any bytes; what is no JSON gives no text.
void json_text_stream_push(struct json_text_stream *stream, const char *bytes, size_t n_bytes);
// True when the text's closing quotation mark has come.
bool json_text_stream_is_closed(const struct json_text_stream *stream);

#endif
