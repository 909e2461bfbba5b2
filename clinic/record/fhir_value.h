// SPDX-License-Identifier: Apache-2.0
// Members of FHIR resources: by path, texts, codes. Knows no Bundle; everything returned is
// borrowed from the value.
#ifndef XL_CLINIC_FHIR_VALUE_H
#define XL_CLINIC_FHIR_VALUE_H

#include <jansson.h>
#include <stdbool.h>

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

#endif
