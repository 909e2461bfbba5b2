// SPDX-License-Identifier: Apache-2.0
// How good a draft is, counted: against the gold of its episode (what a good record says) and
// against the record itself. Counts only; rates are for whoever prints them. Same draft: same
// counts.
#ifndef XL_CLINIC_DRAFT_SCORE_H
#define XL_CLINIC_DRAFT_SCORE_H

#include "clinic/draft/draft_ground.h"

enum score_kind { SCORE_NUMBER, SCORE_DATE, SCORE_DRUG, SCORE_KINDS };

struct score_rate {
    int n_ok, n_all;
};

struct draft_score {
    struct score_rate recall[FACT_CLASSES]; // gold facts that any field tells
    struct score_rate recall_must, recall_all;
    struct score_rate unsupported;       // sentences of all fields; ok: unsupported ones
    struct score_rate unsupported_model; // of the fields that a model is meant to write
    // Mentions of the draft that the record supports; that the gold field of the same name has; and
    // of the gold field's mentions, those that the draft's field has. Each counted once a field.
    struct score_rate in_record[SCORE_KINDS], in_gold[SCORE_KINDS], of_gold[SCORE_KINDS];
    // Sources of supported claims whose place in the record holds what the claim says.
    struct score_rate citations;
    struct score_rate sections; // gold fields that have a text in the draft
    int n_omissions, n_conflicts, n_characters;
};

// Adds a draft's counts. Gold: gold.json (examples/episodes/README.md). False: it is not such a
// file, or no memory.
bool draft_score_add(const struct draft_ground *ground, const json_t *draft, const json_t *gold,
                     struct draft_score *score, struct clinic_error *error);
const char *score_kind_name(enum score_kind kind); // "number", "date", "drug"

#endif
