// SPDX-License-Identifier: Apache-2.0
// What every part of the import asks of a Bundle: members by path, references, codes, times,
// people.
#ifndef XL_CLINIC_FHIR_BUNDLE_H
#define XL_CLINIC_FHIR_BUNDLE_H

#include "clinic/record/clinic_error.h"
#include "clinic/record/episode.h"
#include "clinic/record/title_map.h"

#include <jansson.h>

struct fhir_bundle {
    const json_t *entries;
    json_t *index;                     // by fullUrl and "Type/id": the resource
    json_t *names;                     // of resources without id, by address
    json_t *orders;                    // id: row
    json_t *panels;                    // key of an Observation: name of its panel
    json_t *staff;                     // name of a person who is no resource: id
    const json_t *patient, *encounter; // the resources
    json_t *episode;                   // what is made
    int offset_minutes;                // of the hospital's clock
    const struct title_map *map;
    struct clinic_error *error;
    bool has_no_memory;
};

// Indexes the entries; finds the one Patient and the one inpatient Encounter.
bool fhir_bundle_open(struct fhir_bundle *bundle, const json_t *root);
void fhir_bundle_close(struct fhir_bundle *bundle); // not the map

// Fails with "TYPE/ID: MEMBER: WHAT".
bool fhir_fail(struct fhir_bundle *bundle, const json_t *resource, const char *member,
               const char *what);

// "hospitalization.admitSource": each step a member; of an array its first row. NULL: not there.
const json_t *fhir_find(const json_t *value, const char *path);
const char *fhir_string(const json_t *value, const char *path); // NULL: not there, or no string
bool fhir_is(const json_t *value, const char *path, const char *word);
// What a CodeableConcept says: its text, else a display, else a code. NULL: nothing.
const char *fhir_concept(const json_t *concept);
// A code of the first coding whose system has this part ("" any); NULL: none.
const char *fhir_code(const json_t *concept, const char *system_part);
bool fhir_has_code(const json_t *concept, const char *code); // in any coding
// The same of a CodeableConcept or an array of them.
bool fhir_any_code(const json_t *concepts, const char *code);

const char *fhir_type(const json_t *resource);
// The id of a resource: its own, else what its fullUrl ends with. Valid as long as the bundle.
const char *fhir_id(const struct fhir_bundle *bundle, const json_t *resource);
// What a Reference points to, in the bundle or contained in `holder`; NULL: it is not here.
const json_t *fhir_resolve(const struct fhir_bundle *bundle, const json_t *reference,
                           const json_t *holder);
// Whether a resource is part of this stay. False with `*is_wrong`: it is another patient's.
bool fhir_belongs(struct fhir_bundle *bundle, const json_t *resource, bool *is_wrong);

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

// The id in staff[] of the person that a Reference means; NULL: nobody is named.
const char *fhir_person(struct fhir_bundle *bundle, const json_t *reference, const json_t *holder);
// The name in a HumanName, family before given. A new string; NULL: there is none, or no memory.
json_t *fhir_name(struct fhir_bundle *bundle, const json_t *names);
// A value that was just made: want of memory is remembered.
json_t *fhir_made(struct fhir_bundle *bundle, json_t *value);

#endif
