// SPDX-License-Identifier: Apache-2.0
// A draft and the record it was checked against: before anything is filled back, a draft of an
// older version of the episode is brought to the newest. Fields that tables and rules make are made
// anew, the others are checked.
#ifndef XL_CLINIC_DRAFT_RENEWAL_H
#define XL_CLINIC_DRAFT_RENEWAL_H

#include "clinic/http/clinic_call.h"

// The draft of the call as it is now, of its run or of the store: a new reference; NULL with an
// error.
json_t *draft_now(struct clinic_call *call);
// The draft as it is now, renewed if need be: a new reference. Refused with 409 record_changed if
// something in it is another or no longer supported (the draft in the store then says what), or if
// it is still being written for an older version.
json_t *draft_renewed(struct clinic_call *call);
// Tables and rules made the field's text, and nobody changed it.
bool draft_field_is_made(const json_t *field);

#endif
