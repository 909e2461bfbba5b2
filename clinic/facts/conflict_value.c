// SPDX-License-Identifier: Apache-2.0
// Results in texts against the tables: laboratory values (X17), temperature and pressure (X24),
// weight (X28). A value counts as right when any row of the stay has it: a note may look back.
#include "clinic/facts/conflict_search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 400
#define LAB_SECONDS (2 * 86400)   // a note tells results of the last two days
#define CHART_SECONDS (26 * 3600) // "昨日最高体温" looks back a day

struct lab_name {
    char text[96];
    size_t bytes;
};

struct lab_names {
    struct lab_name *names; // longest first
    int n;
};

static int compare_names(const void *left, const void *right) {
    const struct lab_name *a = left, *b = right;
    if (a->bytes != b->bytes) return a->bytes > b->bytes ? -1 : 1;
    return strcmp(a->text, b->text);
}

static bool plain_name(const struct lab *lab, struct lab_name *name) {
    const char *open = strstr(lab->name, "（");
    name->bytes = open && open > lab->name ? (size_t)(open - lab->name) : strlen(lab->name);
    if (name->bytes == 0 || name->bytes >= sizeof name->text) return false;
    memcpy(name->text, lab->name, name->bytes);
    name->text[name->bytes] = '\0';
    return true;
}

static bool collect_names(const struct episode *episode, struct lab_names *names) {
    names->n = 0;
    names->names = calloc(NAMES_MAX, sizeof *names->names);
    if (!names->names) return false;
    for (int i = 0; i < episode->n_labs && names->n < NAMES_MAX; i++) {
        struct lab_name name = {0};
        if (!episode->labs[i].is_number || !plain_name(&episode->labs[i], &name)) continue;
        bool is_known = false;
        for (int k = 0; k < names->n && !is_known; k++)
            is_known = strcmp(names->names[k].text, name.text) == 0;
        if (!is_known) names->names[names->n++] = name;
    }
    qsort(names->names, (size_t)names->n, sizeof *names->names, compare_names);
    return true;
}

static const struct lab_name *name_at(const struct lab_names *names, const char *text) {
    for (int i = 0; i < names->n; i++) {
        if (strncmp(text, names->names[i].text, names->names[i].bytes) == 0)
            return &names->names[i];
    }
    return NULL;
}

static bool is_other_time(const struct clause *clause) {
    static const char *const OTHER[] = {
        "外院", "年前", "个月前", "目标",   "既往", "门诊", "周期", "平素", "自测", "二院", "医院",
        "卫生", "最低", "最高",   "正常值", "若",   "如",   "大于", "小于", "超过", "维持", NULL};
    return clause_has_any(clause, OTHER);
}

static bool same_unit(const char *text, const char *unit) {
    text += strspn(text, " ");
    return unit[0] == '\0' || strncmp(text, unit, strlen(unit)) == 0;
}

// The row of that name nearest before the note; *is_right when any row has this value.
static int nearest_row(const struct episode *episode, const struct lab_name *name, double value,
                       struct moment event, bool *is_right) {
    int nearest = -1;
    *is_right = false;
    for (int i = 0; i < episode->n_labs; i++) {
        const struct lab *lab = &episode->labs[i];
        struct lab_name other = {0};
        if (!lab->is_number || strncmp(lab->name, name->text, name->bytes) != 0 ||
            !plain_name(lab, &other) || other.bytes != name->bytes)
            continue;
        if (fabs(lab->value - value) < 1e-9) {
            *is_right = true;
            return i;
        }
        if (lab->report.seconds <= event.seconds + 6 * 3600 &&
            lab->collect.seconds >= event.seconds - LAB_SECONDS &&
            (nearest < 0 || lab->collect.seconds >= episode->labs[nearest].collect.seconds))
            nearest = i;
    }
    return nearest;
}

static void report_lab(struct conflict_search *search, const struct note_place *place, size_t start,
                       size_t end, int lab_row) {
    struct wording words = {0};
    struct source source = note_place_source(place, start, end);
    const struct lab *lab = &search->episode->labs[lab_row];
    wording_add_note(&words, place->doc);
    wording_add(&words, "写“");
    wording_add_bytes(&words, place->section->text + start, end - start);
    wording_add(&words, "”，检验结果为");
    wording_add(&words, lab->text);
    wording_add(&words, " ");
    wording_add(&words, lab->unit);
    wording_add(&words, "。");
    conflict_report(search, CONFLICT_VALUE, SEVERITY_MIDDLE, &words, &source,
                    &(struct source){.kind = SOURCE_LAB, .row = lab_row});
}

