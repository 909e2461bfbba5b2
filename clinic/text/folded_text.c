// SPDX-License-Identifier: Apache-2.0
// One pass: decode, fold, drop blanks (but for one between "3." and "2型", where it keeps two
// numbers apart). A superscript run becomes '^' and digits, which lie on the same bytes.
#include "clinic/text/folded_text.h"

#include <stdlib.h>
#include <string.h>

bool character_is_digit(uint32_t c) {
    return c >= '0' && c <= '9';
}

bool character_is_latin(uint32_t c) {
    return c >= 'a' && c <= 'z';
}

bool character_is_han(uint32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x3134F);
}

bool character_ends_clause(uint32_t c) {
    return c == ',' || c == ':' || character_ends_sentence(c);
}

bool character_ends_sentence(uint32_t c) {
    return c == 0 || c == ';' || c == 0x3002 || c == '!' || c == '?' || c == '\n';
}

// Bytes of the character at text[0]; *c is U+FFFD and the result 1 where it is no UTF-8.
static size_t decode(const unsigned char *text, size_t bytes, uint32_t *c) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = text[0];
    size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    *c = 0xFFFD;
    if (length == 1) {
        *c = lead ? lead : 0xFFFD; // 0 is our end mark
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4 || length > bytes) {
        return 1;
    }
    uint32_t value = lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 1;
        }
        value = value << 6 | (text[i] & 0x3Fu);
    }
    if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return 1;
    }
    *c = value;
    return length;
}

// Blanks and characters that are not seen.
static bool is_blank(uint32_t c) {
    return c == ' ' || c == '\t' || c == '\r' || c == 0xA0 || c == 0x3000 || c == 0xFEFF ||
           (c >= 0x2000 && c <= 0x200F) || (c >= 0x202A && c <= 0x202F) || c == 0x2060;
}

// 0-9 for a superscript digit, else -1.
static int superscript(uint32_t c) {
    if (c == 0xB9) {
        return 1;
    }
    if (c == 0xB2 || c == 0xB3) {
        return (int)(c - 0xB0);
    }
    return c == 0x2070 ? 0 : c >= 0x2074 && c <= 0x2079 ? (int)(c - 0x2070) : -1;
}

static uint32_t fold(uint32_t c) {
    if (c >= 0xFF01 && c <= 0xFF5E) {
        c -= 0xFEE0;
    }
    if (c >= 'A' && c <= 'Z') {
        return c + 32;
    }
    if (c >= 0x2080 && c <= 0x2089) {
        return c - 0x2080 + '0'; // subscripts: CHA₂DS₂
    }
    switch (c) {
    case 0x301C:
    case 0x223C:
        return '~';
    case 0x2012:
    case 0x2013:
    case 0x2014:
    case 0x2015:
    case 0x2010:
    case 0x2011:
    case 0x2212:
        return '-';
    case 0xD7:
    case 0x2715:
        return 'x';
    case 0xB5:
    case 0x3BC:
        return 'u';
    case 0x2264:
    case 0x2266:
        return 0x2264;
    case 0x2265:
    case 0x2267:
        return 0x2265;
    case 0x2044:
    case 0x2215:
        return '/';
    default:
        return c;
    }
}

static void push(struct folded_text *folded, uint32_t c, size_t offset) {
    folded->chars[folded->n] = c;
    folded->offsets[folded->n++] = (uint32_t)offset;
}

// A dropped blank stood between "3." and "2": the numbers must not grow together.
static bool keeps_apart(const struct folded_text *folded, uint32_t next) {
    if (folded->n == 0 || !character_is_digit(next)) {
        return false;
    }
    uint32_t last = folded->chars[folded->n - 1];
    return character_is_digit(last) || last == '.';
}

