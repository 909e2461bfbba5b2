// SPDX-License-Identifier: Apache-2.0
// By which a date is judged: what its words are about decides which rule has a say. Private to
// clinic/verify.
#ifndef XL_CLINIC_DATE_RULE_H
#define XL_CLINIC_DATE_RULE_H

#include "clinic/verify/sentence_scan.h"

struct stretch {
    size_t from, to; // characters of the sentence
};

static inline bool span_has(struct day_span span, int64_t day) {
    return day != DAY_UNKNOWN && day >= span.first && day <= span.last;
}

enum finding { NOT_SUCH, HOLDS, FAILS };

struct ruling {
    enum finding finding;
    int64_t right_day; // of FAILS: what the record has; DAY_UNKNOWN
};

bool scope_has(const struct sentence_scan *scan, struct stretch scope, const char *word);
struct stretch scope_first_clause(const struct sentence_scan *scan, struct stretch scope,
                                  size_t most);

// By the episode's tables; NOT_SUCH: the words are not about that.
struct ruling rule_stay(const struct sentence_scan *scan, size_t at, struct day_span span);
struct ruling rule_operation(const struct sentence_scan *scan, struct stretch scope,
                             struct day_span span);
struct ruling rule_consultation(const struct sentence_scan *scan, struct stretch scope,
                                struct day_span span);
struct ruling rule_report(const struct sentence_scan *scan, struct stretch scope,
                          struct day_span span);
struct ruling rule_temperature(const struct sentence_scan *scan, struct stretch scope,
                               struct day_span span);
struct ruling rule_drug(const struct sentence_scan *scan, struct stretch scope,
                        struct day_span span);

// By the words that were written of each day: the whole scope, or its first clause alone.
struct ruling rule_words(const struct sentence_scan *scan, struct stretch scope,
                         struct day_span span);
// The record names the very day among the same words. `at`: the date's mention.
bool is_told_by_date(const struct sentence_scan *scan, size_t at, struct stretch scope,
                     int64_t day);

#endif
