// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

// Bytes that a sequence with this first byte has; 0 if it cannot start one.
static size_t sequence_length(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return 2;
    if (first >= 0xe0 && first <= 0xef) return 3;
    if (first >= 0xf0 && first <= 0xf4) return 4;
    return 0;
}

// The second byte carries the rules against overlong forms, surrogates and values too large.
static bool second_byte_fits(unsigned char first, unsigned char second) {
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return (second & 0xc0) == 0x80;
    }
}

// How many of the bytes present are a valid beginning of the sequence (at least 1).
static size_t valid_beginning(const unsigned char *p, size_t present) {
    size_t n = 1;
    while (n < present && (n == 1 ? second_byte_fits(p[0], p[1]) : (p[n] & 0xc0) == 0x80))
        n++;
    return n;
}

size_t utf8_decode(const char *text, size_t size_bytes, uint32_t *code) {
    const unsigned char *p = (const unsigned char *)text;
    size_t length = sequence_length(p[0]);
    *code = UTF8_INVALID;
    if (length == 0 || length > size_bytes || valid_beginning(p, length) < length) return 1;
    static const unsigned char first_mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t value = p[0] & first_mask[length];
    for (size_t i = 1; i < length; i++)
        value = value << 6 | (p[i] & 0x3f);
    *code = value;
    return length;
}

size_t utf8_write(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        if (code >= 0xd800 && code <= 0xdfff) return 0;
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    if (code > 0x10ffff) return 0;
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

bool utf8_is_valid(const char *text, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes;) {
        uint32_t code;
        i += utf8_decode(text + i, size_bytes - i, &code);
        if (code == UTF8_INVALID) return false;
    }
    return true;
}

size_t utf8_complete_prefix(const char *text, size_t size_bytes) {
    const unsigned char *p = (const unsigned char *)text;
    size_t back = size_bytes < 3 ? size_bytes : 3;
    for (size_t n = 1; n <= back; n++) {
        size_t start = size_bytes - n;
        size_t length = sequence_length(p[start]);
        if (length == 0) continue; // a continuation byte: look further back
        bool pending = length > n && valid_beginning(p + start, n) == n;
        return pending ? start : size_bytes;
    }
    return size_bytes;
}
