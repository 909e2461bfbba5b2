// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/json_text_stream.h"

#include "clinic/record/utf8_text.h"

#include <string.h>

void json_text_stream_init(struct json_text_stream *stream,
                           void (*on_text)(void *user, const char *text, size_t text_bytes),
                           void *user) {
    *stream = (struct json_text_stream){.user = user, .on_text = on_text};
}

bool json_text_stream_is_closed(const struct json_text_stream *stream) {
    return stream->is_closed;
}

static void give(struct json_text_stream *stream, const char *bytes, size_t n_bytes) {
    if (n_bytes && !stream->is_thinking) stream->on_text(stream->user, bytes, n_bytes);
}

static void release_held(struct json_text_stream *stream) {
    give(stream, stream->held, stream->held_bytes);
    stream->held_bytes = 0;
}

// "<think>" and "</think>", of any model that says so: <thinking>, <thought>.
static void end_markup(struct json_text_stream *stream) {
    bool is_end = stream->held[1] == '/';
    size_t at = is_end ? 2 : 1, n = strlen("thin");
    bool is_thought = stream->held_bytes >= at + n && (memcmp(stream->held + at, "thin", n) == 0 ||
                                                       memcmp(stream->held + at, "thou", n) == 0);
    if (is_thought) stream->is_thinking = !is_end;
    stream->held_bytes = 0;
}

static bool begins_markup(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '/' ||
           byte == '|' || byte == '!' || byte == '?';
}

// One byte of the text. What is held begins with '<' and is markup until '>' or until it is too
// long or has a character that no tag has.
static void take(struct json_text_stream *stream, char byte) {
    if ((unsigned char)byte < 0x20 || byte == 0x7f) return;
    if (stream->held_bytes) {
        bool goes_on = stream->held_bytes > 1 ? (unsigned char)byte < 0x80 && byte != '<'
                                              : begins_markup(byte);
        if (goes_on && stream->held_bytes > 1 && byte == '>') {
            end_markup(stream);
            return;
        }
        if (goes_on && stream->held_bytes < JSON_TEXT_MARKUP_MAX) {
            stream->held[stream->held_bytes++] = byte;
            return;
        }
        release_held(stream);
    }
    if (byte == '<')
        stream->held[stream->held_bytes++] = byte;
    else
        give(stream, &byte, 1);
}

static void take_character(struct json_text_stream *stream, uint32_t character) {
    char bytes[4];
    size_t n = utf8_text_write(character, bytes);
    if (n == 1) {
        take(stream, bytes[0]);
        return;
    }
    if (stream->held_bytes) release_held(stream);
    give(stream, bytes, n);
}

static void take_hex(struct json_text_stream *stream, char byte) {
    int digit = byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10;
    stream->hex = stream->hex * 16 + (uint32_t)(digit & 15);
    if (--stream->hex_left > 0) return;
    if (!stream->is_text) return;
    uint32_t c = stream->hex, high = stream->high_surrogate;
    stream->high_surrogate = 0;
    if (c >= 0xd800 && c < 0xdc00)
        stream->high_surrogate = c;
    else if (c >= 0xdc00 && c < 0xe000)
        take_character(stream, high ? 0x10000 + ((high - 0xd800) << 10) + (c - 0xdc00) : 0xfffd);
    else
        take_character(stream, c);
}

static void take_escape(struct json_text_stream *stream, char byte) {
    stream->is_escape = false;
    if (byte == 'u') {
        stream->hex_left = 4;
        stream->hex = 0;
    } else if (stream->is_text && strchr("\"\\/", byte)) {
        take(stream, byte);
    }
}

static void end_string(struct json_text_stream *stream) {
    stream->in_string = false;
    if (stream->is_text) {
        release_held(stream);
        stream->is_text = false;
        stream->is_closed = true;
    } else if (stream->is_key_next) {
        stream->is_wanted = stream->key_bytes == 4 && memcmp(stream->key, "text", 4) == 0;
        stream->is_key_next = false;
    } else {
        stream->is_wanted = false;
    }
}

static void take_in_string(struct json_text_stream *stream, const char *bytes, size_t *at,
                           size_t n_bytes) {
    char byte = bytes[*at];
    if (stream->hex_left > 0) {
        take_hex(stream, byte);
    } else if (stream->is_escape) {
        take_escape(stream, byte);
    } else if (byte == '\\') {
        stream->is_escape = true;
    } else if (byte == '"') {
        end_string(stream);
    } else if (stream->is_text && (unsigned char)byte >= 0x80) {
        // Whole runs of characters go through together.
        size_t end = *at;
        while (end < n_bytes && (unsigned char)bytes[end] >= 0x80)
            end++;
        if (stream->held_bytes) release_held(stream);
        give(stream, bytes + *at, end - *at);
        *at = end - 1;
    } else if (stream->is_text) {
        take(stream, byte);
    } else if (stream->is_key_next && stream->key_bytes < sizeof stream->key) {
        stream->key[stream->key_bytes++] = byte;
    }
}

void json_text_stream_push(struct json_text_stream *stream, const char *bytes, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i++) {
        char byte = bytes[i];
        if (stream->in_string) {
            take_in_string(stream, bytes, &i, n_bytes);
        } else if (byte == '"') {
            stream->in_string = true;
            stream->key_bytes = 0;
            stream->is_text = stream->is_wanted && !stream->is_closed;
        } else if (byte == '{' || byte == '[') {
            stream->depth++;
            stream->is_wanted = false;
            stream->is_key_next = byte == '{' && stream->depth == 1;
        } else if (byte == '}' || byte == ']') {
            stream->depth--;
        } else if (byte == ',') {
            stream->is_key_next = stream->depth == 1;
            stream->is_wanted = false;
        }
    }
}
