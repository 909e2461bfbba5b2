// SPDX-License-Identifier: Apache-2.0
// An episode cut into places: each sentence of a document or report, each row of a table told in
// words. A place knows its days, its mentions, and whether it may be believed (text that gives
// orders to a program may not).
#ifndef XL_CLINIC_RECORD_PLACE_H
#define XL_CLINIC_RECORD_PLACE_H

#include "clinic/record/source.h"
#include "clinic/text/mention.h"

#define DAY_UNKNOWN INT64_MIN

struct place {
    struct source source;
    char *row_text; // a table's row in words, owned; NULL: a stretch of a section
    struct folded_text folded;
    size_t first_mention, n_mentions; // in the set's list; positions are characters of `folded`
    int64_t day, last_day; // of the document or row; last_day: an order's stop, a report's issue
    bool is_trusted;       // no orders to a program
    bool is_order;         // row of orders
    bool is_warning;       // speaks of what might come (consent, talk with the family)
};

struct place_set {
    struct place *places;
    size_t count, capacity;
    struct mention_list mentions;
    int64_t *mention_days; // [mentions.count] the day each mention speaks of; DAY_UNKNOWN
    size_t days_capacity;
    const struct lexicon *lexicon;
    int64_t admit_day;
};

bool place_set_init(struct place_set *set, const struct episode *episode,
                    const struct lexicon *lexicon);
void place_set_deinit(struct place_set *set);

// The words of a place as they stand in the record.
const char *place_text(const struct episode *episode, const struct place *place, size_t *bytes);

// Days since 1970 of a calendar date; a year of 0 is the one nearest to `near_day`.
int64_t day_of_date(int year, int month, int day, int64_t near_day);
// "11月6日" (with the year where it is not the year of near_day) into text.
void day_words(int64_t day, int64_t near_day, char *text, size_t text_size);

// True at characters that only might be so: behind 如, 若, 警惕, 可能, 排除 … in their clause.
bool stands_in_condition(const struct folded_text *text, size_t at);

#endif
