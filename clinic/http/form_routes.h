// SPDX-License-Identifier: Apache-2.0
// The forms that doctors fill: typing, undoing, and filling back from a draft. Nothing unsupported
// goes from a draft into a form; whether it is, is computed here, never taken from the caller.
#ifndef XL_CLINIC_FORM_ROUTES_H
#define XL_CLINIC_FORM_ROUTES_H

#include "clinic/http/clinic_call.h"

extern const struct field_table form_type_tables[], form_undo_tables[], draft_fill_tables[];
extern const size_t form_type_n_tables, form_undo_n_tables, draft_fill_n_tables;

bool form_get_run(struct clinic_call *call);
bool form_type_run(struct clinic_call *call);
bool form_undo_run(struct clinic_call *call);
bool draft_fill_run(struct clinic_call *call);

#endif
