// SPDX-License-Identifier: Apache-2.0
// A draft as JSON: its fields, what the verifier says of each sentence, what is blocked, the
// counts. Counts are computed from the sentences each time, never carried along.
#ifndef XL_CLINIC_DRAFT_FORM_H
#define XL_CLINIC_DRAFT_FORM_H

#include "clinic/draft/draft_ground.h"

// What the composer knows about a stretch of a field's text besides the verifier.
struct draft_mark {
    size_t start, end;                 // bytes of the text
    size_t strange_start, strange_end; // what is not in the piece; equal: nothing is
    const char *suggestion;            // what the rules would write instead; NULL: nothing
};

// A new draft of a template, or the next round of `kept`: locked fields and, with only_field, all
// others stay as they are; what is to be made is "waiting" and empty.
json_t *draft_form_create(const struct record_template *record, const json_t *kept,
                          const char *only_field, const char *model, struct clinic_error *error);

// Sets a field's text and all that follows from it: sentences, "verified", "blocked". Sentences
// that a doctor has accepted stay accepted where their text is the same.
bool draft_form_set(struct draft_ground *ground, json_t *field, const char *text,
                    const struct draft_mark *marks, int n_marks, struct clinic_error *error);

// "verified" and "blocked" of a field from its sentences; "verified" of the draft from its fields.
bool draft_form_count_field(json_t *field);
bool draft_form_count(json_t *draft);

bool draft_form_put(json_t *object, const char *member, json_t *value); // takes the reference
bool draft_form_is_kept(const json_t *field, const char *only_field);   // not to be made anew

#endif
