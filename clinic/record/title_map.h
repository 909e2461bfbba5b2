// SPDX-License-Identifier: Apache-2.0
// The map from local titles to types of documents, and the labels that begin a type's sections.
#ifndef XL_CLINIC_TITLE_MAP_H
#define XL_CLINIC_TITLE_MAP_H

#include "clinic/record/episode_document.h"

struct section_label {
    const char *name, *label; // label: as it stands in documents; "主诉"
    int order;                // of the section in its type
    bool is_forward;          // begins a section only before those that come after it
};

struct document_type {
    const char *c_code, *type;
    const char *body; // the section of text that no label begins
    const json_t *titles;
    struct section_label *labels;
    int n_labels;
};

// Never NULL: what no title matches is the last one.
const struct document_type *title_map_type(const struct title_map *map, const char *local_title);
// The first type with that C-code; NULL: none.
const struct document_type *title_map_code(const struct title_map *map, const char *c_code);

// clinic/templates/document-titles.json, in the program.
extern const unsigned char document_titles_json[];
extern const size_t document_titles_json_bytes;

#endif
