// SPDX-License-Identifier: Apache-2.0
// The words that mentions are found by: drugs, measured quantities, diagnoses and findings. Built
// in are common ones; an episode adds its own (orders, labs, diagnoses, operations). One concept
// has many words: 白细胞 = 白细胞计数 = WBC; 盐酸氨溴索片 = 氨溴索.
#ifndef XL_CLINIC_LEXICON_H
#define XL_CLINIC_LEXICON_H

#include "clinic/record/episode.h"
#include "clinic/text/folded_text.h"

enum word_kind {
    WORD_DRUG = 1,
    WORD_QUANTITY = 2,
    WORD_DIAGNOSIS = 4,
    WORD_FINDING = 8,
    WORD_MEASURE = 16 /* what is done */,
    WORD_ORGANISM = 32
};

struct word {
    int kind;      // one of enum word_kind
    int concept;   // words of one concept mean the same; -1: no word
    size_t length; // characters
};

struct lexicon;

// `episode` may be NULL: the built-in words alone. NULL: no memory.
struct lexicon *lexicon_create(const struct episode *episode, struct clinic_error *error);
void lexicon_free(struct lexicon *lexicon);

// The longest word of one of `kinds` that begins at chars[at]; concept -1 if none.
struct word lexicon_word_at(const struct lexicon *lexicon, const struct folded_text *text,
                            size_t at, int kinds);
// A concept's name for people, UTF-8, owned by the lexicon.
const char *lexicon_concept_name(const struct lexicon *lexicon, int concept);

#endif
