// SPDX-License-Identifier: Apache-2.0
// What drafts of one episode stand on: its facts, the words that mentions are found by, the
// verifier, and its signed documents as the texts that a model is shown. Made once.
#ifndef XL_CLINIC_DRAFT_GROUND_H
#define XL_CLINIC_DRAFT_GROUND_H

#include "clinic/draft/draft.h"
#include "clinic/facts/fact.h"
#include "clinic/text/lexicon.h"
#include "clinic/verify/verifier.h"

struct chart_page { // one signed document that is no discharge record itself
    int doc_row;
    char *text; // "【入院记录 2025-11-03】\n主诉：…\n", without sentences that give orders
    size_t text_bytes;
};

struct draft_ground {
    const struct episode *episode;
    struct fact_list facts;
    struct lexicon *lexicon;
    struct verifier *verifier;
    struct chart_page *pages; // [n_pages] in order of signing
    int n_pages;
};

#endif
