// SPDX-License-Identifier: Apache-2.0
// See fact_told.h. Words are compared as pairs of neighbouring characters: Chinese has no blanks to
// cut at, and a pair is the shortest thing that means something.
#define _GNU_SOURCE // memmem
#include "clinic/facts/fact_told.h"

#include "clinic/facts/clause.h"
#include "clinic/facts/drug_stem.h"
#include "clinic/facts/note_class.h"
#include "clinic/facts/operation_told.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FACT_PAIRS_MAX 160
#define FACT_NUMBERS_MAX 24
#define NEAR 0.08 // of a value
#define REPORT_ITEM_BYTES 600
#define OPENING_BYTES 48       // "出院带药：", a salt and the name
#define PRESCRIPTION_BYTES 200 // longer clauses tell a course, not what is taken home

struct window {
    const char *text;
    size_t bytes;
};

static bool is_sentence_mark(const char *text) {
    return *text == '\n' || strncmp(text, "。", strlen("。")) == 0;
}

bool told_text_init(struct told_text *told, const char *text, struct clinic_error *error) {
    size_t bytes = strnlen(text, TOLD_BYTES_MAX), kept = 0;
    *told = (struct told_text){0};
    told->text = malloc(bytes + 1);
    told->ends = malloc((bytes + 2) * sizeof *told->ends);
    if (!told->text || !told->ends) {
        told_text_deinit(told);
        return clinic_fail_memory(error);
    }
    for (size_t at = 0; at < bytes;) {
        size_t length = character_length(text + at);
        if (length == 0 || at + length > bytes) break;
        bool is_list = kept && told->text[kept - 1] == '.'; // "10. 1个月后" is not 10.1
        if (text[at] != ' ' || is_list) {
            memcpy(told->text + kept, text + at, length);
            kept += length;
        }
        if (is_sentence_mark(text + at)) told->ends[told->n_sentences++] = kept;
        at += length;
    }
    told->text[kept] = '\0';
    if (!told->n_sentences || told->ends[told->n_sentences - 1] < kept)
        told->ends[told->n_sentences++] = kept;
    return true;
}

void told_text_deinit(struct told_text *told) {
    free(told->text);
    free(told->ends);
    *told = (struct told_text){0};
}

static bool window_has_bytes(const struct window *window, const char *needle, size_t bytes) {
    return bytes && memmem(window->text, window->bytes, needle, bytes) != NULL;
}

static bool window_has(const struct window *window, const char *needle) {
    return window_has_bytes(window, needle, strlen(needle));
}

static bool window_has_any(const struct window *window, const char *const *needles) {
    for (int i = 0; needles[i]; i++) {
        if (window_has(window, needles[i])) return true;
    }
    return false;
}

// A number equal to this one stands in the window.
static bool window_has_number(const struct window *window, double value) {
    for (size_t at = 0; at < window->bytes;) {
        size_t digits = number_length(window->text + at);
        if (!digits) {
            at++;
            continue;
        }
        if (fabs(strtod(window->text + at, NULL) - value) < 1e-9) return true;
        at += digits;
    }
    return false;
}

static bool is_word_character(const char *text) {
    unsigned char lead = (unsigned char)*text;
    if (lead < 0x80) return (lead >= 'A' && lead <= 'Z') || (lead >= 'a' && lead <= 'z');
    // CJK punctuation (E3 80) and full-width forms (EF BC) hold words apart.
    if (lead == 0xe3 && (unsigned char)text[1] == 0x80) return false;
    return lead != 0xef && lead != 0xe2;
}

struct pairs {
    const char *at[FACT_PAIRS_MAX];
    size_t bytes[FACT_PAIRS_MAX];
    int n;
};

static void find_pairs(const char *text, size_t text_bytes, struct pairs *pairs) {
    pairs->n = 0;
    for (size_t at = 0; at < text_bytes && pairs->n < FACT_PAIRS_MAX;) {
        size_t first = character_length(text + at);
        size_t second = at + first < text_bytes ? character_length(text + at + first) : 0;
        if (second && is_word_character(text + at) && is_word_character(text + at + first)) {
            pairs->at[pairs->n] = text + at;
            pairs->bytes[pairs->n++] = first + second;
        }
        at += first;
    }
}

