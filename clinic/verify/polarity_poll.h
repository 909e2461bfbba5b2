// SPDX-License-Identifier: Apache-2.0
// What the record says of a thing that a sentence names: where it is there, where it is not, where
// it only might be; how well each of them fits the time and the site that the sentence speaks of.
#ifndef XL_CLINIC_POLARITY_POLL_H
#define XL_CLINIC_POLARITY_POLL_H

#include "clinic/verify/sentence_scan.h"

#define POLARITY_MARGIN 0.45 // so much better must the contrary fit to be believed

struct polarity_side {
    double best; // score of the best place; 0: no place says so
    uint32_t place;
    size_t at;
    double timely; // best fit to the time that the sentence sets, 0 to 1
    size_t lead;   // characters before it (its site) that the sentence has, too
    size_t site;   // pairs of characters of the site that some place for it has; 0: none
    bool is_verbatim;
};

struct polarity_poll {
    struct polarity_side yes, no, maybe;
    bool has_time;      // the sentence sets one: a date of its own, or that of its field
    size_t length;      // characters that were asked for
    size_t site;        // pairs of characters of the sentence's site; 0: none is told
    bool is_site_known; // the record has one of them
    bool has_cue;       // a word stands between that says that it is there, or is not
};

// The record's voices on the stretch [from, to) of the sentence.
struct polarity_poll polarity_poll(const struct sentence_scan *scan, size_t from, size_t to);

// The day that a character of the sentence speaks of, carried on from earlier sentences.
int64_t polarity_day(const struct sentence_scan *scan, size_t at);

// Characters of a word at `at` by which a sentence says that something is there (可见, 出现, 伴,
// 有); 0: none.
size_t affirming_cue(const struct folded_text *text, size_t at);

// 抗感染, 止痛, 感染科: nothing is said of the thing [at, end) itself.
bool is_part_of_other(const struct folded_text *text, size_t at, size_t end);

#endif
