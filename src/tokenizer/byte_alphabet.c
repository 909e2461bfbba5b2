// SPDX-License-Identifier: Apache-2.0
// Computes the alphabet instead of tabulating it: 68 bytes are not printable and are numbered in
// order from U+0100.
#include "tokenizer/byte_alphabet.h"

#include "base/utf8.h"

uint32_t byte_alphabet_code(uint8_t byte) {
    if (byte <= 0x20) return 0x100u + byte;
    if (byte <= 0x7e) return byte;
    if (byte <= 0xa0) return 0x100u + 33u + (byte - 0x7fu);
    if (byte == 0xad) return 0x143;
    return byte;
}

bool byte_alphabet_byte(uint32_t code, uint8_t *byte) {
    if (code >= 0x100 && code <= 0x143) {
        uint32_t index = code - 0x100;
        *byte = (uint8_t)(index <= 0x20 ? index : index <= 0x42 ? index - 33 + 0x7f : 0xad);
        return true;
    }
    *byte = (uint8_t)code;
    return code <= 0xff && byte_alphabet_code((uint8_t)code) == code;
}

size_t byte_alphabet_spell(const char *bytes, size_t size_bytes, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < size_bytes; i++)
        n += utf8_write(byte_alphabet_code((uint8_t)bytes[i]), out + n);
    return n;
}

bool byte_alphabet_read(const char *text, size_t size_bytes, char *out, size_t *out_bytes) {
    size_t n = 0;
    for (size_t i = 0; i < size_bytes;) {
        uint32_t code;
        uint8_t byte;
        i += utf8_decode(text + i, size_bytes - i, &code);
        if (!byte_alphabet_byte(code, &byte)) return false;
        out[n++] = (char)byte;
    }
    *out_bytes = n;
    return true;
}
