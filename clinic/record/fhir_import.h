// SPDX-License-Identifier: Apache-2.0
// A FHIR R4 Bundle of one inpatient stay as a canonical episode. docs/EPISODES.md has the mapping.
#ifndef XL_CLINIC_FHIR_IMPORT_H
#define XL_CLINIC_FHIR_IMPORT_H

#include "clinic/record/clinic_error.h"

#include <jansson.h>
#include <stddef.h>

struct title_map;

// The Bundle (collection, transaction, document, searchset, batch) has one Patient and one
// inpatient Encounter; what refers to another patient is refused. `map` tells document types by
// title; NULL: the built-in one. *n_left_out (or NULL): Observations of the stay that became no
// row, for they have no value or are neither of the laboratory nor a vital sign. The result has
// passed episode_read. NULL on failure.
json_t *episode_from_fhir(const json_t *bundle, const struct title_map *map, int *n_left_out,
                          struct clinic_error *error);

#endif
