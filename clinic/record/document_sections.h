// SPDX-License-Identifier: Apache-2.0
// Takes a document's text apart by its labels: "现病史：", "【主诉】", "一、诊疗计划".
#ifndef XL_CLINIC_DOCUMENT_SECTIONS_H
#define XL_CLINIC_DOCUMENT_SECTIONS_H

#include "clinic/record/title_map.h"

// `text` may hold HTML_TEXT_MARK where elements begin and end. Sections of one name are joined in
// the order of the first; empty ones are left out. A line that is the title itself is no text.
// NULL: error (a section is longer than 1 MiB, there is no text, no memory).
json_t *document_sections_read(const char *text, size_t bytes, const char *local_title,
                               const struct document_type *type, struct clinic_error *error);

// The same of a document's content, "html" or "text": checks size and encoding first.
json_t *document_sections_from(const char *content, size_t bytes, const char *format,
                               const char *local_title, const struct document_type *type,
                               struct clinic_error *error);

#endif
