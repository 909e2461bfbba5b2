// SPDX-License-Identifier: Apache-2.0
// What a draft leaves out, and what the record contradicts, as the draft's lists. An omission keeps
// its name and what a doctor did with it from one round to the next.
#ifndef XL_CLINIC_DRAFT_FINDINGS_H
#define XL_CLINIC_DRAFT_FINDINGS_H

#include "clinic/draft/draft_ground.h"

// Computes "omissions" from the texts that the draft has now.
bool draft_findings_omissions(struct draft_ground *ground, const struct record_template *record,
                              json_t *draft, struct clinic_error *error);
bool draft_findings_conflicts(struct draft_ground *ground, json_t *draft,
                              struct clinic_error *error);

#endif
