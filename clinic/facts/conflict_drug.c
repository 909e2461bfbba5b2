// SPDX-License-Identifier: Apache-2.0
// Drugs in texts against the orders (X20), allergens that are ordered and statements about
// allergies (X21), and long-term drugs that the discharge orders drop without a word (X22).
#include "clinic/facts/conflict_search.h"

#include "clinic/facts/drug_stem.h"
#include "clinic/facts/note_class.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DRUGS_MAX 256

struct drug {
    char stem[DRUG_STEM_BYTES];
    int row; // an order of it
};

struct drugs {
    struct drug *drugs;
    int n;
};

static bool is_drug(const struct order *order) {
    return strcmp(order->order_class, "drug") == 0;
}

static bool collect_drugs(const struct episode *episode, struct drugs *drugs) {
    drugs->n = 0;
    drugs->drugs = calloc(DRUGS_MAX, sizeof *drugs->drugs);
    if (!drugs->drugs) return false;
    for (int i = 0; i < episode->n_orders && drugs->n < DRUGS_MAX; i++) {
        struct drug drug = {.row = i};
        if (!is_drug(&episode->orders[i]) || !episode->orders[i].has_dose) continue;
        drug_stem(episode->orders[i].name, drug.stem);
        bool is_known = strlen(drug.stem) < 6;
        for (int k = 0; k < drugs->n && !is_known; k++)
            is_known = strcmp(drugs->drugs[k].stem, drug.stem) == 0;
        if (!is_known) drugs->drugs[drugs->n++] = drug;
    }
    return true;
}

// 0.5 g = 500 mg. False: a unit that is no dose of this kind.
static bool base_dose(double value, const char *unit, double *base, char *kind) {
    static const struct {
        const char *unit;
        double factor;
        char kind;
    } UNITS[] = {{"mg", 1, 'm'},  {"μg", 1e-3, 'm'}, {"µg", 1e-3, 'm'}, {"ug", 1e-3, 'm'},
                 {"ml", 1, 'l'},  {"mL", 1, 'l'},    {"万U", 1e4, 'u'}, {"IU", 1, 'u'},
                 {"U", 1, 'u'},   {"g", 1e3, 'm'},   {"片", 1, 'p'},    {"粒", 1, 'p'},
                 {"mmol", 1, 'o'}};
    while (*unit == ' ')
        unit++;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        size_t bytes = strlen(UNITS[i].unit);
        if (strncmp(unit, UNITS[i].unit, bytes) != 0) continue;
        if (unit[bytes] == '/') return false; // mg/L is a concentration
        *base = value * UNITS[i].factor;
        *kind = UNITS[i].kind;
        return true;
    }
    return false;
}

// An order of the drug with this dose; *other: one of another dose in the same kind of unit.
static bool has_order(const struct episode *episode, const char *stem, double dose, char kind,
                      int *other) {
    *other = -1;
    for (int i = 0; i < episode->n_orders; i++) {
        const struct order *order = &episode->orders[i];
        double dose_of;
        char kind_of;
        if (!is_drug(order) || !order->has_dose || !order->dose_unit ||
            !base_dose(order->dose, order->dose_unit, &dose_of, &kind_of) || kind_of != kind ||
            !strstr(order->name, stem))
            continue;
        if (fabs(dose_of - dose) <= 1e-6 * fabs(dose)) return true;
        *other = i;
    }
    return false;
}

static bool is_past_or_future(const struct note_place *place, const struct clause *clause) {
    static const char *const WORDS[] = {"外院",   "院外", "平素", "既往", "平日",  "年前",
                                        "个月前", "减为", "建议", "可予", "最大",  "不超过",
                                        "总量",   "若",   "共",   "U/kg", "mg/kg", "灌肠",
                                        "注入",   "冲洗", "封管", "外用", NULL};
    static const char *const SECTIONS[] = {"现病史",   "既往史",   "个人史", "会诊意见",
                                           "申请理由", "讨论意见", NULL};
    for (int i = 0; SECTIONS[i]; i++) {
        if (strcmp(place->section->name, SECTIONS[i]) == 0) return true;
    }
    return clause_has_any(clause, WORDS);
}

