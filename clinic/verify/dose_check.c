// SPDX-License-Identifier: Apache-2.0
// A dose holds if the record gives that drug that dose; its frequency and its way if the record
// gives them to that drug, with that dose where the dose is told, too. What a patient takes home
// must be what was ordered for home.
#include "clinic/verify/sentence_scan.h"

#include <string.h>

#define EVIDENCE_MAX 512

// A row of what the patient takes home.
static bool is_for_home(const struct sentence_scan *scan, const struct place *place) {
    return place->is_order && scan->verifier->episode->orders[place->source.row].is_discharge_drug;
}

// True if what the patient takes home has this drug, so that only those rows, and the notes of the
// last days, tell its dose.
static bool home_has(const struct sentence_scan *scan, const struct mention *claim) {
    const struct record_index *index = &scan->verifier->index;
    for (size_t i = 0; i < index->n_by_kind[MENTION_DRUG]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DRUG][i];
        if (is_for_home(scan, evidence_place(index, evidence)) &&
            drugs_agree(claim, evidence_mention(index, evidence))) {
            return true;
        }
    }
    return false;
}

static bool has_home_drugs(const struct sentence_scan *scan) {
    const struct episode *episode = scan->verifier->episode;
    for (int i = 0; i < episode->n_orders; i++) {
        if (episode->orders[i].is_discharge_drug) {
            return true;
        }
    }
    return false;
}

static bool tells_home(const struct sentence_scan *scan, const struct place *place) {
    bool last_notes =
        !place->row_text && place->day != DAY_UNKNOWN && place->day + 2 >= scan->verifier->last_day;
    return is_for_home(scan, place) || last_notes;
}

static bool says_same(const struct mention *claim, const struct mention *m) {
    switch (claim->kind) {
    case MENTION_DOSE:
    case MENTION_NUMBER:
        return strcmp(claim->unit, m->unit) == 0 && values_equal(claim->value, m->value) &&
               values_equal(claim->value_high, m->value_high);
    case MENTION_FREQUENCY:
        return values_equal(claim->per_day, m->per_day);
    default:
        return strcmp(claim->route, m->route) == 0;
    }
}

// A dose of the same drug in the sentence, before the frequency; NULL: none told.
static const struct mention *dose_of(const struct sentence_scan *scan, size_t at) {
    const struct mention *m = &scan->mentions.items[at];
    for (size_t i = at; i-- > 0;) {
        const struct mention *other = &scan->mentions.items[i];
        if (other->kind == MENTION_DOSE && other->subject_start == m->subject_start) {
            return other;
        }
    }
    return NULL;
}

// A place agrees with a dose unless it tells other doses of that drug only.
static bool place_allows(const struct record_index *index, const struct place *place,
                         const struct mention *dose) {
    bool other = false;
    for (size_t k = 0; dose && k < place->n_mentions; k++) {
        const struct mention *m = &index->set.mentions.items[place->first_mention + k];
        if (m->kind == MENTION_DOSE && drugs_agree(dose, m) && strcmp(m->unit, dose->unit) == 0) {
            if (says_same(dose, m)) {
                return true;
            }
            other = true;
        }
    }
    return !other;
}

// Some place gives the drug this dose.
static bool is_told(const struct sentence_scan *scan, const struct mention *dose) {
    const struct record_index *index = &scan->verifier->index;
    for (size_t i = index_lower_bound(index, MENTION_DOSE, dose->value);
         i < index->n_by_kind[MENTION_DOSE]; i++) {
        const struct mention *m = evidence_mention(index, index->by_kind[MENTION_DOSE][i]);
        if (!values_equal(m->value, dose->value)) {
            return false;
        }
        if (drugs_agree(dose, m) && says_same(dose, m)) {
            return true;
        }
    }
    return false;
}

struct search {
    bool found, other; // other: the record says something else of that drug
    struct evidence evidence, other_evidence;
    double score, other_score;
};

