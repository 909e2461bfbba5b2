// SPDX-License-Identifier: Apache-2.0
// A number holds if the record gives that value, in that unit, to the same quantity (on the day
// that the sentence names, where the quantity is one that changes by the day), or, where no
// quantity is named, in like surroundings. Length of stay, age and days after an operation are
// computed.
#include "clinic/verify/number_time.h"

#include <stdio.h>
#include <string.h>

#define WINDOW 14
#define EVIDENCE_MAX 256

static struct surroundings around(const struct folded_text *text, const struct mention *m) {
    size_t from = m->start > WINDOW ? m->start - WINDOW : 0;
    size_t to = m->end + WINDOW < text->n ? m->end + WINDOW : text->n;
    return surroundings_of(text, from, to);
}

// 血糖 and 空腹血糖 may be told one for the other; so may pulse and heart rate.
static bool quantities_agree(const struct lexicon *lexicon, int a, int b) {
    const char *x = lexicon_concept_name(lexicon, a), *y = lexicon_concept_name(lexicon, b);
    if (a == b || (strlen(x) >= 6 && strstr(y, x)) || (strlen(y) >= 6 && strstr(x, y))) {
        return true;
    }
    return (strcmp(x, "脉搏") == 0 && strcmp(y, "心率") == 0) ||
           (strcmp(x, "心率") == 0 && strcmp(y, "脉搏") == 0);
}

// The characters that touch the number: 孕2产1.
static int touching(const struct folded_text *a, const struct mention *x,
                    const struct folded_text *b, const struct mention *y) {
    bool before = x->start && y->start && a->chars[x->start - 1] == b->chars[y->start - 1] &&
                  character_is_han(a->chars[x->start - 1]);
    bool behind = a->chars[x->end] == b->chars[y->end] && character_is_han(a->chars[x->end]);
    bool bare = x->unit[0] == 0 && y->unit[0] == 0; // no unit: the name touches the number
    return before * (bare ? 2 : 1) + behind;
}

enum anchor { ANCHOR_NONE, ANCHOR_SAME, ANCHOR_OTHER };

// What days are counted from must be the same: 术后第3天 is not 治疗第3天.
static enum anchor compare_anchors(const struct folded_text *a, size_t x,
                                   const struct folded_text *b, size_t y) {
    static const char *const anchors[] = {"术后", "入院后", "出院后"};
    for (size_t i = 0; i < sizeof anchors / sizeof anchors[0]; i++) {
        size_t from = x > 6 ? x - 6 : 0, there = y > 12 ? y - 12 : 0;
        if (folded_find(a, from, x, anchors[i]) < x) {
            return folded_find(b, there, y, anchors[i]) < y ? ANCHOR_SAME : ANCHOR_OTHER;
        }
    }
    return ANCHOR_NONE;
}

static bool same_word_before(const struct folded_text *a, const struct mention *x,
                             const struct place *place, const struct mention *y) {
    const struct folded_text *b = &place->folded;
    for (size_t n = 1; n <= 2; n++) {
        if (x->start < n || y->start < n || a->chars[x->start - n] != b->chars[y->start - n]) {
            return x->start < n && y->start < n;
        }
    }
    return true;
}

static bool same_form(const struct mention *claim, const struct mention *m) {
    if (claim->form == m->form) {
        return values_equal(claim->value_high, m->value_high);
    }
    return claim->form == NUMBER_PLAIN && m->form == NUMBER_RANGE;
}

#define HEADS_MAX 8

// Findings, diagnoses and drugs before a number in its clause: 气促1天, 糖尿病史8年.
struct heads {
    struct word words[HEADS_MAX];
    size_t n;
};

static struct heads heads_of(const struct sentence_scan *scan, const struct mention *claim) {
    const struct folded_text *text = &scan->folded;
    struct heads heads = {.n = 0};
    size_t start = claim->start;
    while (start > 0 && claim->start - start < 30 &&
           !character_ends_clause(text->chars[start - 1])) {
        start--;
    }
    for (size_t i = start; i < claim->start && heads.n < HEADS_MAX;) {
        struct word word = lexicon_word_at(scan->verifier->lexicon, text, i,
                                           WORD_FINDING | WORD_DIAGNOSIS | WORD_DRUG);
        bool is_word = word.concept >= 0 && i + word.length <= claim->start;
        if (is_word) {
            heads.words[heads.n++] = word;
        }
        i += is_word ? word.length : 1;
    }
    return heads;
}

