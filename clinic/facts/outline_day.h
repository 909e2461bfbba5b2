// SPDX-License-Identifier: Apache-2.0
// One line of an outline: which facts of a day or phase are told, and how they are joined.
#ifndef XL_CLINIC_OUTLINE_DAY_H
#define XL_CLINIC_OUTLINE_DAY_H

#include "clinic/facts/outline.h"

struct outline_choice {
    signed char *weights; // [n_facts] 0: never told here; 4: always
    int weight_min;       // lighter facts are left out
    bool is_brief;        // consultations without what was answered
};

bool outline_choice_init(struct outline_choice *choice, const struct episode *episode,
                         const struct fact_list *facts, struct clinic_error *error);
// Keeps the weightiest facts whose words fit into so many bytes: what went wrong before what was
// given before what was found.
void outline_choice_keep(struct outline_choice *choice, const struct fact_list *facts,
                         size_t bytes_max);
void outline_choice_deinit(struct outline_choice *choice);

// Writes text and sources of the line from the facts [begin, end); text NULL when none counts.
// before: the lines above (may be NULL): a complication is told once.
bool outline_day_write(const struct episode *episode, const struct fact_list *facts, int begin,
                       int end, const struct outline_choice *choice, const char *before,
                       struct outline_line *line, struct clinic_error *error);

#endif
