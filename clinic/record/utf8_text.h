// SPDX-License-Identifier: Apache-2.0
// UTF-8 as the clinic needs it: is a text valid, and one character at a time.
#ifndef XL_CLINIC_UTF8_TEXT_H
#define XL_CLINIC_UTF8_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Valid UTF-8 without NUL: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool utf8_text_is_valid(const char *text, size_t bytes);
// The character at text[0]; its length goes to `*length` (1 and U+FFFD for a bad byte). bytes > 0.
uint32_t utf8_text_read(const char *text, size_t bytes, size_t *length);
// Control characters, and those that show nothing or turn the direction of what follows: a name
// with them reads as another one.
bool utf8_text_is_invisible(uint32_t character);
// Valid UTF-8 without any of those.
bool utf8_text_is_plain(const char *text, size_t bytes);
// Whether anything of it is seen on paper: not all blank or invisible.
bool utf8_text_shows(const char *text, size_t bytes);
// Writes 1 to 4 bytes; U+FFFD for what is no character. Returns how many.
size_t utf8_text_write(uint32_t character, char out[4]);

#endif
