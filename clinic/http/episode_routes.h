// SPDX-License-Identifier: Apache-2.0
// Reading episodes: the list, one of them, its conflicts, its form as FHIR.
#ifndef XL_CLINIC_EPISODE_ROUTES_H
#define XL_CLINIC_EPISODE_ROUTES_H

#include "clinic/http/clinic_call.h"

extern const struct field_table search_tables[];
extern const size_t search_n_tables;

bool search_run(struct clinic_call *call);
bool episode_run(struct clinic_call *call);
bool conflicts_run(struct clinic_call *call);
bool composition_run(struct clinic_call *call);

#endif
