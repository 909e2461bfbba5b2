// SPDX-License-Identifier: Apache-2.0
// See fact_told.h. Words are compared as pairs of neighbouring characters: Chinese has no blanks to
// cut at, and a pair is the shortest thing that means something.
#define _GNU_SOURCE // memmem
#include "clinic/facts/fact_told.h"

#include "clinic/facts/clause.h"
#include "clinic/facts/drug_stem.h"
#include "clinic/facts/note_class.h"
#include "clinic/facts/operation_told.h"
#include "clinic/facts/report_told.h"
#include "clinic/facts/table_facts.h"
#include "clinic/facts/told_window.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR 0.08 // of a value
#define PART_BYTES 300
#define PART_PAIRS 0.6         // of the pairs of a part
#define OPENING_BYTES 48       // "出院带药：", a salt and the name
#define PRESCRIPTION_BYTES 200 // longer clauses tell a course, not what is taken home

// Also between the items of a list ("1. …；2. …"): a list of twenty diagnoses is no sentence.
static bool is_sentence_mark(const char *text) {
    if (*text == '\n' || strncmp(text, "。", strlen("。")) == 0) return true;
    if (strncmp(text, "；", strlen("；")) != 0) return false;
    text += strlen("；");
    size_t digits = strspn(text, "0123456789");
    return digits && digits <= 2 && text[digits] == '.' && text[digits + 1] == ' ';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
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
        // "10. 1个月后" is not 10.1, "B12 1 mg" not 121 mg.
        bool is_apart = kept && (told->text[kept - 1] == '.' ||
                                 (is_digit(told->text[kept - 1]) && is_digit(text[at + 1])));
        if (text[at] != ' ' || is_apart) {
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

static bool read_day(const char *text, struct moment *day) {
    char whole[32];
    snprintf(whole, sizeof whole, "%.10sT00:00:00+08:00", text);
    return moment_parse(whole, day);
}

static bool tells_drug(const struct window *window, const struct fact *fact,
                       const struct pairs *pairs, const struct stems *drugs) {
    if (strncmp(fact->text, "住院期间累计", strlen("住院期间累计")) == 0)
        return window_has(window, "输") && window_numbers(window, fact->text) >= 1;
    static const char *const STOPPED[] = {"停", "改", "换", "至", "不再", "用到", NULL};
    if (drugs->n == 0)
        return window_coverage(window, pairs) >= 0.5 && window_numbers(window, fact->text) >= 0.5;
    for (int i = 0; i < drugs->n; i++) {
        if (!has_stem(window, drugs->stems[i])) return false;
    }
    if (is_stop(fact)) return window_has_any(window, STOPPED);
    static const char *const PUMPED[] = {"泵", "持续", "维持", NULL};
    if (strstr(fact->text, "泵入")) return window_has_any(window, PUMPED); // its rate changed
    double numbers[FACT_NUMBERS_MAX];
    if (!fact->value && strncmp(fact->text, "输注", strlen("输注")) == 0) return true;
    struct moment day;
    if (fact->value && strlen(fact->value) == strlen("2025-08-25") && read_day(fact->value, &day))
        return window_has_day(window, day); // given once, on that day
    if (fact->value)                        // the dose is the first number
        return numbers_find(fact->value, numbers) == 0 || window_has_number(window, numbers[0]);
    return window_numbers(window, fact->text) >= 0.5 && window_coverage(window, pairs) >= 0.3;
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
    bool is_named = fact->value && strstr(fact->value, "会诊");
    const char *name = is_named ? fact->value : fact->text;
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
    if (fact->value && !is_named && !window_has(window, fact->value)) return false;
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
    return window_coverage(window, pairs) >= words && window_numbers(window, checked) >= numbers;
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

// "3个月后" of a note in September is "12月上旬".
static bool has_month_after(const struct window *window, const struct fact *fact) {
    char words[16];
    const char *unit = strstr(fact->text, "个月");
    if (!unit || fact->at.seconds == MOMENT_UNKNOWN) return false;
    const char *digits = unit;
    while (digits > fact->text && is_digit(digits[-1]))
        digits--;
    long months = digits < unit && unit - digits <= 2 ? strtol(digits, NULL, 10) : 0;
    if (months <= 0) return false;
    int month = (int)((moment_day(fact->at).month - 1 + months) % 12) + 1;
    snprintf(words, sizeof words, "%d月", month);
    return window_has(window, words);
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

// "8月20日"
static bool has_day(const char *text) {
    for (const char *at = text; (at = strstr(at, "月")) != NULL; at += strlen("月")) {
        if (at > text && is_digit(at[-1]) && number_length(at + strlen("月"))) return true;
    }
    return false;
}

// Advice is found by its span of time or its day rather than by its words.
static bool tells_advice(const struct window *window, const struct fact *fact,
                         const struct pairs *pairs) {
    int spans = 0, found = 0;
    count_spans(window, fact->text, &spans, &found);
    if (spans)
        return (found * 2 >= spans || has_date_of(window, fact->text) ||
                has_month_after(window, fact)) &&
               window_coverage(window, pairs) >= 0.3;
    if (has_day(fact->text))
        return has_date_of(window, fact->text) && window_coverage(window, pairs) >= 0.3;
    return tells_words(window, fact, pairs, 0.4, 0.6);
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
        return report_is_told(window, episode, fact);
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
            return window_has(window, "抢救") && window_coverage(window, pairs) >= 0.25;
        return tells_words(window, fact, pairs, 0.45, 0.5);
    default:
        return tells_words(window, fact, pairs, 0.45, 0.5);
    }
}

// Nothing but a number, a salt or "出院带药：" stands before the name: "7月11日磷1.72 mmol/L，加用
// 骨化三醇0.25 μg" and "改甘精胰岛素14 U" tell the course.
static bool begins_with_drug(const struct window *window, const struct stems *drugs) {
    static const char *const COURSE[] = {"，", "月", "予", "改", "加用", "停", "调整", "至", NULL};
    struct window start = {.text = window->text,
                           .bytes = window->bytes < OPENING_BYTES ? window->bytes : OPENING_BYTES};
    if (drugs->n == 0 || !has_stem(&start, drugs->stems[0])) return false;
    const char *name = window_find(&start, drugs->stems[0]);
    if (!name) name = start.text;
    struct window before = {.text = window->text, .bytes = (size_t)(name - window->text)};
    return !window_has_any(&before, COURSE);
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

// Words of when, which a record puts elsewhere.
static size_t when_length(const char *text, size_t bytes) {
    static const char *const WHEN[] = {"出院时", "出院前", "入院时", "术后", NULL};
    for (int i = 0; WHEN[i]; i++) {
        size_t length = strlen(WHEN[i]);
        if (bytes > length && strncmp(text, WHEN[i], length) == 0) return length;
    }
    return 0;
}

static bool part_is_told(const struct told_text *told, const char *words, size_t bytes) {
    char part[PART_BYTES];
    struct pairs pairs;
    size_t when = when_length(words, bytes);
    if (bytes - when >= sizeof part) return false;
    memcpy(part, words + when, bytes - when);
    part[bytes - when] = '\0';
    pairs_find(&pairs, part, bytes - when);
    for (int i = 0; pairs.n > 0 && i < told->n_sentences; i++) {
        size_t start = i ? told->ends[i - 1] : 0;
        struct window window = {.text = told->text + start, .bytes = told->ends[i] - start};
        if (window_coverage(&window, &pairs) >= PART_PAIRS && window_numbers(&window, part) >= 1)
            return true;
    }
    return false;
}

// A finding or diagnosis of several parts may be told in several places of a record: what was found
// with the admission, how it was at the end with the discharge.
static bool parts_are_told(const struct told_text *told, const struct fact *fact,
                           const char *words) {
    struct clause part;
    size_t position = 0, bytes = strlen(words);
    int n = 0;
    bool is_row = fact->n_sources && fact->sources[0].kind != SOURCE_DOC;
    if (is_row || strstr(words, "抢救") ||
        (fact->fact_class != FACT_POSITIVE && fact->fact_class != FACT_DIAGNOSIS &&
         fact->fact_class != FACT_COMPLICATION))
        return false;
    while (clause_next(words, bytes, CLAUSE_PART, &position, &part)) {
        for (size_t at = part.start, end; at < part.end; at = end + strlen("、")) {
            const char *mark = fact->fact_class == FACT_DIAGNOSIS ? strstr(words + at, "、") : NULL;
            end = mark && (size_t)(mark - words) < part.end ? (size_t)(mark - words) : part.end;
            if (!part_is_told(told, words + at, end - at)) return false;
            n++;
        }
    }
    return n >= 2;
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
    if (strncmp(words, NEW_DIAGNOSIS, strlen(NEW_DIAGNOSIS)) == 0) words += strlen(NEW_DIAGNOSIS);
    struct stems drugs = {.n = 0};
    if (fact->fact_class == FACT_DRUG) fact_stems(episode, fact, &drugs);
    if (strncmp(fact->text, "出院带药", strlen("出院带药")) == 0)
        return tells_prescription(told, fact, &drugs);
    const char *reason = fact->fact_class == FACT_FOLLOWUP ? strstr(words, "以排除") : NULL;
    pairs_find(&pairs, words, reason ? (size_t)(reason - words) : strlen(words));
    if (fact->fact_class == FACT_FOLLOWUP) keep_advice_pairs(&pairs);
    for (int i = 0; i < told->n_sentences; i++) {
        size_t start = i ? told->ends[i - 1] : 0;
        for (int k = i; k < told->n_sentences && k < i + 2; k++) {
            struct window window = {.text = told->text + start, .bytes = told->ends[k] - start};
            if (tells(&window, episode, fact, &pairs, &drugs)) return true;
        }
    }
    return parts_are_told(told, fact, words);
}

bool told_text_names_drug(const struct told_text *told, const struct episode *episode,
                          const struct fact *fact) {
    struct stems drugs = {.n = 0};
    struct window whole = {.text = told->text, .bytes = strlen(told->text)};
    fact_stems(episode, fact, &drugs);
    for (int i = 0; i < drugs.n; i++) {
        if (!has_stem(&whole, drugs.stems[i])) return false;
    }
    return drugs.n > 0;
}

bool fact_is_told(const struct episode *episode, const struct fact *fact, const char *text) {
    struct told_text told;
    if (!told_text_init(&told, text, NULL)) return false;
    bool is_told = told_text_has(&told, episode, fact);
    told_text_deinit(&told);
    return is_told;
}
