// SPDX-License-Identifier: Apache-2.0
// What the checks of one sentence share; private to clinic/verify.
#ifndef XL_CLINIC_SENTENCE_SCAN_H
#define XL_CLINIC_SENTENCE_SCAN_H

#include "clinic/verify/record_index.h"
#include "clinic/verify/verifier.h"

enum field_time { TIME_ANY, TIME_ADMISSION, TIME_DISCHARGE, TIME_ORDERS };

struct verifier {
    const struct episode *episode;
    struct lexicon *lexicon;
    struct record_index index;
    int64_t admit_day, last_day; // last_day: discharge, or the last day told of
};

struct sentence_scan {
    struct verifier *verifier;
    const char *text; // whole field
    size_t start, end;
    struct folded_text folded; // of the sentence
    struct mention_list mentions;
    int64_t *days;        // [mentions.count] the date told before it in the sentence; DAY_UNKNOWN
    int64_t carried_day;  // the last date told in the field so far
    uint32_t verbatim;    // the place that has the sentence word by word; UINT32_MAX: none
    enum field_time time; // what time of the stay the field is about
    const char *field_id; // never NULL
    struct sentence_check *check;
    int claims_capacity;
    bool is_out_of_memory;
};

// A claim on characters [start, end) of the sentence. The pointer is good until the next one.
struct claim *scan_claim(struct sentence_scan *scan, enum claim_kind kind, size_t start,
                         size_t end);
void claim_support(const struct sentence_scan *scan, struct claim *claim, uint32_t place);
void claim_refuse(struct claim *claim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Words of the record for `why`: the stretch [from, to) of a place, cut to fit. 80 bytes.
void record_words(const struct sentence_scan *scan, const struct place *place, size_t from,
                  size_t to, char words[80]);

// How well a place's time fits what the sentence is about: 0 (not at all) to 1.
double time_fit(const struct sentence_scan *scan, int64_t claim_day, const struct place *place,
                int64_t evidence_day);
// Places' scores against the sentence, 0 to 1 (after index_score of the whole sentence).
double place_fit(const struct sentence_scan *scan, uint32_t place);
// Drugs are the same, or one of the claim's is a part of the record's compound.
bool drugs_agree(const struct mention *claim, const struct mention *record);

void check_numbers(struct sentence_scan *scan);
void check_doses(struct sentence_scan *scan); // doses, routes, frequencies
void check_names(struct sentence_scan *scan); // drugs, diagnoses, the patient
void check_dates(struct sentence_scan *scan);
void check_sides(struct sentence_scan *scan);
void check_polarity(struct sentence_scan *scan);
void check_results(struct sentence_scan *scan); // 阳性 or 阴性, 增多 or 吸收, 大量 or 少量
void check_allergies(struct sentence_scan *scan);
void check_qualities(struct sentence_scan *scan);  // 正常, 好, 差
void check_pending(struct sentence_scan *scan);    // results that are awaited
void check_procedures(struct sentence_scan *scan); // done, or only planned
void check_terms(struct sentence_scan *scan);      // measures, organisms, how the stay ended
void check_statement(struct sentence_scan *scan);  // words of nothing in the record
// Sources of the sentence: places that its claims stand on, then those most like it.
void find_sources(struct sentence_scan *scan);

#endif
