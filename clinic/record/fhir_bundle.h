// SPDX-License-Identifier: Apache-2.0
// A Bundle that is being imported: its resources by reference, and the episode that is made of it
// (see fhir_row.h for what is written there).
#ifndef XL_CLINIC_FHIR_BUNDLE_H
#define XL_CLINIC_FHIR_BUNDLE_H

#include "clinic/record/clinic_error.h"
#include "clinic/record/episode.h"
#include "clinic/record/fhir_value.h"
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
    int n_left_out; // Observations of the stay that the episode has no place for
    bool has_no_memory;
};

// Indexes the entries; finds the one Patient and the one inpatient Encounter.
bool fhir_bundle_open(struct fhir_bundle *bundle, const json_t *root);
void fhir_bundle_close(struct fhir_bundle *bundle); // not the map

// Fails with "TYPE/ID: MEMBER: WHAT".
bool fhir_fail(struct fhir_bundle *bundle, const json_t *resource, const char *member,
               const char *what);

// The id of a resource: its own, else what its fullUrl ends with. Valid as long as the bundle.
const char *fhir_id(const struct fhir_bundle *bundle, const json_t *resource);
// What a Reference points to, in the bundle or contained in `holder`; NULL: it is not here.
const json_t *fhir_resolve(const struct fhir_bundle *bundle, const json_t *reference,
                           const json_t *holder);
// Whether a resource is part of this stay. False with `*is_wrong`: it is another patient's.
bool fhir_belongs(struct fhir_bundle *bundle, const json_t *resource, bool *is_wrong);

// The id in staff[] of the person that a Reference means; NULL: nobody is named.
const char *fhir_person(struct fhir_bundle *bundle, const json_t *reference, const json_t *holder);

#endif
