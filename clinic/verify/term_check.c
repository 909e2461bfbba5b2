// SPDX-License-Identifier: Apache-2.0
// Measures and organisms: a sentence that says that something was done or grew needs a place of the
// record that says so, not one that denies it or only considers it. Short sentences that name
// nothing else ("予气管插管。") are caught here.
#define _GNU_SOURCE // memmem
#include "clinic/verify/sentence_scan.h"

#include <string.h>

// Planned or supposed, not done: 必要时气管插管, 拟行…, 可能需要….
static bool is_supposed(const struct folded_text *text, size_t at) {
    static const char *const words[] = {"无需",   "不需", "暂不",   "备",
                                        "适应证", "指征", "有条件", "以备"};
    size_t from = at > 6 ? at - 6 : 0, to = at + 10 < text->n ? at + 10 : text->n;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (folded_find(text, from, to, words[i]) < to) {
            return true;
        }
    }
    return stands_in_condition(text, at);
}

static const char *const SPECIMENS[] = {"痰",     "血", "尿",     "胆汁",   "腹水", "胸水",
                                        "引流液", "脓", "分泌物", "脑脊液", "导管"};

// The specimen that a culture in the sentence is of; NULL: none is told.
static const char *specimen_before(const struct folded_text *text, size_t at) {
    size_t from = at > 24 ? at - 24 : 0;
    for (size_t i = at; i > from; i--) {
        for (size_t s = 0; s < sizeof SPECIMENS / sizeof SPECIMENS[0]; s++) {
            size_t n = folded_match(text, i - 1, SPECIMENS[s]);
            size_t behind = i - 1 + n;
            if (n &&
                (folded_match(text, behind, "培养") || folded_match(text, behind, "细菌培养") ||
                 folded_match(text, behind, "标本"))) {
                return SPECIMENS[s];
            }
        }
    }
    return NULL;
}

static bool tells_specimen(const struct sentence_scan *scan, const struct place *place,
                           const char *specimen) {
    if (place->source.kind == SOURCE_REPORT &&
        strstr(scan->verifier->episode->reports[place->source.row].name, specimen)) {
        return true;
    }
    size_t n = place->folded.n;
    return folded_find(&place->folded, 0, n, specimen) < n;
}

struct term_search {
    bool done, denied, supposed;
    uint32_t done_place, other_place;
    double best;
};

static struct term_search search(const struct sentence_scan *scan, const struct mention *claim) {
    const struct record_index *index = &scan->verifier->index;
    struct term_search found = {.best = -1};
    const char *specimen = claim->is_organism ? specimen_before(&scan->folded, claim->start) : NULL;
    for (size_t i = 0; i < index->n_by_kind[MENTION_TERM]; i++) {
        struct evidence evidence = index->by_kind[MENTION_TERM][i];
        const struct mention *m = evidence_mention(index, evidence);
        const struct place *place = evidence_place(index, evidence);
        if (m->concepts[0] != claim->concepts[0] ||
            (specimen && !tells_specimen(scan, place, specimen))) {
            continue;
        }
        bool denied = m->is_negative;
        bool supposed = place->is_warning || is_supposed(&place->folded, m->start);
        double fit = place_fit(scan, evidence.place);
        if (denied || supposed) {
            found.denied = found.denied || denied;
            found.supposed = found.supposed || supposed;
            found.other_place = evidence.place;
        } else if (fit > found.best) {
            found.best = fit;
            found.done = true;
            found.done_place = evidence.place;
        }
    }
    return found;
}

// The row of an order of blood: that it was given is told by nothing more.
static bool find_blood(const struct sentence_scan *scan, uint32_t *out) {
    const struct record_index *index = &scan->verifier->index;
    for (size_t p = 0; p < index->set.count; p++) {
        const struct place *place = &index->set.places[p];
        if (place->is_order &&
            strcmp(scan->verifier->episode->orders[place->source.row].order_class, "blood") == 0) {
            *out = (uint32_t)p;
            return true;
        }
    }
    return false;
}

