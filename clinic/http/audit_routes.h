// SPDX-License-Identifier: Apache-2.0
// The audit as auditors see it.
#ifndef XL_CLINIC_AUDIT_ROUTES_H
#define XL_CLINIC_AUDIT_ROUTES_H

#include "clinic/http/clinic_call.h"

extern const struct field_table audit_search_tables[];
extern const size_t audit_search_n_tables;

bool audit_search_run(struct clinic_call *call);
bool audit_verify_run(struct clinic_call *call);

#endif
