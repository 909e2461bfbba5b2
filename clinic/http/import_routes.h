// SPDX-License-Identifier: Apache-2.0
// What a hospital's systems push: whole episodes, as canonical JSON or as a FHIR Bundle, and single
// documents. The same content twice is the same version.
#ifndef XL_CLINIC_IMPORT_ROUTES_H
#define XL_CLINIC_IMPORT_ROUTES_H

#include "clinic/http/clinic_call.h"

bool episode_push_run(struct clinic_call *call);
bool document_push_run(struct clinic_call *call);

#endif
