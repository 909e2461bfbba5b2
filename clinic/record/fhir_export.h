// SPDX-License-Identifier: Apache-2.0
// A filled form as a FHIR R4 Composition: never more than preliminary, and marked as made with AI.
#ifndef XL_CLINIC_FHIR_EXPORT_H
#define XL_CLINIC_FHIR_EXPORT_H

#include "clinic/record/clinic_error.h"
#include "clinic/record/episode.h"

#include <jansson.h>

// One section of the Composition, in the order of the template's fields.
struct composition_field {
    const char *id, *name, *text; // text NULL or "": the field is left out
    const char *by;               // the user who filled or typed it; NULL: nobody is named
    const char *loinc, *element;  // codes of the section, data element (DE…); NULL: none
    bool is_from_draft;           // the text is a model's or a rule's draft: labelled AIAST
};

struct composition_head {
    const char *title;      // "出院记录"
    const char *loinc;      // of the document; NULL: 18842-5
    const char *c_code;     // "C0049"; NULL: none
    const char *identifier; // of the form or draft; NULL: none
    struct moment date;
};

// `head->date` must be known, and one field not empty. sections[].code has the field id (system
// urn:xinglin:field), LOINC and the data element (urn:xinglin:data-element); narrative is escaped
// XHTML; sections from a draft have an inline label AIAST, and the Composition has it then, too.
// NULL on failure.
json_t *composition_from_fields(const struct episode *episode, const struct composition_head *head,
                                const struct composition_field *fields, int n_fields,
                                struct clinic_error *error);

#endif