static void check_term(struct sentence_scan *scan, const struct mention *m) {
    struct term_search found = search(scan, m);
    struct claim *claim = scan_claim(scan, CLAIM_STATEMENT, m->start, m->end);
    if (!claim) {
        return;
    }
    const char *name = lexicon_concept_name(scan->verifier->lexicon, m->concepts[0]);
    if (!found.done && strcmp(name, "输血") == 0) {
        found.done = find_blood(scan, &found.done_place);
    }
    if (found.done) {
        claim_support(scan, claim, found.done_place);
    } else if (scan->verbatim != UINT32_MAX) {
        claim_support(scan, claim, scan->verbatim);
    } else if (found.denied || found.supposed) {
        claim_refuse(claim, found.denied ? "记录中未做或未见：%.60s" : "记录中仅作为可能提到%.60s",
                     name);
        claim->has_source = true;
        claim->source = scan->verifier->index.set.places[found.other_place].source;
    } else {
        claim_refuse(claim, "记录中没有%.60s", name);
    }
}

// Which ways a laboratory value went: against its limits, and from each result to the next.
struct trend {
    bool known, high, low, rose, fell;
};

static struct trend trend_of(const struct sentence_scan *scan, int concept) {
    const struct episode *episode = scan->verifier->episode;
    struct trend trend = {false, false, false, false, false};
    double last = 0;
    for (int i = 0; i < episode->n_labs; i++) {
        const struct lab *lab = &episode->labs[i];
        struct folded_text name;
        if (!lab->is_number || !folded_init(&name, lab->name, strlen(lab->name))) {
            continue;
        }
        struct word word = lexicon_word_at(scan->verifier->lexicon, &name, 0, WORD_QUANTITY);
        folded_deinit(&name);
        if (word.concept != concept) {
            continue;
        }
        trend.high = trend.high || (lab->flag && lab->flag[0] == 'H');
        trend.low = trend.low || (lab->flag && lab->flag[0] == 'L');
        trend.rose = trend.rose || (trend.known && lab->value > last);
        trend.fell = trend.fell || (trend.known && lab->value < last);
        trend.known = true;
        last = lab->value;
    }
    return trend;
}

// "C反应蛋白较前升高": some result was higher than the one before it.
static void check_trend(struct sentence_scan *scan, size_t at, struct word word) {
    const struct folded_text *text = &scan->folded;
    size_t end = at + word.length, to = end;
    while (to < text->n && !character_ends_clause(text->chars[to]) &&
           !character_is_digit(text->chars[to])) {
        to++;
    }
    bool up = folded_find(text, end, to, "升高") < to || folded_find(text, end, to, "增高") < to;
    bool down = folded_find(text, end, to, "下降") < to || folded_find(text, end, to, "降低") < to;
    struct trend trend = up != down && !character_is_digit(text->chars[to])
                             ? trend_of(scan, word.concept)
                             : (struct trend){false, false, false, false, false};
    bool before = folded_find(text, end, to, "较前") < to;
    bool holds = up ? trend.rose || (!before && trend.high) : trend.fell || (!before && trend.low);
    if (!trend.known || (text->chars[to] == ',' && character_is_digit(text->chars[to + 1]))) {
        return;
    }
    struct claim *claim = scan_claim(scan, CLAIM_NUMBER, at, to);
    if (claim && holds) {
        claim->is_supported = true;
    } else if (claim) {
        claim_refuse(claim, "检验结果没有这样的变化");
    }
}

static void check_trends(struct sentence_scan *scan) {
    for (size_t i = 0; i < scan->folded.n && !scan->is_out_of_memory;) {
        struct word word =
            lexicon_word_at(scan->verifier->lexicon, &scan->folded, i, WORD_QUANTITY);
        if (word.concept >= 0 && scan->verbatim == UINT32_MAX) {
            check_trend(scan, i, word);
        }
        i += word.concept >= 0 ? word.length : 1;
    }
}

