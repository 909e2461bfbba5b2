// SPDX-License-Identifier: Apache-2.0
// Drafts: begin, follow, stop, and what a doctor does with one. Checks of text are the draft
// part's; here is who, in which order, and what is kept.
#ifndef XL_CLINIC_DRAFT_ROUTES_H
#define XL_CLINIC_DRAFT_ROUTES_H

#include "clinic/http/clinic_call.h"

extern const struct field_table draft_create_tables[], draft_regenerate_tables[],
    draft_lock_tables[], draft_edit_tables[], draft_accept_tables[], draft_insert_tables[],
    draft_dismiss_tables[];
extern const size_t draft_create_n_tables, draft_regenerate_n_tables, draft_lock_n_tables,
    draft_edit_n_tables, draft_accept_n_tables, draft_insert_n_tables, draft_dismiss_n_tables;

bool draft_create_run(struct clinic_call *call);
bool draft_get_run(struct clinic_call *call);
bool draft_events_run(struct clinic_call *call);
bool draft_stop_run(struct clinic_call *call);
bool draft_regenerate_run(struct clinic_call *call);
bool draft_lock_run(struct clinic_call *call);
bool draft_edit_run(struct clinic_call *call);
bool draft_accept_run(struct clinic_call *call);
bool draft_insert_run(struct clinic_call *call);
bool draft_dismiss_run(struct clinic_call *call);

#endif
