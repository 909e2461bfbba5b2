// SPDX-License-Identifier: Apache-2.0
// A field that a model writes, piece by piece.
#ifndef XL_CLINIC_DRAFT_PIECE_WRITER_H
#define XL_CLINIC_DRAFT_PIECE_WRITER_H

#include "clinic/draft/draft_run.h"

// Writes into the draft's field and tells the listener as it goes. False: no memory; a model that
// fails is no failure of the draft.
bool draft_piece_writer_run(struct draft_run *run, const struct template_field *field,
                            json_t *field_json, struct clinic_error *error);

#endif
