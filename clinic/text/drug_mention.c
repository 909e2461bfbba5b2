// SPDX-License-Identifier: Apache-2.0
// Drugs (stems with salts and forms around them, compounds as several concepts), how often and by
// which way they are given, and which number, frequency and route belongs to which drug.
#include "clinic/text/lexicon_words.h"
#include "clinic/text/mention_scan.h"
#include "clinic/text/unit_table.h"

#include <string.h>

#define DOSE_GAP 40
#define FREQUENCY_GAP 48

static size_t longest_of(const struct folded_text *text, size_t at, const char *const *words) {
    size_t best = 0;
    for (; *words; words++) {
        size_t n = folded_match(text, at, *words);
        best = n > best ? n : best;
    }
    return best;
}

static void add_concept(struct mention *m, int concept) {
    for (int i = 0; i < m->n_concepts; i++) {
        if (m->concepts[i] == concept) {
            return;
        }
    }
    if (m->n_concepts < MENTION_CONCEPTS) {
        m->concepts[m->n_concepts++] = concept;
    }
}

// What may stand between two stems of one compound: salts, a slash, a form ("氯化钠注射液").
static size_t joint(const struct folded_text *text, size_t at) {
    size_t n = longest_of(text, at, DRUG_SALTS_BEHIND);
    n += text->chars[at + n] == '/' || text->chars[at + n] == '-' ? 1 : 0;
    return n + longest_of(text, at + n, DRUG_SALTS_BEFORE);
}

// The drug whose name begins at `at`, salts included; end == start: none.
static struct mention drug_at(struct mention_scan *scan, size_t at) {
    const struct folded_text *text = scan->text;
    struct mention m = mention_make(MENTION_DRUG, at, at);
    size_t i = at;
    struct word word = lexicon_word_at(scan->lexicon, text, i, WORD_DRUG);
    if (word.concept >= 0 &&
        lexicon_word_at(scan->lexicon, text, i, WORD_QUANTITY).length > word.length) {
        return m; // 降钙素原 is measured, 降钙素 is given
    }
    if (word.concept < 0) {
        i += longest_of(text, i, DRUG_SALTS_BEFORE);
        word = i > at ? lexicon_word_at(scan->lexicon, text, i, WORD_DRUG) : word;
    }
    while (word.concept >= 0) {
        add_concept(&m, word.concept);
        i += word.length;
        m.end = i;
        size_t gap = joint(text, i);
        word = lexicon_word_at(scan->lexicon, text, i + gap, WORD_DRUG);
        i += word.concept >= 0 ? gap : 0;
    }
    if (m.end > m.start) {
        m.subject_start = m.start;
        m.subject_end = m.end;
        m.end += longest_of(text, m.end, DRUG_SALTS_BEHIND);
        m.end += longest_of(text, m.end, DRUG_FORMS);
    }
    return m;
}

// "片" behind a name, not behind what else is so called: X线片, 切片, 斑片.
static size_t tablet_at(const struct folded_text *text, size_t at) {
    static const char others[] = "线胶照鳞切斑碎骨刀药敷薄瓣平贴成大小一数每半叶影阅拍摄补涂压垫";
    struct folded_text list;
    bool other = at == 0 || text->chars[at] != 0x7247 || !character_is_han(text->chars[at - 1]) ||
                 text->chars[at + 1] == 0x72B6 || text->chars[at + 1] == 0x5F71; // 片状, 片影
    if (other || !folded_init(&list, others, sizeof others - 1)) {
        return 0;
    }
    for (size_t i = 0; i < list.n; i++) {
        other = other || list.chars[i] == text->chars[at - 1];
    }
    folded_deinit(&list);
    return other ? 0 : 1;
}

