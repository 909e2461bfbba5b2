// SPDX-License-Identifier: Apache-2.0
// Users as administrators see them.
#ifndef XL_CLINIC_USER_ROUTES_H
#define XL_CLINIC_USER_ROUTES_H

#include "clinic/http/clinic_call.h"

extern const struct field_table user_put_tables[];
extern const size_t user_put_n_tables;

bool user_list_run(struct clinic_call *call);
bool user_put_run(struct clinic_call *call);

#endif
