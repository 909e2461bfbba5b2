// SPDX-License-Identifier: Apache-2.0
// Facts of a signed document: groups of neighbouring parts of one class, word for word.
#ifndef XL_CLINIC_DOCUMENT_FACTS_H
#define XL_CLINIC_DOCUMENT_FACTS_H

#include "clinic/facts/note_class.h"

struct note_drugs {
    struct note_drug *drugs;
    int n_drugs;
};

// The stems of an episode's ordered drugs, without doubles.
bool note_drugs_init(struct note_drugs *drugs, const struct episode *episode,
                     struct clinic_error *error);
void note_drugs_deinit(struct note_drugs *drugs);

bool facts_of_note(const struct episode *episode, const struct note_drugs *drugs, int doc_row,
                   struct fact_list *facts, struct clinic_error *error);

// The words of a stretch of a note as they may stand elsewhere: without who said it ("…查房：") and
// with the day's words turned (今日 -> 当日). *days: 0, -1 if it tells of 昨日, 1 of 明日.
struct wording;
void note_words(struct wording *wording, const struct clause *stretch, int *days);

#endif
