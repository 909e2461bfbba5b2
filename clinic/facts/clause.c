// SPDX-License-Identifier: Apache-2.0
// See clause.h. A needle search over bytes is a search over characters, as UTF-8 is
// self-synchronising.
#define _GNU_SOURCE // memmem
#include "clinic/facts/clause.h"

#include <string.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

size_t character_length(const char *text) {
    unsigned char lead = (unsigned char)text[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead == 0) return 0;
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) return 1;
    }
    return length;
}

size_t number_length(const char *text) {
    size_t length = 0;
    while (is_digit(text[length]))
        length++;
    if (length && text[length] == '.' && is_digit(text[length + 1])) {
        length++;
        while (is_digit(text[length]))
            length++;
    }
    return length;
}

static bool begins(const char *text, const char *mark) {
    return strncmp(text, mark, strlen(mark)) == 0;
}

static int depth_change(const char *text) {
    if (*text == '(' || begins(text, "（")) return 1;
    return *text == ')' || begins(text, "）") ? -1 : 0;
}

// "3. " or "3、" at the start of an item.
static size_t item_number_length(const char *text) {
    size_t digits = 0;
    while (digits < 3 && is_digit(text[digits]))
        digits++;
    if (!digits) return 0;
    if (text[digits] == '.' && text[digits + 1] == ' ') return digits + 2;
    return begins(text + digits, "、") ? digits + strlen("、") : 0;
}

static bool ends_here(const char *text, enum clause_level level, int depth) {
    if (*text == '\n') return true;
    if (depth > 0) return false;
    if (begins(text, "：") && item_number_length(text + strlen("："))) return true;
    if (begins(text, "。") || begins(text, "！") || begins(text, "？")) return true;
    if (level >= CLAUSE_CLAUSE && (*text == ';' || begins(text, "；"))) return true;
    return level == CLAUSE_PART && begins(text, "，");
}

bool clause_next(const char *text, size_t text_bytes, enum clause_level level, size_t *position,
                 struct clause *stretch) {
    size_t at = *position;
    while (at < text_bytes && (text[at] == ' ' || ends_here(text + at, level, 0)))
        at += character_length(text + at);
    if (at >= text_bytes) return false;
    at += item_number_length(text + at);
    size_t start = at;
    int depth = 0;
    while (at < text_bytes && !ends_here(text + at, level, depth)) {
        depth += depth_change(text + at);
        depth = depth < 0 ? 0 : depth;
        at += character_length(text + at);
    }
    at = at > text_bytes ? text_bytes : at;
    *stretch = (struct clause){.text = text, .start = start, .end = at};
    while (stretch->end > start && text[stretch->end - 1] == ' ')
        stretch->end--;
    *position = at;
    return true;
}

size_t clause_find(const struct clause *stretch, const char *needle) {
    const char *from = stretch->text + stretch->start;
    const char *at = memmem(from, stretch->end - stretch->start, needle, strlen(needle));
    return at ? (size_t)(at - stretch->text) : stretch->end;
}

bool clause_has(const struct clause *stretch, const char *needle) {
    return clause_find(stretch, needle) < stretch->end;
}

bool clause_has_any(const struct clause *stretch, const char *const *needles) {
    for (int i = 0; needles[i]; i++) {
        if (clause_has(stretch, needles[i])) return true;
    }
    return false;
}

bool clause_starts(const struct clause *stretch, const char *start) {
    size_t bytes = strlen(start);
    return stretch->end - stretch->start >= bytes &&
           memcmp(stretch->text + stretch->start, start, bytes) == 0;
}

bool clause_starts_any(const struct clause *stretch, const char *const *starts) {
    for (int i = 0; starts[i]; i++) {
        if (clause_starts(stretch, starts[i])) return true;
    }
    return false;
}