static void check_quotation(struct conflict_search *search, const struct note_place *place,
                            const struct lab_name *name, size_t at) {
    const char *text = place->section->text;
    size_t number = at + name->bytes;
    number += strspn(text + number, " ");
    size_t digits = number_length(text + number);
    // 8至10 is a range and 10⁹ a power, neither is a result.
    if (!digits || strncmp(text + number + digits, "至", strlen("至")) == 0 ||
        text[number + digits] == '+' || text[number + digits] == '/')
        return;
    bool is_right;
    if (!conflict_search_look(search)) return;
    int row = nearest_row(search->episode, name, strtod(text + number, NULL), place->doc->event,
                          &is_right);
    if (is_right || row < 0) return;
    const char *unit = search->episode->labs[row].unit ? search->episode->labs[row].unit : "";
    struct clause clause = clause_around(place->section, at);
    if (!same_unit(text + number + digits, unit) || is_other_time(&clause)) return;
    size_t end = number + digits + strspn(text + number + digits, " ") + strlen(unit);
    report_lab(search, place, at, end, row);
}

// A name of one character (钾) is a word only behind a mark: 氯化钾 is a drug.
static bool begins_word(const char *text, size_t at, size_t name_bytes) {
    if (name_bytes > 3 || at < 3) return true;
    unsigned char lead = (unsigned char)text[at - 3];
    return text[at - 1] == ' ' || lead == 0xef ||
           (lead == 0xe3 && (unsigned char)text[at - 2] == 0x80);
}

void conflicts_of_values(struct conflict_search *search) {
    struct lab_names names;
    struct note_place place = {.section_row = -1};
    if (search->episode->n_labs == 0) return;
    if (!collect_names(search->episode, &names)) {
        search->failed = true;
        return;
    }
    while (!conflict_search_is_over(search) && note_place_next(search->episode, &place)) {
        const char *text = place.section->text;
        for (size_t at = 0; text[at] && !conflict_search_is_over(search);) {
            const struct lab_name *name = name_at(&names, text + at);
            if (name && begins_word(text, at, name->bytes))
                check_quotation(search, &place, name, at);
            at += name ? name->bytes : character_length(text + at);
        }
    }
    free(names.names);
}

// --- the chart
// ------------------------------------------------------------------------------------

struct chart_words {
    const char *words, *unit;
    double tolerance, low, high; // outside low..high nobody can be
    size_t member;               // of struct vital
};

static const struct chart_words CHART[] = {
    {"体温", "℃", 0.55, 30, 43, offsetof(struct vital, temperature_c)},
    {"脉搏", "次/分", 25, 20, 250, offsetof(struct vital, pulse_per_min)},
    {"呼吸", "次/分", 8, 4, 80, offsetof(struct vital, respiration_per_min)},
    {"血压", "/", 25, 40, 300, offsetof(struct vital, systolic_mmhg)},
};

static double member_of(const struct vital *vital, const struct chart_words *words) {
    double value;
    memcpy(&value, (const char *)vital + words->member, sizeof value);
    return value;
}

// The row of the last day that differs least; -1: nothing was measured.
static int nearest_vital(const struct episode *episode, const struct chart_words *words,
                         double value, struct moment event, double *apart) {
    int nearest = -1;
    for (int i = 0; i < episode->n_vitals; i++) {
        const struct vital *vital = &episode->vitals[i];
        double measured = member_of(vital, words);
        if (isnan(measured) || vital->at.seconds < event.seconds - CHART_SECONDS ||
            vital->at.seconds > event.seconds + 6 * 3600)
            continue;
        if (nearest < 0 || fabs(measured - value) < *apart) {
            nearest = i;
            *apart = fabs(measured - value);
        }
    }
    return nearest;
}

