// SPDX-License-Identifier: Apache-2.0
// Coming and going: passwords, a host's launch tokens, who one is.
#ifndef XL_CLINIC_SESSION_ROUTES_H
#define XL_CLINIC_SESSION_ROUTES_H

#include "clinic/http/clinic_call.h"

extern const struct field_table login_tables[], launch_tables[], mock_launch_tables[];
extern const size_t login_n_tables, launch_n_tables, mock_launch_n_tables;

bool login_run(struct clinic_call *call);
bool launch_run(struct clinic_call *call);
bool logout_run(struct clinic_call *call);
bool me_run(struct clinic_call *call);
// Of --clinic-demo only: what a hospital's own system would sign.
bool mock_launch_run(struct clinic_call *call);

#endif
