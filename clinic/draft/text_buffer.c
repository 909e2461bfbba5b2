// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/text_buffer.h"

#include <stdlib.h>
#include <string.h>

static bool reserve(struct text_buffer *buffer, size_t bytes) {
    if (buffer->has_failed) return false;
    if (buffer->capacity > buffer->bytes + bytes) return true;
    size_t capacity = 2 * (buffer->bytes + bytes) + 64;
    char *grown = malloc(capacity);
    if (!grown) {
        buffer->has_failed = true;
        return false;
    }
    if (buffer->bytes) memcpy(grown, buffer->text, buffer->bytes);
    if (buffer->text) explicit_bzero(buffer->text, buffer->capacity);
    free(buffer->text);
    buffer->text = grown;
    buffer->capacity = capacity;
    return true;
}

void text_buffer_add_bytes(struct text_buffer *buffer, const char *text, size_t bytes) {
    if (!reserve(buffer, bytes)) return;
    if (bytes) memcpy(buffer->text + buffer->bytes, text, bytes);
    buffer->bytes += bytes;
    buffer->text[buffer->bytes] = '\0';
}

void text_buffer_add(struct text_buffer *buffer, const char *text) {
    text_buffer_add_bytes(buffer, text, strlen(text));
}

void text_buffer_cut(struct text_buffer *buffer, size_t bytes) {
    if (bytes >= buffer->bytes) return;
    buffer->bytes = bytes;
    buffer->text[bytes] = '\0';
}

char *text_buffer_take(struct text_buffer *buffer) {
    text_buffer_add_bytes(buffer, "", 0);
    char *text = buffer->has_failed ? NULL : buffer->text;
    if (!text) free(buffer->text);
    *buffer = (struct text_buffer){0};
    return text;
}

const char *text_buffer_text(const struct text_buffer *buffer) {
    return buffer->text ? buffer->text : "";
}

void text_buffer_deinit(struct text_buffer *buffer) {
    if (buffer->text) explicit_bzero(buffer->text, buffer->capacity);
    free(buffer->text);
    *buffer = (struct text_buffer){0};
}
