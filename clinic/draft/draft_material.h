// SPDX-License-Identifier: Apache-2.0
// What a field is made of before any model: pieces of true text, each with the documents that it
// comes from. Without a model the pieces are the field.
#ifndef XL_CLINIC_DRAFT_MATERIAL_H
#define XL_CLINIC_DRAFT_MATERIAL_H

#include "clinic/draft/draft_ground.h"

struct draft_piece {
    char *text;
    int *pages; // [n_pages] of the ground, rising
    int n_pages;
};

struct draft_material { // zero it before use
    struct draft_piece *pieces;
    int n_pieces;
};

// The material must be empty; on failure it is.
bool draft_material_make(const struct draft_ground *ground, const struct template_field *field,
                         struct draft_material *material, struct clinic_error *error);
void draft_material_deinit(struct draft_material *material);

#endif