static const char *outcome_told(const struct folded_text *text, size_t *from, size_t *to) {
    static const char *const outcomes[][2] = {
        {"治愈", "治愈"}, {"痊愈", "治愈"}, {"好转", "好转"}, {"未愈", "未愈"}, {"死亡", "死亡"}};
    for (size_t k = 0; k < 2; k++) { // "好转。", "患者好转。"
        *from = k ? folded_match(text, 0, "患者") : 0;
        for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
            size_t n = folded_match(text, *from, outcomes[i][0]);
            *to = *from + n;
            if (n && (character_ends_clause(text->chars[*to]) || folded_match(text, *to, "出院"))) {
                return outcomes[i][1];
            }
        }
    }
    return NULL;
}

// "好转。" must be the outcome of the first diagnosis at discharge; 好转 may stand for 治愈 where
// another diagnosis only got better.
static void check_outcome(struct sentence_scan *scan) {
    const struct episode *episode = scan->verifier->episode;
    size_t from, to;
    const char *told = outcome_told(&scan->folded, &from, &to), *first = NULL;
    bool is_one = false;
    for (int i = 0; told && i < episode->n_diagnoses; i++) {
        const struct diagnosis *diagnosis = &episode->diagnoses[i];
        if (strcmp(diagnosis->stage, "discharge") == 0 && diagnosis->outcome) {
            first = first ? first : diagnosis->outcome;
            is_one = is_one || strcmp(diagnosis->outcome, told) == 0;
        }
    }
    bool weaker = is_one && first && strcmp(told, "好转") == 0 && strcmp(first, "治愈") == 0;
    struct claim *claim = first && strcmp(first, told) != 0 && !weaker
                              ? scan_claim(scan, CLAIM_STATEMENT, from, to)
                              : NULL;
    if (claim) {
        claim_refuse(claim, "记录的出院转归为“%.60s”", first);
    }
}

// Advice that takes something back or makes it more: the record must say so in these words.
static void check_advice(struct sentence_scan *scan) {
    static const char *const words[] = {"无需",   "不必",   "不需",     "无须",     "加倍",
                                        "可吸烟", "可饮酒", "自行停药", "自行加量", "终身"};
    const struct folded_text *text = &scan->folded;
    const struct record_index *index = &scan->verifier->index;
    for (size_t i = 0; i < text->n && !scan->is_out_of_memory; i++) {
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            size_t n = folded_match(text, i, words[w]), at = 0;
            size_t before = i > 4 ? i - 4 : 0;
            bool forbidden = n && (folded_find(text, before, i, "不得") < i ||
                                   folded_find(text, before, i, "不可") < i ||
                                   folded_find(text, before, i, "勿") < i);
            size_t to = i + n;
            while (n && to < i + n + 2 && character_is_han(text->chars[to])) {
                to++;
            }
            bool told = n == 0 || forbidden || scan->verbatim != UINT32_MAX;
            for (size_t p = 0; !told && p < index->set.count; p++) {
                at = 0;
                told = index->set.places[p].is_trusted &&
                       place_has(&index->set.places[p], text, i, to, &at);
            }
            struct claim *claim = told ? NULL : scan_claim(scan, CLAIM_STATEMENT, i, to);
            if (claim) {
                claim_refuse(claim, "记录中没有这一医嘱");
            }
        }
    }
}

static bool note_place(void *user, uint32_t place, size_t at) {
    (void)place;
    (void)at;
    *(bool *)user = true;
    return false;
}

// Titles name departments, too: 感染科会诊单.
static bool is_in_title(const struct sentence_scan *scan, size_t from, size_t to) {
    const struct episode *episode = scan->verifier->episode;
    const char *text = scan->text + scan->start;
    size_t first = scan->folded.offsets[from];
    size_t bytes = folded_end_byte(&scan->folded, text, to) - first;
    for (int i = 0; i < episode->n_docs; i++) {
        const char *title = episode->docs[i].local_title;
        if (memmem(title, strlen(title), text + first, bytes)) {
            return true;
        }
    }
    return false;
}

