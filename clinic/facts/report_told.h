// SPDX-License-Identifier: Apache-2.0
// Whether a stretch of a draft tells a report: by the name of the examination and what it found.
#ifndef XL_CLINIC_REPORT_TOLD_H
#define XL_CLINIC_REPORT_TOLD_H

#include "clinic/facts/fact.h"
#include "clinic/facts/told_window.h"

// fact: its first source is a report.
bool report_is_told(const struct window *window, const struct episode *episode,
                    const struct fact *fact);

#endif