// Behind the stem: what is left of the name (钠, 注射液, 缓释片); another word, another drug.
static size_t skip_rest_of_name(const char *text) {
    static const char REST[] =
        "钠钙钾片胶囊注射液缓释肠溶软控分散颗粒叔丁胺磷酸盐混悬氯化葡萄糖口服针剂粉丸";
    size_t at = 0;
    for (int i = 0; i < 8 && (unsigned char)text[at] >= 0xe4; i++) {
        char character[8] = {0};
        size_t bytes = character_length(text + at);
        memcpy(character, text + at, bytes);
        if (bytes != 3 || !strstr(REST, character)) break;
        at += bytes;
    }
    return at + strspn(text + at, " ");
}

static void check_dose(struct conflict_search *search, const struct note_place *place,
                       const struct drug *drug, size_t at) {
    const char *text = place->section->text;
    size_t number = at + strlen(drug->stem);
    number += skip_rest_of_name(text + number);
    size_t digits = number_length(text + number);
    double dose;
    char kind;
    int other;
    if (!digits || !base_dose(strtod(text + number, NULL), text + number + digits, &dose, &kind) ||
        !conflict_search_look(search) ||
        has_order(search->episode, drug->stem, dose, kind, &other) || other < 0)
        return;
    struct clause clause = clause_around(place->section, at);
    if (is_past_or_future(place, &clause)) return;
    size_t end = number + digits;
    end += strspn(text + end, " ");
    end += strspn(text + end, "gmlLUI");
    struct wording words = {0};
    struct source source = note_place_source(place, at, end);
    wording_add_note(&words, place->doc);
    wording_add(&words, "写“");
    wording_add_bytes(&words, text + at, end - at);
    wording_add(&words, "”，医嘱为");
    wording_add(&words, search->episode->orders[other].name);
    wording_add_dose(&words, &search->episode->orders[other]);
    wording_add(&words, "。");
    conflict_report(search, CONFLICT_DRUG, SEVERITY_HIGH, &words, &source,
                    &(struct source){.kind = SOURCE_ORDER, .row = other});
}

static void check_doses(struct conflict_search *search) {
    struct drugs drugs;
    struct note_place place = {.section_row = -1};
    if (!collect_drugs(search->episode, &drugs)) {
        search->failed = true;
        return;
    }
    while (!conflict_search_is_over(search) && note_place_next(search->episode, &place)) {
        const char *text = place.section->text;
        for (int i = 0; i < drugs.n; i++) {
            const char *stem = drugs.drugs[i].stem;
            for (const char *at = text; (at = strstr(at, stem)); at += strlen(stem))
                check_dose(search, &place, &drugs.drugs[i], (size_t)(at - text));
        }
    }
    free(drugs.drugs);
}

// --- allergies
// ------------------------------------------------------------------------------------

static void check_allergen(struct conflict_search *search, const struct allergy *allergy,
                           int order_row) {
    const struct order *order = &search->episode->orders[order_row];
    bool is_avoided = false;
    for (int i = 0; i < allergy->n_avoid && !is_avoided; i++)
        is_avoided = allergy->avoid[i][0] && strstr(order->name, allergy->avoid[i]);
    if (!is_avoided && !(allergy->substance[0] && strstr(order->name, allergy->substance))) return;
    struct wording words = {0};
    wording_add(&words, "患者对");
    wording_add(&words, allergy->substance);
    wording_add(&words, "过敏，");
    wording_add_month_day(&words, order->start);
    wording_add(&words, "医嘱有");
    wording_add(&words, order->name);
    wording_add(&words, "。");
    conflict_report(search, CONFLICT_ALLERGY, SEVERITY_VETO, &words,
                    &(struct source){.kind = SOURCE_ORDER, .row = order_row},
                    &(struct source){.kind = SOURCE_PATIENT});
}

