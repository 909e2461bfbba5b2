// SPDX-License-Identifier: Apache-2.0
// See told_window.h.
#define _GNU_SOURCE // memmem
#include "clinic/facts/told_window.h"

#include "clinic/facts/clause.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool window_has_bytes(const struct window *window, const char *needle, size_t bytes) {
    return bytes && memmem(window->text, window->bytes, needle, bytes) != NULL;
}

const char *window_find(const struct window *window, const char *needle) {
    return memmem(window->text, window->bytes, needle, strlen(needle));
}

bool window_has(const struct window *window, const char *needle) {
    return window_has_bytes(window, needle, strlen(needle));
}

bool window_has_any(const struct window *window, const char *const *needles) {
    for (int i = 0; needles[i]; i++) {
        if (window_has(window, needles[i])) return true;
    }
    return false;
}

// A number equal to this one stands in the window.
bool window_has_number(const struct window *window, double value) {
    for (size_t at = 0; at < window->bytes;) {
        size_t digits = number_length(window->text + at);
        if (!digits) {
            at++;
            continue;
        }
        if (fabs(strtod(window->text + at, NULL) - value) < 1e-9) return true;
        at += digits;
    }
    return false;
}

bool window_has_day(const struct window *window, struct moment moment) {
    char words[32];
    if (moment.seconds == MOMENT_UNKNOWN) return false;
    struct calendar_day day = moment_day(moment);
    snprintf(words, sizeof words, "%d月%d日", day.month, day.day);
    const char *end = window->text + window->bytes;
    for (const char *at = window->text; (at = memmem(at, (size_t)(end - at), words, strlen(words)));
         at++) {
        if (at == window->text || at[-1] < '0' || at[-1] > '9')
            return true; // 12月1日 is not 2月1日
    }
    return false;
}

static bool is_word_character(const char *text) {
    unsigned char lead = (unsigned char)*text;
    if (lead < 0x80) return (lead >= 'A' && lead <= 'Z') || (lead >= 'a' && lead <= 'z');
    // CJK punctuation (E3 80) and full-width forms (EF BC) hold words apart.
    if (lead == 0xe3 && (unsigned char)text[1] == 0x80) return false;
    return lead != 0xef && lead != 0xe2;
}

void pairs_find(struct pairs *pairs, const char *text, size_t text_bytes) {
    pairs->n = 0;
    for (size_t at = 0; at < text_bytes && pairs->n < FACT_PAIRS_MAX;) {
        size_t first = character_length(text + at);
        size_t second = at + first < text_bytes ? character_length(text + at + first) : 0;
        if (second && is_word_character(text + at) && is_word_character(text + at + first)) {
            pairs->at[pairs->n] = text + at;
            pairs->bytes[pairs->n++] = first + second;
        }
        at += first;
    }
}

double window_coverage(const struct window *window, const struct pairs *pairs) {
    int found = 0;
    for (int i = 0; i < pairs->n; i++)
        found += window_has_bytes(window, pairs->at[i], pairs->bytes[i]);
    return pairs->n ? (double)found / pairs->n : 1;
}

// "2025-08-25"
static size_t iso_day_length(const char *text) {
    size_t year = number_length(text);
    if (year != 4 || text[4] != '-' || number_length(text + 5) != 2 || text[7] != '-') return 0;
    return number_length(text + 8) == 2 ? strlen("2025-08-25") : 0;
}

// Behind 月 or 年 a number with 日 is the day of a date, else a span.
static bool is_of_date(const char *text, size_t at, size_t digits) {
    static const char *const UNITS[] = {"月", "年", "时", NULL};
    for (int i = 0; UNITS[i]; i++) {
        if (strncmp(text + at + digits, UNITS[i], strlen(UNITS[i])) == 0) return true;
    }
    if (at < strlen("月")) return false;
    const char *before = text + at - strlen("月"), *behind = text + at + digits;
    return (strncmp(before, "月", strlen("月")) == 0 && strncmp(behind, "日", strlen("日")) == 0) ||
           (strncmp(before, "时", strlen("时")) == 0 && strncmp(behind, "分", strlen("分")) == 0);
}

int numbers_find(const char *text, double numbers[FACT_NUMBERS_MAX]) {
    int n = 0;
    for (size_t at = 0; text[at] && n < FACT_NUMBERS_MAX;) {
        size_t digits = iso_day_length(text + at), bytes = digits;
        if (!digits) digits = number_length(text + at);
        if (digits && !bytes && !is_of_date(text, at, digits))
            numbers[n++] = strtod(text + at, NULL);
        at += digits ? digits : character_length(text + at);
    }
    return n;
}

double window_numbers(const struct window *window, const char *text) {
    double numbers[FACT_NUMBERS_MAX];
    int n = numbers_find(text, numbers), found = 0;
    for (int i = 0; i < n; i++)
        found += window_has_number(window, numbers[i]);
    return n ? (double)found / n : 1;
}
