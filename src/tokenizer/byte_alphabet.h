// SPDX-License-Identifier: Apache-2.0
// The alphabet in which byte-level BPE spells its vocabulary: each of the 256 bytes is one visible
// character (GPT-2's table: printable Latin-1 stays, the rest follows from U+0100 on).
#ifndef XL_TOKENIZER_BYTE_ALPHABET_H
#define XL_TOKENIZER_BYTE_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

uint32_t byte_alphabet_code(uint8_t byte);             // the character of a byte
bool byte_alphabet_byte(uint32_t code, uint8_t *byte); // and back; false: not of the alphabet
// Spells bytes; out needs 2 bytes per byte. Returns the size.
size_t byte_alphabet_spell(const char *bytes, size_t size_bytes, char *out);
// The bytes that a spelled text stands for; out needs size_bytes. False if a character is not of
// the alphabet.
bool byte_alphabet_read(const char *text, size_t size_bytes, char *out, size_t *out_bytes);

#ifdef __cplusplus
}
#endif
#endif
