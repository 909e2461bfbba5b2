// SPDX-License-Identifier: Apache-2.0
// 诊疗经过 without a model: the stay in time order, a line for each day or phase on which something
// happened, as sentences that can stand in the record. It is what a reader gets when no model is
// there, and what a model is asked to rewrite line by line.
#ifndef XL_CLINIC_OUTLINE_H
#define XL_CLINIC_OUTLINE_H

#include "clinic/facts/fact.h"

#define OUTLINE_LINE_SOURCES_MAX 24

struct outline_line {
    int64_t day;      // moment_day_number of the (first) day
    int64_t last_day; // of a phase; else day
    char *text;       // one or more sentences, each with its full stop
    struct source sources[OUTLINE_LINE_SOURCES_MAX]; // [n_sources]
    int n_sources;
};

// Owns its lines. Zero it before use.
struct outline {
    struct outline_line *lines; // [n_lines] in time order
    int n_lines;
};

// facts: facts_of_episode. The outline must be empty; on failure it is.
bool outline_make(const struct episode *episode, const struct fact_list *facts,
                  struct outline *outline, struct clinic_error *error);
// The same within so many characters. What leaves first is routine: findings that are repeated, how
// closely was watched, supporting drugs. Operations, rescues, changed diagnoses, transfers and who
// was consulted never leave, whatever the limit; complications, transfusions and the beginning and
// end of the main treatment only where there is no room beside these.
bool outline_make_within(const struct episode *episode, const struct fact_list *facts,
                         size_t characters_max, struct outline *outline,
                         struct clinic_error *error);
void outline_deinit(struct outline *outline);
size_t outline_characters(const struct outline *outline);

// All lines as one text (malloc'd; lines are simply joined); NULL: no memory.
char *outline_text(const struct outline *outline);
// [{"day": "2025-11-03", "last_day", "text", "sources": []}]; NULL: no memory.
json_t *outline_to_json(const struct episode *episode, const struct outline *outline);

#endif
