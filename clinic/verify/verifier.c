// SPDX-License-Identifier: Apache-2.0
// A field is checked sentence by sentence, in order; the last date that was told is carried on, for
// what follows it speaks of that day.
#include "clinic/verify/verifier.h"

#include "clinic/text/sentence.h"
#include "clinic/verify/sentence_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verifier *verifier_create(const struct episode *episode, struct clinic_error *error) {
    struct verifier *verifier = calloc(1, sizeof *verifier);
    if (!verifier) {
        clinic_fail_memory(error);
        return NULL;
    }
    verifier->episode = episode;
    verifier->lexicon = lexicon_create(episode, error);
    if (!verifier->lexicon || !record_index_init(&verifier->index, episode, verifier->lexicon)) {
        verifier_free(verifier);
        clinic_fail_memory(error);
        return NULL;
    }
    verifier->admit_day = moment_day_number(episode->encounter.admit);
    verifier->last_day = moment_day_number(episode->encounter.discharge);
    for (int i = 0; i < episode->n_docs && verifier->last_day == DAY_UNKNOWN; i++) {
        verifier->last_day = moment_day_number(episode->docs[episode->n_docs - 1].event);
    }
    return verifier;
}

void verifier_free(struct verifier *verifier) {
    if (!verifier) {
        return;
    }
    record_index_deinit(&verifier->index);
    lexicon_free(verifier->lexicon);
    free(verifier);
}

static enum field_time time_of_field(const char *field_id) {
    static const struct {
        const char *id;
        enum field_time time;
    } fields[] = {{"admission_condition", TIME_ADMISSION}, {"admission_diagnoses", TIME_ADMISSION},
                  {"discharge_condition", TIME_DISCHARGE}, {"discharge_diagnoses", TIME_DISCHARGE},
                  {"discharge_orders", TIME_ORDERS},       {"discharge_advice", TIME_ORDERS},
                  {"discharge_drugs", TIME_ORDERS}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(field_id, fields[i].id) == 0) {
            return fields[i].time;
        }
    }
    return TIME_ANY;
}

// For each mention the last date that the sentence tells before it.
static bool tell_days(struct sentence_scan *scan) {
    scan->days = malloc((scan->mentions.count + 1) * sizeof *scan->days);
    int64_t day = DAY_UNKNOWN;
    for (size_t i = 0; scan->days && i < scan->mentions.count; i++) {
        const struct mention *m = &scan->mentions.items[i];
        if (m->kind == MENTION_DATE && m->day) {
            day = day_of_date(m->year, m->month, m->day, scan->verifier->admit_day);
        }
        scan->days[i] = day;
    }
    return scan->days != NULL;
}

// The place of fitting time that has the whole sentence but for its number and its mark.
static uint32_t find_verbatim(const struct sentence_scan *scan) {
    const struct record_index *index = &scan->verifier->index;
    size_t from = 0, to = scan->folded.n;
    while (from < 3 && character_is_digit(scan->folded.chars[from])) {
        from++;
    }
    bool item = from > 0 && scan->folded.chars[from] == '.' &&
                !character_is_digit(scan->folded.chars[from + 1]);
    from = item ? from + 1 : 0;
    while (to > from && character_ends_sentence(scan->folded.chars[to - 1])) {
        to--;
    }
    for (size_t i = 0; to - from >= 4 && i < index->n_touched; i++) {
        uint32_t p = index->touched[i];
        const struct place *place = &index->set.places[p];
        size_t at = 0;
        bool timely = scan->time == TIME_ANY || time_fit(scan, DAY_UNKNOWN, place, place->day) > 0;
        bool bears = place->is_trusted && !place->is_warning; // what a consent fears was not done
        if (bears && timely && place->folded.n >= to - from &&
            place_has(place, &scan->folded, from, to, &at)) {
            return p;
        }
    }
    return UINT32_MAX;
}

static void judge_sentence(struct sentence_scan *scan) {
    struct sentence_check *check = scan->check;
    index_score(&scan->verifier->index, &scan->folded, 0, scan->folded.n);
    scan->verbatim = find_verbatim(scan);
    check_names(scan);
    check_numbers(scan);
    check_doses(scan);
    check_dates(scan);
    check_sides(scan);
    check_polarity(scan);
    check_results(scan);
    check_pending(scan);
    check_procedures(scan);
    check_qualities(scan);
    check_allergies(scan);
    check_terms(scan);
    check_statement(scan);
    check->verdict = check->n_claims ? VERDICT_SUPPORTED : VERDICT_PLAIN;
    for (int i = 0; i < check->n_claims; i++) {
        if (!check->claims[i].is_supported) {
            check->verdict = VERDICT_UNSUPPORTED;
        }
    }
    find_sources(scan);
}

static bool check_sentence(struct sentence_scan *scan) {
    scan->claims_capacity = 0;
    scan->mentions = (struct mention_list){0};
    scan->days = NULL;
    if (!folded_init(&scan->folded, scan->text + scan->start, scan->end - scan->start)) {
        return false;
    }
    bool ok =
        mentions_scan(scan->verifier->lexicon, &scan->folded, &scan->mentions) && tell_days(scan);
    if (ok) {
        judge_sentence(scan);
        size_t n = scan->mentions.count;
        if (n && scan->days[n - 1] != DAY_UNKNOWN) {
            scan->carried_day = scan->days[n - 1];
        }
    }
    free(scan->days);
    mention_list_deinit(&scan->mentions);
    folded_deinit(&scan->folded);
    return ok && !scan->is_out_of_memory;
}

static struct sentence_check *add_sentence(struct text_check *check, int *capacity) {
    if (check->n_sentences == *capacity) {
        int grown = *capacity ? *capacity * 2 : 16;
        struct sentence_check *sentences =
            realloc(check->sentences, (size_t)grown * sizeof *sentences);
        if (!sentences) {
            return NULL;
        }
        check->sentences = sentences;
        *capacity = grown;
    }
    struct sentence_check *sentence = &check->sentences[check->n_sentences++];
    *sentence = (struct sentence_check){.verdict = VERDICT_PLAIN};
    return sentence;
}

bool verifier_check(struct verifier *verifier, const char *field_id, const char *text, size_t bytes,
                    struct text_check *check, struct clinic_error *error) {
    *check = (struct text_check){0};
    if (bytes > VERIFIER_TEXT_BYTES_MAX) {
        return clinic_fail(error, CLINIC_BAD_INPUT,
                           "the text has %zu bytes, more than %d; shorten it", bytes,
                           VERIFIER_TEXT_BYTES_MAX);
    }
    int capacity = 0;
    struct sentence_scan scan = {.verifier = verifier,
                                 .text = text,
                                 .carried_day = DAY_UNKNOWN,
                                 .field_id = field_id ? field_id : ""};
    scan.time = time_of_field(scan.field_id);
    for (size_t start = 0; start < bytes;) {
        size_t end = sentence_end(text, bytes, start);
        struct sentence_check *sentence = add_sentence(check, &capacity);
        if (!sentence) {
            text_check_deinit(check);
            return clinic_fail_memory(error);
        }
        sentence->start = start;
        sentence->end = end;
        scan.check = sentence;
        scan.start = start;
        scan.end = end;
        if (!sentence_is_empty(text + start, end - start) && !check_sentence(&scan)) {
            text_check_deinit(check);
            return clinic_fail_memory(error);
        }
        check->n_claims += sentence->n_claims;
        for (int i = 0; i < sentence->n_claims; i++) {
            check->n_supported += sentence->claims[i].is_supported;
        }
        start = end;
    }
    return true;
}