// The record's number belongs to one of the heads: a word of its concept stands near it.
static bool has_head(const struct sentence_scan *scan, const struct heads *heads,
                     const struct place *place, const struct mention *m) {
    size_t from = m->start > 40 ? m->start - 40 : 0;
    size_t to = m->end + 24 < place->folded.n ? m->end + 24 : place->folded.n;
    for (size_t i = from; i < to; i++) {
        struct word word = lexicon_word_at(scan->verifier->lexicon, &place->folded, i,
                                           WORD_FINDING | WORD_DIAGNOSIS | WORD_DRUG);
        for (size_t k = 0; word.concept >= 0 && k < heads->n; k++) {
            if (quantities_agree(scan->verifier->lexicon, word.concept, heads->words[k].concept)) {
                return true;
            }
        }
    }
    return false;
}

struct match {
    double score;
    struct evidence evidence;
    bool is_on_day;
};

static bool names_quantity(const struct record_index *index, const struct place *place,
                           int concept) {
    for (size_t i = 0; i < place->folded.n; i++) {
        struct word word = lexicon_word_at(index->set.lexicon, &place->folded, i, WORD_QUANTITY);
        if (word.concept >= 0 && quantities_agree(index->set.lexicon, concept, word.concept)) {
            return true;
        }
    }
    return false;
}

// How well a number of the record answers for one of the sentence; 0: not at all.
static double answer(struct sentence_scan *scan, const struct mention *claim,
                     const struct surroundings *near, struct evidence evidence) {
    const struct record_index *index = &scan->verifier->index;
    const struct mention *m = evidence_mention(index, evidence);
    const struct place *place = evidence_place(index, evidence);
    struct surroundings there = around(&place->folded, m);
    int shared =
        surroundings_shared(near, &there) + touching(&scan->folded, claim, &place->folded, m);
    double fit = place_fit(scan, evidence.place);
    bool claim_knows = claim->n_concepts > 0, record_knows = m->n_concepts > 0;
    if (claim_knows && record_knows && m->kind == MENTION_NUMBER) {
        bool agree = quantities_agree(scan->verifier->lexicon, claim->concepts[0], m->concepts[0]);
        return agree ? 2 + fit : 0;
    }
    if (claim_knows && !names_quantity(index, place, claim->concepts[0])) {
        return shared >= 3 && fit > 0.6 ? 0.5 + fit : 0;
    }
    struct heads heads = {.n = 0};
    if (!claim_knows) {
        heads = heads_of(scan, claim);
    }
    bool mass = strcmp(claim->unit, "g") == 0 || strcmp(claim->unit, "U") == 0;
    if (mass && !claim_knows) { // an amount of something that is no known drug: 糖类15 g
        bool same = same_word_before(&scan->folded, claim, place, m);
        if (same || heads.n == 0) {
            return same ? 1 + fit : 0;
        }
    }
    if (heads.n && !has_head(scan, &heads, place, m)) {
        return 0;
    }
    enum anchor anchor = compare_anchors(&scan->folded, claim->start, &place->folded, m->start);
    bool same_unit = values_equal(claim->written, m->written) || anchor == ANCHOR_SAME ||
                     scan->folded.chars[claim->end] == place->folded.chars[m->end];
    if (!claim_knows && anchor == ANCHOR_OTHER) {
        return 0;
    }
    int least = same_unit ? 2 : 99; // 1周后 is 7天后, but 3周后 is not "合计21天"
    if (claim_knows || shared >= least || (same_unit && shared >= 1 && fit > 0.5)) {
        return 1 + shared * 0.1 + fit;
    }
    return 0;
}

static bool is_same_day(const struct record_index *index, struct evidence evidence, int64_t day) {
    const struct place *place = evidence_place(index, evidence);
    int64_t own = index->set.mention_days[evidence.mention];
    if (own == day || (place->row_text && (place->day == day || place->last_day == day))) {
        return true;
    }
    const struct mention *m = evidence_mention(index, evidence);
    for (size_t k = 0; k < place->n_mentions; k++) { // "(11月3日采集)" behind the value
        size_t at = place->first_mention + k;
        const struct mention *date = &index->set.mentions.items[at];
        if (date->kind == MENTION_DATE && date->start >= m->end && date->start < m->end + 20 &&
            index->set.mention_days[at] == day) {
            return true;
        }
    }
    return false;
}