// "个月后复查" stands in every advice and tells none apart; a reason ("以排除…") need not be told.
static void keep_advice_pairs(struct pairs *pairs) {
    static const char *const STOP[] = {"个月", "月后", "周后", "后复", "复查", "门诊",
                                       "诊复", "出院", "院后", "次复", NULL};
    int kept = 0;
    for (int i = 0; i < pairs->n; i++) {
        bool is_stop = false;
        for (int k = 0; STOP[k] && !is_stop; k++)
            is_stop = strncmp(pairs->at[i], STOP[k], strlen(STOP[k])) == 0;
        if (is_stop) continue;
        pairs->at[kept] = pairs->at[i];
        pairs->bytes[kept++] = pairs->bytes[i];
    }
    pairs->n = kept;
}

static double coverage(const struct window *window, const struct pairs *pairs) {
    int found = 0;
    for (int i = 0; i < pairs->n; i++)
        found += window_has_bytes(window, pairs->at[i], pairs->bytes[i]);
    return pairs->n ? (double)found / pairs->n : 1;
}

// Numbers with a unit: a bare number in a fact's text is a list's or a name's.
static int find_numbers(const char *text, double numbers[FACT_NUMBERS_MAX]) {
    int n = 0;
    for (size_t at = 0; text[at] && n < FACT_NUMBERS_MAX;) {
        size_t digits = number_length(text + at);
        bool is_date = digits && (strncmp(text + at + digits, "月", 3) == 0 ||
                                  strncmp(text + at + digits, "年", 3) == 0 ||
                                  strncmp(text + at + digits, "时", 3) == 0);
        if (digits && !is_date) numbers[n++] = strtod(text + at, NULL);
        at += digits ? digits : character_length(text + at);
    }
    return n;
}

static double numbers_found(const struct window *window, const char *text) {
    double numbers[FACT_NUMBERS_MAX];
    int n = find_numbers(text, numbers), found = 0;
    for (int i = 0; i < n; i++)
        found += window_has_number(window, numbers[i]);
    return n ? (double)found / n : 1;
}

// --- by class
// -------------------------------------------------------------------------------------

static bool has_stem(const struct window *window, const char *stem) {
    if (window_has(window, stem)) return true;
    size_t short_bytes = 12; // four characters: 哌拉西林 of 哌拉西林钠他唑巴坦
    return strlen(stem) > short_bytes && (unsigned char)stem[0] >= 0xe4 &&
           window_has_bytes(window, stem, short_bytes);
}

struct stems {
    char stems[FACT_SOURCES_MAX][DRUG_STEM_BYTES];
    int n;
};

// Stems of the drugs that a fact is about: of its order, else what its own words name.
static void fact_stems(const struct episode *episode, const struct fact *fact,
                       struct stems *drugs) {
    drugs->n = 0;
    for (int i = 0; i < fact->n_sources; i++) {
        const struct source *source = &fact->sources[i];
        if (source->kind == SOURCE_ORDER && strstr(fact->text, episode->orders[source->row].name))
            drug_stem(episode->orders[source->row].name, drugs->stems[drugs->n++]);
    }
    for (int i = 0; drugs->n == 0 && i < episode->n_orders; i++) {
        if (strcmp(episode->orders[i].order_class, "drug") != 0) continue;
        drug_stem(episode->orders[i].name, drugs->stems[0]);
        if (strstr(fact->text, drugs->stems[0])) drugs->n = 1;
    }
}

static bool is_stop(const struct fact *fact) {
    return strncmp(fact->text, "停", strlen("停")) == 0;
}

static bool tells_drug(const struct window *window, const struct fact *fact,
                       const struct pairs *pairs, const struct stems *drugs) {
    static const char *const STOPPED[] = {"停", "改", "换", "至", "不再", "用到", NULL};
    if (drugs->n == 0)
        return coverage(window, pairs) >= 0.5 && numbers_found(window, fact->text) >= 0.5;
    for (int i = 0; i < drugs->n; i++) {
        if (!has_stem(window, drugs->stems[i])) return false;
    }
    if (is_stop(fact)) return window_has_any(window, STOPPED);
    if (strstr(fact->text, "泵入")) return true; // its rate changed by the hour
    double numbers[FACT_NUMBERS_MAX];
    if (!fact->value && strncmp(fact->text, "输注", strlen("输注")) == 0) return true;
    if (fact->value) // the dose is the first number
        return find_numbers(fact->value, numbers) == 0 || window_has_number(window, numbers[0]);
    return numbers_found(window, fact->text) >= 0.5 && coverage(window, pairs) >= 0.3;
}

static const struct lab *fact_lab(const struct episode *episode, const struct fact *fact) {
    return fact->n_sources && fact->sources[0].kind == SOURCE_LAB
               ? &episode->labs[fact->sources[0].row]
               : NULL;
}

