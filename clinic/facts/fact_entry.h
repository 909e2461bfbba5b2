// SPDX-License-Identifier: Apache-2.0
// A fact while it is being worded.
#ifndef XL_CLINIC_FACT_ENTRY_H
#define XL_CLINIC_FACT_ENTRY_H

#include "clinic/facts/fact.h"
#include "clinic/facts/wording.h"

struct fact_entry {
    struct fact fact; // its text and value stay NULL
    struct wording text, value;
};

struct fact_entry fact_entry_begin(enum fact_class fact_class, bool is_must, struct moment at);
void fact_entry_row(struct fact_entry *entry, enum source_kind kind, int row); // of a table
void fact_entry_span(struct fact_entry *entry, enum source_kind kind, int row, int section,
                     size_t start, size_t end);
// Adds it (nothing if it has no text) and lets go of its wordings.
bool fact_entry_end(struct fact_entry *entry, struct fact_list *list, struct clinic_error *error);

#endif
