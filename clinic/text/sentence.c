// SPDX-License-Identifier: Apache-2.0
// Works on bytes: all that matters is three bytes wide or ASCII.
#include "clinic/text/sentence.h"

#include <string.h>

#define BRACKET_BYTES_MAX 400
#define SENTENCE_BYTES_MAX 2400

static bool stands(const char *text, size_t bytes, size_t at, const char *word) {
    size_t n = strlen(word);
    return bytes - at >= n && memcmp(text + at, word, n) == 0;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t skip_blanks(const char *text, size_t bytes, size_t at) {
    while (at < bytes) {
        if (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
            at++;
        } else if (stands(text, bytes, at, "　")) {
            at += 3;
        } else {
            break;
        }
    }
    return at;
}

// Bytes of an ending mark at `at` with closing quotation marks behind it; 0: none.
static size_t ending_bytes(const char *text, size_t bytes, size_t at) {
    static const char *const marks[] = {"。", "！", "？", "；", "\n", ";", "!", "?"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (stands(text, bytes, at, marks[i])) {
            size_t n = strlen(marks[i]);
            while (stands(text, bytes, at + n, "”") || stands(text, bytes, at + n, "』")) {
                n += 3;
            }
            return n;
        }
    }
    return 0;
}

// Bytes of "1." or "12、" or "（3）" that begin an item; 0: none. "1.5" is a number.
static size_t item_bytes(const char *text, size_t bytes, size_t at) {
    size_t i = at;
    bool bracket = stands(text, bytes, at, "（");
    i += bracket ? 3 : 0;
    size_t digits = 0;
    while (i < bytes && is_digit(text[i]) && digits < 3) {
        i++;
        digits++;
    }
    if (digits == 0 || digits > 2) {
        return 0;
    }
    if (bracket) {
        return stands(text, bytes, i, "）") ? i + 3 - at : 0;
    }
    if (stands(text, bytes, i, "、") || stands(text, bytes, i, "．")) {
        return i + 3 - at;
    }
    if (i < bytes && text[i] == '.' && (i + 1 == bytes || !is_digit(text[i + 1]))) {
        return i + 1 - at;
    }
    return 0;
}

// Byte behind the bracket that opens at `at`, or `at` if it does not close soon.
static size_t bracket_end(const char *text, size_t bytes, size_t at) {
    static const char *const pairs[][2] = {{"（", "）"}, {"“", "”"}, {"(", ")"}};
    for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++) {
        if (!stands(text, bytes, at, pairs[p][0])) {
            continue;
        }
        size_t limit = bytes - at > BRACKET_BYTES_MAX ? at + BRACKET_BYTES_MAX : bytes;
        for (size_t i = at + 1; i < limit && text[i] != '\n'; i++) {
            if (stands(text, bytes, i, pairs[p][1])) {
                return i + strlen(pairs[p][1]);
            }
        }
    }
    return at;
}

// An item's number inside a run of text: blank or a mark before it and a letter behind it.
static bool item_begins(const char *text, size_t bytes, size_t at) {
    if (!is_digit(text[at]) || (text[at - 1] != ' ' && text[at - 1] != '\t')) {
        return false;
    }
    size_t n = item_bytes(text, bytes, at);
    return n > 0 && at + n < bytes && text[at + n] == ' ';
}

// Where a sentence that does not end is cut: behind its last comma, else between two characters.
static size_t forced_end(const char *text, size_t start, size_t limit) {
    for (size_t at = limit - 3; at > start + SENTENCE_BYTES_MAX / 2; at--) {
        if (stands(text, limit, at, "，")) {
            return at + 3;
        }
    }
    size_t at = limit;
    while (at > limit - 4 && ((unsigned char)text[at] & 0xC0) == 0x80) {
        at--;
    }
    return at;
}

static size_t natural_end(const char *text, size_t bytes, size_t start) {
    size_t at = skip_blanks(text, bytes, start);
    at += at < bytes ? item_bytes(text, bytes, at) : 0;
    while (at < bytes) {
        size_t behind = bracket_end(text, bytes, at);
        if (behind > at) {
            at = behind;
            continue;
        }
        size_t n = ending_bytes(text, bytes, at);
        if (n) {
            return skip_blanks(text, bytes, at + n);
        }
        at++;
        if (at < bytes && item_begins(text, bytes, at)) {
            return at;
        }
    }
    return bytes;
}

size_t sentence_end(const char *text, size_t bytes, size_t start) {
    size_t limit = start + SENTENCE_BYTES_MAX;
    if (bytes - start <= SENTENCE_BYTES_MAX) {
        return natural_end(text, bytes, start);
    }
    size_t end = natural_end(text, limit, start);
    return end < limit ? end : forced_end(text, start, limit);
}

bool sentence_is_empty(const char *text, size_t bytes) {
    size_t at = skip_blanks(text, bytes, 0);
    at += at < bytes ? item_bytes(text, bytes, at) : 0;
    while (at < bytes) {
        size_t n = ending_bytes(text, bytes, at);
        size_t behind = n ? at + n : skip_blanks(text, bytes, at);
        if (behind == at && !stands(text, bytes, at, "，") && !stands(text, bytes, at, "、")) {
            return false;
        }
        at = behind > at ? behind : at + 3;
    }
    return true;
}
