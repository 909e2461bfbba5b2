// SPDX-License-Identifier: Apache-2.0
// Fields that come from data: dates, diagnoses, drugs, advice and conditions as the signed record
// has them. No model may write the first five; the rest is what a reader gets without a model.
#ifndef XL_CLINIC_DATA_FIELD_H
#define XL_CLINIC_DATA_FIELD_H

#include "clinic/record/source.h"

#define DATA_FIELD_SOURCES_MAX 64

struct source_list {
    struct source sources[DATA_FIELD_SOURCES_MAX];
    int n_sources;
};

// Value names:
//   patient_name sex age department admit_date discharge_date stay_days
//   admission_diagnoses discharge_diagnoses   "1. …；2. …。" main first
//   discharge_drugs      "1. 左氧氟沙星片0.5 g，口服，每日1次，5天。2. …"
//   discharge_advice     sentences of the signed discharge plan and last notes
//   discharge_orders     both, numbered through
//   admission_summary    主诉, history, key findings, vitals, results (入院情况)
//   discharge_condition  outcome, last note, last vitals (出院情况)
//   chief_complaint operations
// The text is malloc'd; empty ("") when the record has nothing for it, e.g. a discharge date of a
// patient who is still here. CLINIC_NOT_FOUND for a name that is not in the list. sources may be
// NULL.
bool data_field(const struct episode *episode, const char *value_name, char **text,
                struct source_list *sources, struct clinic_error *error);
// Whether the name is in the list: templates are checked with it.
bool data_field_exists(const char *value_name);

#endif
