// SPDX-License-Identifier: Apache-2.0
// What a clinical text says that can be checked: numbers with units, dates, times, drugs, doses,
// sides, negations, diagnoses. Each mention is what it is about (subject) and what is said of it,
// in forms that compare: 2.0 g = 2000 mg, 3次/日 = 每日3次 = tid, 2025-11-03 = 2025年11月3日.
#ifndef XL_CLINIC_MENTION_H
#define XL_CLINIC_MENTION_H

#include "clinic/text/lexicon.h"

enum mention_kind {
    MENTION_NUMBER,    // value, unit; subject: the quantity if it is known
    MENTION_DATE,      // year (0 not given), month (0: year only), day (0: month only)
    MENTION_RELATIVE,  // day_offset from the day of the text: 昨日 -1, 今晨 0, 明日 1
    MENTION_TIME,      // hour, minute
    MENTION_DRUG,      // concepts
    MENTION_DOSE,      // number that is a drug's: value, unit, concepts of the drug (subject)
    MENTION_FREQUENCY, // per_day, concepts of the drug
    MENTION_ROUTE,     // route, concepts of the drug
    MENTION_SIDE,      // side; subject: the site
    MENTION_NEGATION,  // subject: what is negated ("无发热": 发热; "抗体阴性": 抗体)
    MENTION_DIAGNOSIS, // concepts[0]; is_negative where it is denied
    MENTION_TERM       // a measure or an organism: concepts[0], is_organism
};

enum number_form { NUMBER_PLAIN, NUMBER_RANGE, NUMBER_PAIR /* 128/76 */ };

#define MENTION_CONCEPTS 4

struct mention {
    enum mention_kind kind;
    size_t start, end;                 // mentions_find: bytes; mentions_scan: characters
    size_t subject_start, subject_end; // the same; equal: none
    enum number_form form;
    double value, value_high; // in the base unit; equal unless a range or a pair
    double written;           // as it stands there, in the unit that stands there
    const char *unit;         // base unit, static; "": none
    int concepts[MENTION_CONCEPTS], n_concepts;
    int year, month, day, day_offset, hour, minute;
    double per_day;    // FREQUENCY: times a day; 0: as needed or once
    const char *route; // canonical, static
    char side;         // 'L', 'R', 'B'
    bool is_organism;  // TERM
    bool is_negative;  // stands where something is denied
    bool is_result;    // NEGATION: by 阴性 or (-) behind it
};

struct mention_list {
    struct mention *items;
    size_t count, capacity;
};

// Adds the mentions of a text to the list in the order of their starts. false: no memory.
bool mentions_find(const struct lexicon *lexicon, const char *text, size_t bytes,
                   struct mention_list *list, struct clinic_error *error);
// The same for a text that is folded already; positions are characters of it.
bool mentions_scan(const struct lexicon *lexicon, const struct folded_text *text,
                   struct mention_list *list);
bool mention_add(struct mention_list *list, const struct mention *mention);
void mention_list_deinit(struct mention_list *list);

#endif
