// SPDX-License-Identifier: Apache-2.0
// How much the course of a stay needs a fact.
#ifndef XL_CLINIC_FACT_WEIGHT_H
#define XL_CLINIC_FACT_WEIGHT_H

#include "clinic/facts/fact.h"

// 4: always; 3: of what the stay was about; 2, 1: what may stay untold when the course gets long;
// 0: not in the course (other fields tell it, or nobody looks for it).
int fact_weight(const struct episode *episode, const struct fact *fact);
// A rescue that went well.
bool fact_is_rescue(const struct fact *fact);

#endif