// A value a little off is another measurement of the same disorder (血红蛋白 70 and 72 g/L).
static bool window_has_near(const struct window *window, const char *name, size_t name_bytes,
                            double value) {
    for (size_t at = 0; at + name_bytes < window->bytes; at++) {
        if (memcmp(window->text + at, name, name_bytes) != 0) continue;
        const char *number = window->text + at + name_bytes;
        if (number_length(number) && fabs(strtod(number, NULL) - value) <= NEAR * fabs(value))
            return true;
    }
    return false;
}

static bool tells_lab(const struct window *window, const struct lab *lab) {
    size_t bytes = strcspn(lab->name, "\xef"); // up to "（"
    bool is_named = window_has_bytes(window, lab->name, bytes) ||
                    (lab->code && window_has(window, lab->code)) ||
                    (strstr(lab->name, "葡萄糖") && window_has(window, "血糖"));
    if (!is_named) return false;
    if (!lab->is_number) return window_has(window, lab->text);
    return window_has_number(window, lab->value) ||
           window_has_near(window, lab->name, bytes, lab->value);
}

static bool tells_consult(const struct window *window, const struct fact *fact) {
    const char *name = fact->value ? fact->value : fact->text;
    const char *end = strstr(name, "科会诊");
    if (!end) end = strstr(name, "会诊");
    if (!end) return false;
    for (const char *at = name; at < end; at++) { // behind a date or a mark
        if (strncmp(at, "日", strlen("日")) == 0 || strncmp(at, "，", strlen("，")) == 0 ||
            strncmp(at, "请", strlen("请")) == 0 || strncmp(at, "、", strlen("、")) == 0)
            name = at + strlen("日");
    }
    static const char *const URGENT[] = {"紧急", "急", "科", NULL}; // 肾内科急会诊
    for (int i = 0; URGENT[i]; i++) {
        size_t bytes = strlen(URGENT[i]);
        if (end > name + bytes && memcmp(end - bytes, URGENT[i], bytes) == 0) end -= bytes;
    }
    return window_has(window, "会诊") &&
           (name >= end || window_has_bytes(window, name, (size_t)(end - name)));
}

static bool tells_pending(const struct window *window, const struct fact *fact) {
    static const char *const WAITING[] = {"未回报", "待回报", "尚未",   "未报告", "待报告", "未归",
                                          "取病理", "取报告", "结果未", "待结果", NULL};
    const char *value = fact->value ? fact->value : strstr(fact->text, "病理") ? "病理" : NULL;
    return window_has_any(window, WAITING) && (!value || window_has(window, value));
}

static bool tells_words(const struct window *window, const struct fact *fact,
                        const struct pairs *pairs, double words, double numbers) {
    const char *checked = fact->value ? fact->value : fact->text;
    return coverage(window, pairs) >= words && numbers_found(window, checked) >= numbers;
}

// Of "3个月后复查…" the span itself, number and unit, has to stand there.
static void count_spans(const struct window *window, const char *text, int *spans, int *found) {
    static const char *const UNITS[] = {"个月", "周", "天", "年", "小时", NULL};
    for (size_t at = 0; text[at];) {
        size_t digits = number_length(text + at);
        for (int i = 0; digits && UNITS[i]; i++) {
            size_t bytes = digits + strlen(UNITS[i]);
            if (strncmp(text + at + digits, UNITS[i], strlen(UNITS[i])) != 0) continue;
            ++*spans;
            *found += window_has_bytes(window, text + at, bytes);
        }
        at += digits ? digits : character_length(text + at);
    }
}

// "1周后（3月22日起）": the date tells as much as the span.
static bool has_date_of(const struct window *window, const char *text) {
    for (size_t at = 0; text[at];) {
        size_t digits = number_length(text + at), behind = at + digits + strlen("月");
        if (digits && strncmp(text + at + digits, "月", strlen("月")) == 0 &&
            number_length(text + behind) &&
            window_has_bytes(window, text + at, behind + number_length(text + behind) - at))
            return true;
        at += digits ? digits : character_length(text + at);
    }
    return false;
}

// Advice is found by its span of time rather than by its words.
static bool tells_advice(const struct window *window, const struct fact *fact,
                         const struct pairs *pairs) {
    int spans = 0, found = 0;
    count_spans(window, fact->text, &spans, &found);
    if (spans)
        return (found * 2 >= spans || has_date_of(window, fact->text)) &&
               coverage(window, pairs) >= 0.3;
    return tells_words(window, fact, pairs, 0.4, 0.6);
}