static struct search look(struct sentence_scan *scan, size_t at, bool home) {
    const struct record_index *index = &scan->verifier->index;
    const struct mention *claim = &scan->mentions.items[at];
    const struct mention *dose = claim->kind == MENTION_DOSE ? NULL : dose_of(scan, at);
    dose = dose && is_told(scan, dose) ? dose : NULL; // a wrong dose is refused by itself
    struct search search = {0};
    for (size_t i = 0, n = 0; i < index->n_by_kind[claim->kind] && n < EVIDENCE_MAX; i++) {
        struct evidence evidence = index->by_kind[claim->kind][i];
        const struct mention *m = evidence_mention(index, evidence);
        const struct place *place = evidence_place(index, evidence);
        if (!drugs_agree(claim, m) || (home && !tells_home(scan, place))) {
            continue;
        }
        n++;
        bool same = says_same(claim, m) && place_allows(index, place, dose);
        double score = 1 + place_fit(scan, evidence.place) + (place->is_order ? 0.2 : 0);
        if (same && score > search.score) {
            search.score = score;
            search.found = true;
            search.evidence = evidence;
        } else if (!same && score > search.other_score) {
            search.other_score = score;
            search.other = true;
            search.other_evidence = evidence;
        }
    }
    return search;
}

static bool place_names(const struct record_index *index, const struct place *place,
                        const struct mention *claim) {
    for (size_t k = 0; k < place->n_mentions; k++) {
        const struct mention *m = &index->set.mentions.items[place->first_mention + k];
        if (m->kind == MENTION_DRUG && drugs_agree(claim, m)) {
            return true;
        }
    }
    return false;
}

// The same value in a sentence that names the drug, where the record's grammar hid the bond.
static bool look_loosely(struct sentence_scan *scan, const struct mention *claim,
                         struct evidence *out) {
    const struct record_index *index = &scan->verifier->index;
    static const enum mention_kind kinds[] = {MENTION_DOSE, MENTION_NUMBER};
    bool is_dose = claim->kind == MENTION_DOSE;
    for (int k = 0; k < (is_dose ? 2 : 1); k++) {
        enum mention_kind kind = is_dose ? kinds[k] : claim->kind;
        for (size_t i = 0; i < index->n_by_kind[kind]; i++) {
            struct evidence evidence = index->by_kind[kind][i];
            const struct mention *m = evidence_mention(index, evidence);
            bool unbound = m->n_concepts == 0 || claim->n_concepts == 0;
            if (unbound && says_same(claim, m) &&
                (claim->n_concepts == 0 ||
                 place_names(index, evidence_place(index, evidence), claim)) &&
                (claim->n_concepts > 0 || place_fit(scan, evidence.place) > 0.3)) {
                *out = evidence;
                return true;
            }
        }
    }
    return false;
}

static void refuse(struct sentence_scan *scan, struct claim *claim, const struct mention *m,
                   const struct search *search) {
    const struct record_index *index = &scan->verifier->index;
    static const char *const what[] = {"剂量", "频次", "用法"};
    int kind = m->kind == MENTION_DOSE ? 0 : m->kind == MENTION_FREQUENCY ? 1 : 2;
    const char *drug =
        m->n_concepts ? lexicon_concept_name(scan->verifier->lexicon, m->concepts[0]) : "";
    if (!search->other) {
        claim_refuse(claim, "记录中没有%.60s的这一%s", drug, what[kind]);
        return;
    }
    const struct mention *other = evidence_mention(index, search->other_evidence);
    const struct place *place = evidence_place(index, search->other_evidence);
    char words[80];
    record_words(scan, place, other->start, other->end, words);
    claim_refuse(claim, "记录中%.40s的%s为“%.60s”", drug, what[kind], words);
    claim->has_source = true;
    claim->source = place->source;
}

static bool is_given_once(const struct sentence_scan *scan, const struct place *place) {
    return place->is_order && place->day == place->last_day &&
           strcmp(scan->verifier->episode->orders[place->source.row].kind, "临时") == 0;
}

// All that was ordered of a drug once, together: 输悬浮红细胞30 U.
static bool is_total(const struct sentence_scan *scan, const struct mention *claim) {
    const struct record_index *index = &scan->verifier->index;
    double total = 0;
    int n = 0;
    for (size_t i = 0; i < index->n_by_kind[MENTION_DOSE]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DOSE][i];
        const struct mention *m = evidence_mention(index, evidence);
        const struct place *place = evidence_place(index, evidence);
        if (is_given_once(scan, place) && drugs_agree(claim, m) &&
            strcmp(m->unit, claim->unit) == 0) {
            total += m->value;
            n++;
        }
    }
    return n > 1 && values_equal(total, claim->value);
}

// The dose that was left: 由12 U调整为14 U.
static bool is_former(const struct folded_text *text, const struct mention *m) {
    return m->start > 0 && text->chars[m->start - 1] == 0x7531;
}