static struct match best_match(struct sentence_scan *scan, const struct mention *claim,
                               int64_t day) {
    static const enum mention_kind kinds[] = {MENTION_NUMBER, MENTION_DOSE};
    const struct record_index *index = &scan->verifier->index;
    struct surroundings near = around(&scan->folded, claim);
    struct match best = {0};
    for (int k = 0; k < 2; k++) {
        size_t at = index_lower_bound(index, kinds[k], claim->value);
        for (size_t n = 0; at < index->n_by_kind[kinds[k]] && n < EVIDENCE_MAX; at++, n++) {
            struct evidence evidence = index->by_kind[kinds[k]][at];
            const struct mention *m = evidence_mention(index, evidence);
            if (!values_equal(m->value, claim->value)) {
                break;
            }
            if (strcmp(m->unit, claim->unit) != 0 || !same_form(claim, m)) {
                continue;
            }
            double score = answer(scan, claim, &near, evidence);
            bool on_day = day != DAY_UNKNOWN
                              ? is_same_day(index, evidence, day)
                              : number_is_timely(scan, number_time(scan, claim), evidence);
            double total = score > 0 ? score + (on_day ? 4 : 0) : 0;
            if (total > best.score) {
                best = (struct match){total, evidence, on_day};
            }
        }
    }
    return best;
}

// The high end of a range may be told alone: 38.2至39.0℃, "最高39.0℃".
static struct match range_end_match(struct sentence_scan *scan, const struct mention *claim) {
    const struct record_index *index = &scan->verifier->index;
    struct surroundings near = around(&scan->folded, claim);
    struct match best = {0};
    for (size_t at = 0; at < index->n_by_kind[MENTION_NUMBER]; at++) {
        struct evidence evidence = index->by_kind[MENTION_NUMBER][at];
        const struct mention *m = evidence_mention(index, evidence);
        if (m->form == NUMBER_PLAIN || !values_equal(m->value_high, claim->value) ||
            strcmp(m->unit, claim->unit) != 0) {
            continue;
        }
        double score = answer(scan, claim, &near, evidence);
        if (score > best.score) {
            best = (struct match){score, evidence, false};
        }
    }
    return best;
}

static bool stands_before(const struct folded_text *text, size_t at, const char *word,
                          size_t reach) {
    size_t from = at > reach ? at - reach : 0;
    return folded_find(text, from, at, word) < at;
}

// "莫西沙星…抗感染10天": as long as the drug was ordered, by either way of counting days.
static bool is_length_of_order(const struct sentence_scan *scan, const struct mention *claim) {
    const struct record_index *index = &scan->verifier->index;
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *drug = &scan->mentions.items[i];
        if (drug->kind != MENTION_DRUG || drug->start > claim->start) {
            continue;
        }
        int64_t first = DAY_UNKNOWN, last = DAY_UNKNOWN;
        for (size_t k = 0; k < index->n_by_kind[MENTION_DRUG]; k++) {
            struct evidence evidence = index->by_kind[MENTION_DRUG][k];
            const struct place *place = evidence_place(index, evidence);
            if (!place->is_order || !drugs_agree(drug, evidence_mention(index, evidence))) {
                continue;
            }
            double length = (double)(place->last_day - place->day);
            if (values_equal(claim->written, length) || values_equal(claim->written, length + 1)) {
                return true;
            }
            first = first == DAY_UNKNOWN || place->day < first ? place->day : first;
            last = last == DAY_UNKNOWN || place->last_day > last ? place->last_day : last;
        }
        if (first != DAY_UNKNOWN && (values_equal(claim->written, (double)(last - first)) ||
                                     values_equal(claim->written, (double)(last - first + 1)))) {
            return true;
        }
    }
    return false;
}

// What counts as fever or low sugar for everybody, in advice.
static bool is_common_limit(const struct mention *claim) {
    bool sugar = strcmp(claim->unit, "mmol/L") == 0 && values_equal(claim->value, 3.9);
    bool fever = strcmp(claim->unit, "℃") == 0 &&
                 (values_equal(claim->value, 38) || values_equal(claim->value, 38.5));
    return sugar || fever;
}