static void report_vital(struct conflict_search *search, const struct note_place *place,
                         const struct chart_words *words, size_t start, size_t end, int row) {
    struct wording text = {0};
    struct source source = note_place_source(place, start, end);
    char number[48];
    wording_add_note(&text, place->doc);
    wording_add(&text, "写“");
    wording_add_bytes(&text, place->section->text + start, end - start);
    if (row < 0) {
        wording_add(&text, "”，不是可能的数值。");
        conflict_report(search, CONFLICT_VITAL, SEVERITY_LOW, &text, &source, NULL);
        return;
    }
    snprintf(number, sizeof number, "%.10g", member_of(&search->episode->vitals[row], words));
    wording_add(&text, "”，体温单最接近的记录为");
    wording_add(&text, number);
    wording_add(&text, "。");
    conflict_report(search, CONFLICT_VITAL, SEVERITY_MIDDLE, &text, &source,
                    &(struct source){.kind = SOURCE_VITAL, .row = row});
}

static void check_chart(struct conflict_search *search, const struct note_place *place,
                        const struct chart_words *words, size_t at) {
    const char *text = place->section->text;
    size_t number = at + strlen(words->words), digits = number_length(text + number);
    if (!digits || strncmp(text + number + digits, words->unit, strlen(words->unit)) != 0) return;
    double value = strtod(text + number, NULL), apart = 0;
    size_t end = number + digits + strlen(words->unit);
    if (value < words->low || value > words->high) {
        report_vital(search, place, words, at, end, -1);
        return;
    }
    if (!conflict_search_look(search)) return;
    int row = nearest_vital(search->episode, words, value, place->doc->event, &apart);
    if (row < 0 || apart <= words->tolerance) return;
    struct clause clause = clause_around(place->section, at);
    if (!is_other_time(&clause) && !clause_has(&clause, "术中"))
        report_vital(search, place, words, at, end, row);
}

static void check_weight(struct conflict_search *search, const struct note_place *place,
                         size_t at) {
    const char *text = place->section->text;
    size_t number = at + strlen("体重"), digits = number_length(text + number);
    double known = search->episode->patient.weight_kg, value = strtod(text + number, NULL);
    if (!digits || strncmp(text + number + digits, " kg", 3) != 0) return;
    bool is_impossible = value < 0.3 || value > 400;
    if (!is_impossible && (known <= 0 || fabs(value - known) <= 0.25 * known)) return;
    struct wording words = {0};
    struct source source = note_place_source(place, at, number + digits + 3);
    char weight[48];
    snprintf(weight, sizeof weight, "%.10g kg", known);
    wording_add_note(&words, place->doc);
    wording_add(&words, "写“");
    wording_add_bytes(&words, text + at, number + digits + 3 - at);
    wording_add(&words, known > 0 ? "”，登记体重为" : "”，不是可能的数值");
    wording_add(&words, known > 0 ? weight : "");
    wording_add(&words, "。");
    conflict_report(search, CONFLICT_VITAL, SEVERITY_LOW, &words, &source,
                    known > 0 ? &(struct source){.kind = SOURCE_PATIENT} : NULL);
}

// Notes of one day. Summaries and transfers tell of days before.
static bool is_of_its_day(const struct document *doc) {
    static const char *const TYPES[] = {"admission_note", "first_progress_note", "progress_note",
                                        "ward_round",     "post_op_note",        NULL};
    for (int i = 0; TYPES[i]; i++) {
        if (strcmp(doc->type, TYPES[i]) == 0) return true;
    }
    return false;
}

static bool is_history(const char *section) {
    return strcmp(section, "现病史") == 0 || strcmp(section, "既往史") == 0 ||
           strcmp(section, "个人史") == 0 || strcmp(section, "出生史") == 0;
}

void conflicts_of_vitals(struct conflict_search *search) {
    struct note_place place = {.section_row = -1};
    while (!conflict_search_is_over(search) && note_place_next(search->episode, &place)) {
        if (is_history(place.section->name)) continue;
        const char *text = place.section->text;
        for (const char *at = text; (at = strstr(at, "体重")); at += strlen("体重"))
            check_weight(search, &place, (size_t)(at - text));
        for (size_t i = 0; is_of_its_day(place.doc) && i < sizeof CHART / sizeof *CHART; i++) {
            const char *words = CHART[i].words;
            for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
                check_chart(search, &place, &CHART[i], (size_t)(at - text));
        }
    }
}