bool folded_init(struct folded_text *folded, const char *text, size_t bytes) {
    *folded = (struct folded_text){0};
    if (bytes >= UINT32_MAX / 16) {
        return false;
    }
    // A superscript is two bytes at least and becomes two characters at most; a kept blank was one.
    folded->chars = malloc((bytes + 2) * sizeof(uint32_t));
    folded->offsets = malloc((bytes + 2) * sizeof(uint32_t));
    if (!folded->chars || !folded->offsets) {
        folded_deinit(folded);
        return false;
    }
    bool after_blank = false, in_superscript = false;
    for (size_t i = 0; i < bytes;) {
        uint32_t c;
        size_t start = i;
        i += decode((const unsigned char *)text + i, bytes - i, &c);
        if (is_blank(c)) {
            after_blank = true;
            continue;
        }
        int raised = superscript(c);
        c = raised >= 0 ? (uint32_t)('0' + raised) : fold(c);
        if (raised >= 0 && !in_superscript) {
            push(folded, '^', start);
        } else if (raised < 0 && after_blank && keeps_apart(folded, c)) {
            push(folded, ' ', start - 1);
        }
        push(folded, c, start);
        in_superscript = raised >= 0;
        after_blank = false;
    }
    folded->chars[folded->n] = 0;
    folded->offsets[folded->n] = (uint32_t)bytes;
    return true;
}

void folded_deinit(struct folded_text *folded) {
    free(folded->chars);
    free(folded->offsets);
    *folded = (struct folded_text){0};
}

size_t folded_end_byte(const struct folded_text *folded, const char *text, size_t index) {
    if (index == 0) {
        return 0;
    }
    uint32_t last = folded->offsets[index - 1];
    size_t end = folded->offsets[index < folded->n ? index : folded->n];
    uint32_t c;
    if (end <= last) { // '^' and its digit share their bytes
        end = index + 1 <= folded->n ? folded->offsets[index + 1] : end;
    }
    return last + (end > last ? decode((const unsigned char *)text + last, end - last, &c) : 0);
}

bool folded_goes_on(const struct folded_text *folded, size_t index) {
    return index > 0 && index < folded->n && character_is_latin(folded->chars[index]) &&
           character_is_latin(folded->chars[index - 1]) &&
           folded->offsets[index] - folded->offsets[index - 1] == 1;
}

// One character of a word of ours (valid UTF-8 of one to three bytes); moves behind it.
static uint32_t next_of(const unsigned char **word) {
    const unsigned char *w = *word;
    if (w[0] < 0x80) {
        *word += 1;
        return w[0];
    }
    if (w[0] < 0xE0) {
        *word += 2;
        return (w[0] & 0x1Fu) << 6 | (w[1] & 0x3Fu);
    }
    *word += 3;
    return (w[0] & 0xFu) << 12 | (w[1] & 0x3Fu) << 6 | (w[2] & 0x3Fu);
}

size_t folded_match(const struct folded_text *folded, size_t at, const char *word) {
    const unsigned char *w = (const unsigned char *)word;
    size_t n = 0;
    while (*w) { // the text's 0 at its end is no character of a word
        if (folded->chars[at + n] != next_of(&w)) {
            return 0;
        }
        n++;
    }
    return n;
}

size_t folded_find(const struct folded_text *folded, size_t from, size_t to, const char *word) {
    const unsigned char *w = (const unsigned char *)word;
    uint32_t first = *w ? next_of(&w) : 0;
    for (size_t i = from; i < to; i++) {
        size_t n = folded->chars[i] == first ? folded_match(folded, i, word) : 0;
        if (n && i + n <= to) {
            return i;
        }
    }
    return to;
}

size_t folded_trim_end(const struct folded_text *folded, size_t from, size_t to,
                       const char *const *words) {
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; words[i]; i++) {
            for (size_t n = 1; n <= 2 && to >= from + n; n++) {
                if (folded_match(folded, to - n, words[i]) == n) {
                    to -= n;
                    again = true;
                }
            }
        }
    }
    return to;
}
