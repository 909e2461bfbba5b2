// SPDX-License-Identifier: Apache-2.0
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t max_bytes) {
    memset(buffer, 0, sizeof *buffer);
    buffer->max_bytes = max_bytes;
}

void buffer_deinit(struct buffer *buffer) {
    free(buffer->data);
    buffer->data = NULL;
    buffer->size_bytes = buffer->capacity_bytes = 0;
}

void buffer_reset(struct buffer *buffer) {
    buffer->size_bytes = 0;
    buffer->status = STATUS_OK;
    if (buffer->data) buffer->data[0] = '\0';
}

// Makes room for extra_bytes more and the NUL.
static enum status reserve(struct buffer *buffer, size_t extra_bytes) {
    if (buffer->status != STATUS_OK) return buffer->status;
    if (extra_bytes > buffer->max_bytes - buffer->size_bytes) return buffer->status = STATUS_FAILED;
    size_t needed = buffer->size_bytes + extra_bytes + 1;
    if (needed <= buffer->capacity_bytes) return STATUS_OK;
    size_t capacity = buffer->capacity_bytes ? buffer->capacity_bytes : 64;
    while (capacity < needed)
        capacity += capacity / 2;
    char *data = realloc(buffer->data, capacity);
    if (!data) return buffer->status = STATUS_NO_MEMORY;
    buffer->data = data;
    buffer->capacity_bytes = capacity;
    return STATUS_OK;
}

enum status buffer_append(struct buffer *buffer, const void *data, size_t size_bytes) {
    TRY(reserve(buffer, size_bytes));
    if (size_bytes) memcpy(buffer->data + buffer->size_bytes, data, size_bytes);
    buffer->size_bytes += size_bytes;
    buffer->data[buffer->size_bytes] = '\0';
    return STATUS_OK;
}

enum status buffer_append_text(struct buffer *buffer, const char *text) {
    return buffer_append(buffer, text, strlen(text));
}

enum status buffer_append_format(struct buffer *buffer, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) return buffer->status = STATUS_FAILED;
    TRY(reserve(buffer, (size_t)length));
    va_start(args, format);
    vsnprintf(buffer->data + buffer->size_bytes, (size_t)length + 1, format, args);
    va_end(args);
    buffer->size_bytes += (size_t)length;
    return STATUS_OK;
}

char *buffer_take(struct buffer *buffer, size_t *size_bytes) {
    if (reserve(buffer, 0) != STATUS_OK) return NULL;
    char *data = buffer->data;
    data[buffer->size_bytes] = '\0';
    if (size_bytes) *size_bytes = buffer->size_bytes;
    buffer->data = NULL;
    buffer->size_bytes = buffer->capacity_bytes = 0;
    return data;
}
