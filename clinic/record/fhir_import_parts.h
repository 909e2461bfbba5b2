// SPDX-License-Identifier: Apache-2.0
// The parts of the import: each reads the resources of its types into tables of the episode.
#ifndef XL_CLINIC_FHIR_IMPORT_PARTS_H
#define XL_CLINIC_FHIR_IMPORT_PARTS_H

#include "clinic/record/fhir_row.h"

// Reads one resource; what does not belong to the stay was sorted out before.
typedef bool fhir_reader(struct fhir_bundle *bundle, const json_t *resource);

bool fhir_read_patient(struct fhir_bundle *bundle);
bool fhir_read_encounter(struct fhir_bundle *bundle);
bool fhir_read_diagnoses(struct fhir_bundle *bundle); // Encounter.diagnosis and Condition
// A vital sign, weight or blood group; `holder` has code and value: the Observation itself or one
// of its components. *is_vital: it was one.
bool fhir_read_vital(struct fhir_bundle *bundle, const json_t *resource, const json_t *holder,
                     bool *is_vital);
fhir_reader fhir_read_practitioner, fhir_read_allergy, fhir_read_procedure, fhir_read_medication,
    fhir_read_service, fhir_read_observation, fhir_note_panel, fhir_read_report, fhir_read_document,
    fhir_read_composition;

#endif
