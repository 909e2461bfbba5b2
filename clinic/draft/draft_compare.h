// SPDX-License-Identifier: Apache-2.0
// A model's text against the very piece that it was asked to rewrite. A number that the record has
// on another day passes a check against the record; here it is a stranger. What the piece has and
// the text has not was lost.
#ifndef XL_CLINIC_DRAFT_COMPARE_H
#define XL_CLINIC_DRAFT_COMPARE_H

#include "clinic/draft/text_buffer.h"
#include "clinic/record/clinic_error.h"
#include "clinic/text/mention.h"

enum { COMPARED_MAX = 16 };

struct compared_span { // bytes of the text that it stands in
    size_t start, end;
};

struct draft_comparison {
    struct compared_span strangers[COMPARED_MAX]; // in the text; the first ones
    struct compared_span lost[COMPARED_MAX];      // in the piece
    int n_strangers, n_lost;                      // all
};

// Whether two mentions say the same, as far as both say it: "11月3日" and "3日" do, 2.0 g and
// 2000 mg do.
bool mention_says_same(const struct mention *a, const struct mention *b);

// Appends to `supplement` the clauses of the piece (cut at ；and 。) of which the text of the
// comparison says nothing at all, in their order and without their stops, each behind a "；".
// *is_all: everything that was lost stands in them.
bool draft_compare_absent(const struct lexicon *lexicon, const char *piece,
                          const struct draft_comparison *comparison, struct text_buffer *supplement,
                          bool *is_all, struct clinic_error *error);

bool draft_compare(const struct lexicon *lexicon, const char *piece, const char *text,
                   struct draft_comparison *comparison, struct clinic_error *error);

#endif
