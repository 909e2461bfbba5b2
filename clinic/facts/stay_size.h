// SPDX-License-Identifier: Apache-2.0
// How large a record the rules of clinic/facts take: they compare rows and sentences with each
// other, so a record a hundred times as large as any real one must be refused, not waited for.
#ifndef XL_CLINIC_STAY_SIZE_H
#define XL_CLINIC_STAY_SIZE_H

#include "clinic/record/episode.h"

enum {
    STAY_ORDERS_MAX = 4000,
    STAY_LABS_MAX = 20000,
    STAY_VITALS_MAX = 50000,
    STAY_REPORTS_MAX = 2000,
    STAY_DIAGNOSES_MAX = 500,
    STAY_OPERATIONS_MAX = 500,
    STAY_EVENTS_MAX = 5000,
    STAY_ALLERGIES_MAX = 200,
    STAY_TEXT_BYTES_MAX = 4 << 20 // of documents and reports
};

// CLINIC_BAD_INPUT with the table that is too long.
bool stay_size_check(const struct episode *episode, struct clinic_error *error);

#endif
