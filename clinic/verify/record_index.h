// SPDX-License-Identifier: Apache-2.0
// What the record says, to be asked: places by the pairs of characters they share with a text, and
// mentions by kind, numbers by value. Built once for an episode.
#ifndef XL_CLINIC_RECORD_INDEX_H
#define XL_CLINIC_RECORD_INDEX_H

#include "clinic/verify/record_place.h"

struct evidence {
    uint32_t mention, place;
};

struct posting {
    uint64_t pair; // two characters
    uint32_t place;
};

// A thing that the record denies somewhere, once for all places that do.
struct denied_thing {
    uint64_t pair; // its first two characters
    uint32_t mention, place;
};

#define MENTION_KINDS (MENTION_TERM + 1)
#define PAIR_PLACES_MAX 256 // pairs of more places than that say nothing

struct record_index {
    struct place_set set;
    struct posting *postings;
    size_t n_postings;
    struct evidence *by_kind[MENTION_KINDS]; // numbers and doses: in the order of their values
    size_t n_by_kind[MENTION_KINDS];
    struct denied_thing *denied; // by pair
    size_t n_denied;
    float *scores;    // [places] of the last index_score()
    uint16_t *counts; // [places] all 0 between calls
    uint32_t *touched;
    size_t n_touched;
    float best_score;
};

bool record_index_init(struct record_index *index, const struct episode *episode,
                       const struct lexicon *lexicon);
void record_index_deinit(struct record_index *index);

static inline const struct mention *evidence_mention(const struct record_index *index,
                                                     struct evidence evidence) {
    return &index->set.mentions.items[evidence.mention];
}

static inline const struct place *evidence_place(const struct record_index *index,
                                                 struct evidence evidence) {
    return &index->set.places[evidence.place];
}

// Two characters of one word: both are letters, digits or Han. 0: no pair.
uint64_t pair_at(const struct folded_text *text, size_t at);
// The share of the pairs of a[from, to) that stand in b[low, high); -1: it has none.
double pair_share(const struct folded_text *a, size_t from, size_t to, const struct folded_text *b,
                  size_t low, size_t high);
// The postings of a pair: first and count.
size_t index_find(const struct record_index *index, uint64_t pair, size_t *count);
// How telling a pair is: 0 if the record lacks it.
float index_weight(const struct record_index *index, size_t count);
// Scores every place by the telling pairs it shares with text[from, to).
void index_score(struct record_index *index, const struct folded_text *text, size_t from,
                 size_t to);

struct day_span {
    int64_t first, last;
};

#define ANY_DAY ((struct day_span){INT64_MIN, INT64_MAX})

// The most of the pairs that one place of those days has.
size_t index_most_pairs(struct record_index *index, const uint64_t *pairs, size_t n,
                        struct day_span days);

// First piece of evidence of a kind whose value is not below `value` (numbers and doses).
size_t index_lower_bound(const struct record_index *index, enum mention_kind kind, double value);
bool values_equal(double a, double b);

// A stretch of text as the set of its pairs, to compare surroundings.
struct surroundings {
    uint64_t bits[8];
    int count;
};
struct surroundings surroundings_of(const struct folded_text *text, size_t from, size_t to);
int surroundings_shared(const struct surroundings *a, const struct surroundings *b);

// True where the stretch text[from, to) stands in a place at *at or behind it; *at is where.
bool place_has(const struct place *place, const struct folded_text *text, size_t from, size_t to,
               size_t *at);
// Calls back wherever the stretch (two characters at least) stands; false from it stops.
void index_each_place(const struct record_index *index, const struct folded_text *text, size_t from,
                      size_t to, bool (*on_place)(void *user, uint32_t place, size_t at),
                      void *user);
// Characters of the longest thing at `at` that the record denies somewhere; 0: none.
size_t index_denied_at(const struct record_index *index, const struct folded_text *text, size_t at);
// True where a mention of negation covers the character.
bool place_denies(const struct record_index *index, const struct place *place, size_t at);

#endif
