// SPDX-License-Identifier: Apache-2.0
// What the finders of mentions share while they go over one folded text; private to clinic/text.
#ifndef XL_CLINIC_MENTION_SCAN_H
#define XL_CLINIC_MENTION_SCAN_H

#include "clinic/text/mention.h"

struct mention_scan {
    const struct lexicon *lexicon;
    const struct folded_text *text;
    unsigned char *taken;   // [n + 1] 1: belongs to a date, a time, a drug's name or a frequency
    unsigned char *negated; // [n + 1] 1: stands in the scope of a negation
    struct mention_list *list;
    bool is_out_of_memory;
};

struct mention mention_make(enum mention_kind kind, size_t start, size_t end);
// Adds it and takes its characters.
void scan_take(struct mention_scan *scan, const struct mention *mention);
void scan_keep(struct mention_scan *scan, const struct mention *mention); // adds it only

// Plain digits at `at`: their value and count (0: none).
size_t scan_digits(const struct folded_text *text, size_t at, int *value);
// A number with a point, or Chinese numerals (一 … 九十九, 两, 半); characters, 0: none.
size_t scan_decimal(const struct folded_text *text, size_t at, double *value);
size_t scan_han_number(const struct folded_text *text, size_t at, double *value);

void scan_dates(struct mention_scan *scan);
void scan_negations(struct mention_scan *scan);
void scan_drugs(struct mention_scan *scan);
void scan_frequencies(struct mention_scan *scan);
void scan_numbers(struct mention_scan *scan);
void scan_sides(struct mention_scan *scan);
void scan_diagnoses(struct mention_scan *scan);
void scan_terms(struct mention_scan *scan);
// Numbers, frequencies and routes become those of the drugs they belong to.
void bind_doses(struct mention_scan *scan);

#endif
