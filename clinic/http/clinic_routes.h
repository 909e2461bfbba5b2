// SPDX-License-Identifier: Apache-2.0
// Every route of the clinic with who may use it: what is not in this table does not exist, and what
// a row does not allow is refused before its function runs.
#ifndef XL_CLINIC_CLINIC_ROUTES_H
#define XL_CLINIC_CLINIC_ROUTES_H

#include "clinic/http/clinic_call.h"

extern const struct clinic_row clinic_rows[];
extern const size_t n_clinic_rows;

enum { CLINIC_ROWS_MAX = 64 };

// Fills rows for the server; those of the mock host only if `is_demo`. Returns how many.
size_t clinic_routes_fill(struct route routes[CLINIC_ROWS_MAX], bool is_demo);

#endif
