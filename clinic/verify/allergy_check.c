// SPDX-License-Identifier: Apache-2.0
// Allergies: that a patient is allergic to a thing must stand in the record, as must a skin test of
// it; that he is to nothing must not be said of one who is; and what he is allergic to is not said
// to be good for him.
#include "clinic/verify/sentence_scan.h"

#include <string.h>

#define NAME_CHARACTERS 8
#define REACH 14 // characters between a thing and 过敏 or 皮试 of it

static size_t any_of(const struct folded_text *text, size_t at, const char *const *words,
                     size_t n) {
    size_t length = 0;
    for (size_t i = 0; i < n && length == 0; i++) {
        length = folded_match(text, at, words[i]);
    }
    return length;
}

static bool finds_any(const struct folded_text *text, size_t from, size_t to,
                      const char *const *words, size_t n) {
    for (size_t i = from; i < to; i++) {
        if (any_of(text, i, words, n)) {
            return true;
        }
    }
    return false;
}

static size_t clause_start(const struct folded_text *text, size_t at) {
    while (at > 0 && !character_ends_clause(text->chars[at - 1])) {
        at--;
    }
    return at;
}

static bool is_denied(const struct sentence_scan *scan, size_t at) {
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *m = &scan->mentions.items[i];
        if (m->kind == MENTION_NEGATION && at >= m->subject_start && at < m->subject_end) {
            return true;
        }
    }
    return false;
}

// [*from, *to): the thing before 过敏 or 皮试, without what only leads to it.
static void find_name(const struct folded_text *text, size_t at, size_t *from, size_t *to) {
    static const char *const leads[] = {"患者", "对", "有", "既往", "自述", "为", "因", "予", "行"};
    static const char *const ends[] = {"类药物", "药物", "类", "药", "严重"};
    *to = *from = at;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        for (size_t n = 1; n <= 3 && *to == at && at > n; n++) {
            *to -= folded_match(text, at - n, ends[i]) == n ? n : 0;
        }
    }
    *from = *to;
    while (
        *from > 0 && *to - *from < NAME_CHARACTERS &&
        (character_is_han(text->chars[*from - 1]) || character_is_latin(text->chars[*from - 1]))) {
        --*from;
    }
    for (size_t i = *from; i < *to; i++) {
        size_t n = any_of(text, i, leads, sizeof leads / sizeof leads[0]);
        *from = n && i + n <= *to ? i + n : *from;
    }
}

// A pair of characters of [from, to) stands in a substance that the patient is allergic to.
static const char *allergen(const struct sentence_scan *scan, size_t from, size_t to) {
    const struct patient *patient = &scan->verifier->episode->patient;
    for (int i = 0; i < patient->n_allergies; i++) {
        struct folded_text name;
        const char *substance = patient->allergies[i].substance;
        bool same = false;
        if (!folded_init(&name, substance, strlen(substance))) {
            continue;
        }
        for (size_t k = from; k + 1 < to && !same; k++) {
            for (size_t j = 0; j + 1 < name.n && !same; j++) {
                uint64_t pair = pair_at(&name, j);
                same = pair && pair == pair_at(&scan->folded, k) &&
                       !folded_match(&name, j, "过敏") && !folded_match(&name, j, "药物");
            }
        }
        folded_deinit(&name);
        if (same) {
            return substance;
        }
    }
    return NULL;
}

struct search {
    const struct sentence_scan *scan;
    const char *word;
    bool found;
};

static bool vote(void *user, uint32_t p, size_t at) {
    struct search *search = user;
    const struct record_index *index = &search->scan->verifier->index;
    const struct place *place = &index->set.places[p];
    size_t to = at + REACH < place->folded.n ? at + REACH : place->folded.n;
    size_t told = folded_find(&place->folded, at, to, search->word);
    bool test = strcmp(search->word, "皮试") == 0;
    search->found = search->found || (told < to && (test || !place_denies(index, place, told)) &&
                                      !place->is_warning);
    return !search->found;
}

static bool is_told(const struct sentence_scan *scan, size_t from, size_t to, const char *word) {
    struct search search = {.scan = scan, .word = word};
    for (size_t i = from; i + 1 < to && !search.found; i++) {
        index_each_place(&scan->verifier->index, &scan->folded, i, i + 2, vote, &search);
    }
    return search.found;
}

static void refuse(struct sentence_scan *scan, size_t from, size_t to, const char *why) {
    struct claim *claim = scan_claim(scan, CLAIM_STATEMENT, from, to);
    if (claim) {
        claim_refuse(claim, "%s", why);
    }
}

// 否认药物过敏史 of a patient who has an allergy, unless it speaks of others or of food only.
static void check_denial(struct sentence_scan *scan, size_t at) {
    static const char *const others[] = {"其他", "其它", "其余", "余"};
    const struct folded_text *text = &scan->folded;
    const struct patient *patient = &scan->verifier->episode->patient;
    size_t start = clause_start(text, at), from, to;
    find_name(text, at, &from, &to);
    bool drugs = folded_find(text, start, at, "药物") < at || to <= from + 1;
    bool one = allergen(scan, from, to) != NULL;
    bool generic = drugs && !finds_any(text, start, at, others, sizeof others / sizeof others[0]);
    if (patient->n_allergies > 0 && scan->verbatim == UINT32_MAX && (one || generic)) {
        refuse(scan, start, at + 2, "记录中有过敏史");
    }
}

static void check_word(struct sentence_scan *scan, size_t at, const char *word) {
    static const char *const skipped[] = {"反应", "性", "原"};
    const struct folded_text *text = &scan->folded;
    bool test = strcmp(word, "皮试") == 0;
    size_t from, to;
    if ((!test && any_of(text, at + 2, skipped, 3)) || stands_in_condition(text, at) ||
        (at > 0 && text->chars[at - 1] == 0x6297)) { // 抗
        return;
    }
    if (!test && is_denied(scan, at)) {
        check_denial(scan, at);
        return;
    }
    find_name(text, at, &from, &to);
    if (to >= from + 2 && !is_told(scan, from, to, word) && (test || !allergen(scan, from, to))) {
        refuse(scan, from, at + 2, test ? "记录中没有这一皮试" : "记录中没有这一过敏");
    }
}

// 青霉素可以使用 where the patient is allergic to it.
static void check_use(struct sentence_scan *scan) {
    static const char *const words[] = {"可使用", "可以使用", "可继续使用", "可用",
                                        "可服用", "可以用",   "可应用"};
    const struct folded_text *text = &scan->folded;
    for (size_t i = 1; i < text->n; i++) {
        size_t n = any_of(text, i, words, sizeof words / sizeof words[0]);
        bool not_so = text->chars[i - 1] == 0x4E0D; // 不
        if (n && !not_so && scan->verbatim == UINT32_MAX && allergen(scan, 0, i)) {
            refuse(scan, i, i + n, "患者对此过敏");
            return;
        }
    }
}

void check_allergies(struct sentence_scan *scan) {
    check_use(scan);
    for (size_t i = 0; i < scan->folded.n && !scan->is_out_of_memory; i++) {
        if (folded_match(&scan->folded, i, "过敏")) {
            check_word(scan, i, "过敏");
        } else if (folded_match(&scan->folded, i, "皮试")) {
            check_word(scan, i, "皮试");
        }
    }
}
