// SPDX-License-Identifier: Apache-2.0
// Whether a text tells an operation of the table. It must be told in one clause, with the last
// words of its name and most of the others; where another operation ends alike, its day has to
// stand in the clause or be the last that the text named. Pairs of characters that are scattered
// over a phase ("骨盆", "造影剂") tell none.
#ifndef XL_CLINIC_OPERATION_TOLD_H
#define XL_CLINIC_OPERATION_TOLD_H

#include "clinic/record/episode.h"

// operation: a row of episode->operations.
bool operation_is_told(const struct operation *operation, const struct episode *episode,
                       const char *text);

#endif