// A name that only what stands around it gives away: 注射用X, X胶囊, X注射液.
static struct mention dosed_form_at(struct mention_scan *scan, size_t at) {
    static const char *const forms[] = {"胶囊",   "注射液", "颗粒",   "缓释片",   "肠溶片",
                                        "分散片", "口服液", "混悬液", "口服溶液", NULL};
    const struct folded_text *text = scan->text;
    struct mention m = mention_make(MENTION_DRUG, at, at);
    size_t form = longest_of(text, at, forms), before = 0;
    form = form ? form : tablet_at(text, at);
    size_t prefix = folded_match(text, at, "注射用");
    while (form && before < 4 && before < at && character_is_han(text->chars[at - before - 1]) &&
           !scan->taken[at - before - 1]) {
        before++;
    }
    if (form && before >= 2) {
        m.start = m.subject_start = at - before;
        m.subject_end = at;
        m.end = at + form;
    } else if (prefix) {
        size_t end = at + prefix + longest_of(text, at + prefix, DRUG_SALTS_BEFORE);
        m.subject_start = m.subject_end = end;
        while (m.subject_end < end + 4 && character_is_han(text->chars[m.subject_end])) {
            m.subject_end++;
        }
        m.end = m.subject_end > end + 1 ? m.subject_end : m.start;
    }
    return m;
}

// A name that only its ending gives away: up to two characters before it belong to it.
static struct mention unknown_drug_at(struct mention_scan *scan, size_t at) {
    const struct folded_text *text = scan->text;
    struct mention m = mention_make(MENTION_DRUG, at, at);
    size_t n = longest_of(text, at, DRUG_ENDINGS);
    size_t before = 0;
    while (before < 2 && before < at && character_is_han(text->chars[at - before - 1]) &&
           !scan->taken[at - before - 1]) {
        before++;
    }
    if (n == 0 || before == 0) {
        return m;
    }
    m.start = m.subject_start = at - before;
    m.end = m.subject_end = at + n;
    m.end += longest_of(text, m.end, DRUG_SALTS_BEHIND);
    m.end += longest_of(text, m.end, DRUG_FORMS);
    return m;
}

void scan_drugs(struct mention_scan *scan) {
    const struct folded_text *text = scan->text;
    for (size_t i = 0; i < text->n;) {
        struct mention m = drug_at(scan, i);
        m = m.end > m.start ? m : unknown_drug_at(scan, i);
        m = m.end > m.start ? m : dosed_form_at(scan, i);
        if (m.end <= m.start) {
            i++;
            continue;
        }
        m.is_negative = scan->negated[m.start];
        scan_take(scan, &m);
        i = m.end;
    }
}

// N times: "3次", "三次"; characters, 0: no.
static size_t times(const struct folded_text *text, size_t at, double *count) {
    size_t n = scan_decimal(text, at, count);
    n = n ? n : scan_han_number(text, at, count);
    return n && text->chars[at + n] == 0x6B21 ? n + 1 : 0; // 次
}

// 每8小时1次, 每2周1次, 每8小时
static size_t every_period(const struct folded_text *text, size_t at, double *per_day) {
    double period, count = 1;
    size_t n = folded_match(text, at, "每");
    size_t digits = n ? scan_decimal(text, at + n, &period) : 0;
    if (digits == 0 || period <= 0) {
        return 0;
    }
    struct unit unit = unit_at(text, at + n + digits);
    if (strcmp(unit.base, "h") != 0 && strcmp(unit.base, "月") != 0) {
        return 0;
    }
    n += digits + unit.length;
    double hours = period * unit.factor * (unit.base[0] == 'h' ? 1 : 720);
    size_t more = times(text, at + n, &count);
    if (more == 0 && hours > 24) {
        return 0; // "每6个月" without 次 is no frequency of a drug
    }
    *per_day = count * 24 / hours;
    return n + more;
}

// 每日3次, 一日三次, 每晚1次, 隔日1次, 每周2次
static size_t named_period(const struct folded_text *text, size_t at, double *per_day) {
    static const struct {
        const char *word;
        double days;
        bool alone; // a frequency without a count, too
    } periods[] = {{"每日", 1, false}, {"每天", 1, false}, {"一日", 1, false}, {"1日", 1, false},
                   {"一天", 1, false}, {"1天", 1, false},  {"每晚", 1, true},  {"每早", 1, true},
                   {"每晨", 1, true},  {"隔日", 2, true},  {"每周", 7, false}, {"隔天", 2, true},
                   {"每月", 30, false}};
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        size_t n = folded_match(text, at, periods[i].word);
        double count = 1;
        if (n == 0) {
            continue;
        }
        size_t more = times(text, at + n, &count);
        if (more || periods[i].alone) {
            *per_day = (more ? count : 1) / periods[i].days;
            return n + more;
        }
    }
    return 0;
}

