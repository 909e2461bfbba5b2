// SPDX-License-Identifier: Apache-2.0
// Where two texts differ, by characters: the fewest that have to go and to come.
#ifndef XL_CLINIC_TEXT_DIFFERENCE_H
#define XL_CLINIC_TEXT_DIFFERENCE_H

#include "clinic/record/clinic_error.h"

#include <stdbool.h>
#include <stddef.h>

struct text_hunk { // bytes of `from` that became those of `to`; one of the two may be empty
    size_t from_start, from_end, to_start, to_end;
};

struct text_difference {     // zero it before use
    struct text_hunk *hunks; // [n_hunks] in order; between them both texts are the same
    int n_hunks;
};

// Texts whose differing middles are both very long have one hunk.
bool text_difference_make(const char *from, const char *to, struct text_difference *difference,
                          struct clinic_error *error);
void text_difference_deinit(struct text_difference *difference);

#endif
