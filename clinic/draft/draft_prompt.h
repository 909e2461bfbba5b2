// SPDX-License-Identifier: Apache-2.0
// What a model is shown and asked for one piece, within the tokens that it can hold: the whole
// chart, or the documents of the piece, or fewer of them, or the piece alone.
#ifndef XL_CLINIC_DRAFT_PROMPT_H
#define XL_CLINIC_DRAFT_PROMPT_H

#include "clinic/draft/draft_material.h"

struct draft_prompt { // zero it before use
    struct writing_task task;
    struct writing_turn turns[8];
    struct writing_part *parts;
    char *instruction, *schema;
    bool fits; // false: not even the piece alone; nothing is asked then
};

// hint: what was wrong with an earlier answer, a sentence; NULL: nothing.
bool draft_prompt_make(const struct draft_ground *ground, const struct record_template *record,
                       const struct template_field *field, const struct draft_piece *piece,
                       const char *hint, const struct text_writer *writer,
                       struct draft_prompt *prompt, struct clinic_error *error);
void draft_prompt_deinit(struct draft_prompt *prompt);

#endif
