// SPDX-License-Identifier: Apache-2.0
// A draft and the record it was checked against: before anything is filled back, a draft of an
// older version of the episode is checked against the newest.
#ifndef XL_CLINIC_DRAFT_RENEWAL_H
#define XL_CLINIC_DRAFT_RENEWAL_H

#include "clinic/http/clinic_call.h"

// The draft as it is now, its checks those of the newest version of the episode: a new reference.
// Refused with 409 record_changed if what was supported is so no longer (the draft in the store
// then says where), or if the draft is still being written for an older version.
json_t *draft_renewed(struct clinic_call *call);

#endif
