// SPDX-License-Identifier: Apache-2.0
// Which end of the stay an undated number is about, and whether the record's is of that end.
// Private to clinic/verify.
#ifndef XL_CLINIC_NUMBER_TIME_H
#define XL_CLINIC_NUMBER_TIME_H

#include "clinic/verify/sentence_scan.h"

// What its own clause says (出院时…, 入院查…), else what its field is about.
enum field_time number_time(const struct sentence_scan *scan, const struct mention *number);
// The record told it in the days of that time. False for TIME_ANY.
bool number_is_timely(const struct sentence_scan *scan, enum field_time time,
                      struct evidence evidence);
// A mention whose quantity the record gives several values, for which this one, though the record
// has it, is not that of the time: "出院时C反应蛋白142.6 mg/L" with the value of the admission.
// Values that the sentence compares (由142.6降至9.2) may be of any time.
bool number_is_out_of_time(const struct sentence_scan *scan, size_t mention);

#endif