// On that day another dose of the drug was ordered, and nothing of that day tells this one.
static bool is_other_on_day(const struct sentence_scan *scan, const struct mention *claim,
                            int64_t day, struct search *search) {
    const struct record_index *index = &scan->verifier->index;
    bool other = false;
    for (size_t i = 0; i < index->n_by_kind[MENTION_DOSE]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DOSE][i];
        const struct mention *m = evidence_mention(index, evidence);
        const struct place *place = evidence_place(index, evidence);
        bool runs = place->is_order && place->day <= day && day <= place->last_day;
        bool told = !place->is_order && index->set.mention_days[evidence.mention] == day;
        if (!drugs_agree(claim, m) || strcmp(m->unit, claim->unit) != 0 || !(runs || told)) {
            continue;
        }
        if (told && is_former(&place->folded, m) && !is_former(&scan->folded, claim)) {
            continue;
        }
        if (says_same(claim, m) && (!runs || place->last_day > day || place->day == day)) {
            return false;
        }
        if (runs && !says_same(claim, m)) {
            other = true;
            search->other = true;
            search->other_evidence = evidence;
        }
    }
    return other;
}

// First day on which a dose of the drug was ordered or told.
static int64_t first_day_of(const struct sentence_scan *scan, const struct mention *dose) {
    const struct record_index *index = &scan->verifier->index;
    int64_t first = DAY_UNKNOWN;
    for (size_t i = 0; i < index->n_by_kind[MENTION_DOSE]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DOSE][i];
        const struct mention *m = evidence_mention(index, evidence);
        int64_t day = index->set.mention_days[evidence.mention];
        if (evidence_place(index, evidence)->is_order && drugs_agree(dose, m) &&
            says_same(dose, m) && (first == DAY_UNKNOWN || day < first)) {
            first = day;
        }
    }
    return first;
}

// "由14 U减至12 U" where 12 U was ordered first.
static bool is_turned_round(const struct sentence_scan *scan, size_t at) {
    const struct mention *m = &scan->mentions.items[at];
    const struct mention *before = at ? &scan->mentions.items[at - 1] : NULL;
    if (!before || before->kind != MENTION_DOSE || before->subject_start != m->subject_start ||
        folded_find(&scan->folded, before->start > 1 ? before->start - 1 : 0, before->start,
                    "由") >= before->start) {
        return false;
    }
    int64_t first = first_day_of(scan, before), then = first_day_of(scan, m);
    return first != DAY_UNKNOWN && then != DAY_UNKNOWN && first > then;
}

static void check_dose(struct sentence_scan *scan, size_t at) {
    const struct mention *m = &scan->mentions.items[at];
    struct claim *claim = scan_claim(scan, CLAIM_DOSE, m->start, m->end);
    if (!claim) {
        return;
    }
    bool home = scan->time == TIME_ORDERS && (home_has(scan, m) || has_home_drugs(scan));
    struct search search = look(scan, at, home);
    struct evidence loose;
    bool dated = m->kind == MENTION_DOSE && scan->days[at] != DAY_UNKNOWN &&
                 scan->time != TIME_ORDERS && search.found;
    if (m->kind == MENTION_DOSE && is_turned_round(scan, at)) {
        claim_refuse(claim, "记录中两次剂量的先后相反");
    } else if (dated && is_other_on_day(scan, m, scan->days[at], &search)) {
        refuse(scan, claim, m, &search);
    } else if (!search.found && m->kind == MENTION_DOSE && is_total(scan, m)) {
        claim->is_supported = true;
    } else if (search.found) {
        claim_support(scan, claim, search.evidence.place);
    } else if (!(home && search.other) && look_loosely(scan, m, &loose)) {
        claim_support(scan, claim, loose.place);
    } else {
        refuse(scan, claim, m, &search);
    }
}

void check_doses(struct sentence_scan *scan) {
    for (size_t i = 0; i < scan->mentions.count && !scan->is_out_of_memory; i++) {
        const struct mention *m = &scan->mentions.items[i];
        bool frequency = m->kind == MENTION_FREQUENCY;
        bool route = m->kind == MENTION_ROUTE && m->n_concepts > 0;
        if (m->kind == MENTION_DOSE || frequency || route) {
            check_dose(scan, i);
        }
    }
}
