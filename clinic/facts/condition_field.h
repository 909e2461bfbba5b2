// SPDX-License-Identifier: Apache-2.0
// How the patient was on admission and at discharge, drawn from the signed notes.
#ifndef XL_CLINIC_CONDITION_FIELD_H
#define XL_CLINIC_CONDITION_FIELD_H

#include "clinic/facts/data_field.h"
#include "clinic/facts/wording.h"

void condition_add_admission(struct wording *wording, const struct episode *episode,
                             struct source_list *sources);
void condition_add_discharge(struct wording *wording, const struct episode *episode,
                             struct source_list *sources);
// The last signed document of a type; -1: none.
int document_last_of_type(const struct episode *episode, const char *type);
const struct section *document_section(const struct document *doc, const char *name, int *index);

void source_list_add(struct source_list *sources, const struct source *source); // NULL: nothing

#endif