// 3次/日
static size_t times_a_day(const struct folded_text *text, size_t at, double *per_day) {
    static const struct {
        const char *word;
        double days;
    } units[] = {{"/日", 1}, {"/天", 1}, {"/d", 1}, {"/周", 7}, {"/w", 7}, {"/晚", 1}, {"每日", 1}};
    size_t n = times(text, at, per_day);
    for (size_t i = 0; n && i < sizeof units / sizeof units[0]; i++) {
        size_t more = folded_match(text, at + n, units[i].word);
        if (more) {
            *per_day /= units[i].days;
            return n + more;
        }
    }
    return 0;
}

// The letters before are a number's unit: 100mgqd.
static bool follows_unit(const struct folded_text *text, size_t at) {
    size_t i = at;
    while (i > 0 && at - i < 3 && character_is_latin(text->chars[i - 1])) {
        i--;
    }
    return i > 0 && i < at && character_is_digit(text->chars[i - 1]);
}

static size_t short_word(const struct folded_text *text, size_t at, double *per_day) {
    static const struct {
        const char *word;
        double per_day;
    } words[] = {{"qd", 1},    {"qn", 1},        {"bid", 2},      {"tid", 3},      {"qid", 4},
                 {"qod", 0.5}, {"q4h", 6},       {"q6h", 4},      {"q8h", 3},      {"q12h", 2},
                 {"q24h", 1},  {"biw", 2.0 / 7}, {"qw", 1.0 / 7}, {"tiw", 3.0 / 7}};
    if (folded_goes_on(text, at) && !follows_unit(text, at)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = folded_match(text, at, words[i].word);
        if (n && !folded_goes_on(text, at + n)) {
            *per_day = words[i].per_day;
            return n;
        }
    }
    return 0;
}

static const struct {
    const char *word, *route;
} ROUTES[] = {{"静脉滴注", "静脉滴注"},   {"静滴", "静脉滴注"},     {"静脉点滴", "静脉滴注"},
              {"静脉输注", "静脉滴注"},   {"ivgtt", "静脉滴注"},    {"ivdrip", "静脉滴注"},
              {"iv", "静脉注射"},         {"po", "口服"},           {"ih", "皮下注射"},
              {"im", "肌内注射"},         {"静脉注射", "静脉注射"}, {"静注", "静脉注射"},
              {"静推", "静脉注射"},       {"静脉推注", "静脉注射"}, {"静脉泵入", "静脉泵入"},
              {"微量泵泵入", "静脉泵入"}, {"泵入", "静脉泵入"},     {"持续泵入", "静脉泵入"},
              {"皮下注射", "皮下注射"},   {"肌内注射", "肌内注射"}, {"肌肉注射", "肌内注射"},
              {"肌注", "肌内注射"},       {"口服", "口服"},         {"嚼服", "嚼服"},
              {"鼻饲", "鼻饲"},           {"胃管注入", "鼻饲"},     {"舌下含服", "舌下含服"},
              {"含服", "舌下含服"},       {"雾化吸入", "雾化吸入"}, {"雾化", "雾化吸入"},
              {"外用", "外用"},           {"直肠给药", "直肠给药"}, {"灌肠", "灌肠"}};

// IV期 is a stage.
static bool is_stage(uint32_t c) {
    return c == 0x671F || c == 0x7EA7 || c == 0x578B || c == 0x5EA6;
}

