// SPDX-License-Identifier: Apache-2.0
// The searches behind conflicts_find(), each over a whole episode. They stop when the list is full
// or memory is short (`failed`).
#ifndef XL_CLINIC_CONFLICT_SEARCH_H
#define XL_CLINIC_CONFLICT_SEARCH_H

#include "clinic/facts/clause.h"
#include "clinic/facts/conflict.h"
#include "clinic/facts/wording.h"

struct conflict_search {
    const struct episode *episode;
    struct conflict_list *list;
    bool failed; // no memory
    int looks;   // into tables; a record that asks for too many is not looked through to its end
};

#define CONFLICT_LOOKS_MAX 20000

// Counts a look; false: no more.
bool conflict_search_look(struct conflict_search *search);

// Takes the wording (it is empty afterwards). The second source may be NULL. Doubles are dropped.
void conflict_report(struct conflict_search *search, enum conflict_kind kind,
                     enum conflict_severity severity, struct wording *text,
                     const struct source *first, const struct source *second);
bool conflict_search_is_over(const struct conflict_search *search);

// Every section of every signed document.
struct note_place {
    const struct document *doc;
    const struct section *section;
    int doc_row, section_row;
};
// Begin with {0} and doc_row 0, section_row -1.
bool note_place_next(const struct episode *episode, struct note_place *place);
struct source note_place_source(const struct note_place *place, size_t start, size_t end);
// "11月9日日常病程记录"
void wording_add_note(struct wording *wording, const struct document *doc);
// The clause of a text that a byte stands in.
struct clause clause_around(const struct section *section, size_t at);

void conflicts_of_values(struct conflict_search *search);       // labs
void conflicts_of_vitals(struct conflict_search *search);       // temperature, pressure, weight
void conflicts_of_drugs(struct conflict_search *search);        // doses, allergies, dropped drugs
void conflicts_of_person(struct conflict_search *search);       // name, sex, age
void conflicts_of_times(struct conflict_search *search);        // order of times
void conflicts_of_sides(struct conflict_search *search);        // left and right
void conflicts_of_operations(struct conflict_search *search);   // blood groups, diagnoses, pending
void conflicts_of_instructions(struct conflict_search *search); // text for programs

#endif
