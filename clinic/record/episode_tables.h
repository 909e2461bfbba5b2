// SPDX-License-Identifier: Apache-2.0
// The tables of an episode read into arrays; what ids refer to is checked by episode.c.
#ifndef XL_CLINIC_EPISODE_TABLES_H
#define XL_CLINIC_EPISODE_TABLES_H

#include "clinic/record/episode.h"

// Each fills its part of the episode from episode->root, which has passed the budget.
bool episode_read_patient(struct episode *episode, struct clinic_error *error);
bool episode_read_encounter(struct episode *episode, struct clinic_error *error);
bool episode_read_docs(struct episode *episode, struct clinic_error *error);
bool episode_read_rows(struct episode *episode, struct clinic_error *error); // all other tables

// The array of that name (an empty one may be absent) and an array of structs for its rows.
bool episode_open_table(const json_t *parent, const char *member, const char *table, size_t most,
                        size_t row_bytes, void **rows, int *n_rows, struct clinic_error *error);

#endif