// By what a record names an examination: "头颅CT" and "CT" both name 头颅CT平扫.
static bool names_examination(const struct window *window, const char *name) {
    static const char *const WAYS[][3] = {{"超声心动图", "超声心动图", "射血分数"},
                                          {"动态心电图", "动态心电图", NULL},
                                          {"心电图", "心电图", "导联"},
                                          {"冰冻", "冰冻", NULL},
                                          {"石蜡", "石蜡", NULL},
                                          {"病理", "病理", NULL},
                                          {"培养", "培养", NULL},
                                          {"磁共振", "磁共振", "MRI"},
                                          {"MRI", "MRI", "磁共振"},
                                          {"X线", "X线", "胸片"},
                                          {"造影", "造影", NULL},
                                          {"骨密度", "骨密度", "T值"},
                                          {"CT", "CT", NULL},
                                          {"超声", "超声", "B超"},
                                          {"镜", "镜", NULL}};
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        if (strstr(name, WAYS[i][0]))
            return window_has(window, WAYS[i][1]) || (WAYS[i][2] && window_has(window, WAYS[i][2]));
    }
    return true;
}

static size_t report_item_bytes(const char *item) {
    const char *comma = strstr(item, "，"), *half = strstr(item, "；");
    const char *end = comma && (!half || comma < half) ? comma : half;
    return end ? (size_t)(end - item) : strlen(item);
}

static bool has_any(const char *text, const char *const *words) {
    for (int i = 0; words[i]; i++) {
        if (strstr(text, words[i])) return true;
    }
    return false;
}

struct report_count {
    int items, told, well_told; // what is abnormal, and how much of it stands there
    int changes, changes_told;  // what is better or worse than before
};

static void count_item(const struct window *window, const char *words, struct report_count *count) {
    static const char *const CHANGES[] = {"吸收", "缩小", "再通", "较前",
                                          "好转", "增大", "进展", NULL};
    static const char *const USUAL[] = {"窦性心律", "正常", "通畅", "同前", NULL};
    struct pairs pairs;
    find_pairs(words, strlen(words), &pairs);
    if (pairs.n == 0 || has_any(words, USUAL)) return;
    double share = coverage(window, &pairs);
    bool is_told = share >= 0.6 && numbers_found(window, words) >= 0.5;
    bool is_change = has_any(words, CHANGES);
    count->items++;
    count->told += is_told;
    count->well_told += is_told && share >= 0.8;
    count->changes += is_change;
    count->changes_told += is_change && is_told;
}

// Told in one number or one name: the ejection fraction, the organism of a culture.
static bool tells_result(const struct window *window, const struct report *report) {
    const char *fraction = strstr(report->conclusion.text, "射血分数");
    if (fraction && window_has(window, "射血分数")) {
        const char *number = fraction + strlen("射血分数");
        return number_length(number) && window_has_number(window, strtod(number, NULL));
    }
    return report->organism && report->organism[0] && window_has(window, report->organism) &&
           (window_has(window, "培养") || window_has(window, "耐药") || window_has(window, "敏感"));
}

// A report is told when half of what it concludes is, and a change if it found one: a record need
// not repeat the rest. What stands word for word needs no name of the examination.
static bool tells_report(const struct window *window, const struct episode *episode,
                         const struct fact *fact) {
    const struct report *report = &episode->reports[fact->sources[0].row];
    const char *item = strstr(fact->text, "：");
    struct report_count count = {0};
    if (tells_result(window, report)) return true;
    for (item = item ? item + strlen("：") : fact->text; *item;) {
        size_t bytes = report_item_bytes(item);
        char words[REPORT_ITEM_BYTES];
        size_t kept = bytes < sizeof words ? bytes : sizeof words - 1;
        memcpy(words, item, kept);
        words[kept] = '\0';
        count_item(window, words, &count);
        item += bytes;
        if (*item) item += strlen("，");
    }
    if (count.items == 0) return names_examination(window, report->name);
    if (count.changes && !count.changes_told) return false;
    return count.well_told == count.items ||
           (count.told * 2 >= count.items && names_examination(window, report->name));
}

static bool tells_allergy(const struct window *window, const struct episode *episode) {
    for (int i = 0; i < episode->patient.n_allergies; i++) {
        if (window_has(window, "过敏") &&
            window_has(window, episode->patient.allergies[i].substance))
            return true;
    }
    return false;
}

