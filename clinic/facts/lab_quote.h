// SPDX-License-Identifier: Apache-2.0
// Where the notes quote a laboratory result: which results doctors wrote about, and how they wrote
// the number (7.40 where the table has 7.4).
#ifndef XL_CLINIC_LAB_QUOTE_H
#define XL_CLINIC_LAB_QUOTE_H

#include "clinic/record/source.h"

struct lab_quote {
    struct source source; // name and number
    const char *number;   // in the section's text
    size_t number_bytes;
    bool is_weighed; // a senior doctor or consultant decided something on it
};

// The first quotation in signed notes of the days after the result. Of a text (阴性, 3+), too.
bool lab_quote_find(const struct episode *episode, int lab_row, struct lab_quote *quote);

#endif
