// SPDX-License-Identifier: Apache-2.0
// A model's text against the very piece that it was asked to rewrite. A number that the record has
// on another day passes a check against the record; here it is a stranger. Words that the piece has
// and the text has not are lost (draft_words.h).
#ifndef XL_CLINIC_DRAFT_COMPARE_H
#define XL_CLINIC_DRAFT_COMPARE_H

#include "clinic/record/clinic_error.h"
#include "clinic/text/mention.h"

enum { STRANGERS_MAX = 16 };

struct text_span { // bytes
    size_t start, end;
};

struct draft_comparison {
    struct text_span strangers[STRANGERS_MAX]; // the first ones, in the text
    int n_strangers;                           // what the text says and the piece does not
    int n_repeated;                            // what the text says more often than the piece
    int n_lost;                                // words lost, changed, or claimed
};

// Whether two mentions say the same, as far as both say it: "11月3日" and "3日" do, 2.0 g and
// 2000 mg do.
bool mention_says_same(const struct mention *a, const struct mention *b);

bool draft_compare(const struct lexicon *lexicon, const char *piece, const char *text,
                   struct draft_comparison *comparison, struct clinic_error *error);

#endif
