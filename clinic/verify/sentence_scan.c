// SPDX-License-Identifier: Apache-2.0
// See sentence_scan.h.
#include "clinic/verify/sentence_scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct claim *scan_claim(struct sentence_scan *scan, enum claim_kind kind, size_t start,
                         size_t end) {
    struct sentence_check *check = scan->check;
    if (check->n_claims == scan->claims_capacity) {
        int capacity = scan->claims_capacity ? scan->claims_capacity * 2 : 16;
        struct claim *claims = realloc(check->claims, (size_t)capacity * sizeof *claims);
        if (!claims) {
            scan->is_out_of_memory = true;
            return NULL;
        }
        check->claims = claims;
        scan->claims_capacity = capacity;
    }
    struct claim *claim = &check->claims[check->n_claims++];
    *claim = (struct claim){.kind = kind};
    claim->start = scan->start + scan->folded.offsets[start];
    claim->end = scan->start + folded_end_byte(&scan->folded, scan->text + scan->start, end);
    return claim;
}

void claim_support(const struct sentence_scan *scan, struct claim *claim, uint32_t place) {
    claim->is_supported = true;
    claim->has_source = true;
    claim->source = scan->verifier->index.set.places[place].source;
}

// Cut where a character ends.
static void trim_character(char *text, size_t bytes) {
    while (bytes > 0 && ((unsigned char)text[bytes - 1] & 0xC0) == 0x80) {
        bytes--;
    }
    if (bytes > 0 && (unsigned char)text[bytes - 1] >= 0xC0) {
        text[bytes - 1] = 0;
    }
}

void claim_refuse(struct claim *claim, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(claim->why, sizeof claim->why, format, arguments);
    va_end(arguments);
    if (n >= (int)sizeof claim->why) {
        trim_character(claim->why, sizeof claim->why - 1);
    }
    claim->is_supported = false;
}

void record_words(const struct sentence_scan *scan, const struct place *place, size_t from,
                  size_t to, char words[80]) {
    size_t bytes;
    const char *text = place_text(scan->verifier->episode, place, &bytes);
    size_t first = place->folded.offsets[from], n = 0;
    size_t end = to > from ? folded_end_byte(&place->folded, text, to) : first;
    words[0] = 0;
    if (end > bytes || first >= end) {
        return;
    }
    n = end - first < 79 ? end - first : 79;
    memcpy(words, text + first, n);
    words[n] = 0;
    if (n < end - first) { // cut inside: drop what is left of the last character
        while (n > 0 && ((unsigned char)text[first + n] & 0xC0) == 0x80) {
            n--;
        }
        words[n] = 0;
    }
}

double time_fit(const struct sentence_scan *scan, int64_t claim_day, const struct place *place,
                int64_t evidence_day) {
    int64_t day = evidence_day == DAY_UNKNOWN ? place->day : evidence_day;
    if (day == DAY_UNKNOWN) {
        return 0;
    }
    if (claim_day != DAY_UNKNOWN) {
        return day == claim_day || place->last_day == claim_day ? 1 : 0;
    }
    switch (scan->time) {
    case TIME_ADMISSION:
        return day <= scan->verifier->admit_day       ? 1
               : day == scan->verifier->admit_day + 1 ? 0.5
                                                      : 0;
    case TIME_DISCHARGE:
        return day >= scan->verifier->last_day ? 1 : day + 1 == scan->verifier->last_day ? 0.6 : 0;
    default:
        return 0;
    }
}

double place_fit(const struct sentence_scan *scan, uint32_t place) {
    const struct record_index *index = &scan->verifier->index;
    return index->best_score > 0 ? (double)(index->scores[place] / index->best_score) : 0;
}

bool drugs_agree(const struct mention *claim, const struct mention *record) {
    for (int i = 0; i < claim->n_concepts; i++) {
        bool found = false;
        for (int k = 0; k < record->n_concepts; k++) {
            found = found || claim->concepts[i] == record->concepts[k];
        }
        if (!found) {
            return false;
        }
    }
    return claim->n_concepts > 0;
}