// Values that the episode gives without writing them: 1 yes, -1 no, 0 not of that kind.
static int computed(struct sentence_scan *scan, const struct mention *claim, int64_t day,
                    char why[80]) {
    const struct episode *episode = scan->verifier->episode;
    const struct folded_text *text = &scan->folded;
    bool days = strcmp(claim->unit, "h") == 0 && values_equal(claim->value, claim->written * 24);
    bool plain = claim->form == NUMBER_PLAIN;
    bool stay =
        strcmp(scan->field_id, "stay_days") == 0 || stands_before(text, claim->start, "住院", 5);
    if (plain && stay && (days || claim->unit[0] == 0) && episode_stay_days(episode) >= 0) {
        snprintf(why, 80, "按入院、出院日期计算为%d天", episode_stay_days(episode));
        bool right = values_equal(claim->written, episode_stay_days(episode));
        bool is_field = strcmp(scan->field_id, "stay_days") == 0;
        return right ? 1 : is_field ? -1 : 0; // "住院已3天" is told in the middle of a stay
    }
    if (plain && strcmp(claim->unit, "岁") == 0 &&
        values_equal(claim->value, episode_age_years(episode))) {
        return 1;
    }
    if (plain && is_common_limit(claim) &&
        (stands_before(text, claim->start, "低于", 4) ||
         stands_before(text, claim->start, "超过", 4) ||
         stands_before(text, claim->start, "高于", 4))) {
        return 1;
    }
    if (plain && days && is_length_of_order(scan, claim)) {
        return 1;
    }
    if (plain && strcmp(claim->unit, "次") == 0 && stands_before(text, claim->start, "手术", 3) &&
        values_equal(claim->value, episode->n_operations)) {
        return 1;
    }
    bool after = stands_before(text, claim->start, "术后", 4) ||
                 stands_before(text, claim->start, "术后第", 5);
    for (int i = 0; plain && after && day != DAY_UNKNOWN && i < episode->n_operations; i++) {
        int64_t operated = moment_day_number(episode->operations[i].start);
        if (values_equal(claim->written, (double)(day - operated))) {
            return 1;
        }
    }
    return 0;
}

// What the record has instead: the value of the same quantity on that day, else the nearest value.
static void say_other(struct sentence_scan *scan, const struct mention *claim, int64_t day,
                      struct claim *out) {
    const struct record_index *index = &scan->verifier->index;
    const struct evidence *best = NULL;
    double best_score = -1;
    for (size_t i = 0; claim->n_concepts && i < index->n_by_kind[MENTION_NUMBER]; i++) {
        const struct evidence *evidence = &index->by_kind[MENTION_NUMBER][i];
        const struct mention *m = evidence_mention(index, *evidence);
        if (m->n_concepts == 0 || m->concepts[0] != claim->concepts[0]) {
            continue;
        }
        double score = place_fit(scan, evidence->place) +
                       (day != DAY_UNKNOWN && is_same_day(index, *evidence, day) ? 2 : 0) +
                       (strcmp(m->unit, claim->unit) == 0 ? 0.5 : 0);
        if (score > best_score) {
            best_score = score;
            best = evidence;
        }
    }
    if (!best) {
        claim_refuse(out, "记录中没有这个数值");
        return;
    }
    const struct mention *m = evidence_mention(index, *best);
    const struct place *place = evidence_place(index, *best);
    char words[80], date[40];
    size_t from = m->subject_end > m->subject_start && m->subject_start < m->start
                      ? m->subject_start
                      : m->start;
    record_words(scan, place, from, m->end, words);
    int64_t told = index->set.mention_days[best->mention];
    day_words(told == DAY_UNKNOWN ? scan->verifier->admit_day : told, scan->verifier->admit_day,
              date, sizeof date);
    claim_refuse(out, "记录中为“%s”（%s）", words, date);
    out->has_source = true;
    out->source = place->source;
}

// The sentence's date holds for the number unless time goes on between them (此后, 逐渐).
static int64_t day_of_number(const struct sentence_scan *scan, size_t i) {
    static const char *const words[] = {"此后", "随后", "以来",   "逐渐",
                                        "之后", "目标", "后复查", "次日"};
    const struct mention *m = &scan->mentions.items[i];
    size_t from = 0;
    for (size_t k = i + 1; k < scan->mentions.count; k++) { // C反应蛋白32 mg/L（9月27日）
        const struct mention *other = &scan->mentions.items[k];
        if (other->kind == MENTION_DATE && other->start == m->end + 1 &&
            scan->folded.chars[m->end] == '(') {
            return scan->days[k];
        }
    }
    for (size_t k = 0; k < i; k++) {
        const struct mention *other = &scan->mentions.items[k];
        from = other->kind == MENTION_DATE && other->end > from ? other->end : from;
    }
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        if (folded_find(&scan->folded, from, m->start, words[w]) < m->start) {
            return DAY_UNKNOWN;
        }
    }
    return scan->days[i];
}

