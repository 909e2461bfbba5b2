// SPDX-License-Identifier: Apache-2.0
// Units of clinical numbers, each with its base unit: 2.0 g, 2000 mg and 2000毫克 are the same.
#ifndef XL_CLINIC_UNIT_TABLE_H
#define XL_CLINIC_UNIT_TABLE_H

#include "clinic/text/folded_text.h"

struct unit {
    const char *base; // static; "" if no unit stands there
    double factor;    // base units in one of these
    size_t length;    // characters; 0: none
};

// The longest unit that stands at text[at].
struct unit unit_at(const struct folded_text *text, size_t at);
// True for base units in which drugs are given.
bool unit_is_dose(const char *base);

#endif
