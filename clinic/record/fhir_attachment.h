// SPDX-License-Identifier: Apache-2.0
// Attachments with their data in the Bundle: text/plain and text/html in base64. Nothing is
// fetched.
#ifndef XL_CLINIC_FHIR_ATTACHMENT_H
#define XL_CLINIC_FHIR_ATTACHMENT_H

#include "clinic/record/fhir_bundle.h"

struct attachment {
    char *content; // free()
    size_t bytes;
    const char *format; // "html" or "text"
};

// Of several forms of one text the first that can be read; else the first. `member` is where an
// element has it: "attachment", or NULL if the elements are attachments. NULL: there is none.
const json_t *fhir_attachment_pick(const json_t *elements, const char *member, bool *is_readable);

// False: the error names `resource`.
bool fhir_attachment_read(struct fhir_bundle *bundle, const json_t *resource, const json_t *value,
                          struct attachment *attachment);
// Its plain text as a new JSON string; NULL: error.
json_t *fhir_attachment_text(struct fhir_bundle *bundle, const json_t *resource,
                             const json_t *value);

#endif