static bool scan_route(struct mention_scan *scan, size_t at, size_t *length) {
    size_t best = 0;
    struct mention m = mention_make(MENTION_ROUTE, at, at);
    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++) {
        size_t n = folded_match(scan->text, at, ROUTES[i].word);
        bool latin = n && character_is_latin(scan->text->chars[at]);
        if (latin && (folded_goes_on(scan->text, at) || folded_goes_on(scan->text, at + n) ||
                      is_stage(scan->text->chars[at + n]))) {
            continue;
        }
        if (n > best) {
            best = n;
            m.route = ROUTES[i].route;
        }
    }
    m.end = at + best;
    *length = best;
    if (best) {
        scan_keep(scan, &m);
    }
    return best > 0;
}

void scan_frequencies(struct mention_scan *scan) {
    static size_t (*const forms[])(const struct folded_text *, size_t, double *) = {
        every_period, named_period, times_a_day, short_word};
    const struct folded_text *text = scan->text;
    for (size_t i = 0; i < text->n;) {
        size_t n = 0;
        struct mention m = mention_make(MENTION_FREQUENCY, i, i);
        for (size_t f = 0; n == 0 && !scan->taken[i] && f < sizeof forms / sizeof forms[0]; f++) {
            n = forms[f](text, i, &m.per_day);
        }
        if (n) {
            m.end = i + n;
            scan_take(scan, &m);
        } else if (!scan->taken[i] && scan_route(scan, i, &n)) {
            // kept there
        } else {
            while (character_is_digit(text->chars[i]) && character_is_digit(text->chars[i + 1])) {
                i++;
            }
        }
        i += n ? n : 1;
    }
}

struct gap {
    size_t characters, commas;
    bool ends; // a sentence ends in between
};

static struct gap gap_between(const struct folded_text *text, size_t from, size_t to) {
    struct gap gap = {to > from ? to - from : 0, 0, false};
    for (size_t i = from; i < to; i++) {
        gap.commas += text->chars[i] == ',';
        gap.ends = gap.ends || character_ends_sentence(text->chars[i]);
    }
    return gap;
}

static void take_drug(struct mention *m, const struct mention *drug) {
    memcpy(m->concepts, drug->concepts, sizeof m->concepts);
    m->n_concepts = drug->n_concepts;
    m->subject_start = drug->subject_start;
    m->subject_end = drug->subject_end;
}

static bool has_quantity(const struct mention *m, const struct mention *drug) {
    if (drug && drug->start >= m->subject_end && drug->end <= m->start) {
        return false; // the drug stands nearer
    }
    bool inside = drug && m->subject_start >= drug->start && m->subject_end <= drug->end;
    return m->n_concepts > 0 && !inside;
}

// A number of a drug's unit becomes the dose of the drug before it, or of one right behind it.
static void bind_number(struct mention_scan *scan, struct mention *m, const struct mention *before,
                        const struct mention *behind) {
    if (!m->unit || !unit_is_dose(m->unit) || has_quantity(m, before)) {
        return;
    }
    if (before) {
        struct gap gap = gap_between(scan->text, before->end, m->start);
        size_t limit = gap.commas ? 12 : DOSE_GAP;
        if (!gap.ends && gap.commas < 2 && gap.characters <= limit) {
            m->kind = MENTION_DOSE;
            take_drug(m, before);
            return;
        }
    }
    if (behind && behind->start >= m->end && behind->start - m->end <= 1) {
        m->kind = MENTION_DOSE;
        take_drug(m, behind);
    }
}

void bind_doses(struct mention_scan *scan) {
    struct mention_list *list = scan->list;
    const struct mention *before = NULL;
    for (size_t i = 0; i < list->count; i++) {
        struct mention *m = &list->items[i];
        if (m->kind == MENTION_DRUG) {
            before = m;
        } else if (m->kind == MENTION_NUMBER) {
            const struct mention *behind = NULL;
            for (size_t k = i + 1; k < list->count && k < i + 3; k++) {
                behind = list->items[k].kind == MENTION_DRUG ? &list->items[k] : behind;
            }
            bind_number(scan, m, before, behind);
        } else if (before && (m->kind == MENTION_FREQUENCY || m->kind == MENTION_ROUTE)) {
            struct gap gap = gap_between(scan->text, before->end, m->start);
            if (!gap.ends && gap.commas < 3 && gap.characters <= FREQUENCY_GAP) {
                take_drug(m, before);
            }
        }
    }
}
