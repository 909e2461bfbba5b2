// SPDX-License-Identifier: Apache-2.0
// A growing text. After a failed allocation it takes nothing more and says so once, at the end.
#ifndef XL_CLINIC_TEXT_BUFFER_H
#define XL_CLINIC_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct text_buffer { // zero it before use
    char *text;      // [bytes], terminated as soon as something was added
    size_t bytes, capacity;
    bool has_failed;
};

void text_buffer_add(struct text_buffer *buffer, const char *text);
void text_buffer_add_bytes(struct text_buffer *buffer, const char *text, size_t bytes);
void text_buffer_cut(struct text_buffer *buffer, size_t bytes); // forgets what is behind
// The text, also an empty one; the caller frees it. NULL: no memory. The buffer is empty then.
char *text_buffer_take(struct text_buffer *buffer);
const char *text_buffer_text(const struct text_buffer *buffer); // "" when there is none
void text_buffer_deinit(struct text_buffer *buffer);            // wipes it

#endif
