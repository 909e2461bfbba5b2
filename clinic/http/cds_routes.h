// SPDX-License-Identifier: Apache-2.0
// CDS Hooks 2.0 (cds-hooks.hl7.org): one service for the hook encounter-discharge, whose card links
// to the draft window, and what became of its cards. Who may call is for clinic_call.c:
// an API key with the scope `clinic`, or a token that a client has signed.
#ifndef XL_CLINIC_CDS_ROUTES_H
#define XL_CLINIC_CDS_ROUTES_H

#include "clinic/http/clinic_call.h"

bool cds_discovery_run(struct clinic_call *call);
bool cds_discharge_run(struct clinic_call *call);
bool cds_feedback_run(struct clinic_call *call);

#endif