static void check_statement(struct conflict_search *search, const struct note_place *place) {
    static const char *const DENIALS[] = {"否认药物及食物过敏史", "否认药物过敏", "无药物过敏史",
                                          "否认药物、食物过敏",   "否认过敏史",   NULL};
    const char *substance = search->episode->patient.allergies[0].substance;
    for (int i = 0; i < search->episode->patient.n_allergies; i++) {
        if (allergy_is_drug(search->episode->patient.allergies[i].substance))
            substance = search->episode->patient.allergies[i].substance;
    }
    for (int i = 0; DENIALS[i]; i++) {
        const char *at = strstr(place->section->text, DENIALS[i]);
        bool is_of_drugs = strstr(DENIALS[i], "药物") && !strstr(DENIALS[i], "食物");
        if (!at || (is_of_drugs && !allergy_is_drug(substance))) continue;
        size_t start = (size_t)(at - place->section->text);
        struct source source = note_place_source(place, start, start + strlen(DENIALS[i]));
        struct wording words = {0};
        wording_add_note(&words, place->doc);
        wording_add(&words, "写“");
        wording_add(&words, DENIALS[i]);
        wording_add(&words, "”，患者登记有");
        wording_add(&words, substance);
        wording_add(&words, "过敏。");
        conflict_report(search, CONFLICT_ALLERGY, SEVERITY_VETO, &words, &source,
                        &(struct source){.kind = SOURCE_PATIENT});
        return;
    }
}

static void check_allergies(struct conflict_search *search) {
    const struct patient *patient = &search->episode->patient;
    struct note_place place = {.section_row = -1};
    for (int i = 0; i < patient->n_allergies; i++) {
        for (int k = 0; k < search->episode->n_orders && !conflict_search_is_over(search); k++) {
            if (is_drug(&search->episode->orders[k]))
                check_allergen(search, &patient->allergies[i], k);
        }
    }
    while (patient->n_allergies && note_place_next(search->episode, &place))
        check_statement(search, &place);
}

// --- drugs that discharge drops
// -------------------------------------------------------------------

// Given by mouth until the day of discharge and for days before.
static bool is_long_term(const struct episode *episode, const struct order *order) {
    int64_t discharge = episode->encounter.discharge.seconds;
    return is_drug(order) && strcmp(order->kind, "长期") == 0 && order->has_dose && order->route &&
           strcmp(order->route, "口服") == 0 && !drug_is_supportive(order) &&
           order->stop.seconds != MOMENT_UNKNOWN && order->stop.seconds >= discharge - 4 * 3600 &&
           order->stop.seconds - order->start.seconds >= 3 * 86400;
}

// A note of the last three days that names the drug together with its end.
static bool is_end_explained(const struct episode *episode, const char *stem) {
    static const char *const ENDS[] = {"停", "疗程", "不再", "至出院", "改", NULL};
    struct note_place place = {.section_row = -1};
    int64_t last = episode->encounter.discharge.seconds - 3 * 86400;
    while (note_place_next(episode, &place)) {
        const char *at = strstr(place.section->text, stem);
        if (place.doc->event.seconds < last || !at) continue;
        struct clause clause = clause_around(place.section, (size_t)(at - place.section->text));
        if (clause_has_any(&clause, ENDS)) return true;
    }
    return false;
}

static bool is_given_at_discharge(const struct episode *episode, const char *stem, bool *has_any) {
    bool is_given = false;
    for (int i = 0; i < episode->n_orders; i++) {
        char other[DRUG_STEM_BYTES];
        if (!episode->orders[i].is_discharge_drug) continue;
        *has_any = true;
        drug_stem(episode->orders[i].name, other);
        is_given = is_given || strcmp(other, stem) == 0;
    }
    return is_given;
}

static void check_dropped(struct conflict_search *search) {
    const struct episode *episode = search->episode;
    if (episode->encounter.discharge.seconds == MOMENT_UNKNOWN) return;
    for (int i = 0; i < episode->n_orders && !conflict_search_is_over(search); i++) {
        const struct order *order = &episode->orders[i];
        char stem[DRUG_STEM_BYTES];
        bool has_any = false;
        if (!is_long_term(episode, order)) continue;
        drug_stem(order->name, stem);
        if (is_given_at_discharge(episode, stem, &has_any) || !has_any ||
            is_end_explained(episode, stem))
            continue;
        struct wording words = {0};
        wording_add(&words, order->name);
        wording_add(&words, "住院期间用至出院，出院带药中没有，病程未说明停用。");
        conflict_report(search, CONFLICT_DRUG, SEVERITY_MIDDLE, &words,
                        &(struct source){.kind = SOURCE_ORDER, .row = i}, NULL);
    }
}

void conflicts_of_drugs(struct conflict_search *search) {
    check_allergies(search);
    check_doses(search);
    check_dropped(search);
}