static bool tells(const struct window *window, const struct episode *episode,
                  const struct fact *fact, const struct pairs *pairs, const struct stems *drugs) {
    const struct lab *lab = fact_lab(episode, fact);
    if (lab) return tells_lab(window, lab);
    if (fact->n_sources && fact->sources[0].kind == SOURCE_REPORT)
        return tells_report(window, episode, fact);
    bool is_row = fact->n_sources && fact->sources[0].kind == SOURCE_DIAGNOSIS;
    if (fact->fact_class == FACT_POSITIVE && strstr(fact->text, "过敏") &&
        tells_allergy(window, episode))
        return true;
    switch (fact->fact_class) {
    case FACT_DRUG:
        return tells_drug(window, fact, pairs, drugs);
    case FACT_CONSULT:
        return tells_consult(window, fact);
    case FACT_PENDING:
        return tells_pending(window, fact);
    case FACT_OPERATION:
        return tells_words(window, fact, pairs, 0.55, 0.5);
    case FACT_DIAGNOSIS:
        return tells_words(window, fact, pairs, is_row ? 0.8 : 0.6, 0.5);
    case FACT_FOLLOWUP:
        return tells_advice(window, fact, pairs);
    case FACT_COMPLICATION:
        if (strstr(fact->text, "抢救成功")) // in whatever words; the rescue itself has to be told
            return window_has(window, "抢救") && coverage(window, pairs) >= 0.25;
        return tells_words(window, fact, pairs, 0.45, 0.5);
    default:
        return tells_words(window, fact, pairs, 0.45, 0.5);
    }
}

static bool begins_with_drug(const struct window *window, const struct stems *drugs) {
    size_t opening = window->bytes < OPENING_BYTES ? window->bytes : OPENING_BYTES;
    struct window start = {.text = window->text, .bytes = opening};
    return drugs->n > 0 && has_stem(&start, drugs->stems[0]);
}

// What is taken home has to stand as a line of its own ("1. 左氧氟沙星片0.5 g，口服，每日1次"):
// that it was given in hospital is another fact.
static bool tells_prescription(const struct told_text *told, const struct fact *fact,
                               const struct stems *drugs) {
    struct clause clause;
    struct pairs pairs = {.n = 0};
    size_t position = 0;
    while (clause_next(told->text, strlen(told->text), CLAUSE_CLAUSE, &position, &clause)) {
        struct window window = {.text = told->text + clause.start,
                                .bytes = clause.end - clause.start};
        if (window.bytes <= PRESCRIPTION_BYTES && begins_with_drug(&window, drugs) &&
            tells_drug(&window, fact, &pairs, drugs))
            return true;
    }
    return false;
}

// Where a diagnosis begins behind "诊断修正为", "补充诊断：".
static const char *skip_diagnosed(const char *text) {
    static const char *const OPENINGS[] = {"修正为", "补充诊断", "诊断补充",
                                           "诊断为", "确诊",     NULL};
    for (int i = 0; OPENINGS[i]; i++) {
        const char *at = strstr(text, OPENINGS[i]);
        if (at && strlen(at) > strlen(OPENINGS[i]) + 6) return at + strlen(OPENINGS[i]);
    }
    return text;
}

bool told_text_has(const struct told_text *told, const struct episode *episode,
                   const struct fact *fact) {
    struct pairs pairs;
    if (fact->fact_class == FACT_OPERATION && fact->n_sources &&
        fact->sources[0].kind == SOURCE_OPERATION)
        return operation_is_told(&episode->operations[fact->sources[0].row], episode, told->text);
    const char *words = fact->fact_class == FACT_OPERATION && fact->value ? fact->value
                        : fact->fact_class == FACT_DIAGNOSIS ? skip_diagnosed(fact->text)
                                                             : fact->text;
    struct stems drugs = {.n = 0};
    if (fact->fact_class == FACT_DRUG) fact_stems(episode, fact, &drugs);
    if (strncmp(fact->text, "出院带药", strlen("出院带药")) == 0)
        return tells_prescription(told, fact, &drugs);
    const char *reason = fact->fact_class == FACT_FOLLOWUP ? strstr(words, "以排除") : NULL;
    find_pairs(words, reason ? (size_t)(reason - words) : strlen(words), &pairs);
    if (fact->fact_class == FACT_FOLLOWUP) keep_advice_pairs(&pairs);
    for (int i = 0; i < told->n_sentences; i++) {
        size_t start = i ? told->ends[i - 1] : 0;
        for (int k = i; k < told->n_sentences && k < i + 2; k++) {
            struct window window = {.text = told->text + start, .bytes = told->ends[k] - start};
            if (tells(&window, episode, fact, &pairs, &drugs)) return true;
        }
    }
    return false;
}

bool fact_is_told(const struct episode *episode, const struct fact *fact, const char *text) {
    struct told_text told;
    if (!told_text_init(&told, text, NULL)) return false;
    bool is_told = told_text_has(&told, episode, fact);
    told_text_deinit(&told);
    return is_told;
}
