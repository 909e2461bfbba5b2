// SPDX-License-Identifier: Apache-2.0
// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#ifndef XL_BASE_UTF8_H
#define XL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UTF8_INVALID 0xffffffffu

// Decodes one code point at text[0..size). Returns the bytes used (1..4) and sets *code;
// for a malformed byte returns 1 and sets *code = UTF8_INVALID. size must be > 0.
size_t utf8_decode(const char *text, size_t size_bytes, uint32_t *code);
// Writes 1..4 bytes to out[4] and returns how many; 0 for a value that is no scalar value.
size_t utf8_write(uint32_t code, char out[4]);
bool utf8_is_valid(const char *text, size_t size_bytes);
// Length of the longest prefix that does not end inside a (so far valid) multi-byte sequence:
// what a stream may show now without cutting a character in two.
size_t utf8_complete_prefix(const char *text, size_t size_bytes);

#ifdef __cplusplus
}
#endif
#endif