// A department whose name, or the end of whose name (骨科 of 天骨科), the record knows.
static bool is_known_department(const struct sentence_scan *scan, size_t from, size_t to) {
    const struct folded_text *text = &scan->folded;
    for (size_t i = from; i + 2 <= to; i++) {
        bool generic = to - i == 2 && (text->chars[i] == 0x5185 || text->chars[i] == 0x5916);
        bool found = false;
        if (!generic) { // 内科 or 外科 of another name is another department
            index_each_place(&scan->verifier->index, text, i, to, note_place, &found);
        }
        if (found || (!generic && is_in_title(scan, i, to))) {
            return true;
        }
    }
    return false;
}

struct department {
    uint32_t initial; // 心 of 心内科; 0: the pair that is looked for begins the name
    const struct record_index *index;
    bool found;
};

static bool note_department(void *user, uint32_t p, size_t at) {
    struct department *asked = user;
    const struct folded_text *there = &asked->index->set.places[p].folded;
    size_t from = at > 4 ? at - 4 : 0, to = at + 7 < there->n ? at + 7 : there->n;
    for (size_t i = from; asked->initial && i < at; i++) {
        asked->found = asked->found || there->chars[i] == asked->initial;
    }
    bool whole = asked->initial == 0 && folded_find(there, at, to, "科") < to;
    asked->found = asked->found || whole;
    return !asked->found;
}

// The short name of one: 心内科 of 心血管内科, 呼吸科 of 呼吸内科.
static bool is_short_department(const struct sentence_scan *scan, size_t from, size_t to) {
    const struct folded_text *text = &scan->folded;
    struct department asked = {.index = &scan->verifier->index};
    if (to < from + 3) {
        return false;
    }
    bool generic = text->chars[to - 2] == 0x5185 || text->chars[to - 2] == 0x5916; // 内 外
    asked.initial = generic ? text->chars[to - 3] : 0;
    size_t first = generic ? to - 2 : to - 3;
    index_each_place(asked.index, text, first, first + 2, note_department, &asked);
    return asked.found;
}

// 1周后眼科门诊复查: a department that the record never names.
static void check_departments(struct sentence_scan *scan) {
    static const uint32_t no_name[] = {0x4E13, 0x5B66, 0x672C, 0x6211, 0x8BE5, 0x5404,
                                       0x5165, 0x8F6C, 0x51FA, 0x5168, 0x4ED6, 0x76F8};
    const struct folded_text *text = &scan->folded;
    for (size_t i = 1; i < text->n && scan->verbatim == UINT32_MAX; i++) {
        bool named = text->chars[i] == 0x79D1 && text->chars[i + 1] != 0x5BA4 &&
                     text->chars[i + 1] != 0x5B66 && character_is_han(text->chars[i - 1]);
        for (size_t k = 0; k < sizeof no_name / sizeof no_name[0]; k++) {
            named = named && text->chars[i - 1] != no_name[k]; // 专学本我该各入转出全他相
        }
        size_t from = i;
        while (named && from > 0 && i - from < 4 && character_is_han(text->chars[from - 1])) {
            from--;
        }
        if (named && !is_known_department(scan, from, i + 1) &&
            !is_short_department(scan, from, i + 1)) {
            struct claim *claim = scan_claim(scan, CLAIM_STATEMENT, from, i + 1);
            if (claim) {
                claim_refuse(claim, "记录中没有这个科室");
            }
        }
    }
}

void check_terms(struct sentence_scan *scan) {
    check_departments(scan);
    if (scan->time == TIME_ORDERS) {
        check_advice(scan);
    }
    if (strcmp(scan->field_id, "discharge_condition") == 0) {
        check_outcome(scan);
    }
    check_trends(scan);
    for (size_t i = 0; i < scan->mentions.count && !scan->is_out_of_memory; i++) {
        const struct mention m = scan->mentions.items[i];
        if (m.kind == MENTION_TERM && !m.is_negative && !is_supposed(&scan->folded, m.start)) {
            check_term(scan, &m);
        }
    }
}