// The first and the last day on which the record gives a quantity this value.
static void days_of_value(const struct sentence_scan *scan, const struct mention *m, int64_t *first,
                          int64_t *last) {
    const struct record_index *index = &scan->verifier->index;
    *first = *last = DAY_UNKNOWN;
    for (size_t i = index_lower_bound(index, MENTION_NUMBER, m->value);
         i < index->n_by_kind[MENTION_NUMBER]; i++) {
        struct evidence evidence = index->by_kind[MENTION_NUMBER][i];
        const struct mention *told = evidence_mention(index, evidence);
        int64_t day = index->set.mention_days[evidence.mention];
        if (!values_equal(told->value, m->value)) {
            return;
        }
        if (told->n_concepts && told->concepts[0] == m->concepts[0] && day != DAY_UNKNOWN) {
            *first = *first == DAY_UNKNOWN || day < *first ? day : *first;
            *last = *last == DAY_UNKNOWN || day > *last ? day : *last;
        }
    }
}

// "由9.2升至142.6" where 142.6 came first, or 升 where the value fell.
static bool is_turned_round(const struct sentence_scan *scan, size_t i) {
    const struct mention *m = &scan->mentions.items[i];
    const struct mention *before = i ? &scan->mentions.items[i - 1] : NULL;
    bool plain = before && before->form == NUMBER_PLAIN && m->form == NUMBER_PLAIN;
    if (!plain || before->kind != MENTION_NUMBER || before->n_concepts == 0 || m->n_concepts == 0 ||
        before->concepts[0] != m->concepts[0] || m->start <= before->end) {
        return false;
    }
    bool rises = folded_find(&scan->folded, before->end, m->start, "升") < m->start;
    bool falls = folded_find(&scan->folded, before->end, m->start, "降") < m->start;
    if ((rises && m->written < before->written) || (falls && m->written > before->written)) {
        return strcmp(m->unit, before->unit) == 0;
    }
    int64_t first, last, unused;
    days_of_value(scan, before, &first, &unused);
    days_of_value(scan, m, &unused, &last);
    return (rises || falls) && first != DAY_UNKNOWN && last != DAY_UNKNOWN && last < first;
}

// "10%氯化钾溶液": the number is a part of a name that the record has like this.
static bool is_part_of_drug(const struct sentence_scan *scan, const struct mention *m,
                            uint32_t *out) {
    const struct record_index *index = &scan->verifier->index;
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *drug = &scan->mentions.items[i];
        if (drug->kind != MENTION_DRUG || drug->start != m->end) {
            continue;
        }
        for (size_t p = 0; p < index->set.count; p++) {
            const struct place *place = &index->set.places[p];
            size_t at = 0;
            if (place->is_order && place_has(place, &scan->folded, m->start, drug->end, &at)) {
                *out = (uint32_t)p;
                return true;
            }
        }
    }
    return false;
}

static void check_number(struct sentence_scan *scan, size_t i) {
    const struct mention *m = &scan->mentions.items[i];
    int64_t day = day_of_number(scan, i);
    char why[80] = "";
    int known = computed(scan, m, day != DAY_UNKNOWN ? day : scan->carried_day, why);
    struct claim *claim = scan_claim(scan, CLAIM_NUMBER, m->start, m->end);
    if (!claim) {
        return;
    }
    uint32_t named;
    if (known > 0) {
        claim->is_supported = true;
        return;
    }
    if (is_part_of_drug(scan, m, &named)) {
        claim_support(scan, claim, named);
        return;
    }
    if (known < 0) {
        claim_refuse(claim, "%s", why);
        return;
    }
    struct match match = best_match(scan, m, day);
    if (match.score <= 0 && m->form == NUMBER_PLAIN) {
        match = range_end_match(scan, m);
    }
    if (match.score <= 0) {
        say_other(scan, m, day, claim);
        return;
    }
    if (is_turned_round(scan, i)) {
        claim_refuse(claim, "记录中两个数值的先后或升降相反");
        return;
    }
    bool daily = scan->time != TIME_ORDERS && m->n_concepts > 0 && day != DAY_UNKNOWN &&
                 day >= scan->verifier->admit_day;
    const struct record_index *index = &scan->verifier->index;
    int64_t told = index->set.mention_days[match.evidence.mention];
    bool late = day == DAY_UNKNOWN && !match.is_on_day && number_is_out_of_time(scan, i);
    if ((late || (daily && !match.is_on_day)) && told != DAY_UNKNOWN) {
        char date[40];
        day_words(told, scan->verifier->admit_day, date, sizeof date);
        claim_refuse(claim, "记录中该数值的日期为%s", date);
        claim->has_source = true;
        claim->source = evidence_place(index, match.evidence)->source;
        return;
    }
    claim_support(scan, claim, match.evidence.place);
}

void check_numbers(struct sentence_scan *scan) {
    for (size_t i = 0; i < scan->mentions.count && !scan->is_out_of_memory; i++) {
        if (scan->mentions.items[i].kind == MENTION_NUMBER) {
            check_number(scan, i);
        }
    }
}
