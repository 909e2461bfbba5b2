// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/utf8_text.h"

static bool is_character(uint32_t character) {
    return character <= 0x10FFFF && (character < 0xD800 || character > 0xDFFF);
}

uint32_t utf8_text_read(const char *text, size_t bytes, size_t *length) {
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)text[0];
    *length = 1;
    if (first < 0x80) return first;
    size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || n > bytes) return 0xFFFD;
    uint32_t character = first & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        unsigned char next = (unsigned char)text[i];
        if ((next & 0xC0) != 0x80) return 0xFFFD;
        character = character << 6 | (next & 0x3F);
    }
    if (character < smallest[n] || !is_character(character)) return 0xFFFD;
    *length = n;
    return character;
}

bool utf8_text_is_valid(const char *text, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        size_t length;
        if (text[at] == '\0') return false;
        uint32_t character = utf8_text_read(text + at, bytes - at, &length);
        if (character == 0xFFFD && length == 1) return false;
        at += length;
    }
    return true;
}

bool utf8_text_is_invisible(uint32_t character) {
    return character < ' ' || (character >= 0x7F && character < 0xA0) || character == 0xAD ||
           character == 0x61C || character == 0x180E ||
           (character >= 0x200B && character <= 0x200F) ||
           (character >= 0x2028 && character <= 0x202E) ||
           (character >= 0x2060 && character <= 0x206F) || character == 0xFEFF ||
           (character >= 0xFFF9 && character <= 0xFFFB) || (character & 0xFFFE) == 0xFFFE ||
           (character >= 0xE0000 && character <= 0xE007F);
}

bool utf8_text_is_plain(const char *text, size_t bytes) {
    if (!utf8_text_is_valid(text, bytes)) return false;
    for (size_t at = 0, length; at < bytes; at += length) {
        if (utf8_text_is_invisible(utf8_text_read(text + at, bytes - at, &length))) return false;
    }
    return true;
}

// Blanks, and letters that are drawn as nothing.
static bool is_blank(uint32_t character) {
    return character == ' ' || character == 0xA0 || character == 0x115F || character == 0x1160 ||
           (character >= 0x2000 && character <= 0x200A) || character == 0x202F ||
           character == 0x205F || character == 0x2800 || character == 0x3000 ||
           character == 0x3164 || character == 0xFFA0;
}

bool utf8_text_shows(const char *text, size_t bytes) {
    for (size_t at = 0, length; at < bytes; at += length) {
        uint32_t character = utf8_text_read(text + at, bytes - at, &length);
        if (!is_blank(character) && !utf8_text_is_invisible(character)) return true;
    }
    return false;
}

size_t utf8_text_write(uint32_t character, char out[4]) {
    if (!is_character(character)) character = 0xFFFD;
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    size_t n = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (character & 0x3F));
        character >>= 6;
    }
    out[0] = (char)((0xF00u >> n & 0xFF) | character);
    return n;
}
