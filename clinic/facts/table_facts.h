// SPDX-License-Identifier: Apache-2.0
// Facts of each table. Each function appends; false: no memory or too many facts.
#ifndef XL_CLINIC_TABLE_FACTS_H
#define XL_CLINIC_TABLE_FACTS_H

#include "clinic/facts/fact.h"

#define NEW_DIAGNOSIS "出院诊断新增：" // what a course says of a diagnosis that nothing else names

bool facts_of_orders(const struct episode *episode, struct fact_list *facts,
                     struct clinic_error *error);
bool facts_of_labs(const struct episode *episode, struct fact_list *facts,
                   struct clinic_error *error);
bool facts_of_reports(const struct episode *episode, struct fact_list *facts,
                      struct clinic_error *error);

// Operations, diagnoses, fever and its end.
bool facts_of_stay(const struct episode *episode, struct fact_list *facts,
                   struct clinic_error *error);

// How far outside its range a result lies: 0 inside, 2 twice the upper or half the lower limit; 1
// for an abnormal text.
double lab_severity(const struct lab *lab);
bool consult_is_must(const struct episode *episode, const char *name);

// A report's conclusion in one clause: without numbers and advice, "；" for the ends of its items.
struct wording;
void report_add_conclusion(struct wording *wording, const struct report *report);
// "正常心电图", "未见异常": a record may leave it out.
bool report_is_normal(const struct report *report);

#endif
