// SPDX-License-Identifier: Apache-2.0
// The facts of a stay, by rule: from a document when it is signed, from the tables, and both
// together without doubles. Deterministic; needs no model.
#ifndef XL_CLINIC_EPISODE_FACTS_H
#define XL_CLINIC_EPISODE_FACTS_H

#include "clinic/facts/fact.h"

// Appends the facts of one document (a row of episode->docs). A document that is not signed gives
// none: what nobody has signed cannot be told.
bool facts_of_document(const struct episode *episode, int doc_row, struct fact_list *facts,
                       struct clinic_error *error);

// Appends the facts of orders, labs, vitals, reports, operations, diagnoses and events.
bool facts_of_tables(const struct episode *episode, struct fact_list *facts,
                     struct clinic_error *error);

// Both, in time order; a fact that several places tell is one fact with several sources. The list
// must be empty; on failure it is.
bool facts_of_episode(const struct episode *episode, struct fact_list *facts,
                      struct clinic_error *error);

#endif
