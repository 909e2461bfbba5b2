// SPDX-License-Identifier: Apache-2.0
// A growable byte buffer that is born with its maximum: input decides how much is written, never
// how much may be. After the first failed append it stays failed, so callers may check once.
#ifndef XL_BASE_BUFFER_H
#define XL_BASE_BUFFER_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct buffer {
    char *data; // always NUL-terminated when not NULL; the NUL is not counted in size_bytes
    size_t size_bytes;
    size_t capacity_bytes;
    size_t max_bytes;
    enum status status; // sticky: STATUS_OK, STATUS_NO_MEMORY, or STATUS_FAILED past max_bytes
};

void buffer_init(struct buffer *buffer, size_t max_bytes);
void buffer_deinit(struct buffer *buffer); // frees; wipes nothing
void buffer_reset(struct buffer *buffer);  // empty again, memory kept, status cleared
enum status buffer_append(struct buffer *buffer, const void *data, size_t size_bytes);
enum status buffer_append_text(struct buffer *buffer, const char *text);
enum status buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Hands the memory to the caller (free with free()); the buffer is empty afterwards. NULL if
// failed. An empty buffer yields an allocated "".
char *buffer_take(struct buffer *buffer, size_t *size_bytes);

#ifdef __cplusplus
}
#endif
#endif
