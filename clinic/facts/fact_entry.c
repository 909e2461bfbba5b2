// SPDX-License-Identifier: Apache-2.0
// See fact_entry.h.
#include "clinic/facts/fact_entry.h"

struct fact_entry fact_entry_begin(enum fact_class fact_class, bool is_must, struct moment at) {
    return (struct fact_entry){.fact = {.fact_class = fact_class, .is_must = is_must, .at = at}};
}

void fact_entry_row(struct fact_entry *entry, enum source_kind kind, int row) {
    fact_add_source(&entry->fact, &(struct source){.kind = kind, .row = row});
}

void fact_entry_span(struct fact_entry *entry, enum source_kind kind, int row, int section,
                     size_t start, size_t end) {
    fact_add_source(
        &entry->fact,
        &(struct source){.kind = kind, .row = row, .section = section, .start = start, .end = end});
}

bool fact_entry_end(struct fact_entry *entry, struct fact_list *list, struct clinic_error *error) {
    bool done = true;
    if (entry->text.failed || entry->value.failed)
        done = clinic_fail_memory(error);
    else if (entry->text.bytes) {
        entry->fact.text = entry->text.text;
        entry->fact.value = entry->value.text;
        done = fact_list_add(list, &entry->fact, error);
    }
    wording_deinit(&entry->text);
    wording_deinit(&entry->value);
    return done;
}
