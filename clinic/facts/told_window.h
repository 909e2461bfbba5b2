// SPDX-License-Identifier: Apache-2.0
// A stretch of a draft that may tell a fact, and what stands in it: words, numbers, and pairs of
// neighbouring characters. Chinese has no blanks to cut at, and a pair is the shortest thing that
// means something.
#ifndef XL_CLINIC_TOLD_WINDOW_H
#define XL_CLINIC_TOLD_WINDOW_H

#include "clinic/record/episode.h"

#include <stdbool.h>
#include <stddef.h>

#define FACT_PAIRS_MAX 160
#define FACT_NUMBERS_MAX 24

struct window {
    const char *text;
    size_t bytes;
};

struct pairs { // of a fact's words
    const char *at[FACT_PAIRS_MAX];
    size_t bytes[FACT_PAIRS_MAX];
    int n;
};

bool window_has_bytes(const struct window *window, const char *needle, size_t bytes);
const char *window_find(const struct window *window, const char *needle); // NULL: not there
bool window_has(const struct window *window, const char *needle);
bool window_has_any(const struct window *window, const char *const *needles); // NULL-terminated
// A number equal to this one stands in the window.
bool window_has_number(const struct window *window, double value);
bool window_has_day(const struct window *window, struct moment moment); // "8月25日"

void pairs_find(struct pairs *pairs, const char *text, size_t text_bytes);
// Share of the pairs that stand in the window; 1 where there are none.
double window_coverage(const struct window *window, const struct pairs *pairs);
// The numbers of a text but those of dates and times.
int numbers_find(const char *text, double numbers[FACT_NUMBERS_MAX]);
// Share of the text's numbers that stand in the window; 1 where there are none.
double window_numbers(const struct window *window, const char *text);

#endif
