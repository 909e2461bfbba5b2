// SPDX-License-Identifier: Apache-2.0
// What the parts of an import write into the episode: rows, their members, names and times.
#ifndef XL_CLINIC_FHIR_ROW_H
#define XL_CLINIC_FHIR_ROW_H

#include "clinic/record/fhir_bundle.h"

// A dateTime as the canonical form has it, in the hospital's clock; a day alone is its midnight.
// NULL: nothing is there. Sets *is_wrong if it is no time.
const char *fhir_time(const struct fhir_bundle *bundle, const json_t *value, char text[32],
                      bool *is_wrong);
// Sets a member to the first of the paths (separated by '|') that has a time.
bool fhir_put_time(struct fhir_bundle *bundle, json_t *row, const char *member,
                   const json_t *resource, const char *paths);

// Sets a member; no value, no member. Want of memory is remembered.
void fhir_put(struct fhir_bundle *bundle, json_t *row, const char *member, json_t *value);
void fhir_put_string(struct fhir_bundle *bundle, json_t *row, const char *member, const char *text);
// A new row of a table of the episode, with its id. NULL: no memory.
json_t *fhir_add_row(struct fhir_bundle *bundle, const char *table, const char *id);

// The name in a HumanName, family before given. A new string; NULL: there is none, or no memory.
json_t *fhir_name(struct fhir_bundle *bundle, const json_t *names);
// A value that was just made: want of memory is remembered.
json_t *fhir_made(struct fhir_bundle *bundle, json_t *value);

#endif
