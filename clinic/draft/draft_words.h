// SPDX-License-Identifier: Apache-2.0
// A model's words against those of the piece that it rewrites. Whatever a model answers, the piece
// with the answer's harmless differences alone (stops, words that only connect) says what the piece
// says.
#ifndef XL_CLINIC_DRAFT_WORDS_H
#define XL_CLINIC_DRAFT_WORDS_H

#include "clinic/draft/text_buffer.h"
#include "clinic/record/clinic_error.h"

// Adds the piece with those differences of the text that only smooth it.
bool draft_words_merge(const char *piece, const char *text, struct text_buffer *merged,
                       struct clinic_error *error);
// How many words of the piece the text has lost or put others in their place (what moved as a whole
// is not lost), and how often it claims a reason, a doubt, a change or an outcome on its own.
bool draft_words_count_faults(const char *piece, const char *text, int *n_faults,
                              struct clinic_error *error);

#endif
