// SPDX-License-Identifier: Apache-2.0
// Where a sentence comes from: the places its claims stand on and those that share the most telling
// words with it, each adding something.
#include "clinic/verify/sentence_scan.h"

#define LIKENESS_LEAST 4.0f

static bool same_source(const struct source *a, const struct source *b) {
    return a->kind == b->kind && a->row == b->row && a->section == b->section &&
           a->start == b->start && a->end == b->end;
}

static bool add_source(struct sentence_check *check, const struct source *source) {
    for (int i = 0; i < check->n_sources; i++) {
        if (same_source(&check->sources[i], source)) {
            return false;
        }
    }
    if (check->n_sources == SENTENCE_SOURCES) {
        return false;
    }
    check->sources[check->n_sources++] = *source;
    return true;
}

// The best place that is not taken yet; time that fits counts.
static bool next_place(const struct sentence_scan *scan, uint32_t *out, double *score) {
    const struct record_index *index = &scan->verifier->index;
    *score = 0;
    for (size_t i = 0; i < index->n_touched; i++) {
        uint32_t p = index->touched[i];
        const struct place *place = &index->set.places[p];
        double fit = place_fit(scan, p) +
                     0.2 * time_fit(scan, scan->carried_day, place, place->day) +
                     (place->row_text ? 0 : 0.05);
        bool taken = false;
        for (int s = 0; s < scan->check->n_sources; s++) {
            taken = taken || same_source(&scan->check->sources[s], &place->source);
        }
        if (!taken && index->scores[p] > 0 && fit > *score) {
            *score = fit;
            *out = p;
        }
    }
    return *score > 0;
}

void find_sources(struct sentence_scan *scan) {
    struct sentence_check *check = scan->check;
    uint32_t p;
    double score;
    if (scan->verifier->index.best_score >= LIKENESS_LEAST && next_place(scan, &p, &score)) {
        add_source(check, &scan->verifier->index.set.places[p].source);
    }
    for (int i = 0; i < check->n_claims; i++) {
        const struct claim *claim = &check->claims[i];
        if (claim->is_supported && claim->has_source && claim->kind != CLAIM_NEGATION) {
            add_source(check, &claim->source);
        }
    }
    while (check->n_sources > 0 && check->n_sources < SENTENCE_SOURCES &&
           next_place(scan, &p, &score) && score > 0.75) {
        add_source(check, &scan->verifier->index.set.places[p].source);
    }
}
