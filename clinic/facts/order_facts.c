// SPDX-License-Identifier: Apache-2.0
// See table_facts.h. Drugs are told by their changes: begun, another dose, stopped; a course of a
// drug is all orders of one stem. Discharge drugs are facts of their own.
#include "clinic/facts/clause.h"
#include "clinic/facts/drug_stem.h"
#include "clinic/facts/fact_entry.h"
#include "clinic/facts/table_facts.h"
#include "clinic/text/evidence_document.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_SECONDS 86400
#define LONG_STAY_DAYS 20
#define BLOOD_ORDERS_TOLD 3 // more than these are told by their sum, too

static const char *const TOLD_CARE[] = {
    "吸氧",     "病危",   "病重", "胃管", "引流",     "透析",     "血液净化", "滤过",
    "机械通气", "呼吸机", "牵引", "康复", "吞咽训练", "加压包扎", "气管",     "造瘘",
    "抢救",     "鼻饲",   "隔离", "囊管", "压迫止血", NULL};

static bool is_in(const char *text, const char *const *list) {
    for (int i = 0; list[i]; i++) {
        if (strstr(text, list[i])) return true;
    }
    return false;
}

static bool is_kind(const struct order *order, const char *kind, const char *order_class) {
    return strcmp(order->kind, kind) == 0 && strcmp(order->order_class, order_class) == 0;
}

static const char *order_member(const struct order *order, const char *member) {
    return json_string_value(json_object_get(order->json, member));
}

// The orders with the stems of their names, which are compared again and again.
struct order_table {
    const struct episode *episode;
    char (*stems)[DRUG_STEM_BYTES]; // [n_orders]
};

static bool is_same_drug(const struct order_table *table, int row, int other) {
    return strcmp(table->stems[row], table->stems[other]) == 0;
}

static void add_value(struct wording *value, const struct order *order) {
    wording_add_dose(value, order);
    if (order->frequency && strcmp(order->frequency, "立即") != 0) {
        wording_add(value, value->bytes ? " " : "");
        size_t bytes = strcspn(order->frequency, "\xef"); // up to "，" or "（"
        wording_add_bytes(value, order->frequency, bytes);
    }
}

// The order of this drug that began last before this one, or NULL.
static const struct order *order_before(const struct order_table *table, int row) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row], *before = NULL;
    for (int i = 0; i < episode->n_orders; i++) {
        const struct order *other = &episode->orders[i];
        if (i == row || !is_kind(other, "长期", "drug") || !other->has_dose ||
            other->start.seconds >= order->start.seconds || !is_same_drug(table, i, row))
            continue;
        if (!before || other->start.seconds > before->start.seconds) before = other;
    }
    return before;
}

static bool is_same_route(const struct order *a, const struct order *b) {
    return a->route && b->route && strcmp(a->route, b->route) == 0;
}

// From the end of one order to the start of the next; 0 where the first has no end.
static int64_t gap_seconds(const struct order *before, const struct order *order) {
    return before->stop.seconds == MOMENT_UNKNOWN ? 0 : order->start.seconds - before->stop.seconds;
}

static bool is_continued(const struct order_table *table, int row) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    for (int i = 0; i < episode->n_orders; i++) {
        const struct order *other = &episode->orders[i];
        if (i != row && is_kind(other, "长期", "drug") &&
            other->start.seconds > order->start.seconds &&
            gap_seconds(order, other) <= 2 * DAY_SECONDS && is_same_drug(table, i, row))
            return true;
    }
    return false;
}

// A course that took a fair share of the stay; prevention and support may stay untold.
static bool is_told_drug(const struct episode *episode, const struct order *order) {
    if (drug_is_support_of(episode, order) || (order->purpose && strstr(order->purpose, "预防")))
        return false;
    int stay_days = episode_stay_days(episode);
    int64_t least = (int64_t)(stay_days > 12 ? stay_days / 6 : 2) * DAY_SECONDS;
    bool is_short =
        order->stop.seconds != MOMENT_UNKNOWN && order->stop.seconds - order->start.seconds < least;
    return !is_short || drug_is_acute(order) || (order->is_antibacterial && stay_days <= 30);
}

static bool is_same_dose(const struct order *a, const struct order *b) {
    return fabs(a->dose - b->dose) < 1e-9 && a->dose_unit && b->dose_unit &&
           strcmp(a->dose_unit, b->dose_unit) == 0 && a->frequency && b->frequency &&
           strcmp(a->frequency, b->frequency) == 0;
}

static bool add_course_start(const struct order_table *table, int row, struct fact_list *facts,
                             struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row], *before = order_before(table, row);
    int64_t gap = before ? gap_seconds(before, order) : 0;
    if (before && is_same_dose(before, order) && gap <= 2 * DAY_SECONDS)
        return true; // the same, by another route or under a new number
    struct fact_entry entry =
        fact_entry_begin(FACT_DRUG, is_told_drug(episode, order), order->start);
    bool is_change = before && gap <= DAY_SECONDS && is_same_route(before, order) &&
                     !is_same_dose(before, order);
    wording_add(&entry.text, is_change ? "" : "予");
    wording_add(&entry.text, order->name);
    wording_add(&entry.text, is_change ? "调整为" : "");
    wording_add_regimen(&entry.text, order);
    add_value(&entry.value, order);
    fact_entry_row(&entry, SOURCE_ORDER, row);
    return fact_entry_end(&entry, facts, error);
}

static bool add_course_stop(const struct order_table *table, int row, struct fact_list *facts,
                            struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    struct moment discharge = episode->encounter.discharge;
    if (order->stop.seconds == MOMENT_UNKNOWN || is_continued(table, row) ||
        (discharge.seconds != MOMENT_UNKNOWN &&
         order->stop.seconds >= discharge.seconds - 3 * 3600))
        return true;
    struct fact_entry entry = fact_entry_begin(FACT_DRUG, false, order->stop);
    wording_add(&entry.text, "停");
    wording_add(&entry.text, order->name);
    fact_entry_row(&entry, SOURCE_ORDER, row);
    return fact_entry_end(&entry, facts, error);
}

static bool is_loading(const struct order_table *table, int row) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    for (int i = 0; i < episode->n_orders; i++) {
        const struct order *other = &episode->orders[i];
        if (is_kind(other, "长期", "drug") && other->has_dose && other->dose_unit &&
            order->dose_unit && strcmp(other->dose_unit, order->dose_unit) == 0 &&
            order->dose >= 1.9 * other->dose && is_same_drug(table, i, row))
            return true;
    }
    return false;
}

static bool add_single(const struct order_table *table, int row, struct fact_list *facts,
                       struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    if (!order->has_dose) {
        if (!order->result) return true;
        struct fact_entry test = fact_entry_begin(FACT_EVENT, false, order->start);
        wording_add(&test.text, order->name);
        wording_add(&test.text, order->result);
        fact_entry_row(&test, SOURCE_ORDER, row);
        return fact_entry_end(&test, facts, error);
    }
    bool is_loaded = is_loading(table, row), is_vaccine = strstr(order->name, "疫苗") != NULL;
    struct fact_entry entry = fact_entry_begin(FACT_DRUG, is_loaded || is_vaccine, order->start);
    wording_add(&entry.text, "予");
    wording_add(&entry.text, order->name);
    wording_add_regimen(&entry.text, order);
    bool is_told_first = order->frequency && strstr(order->frequency, "首剂");
    wording_add(&entry.text, is_loaded && !order->purpose && !is_told_first ? "（首剂）" : "");
    add_value(&entry.value, order);
    fact_entry_row(&entry, SOURCE_ORDER, row);
    return fact_entry_end(&entry, facts, error);
}

static bool add_discharge_drug(const struct order_table *table, int row, struct fact_list *facts,
                               struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    struct fact_entry entry = fact_entry_begin(FACT_DRUG, true, order->start);
    wording_add(&entry.text, "出院带药：");
    wording_add_prescription(&entry.text, order);
    add_value(&entry.value, order);
    fact_entry_row(&entry, SOURCE_ORDER, row);
    return fact_entry_end(&entry, facts, error);
}

// Of a long stay with many consultations the supporting ones may stay untold.
bool consult_is_must(const struct episode *episode, const char *name) {
    static const char *const SUPPORTING[] = {"营养", "药学", "康复", "心理", "精神",
                                             "疼痛", "中医", "护理", "麻醉", NULL};
    int stay_days = episode_stay_days(episode);
    return (stay_days >= 0 && stay_days <= LONG_STAY_DAYS) || !is_in(name, SUPPORTING);
}

static int count_class(const struct episode *episode, const char *order_class) {
    int n = 0;
    for (int i = 0; i < episode->n_orders; i++)
        n += strcmp(episode->orders[i].order_class, order_class) == 0;
    return n;
}

// Where blood was given again and again, a record tells the sum.
static bool add_blood(const struct order_table *table, int row, struct fact_list *facts,
                      struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    const char *volume = order_member(order, "volume");
    bool is_red = strstr(order->name, "红细胞") || strstr(order->name, "全血");
    struct fact_entry entry = fact_entry_begin(FACT_DRUG, is_red, order->start);
    wording_add(&entry.text, "输注");
    wording_add(&entry.text, order_member(order, "blood_type"));
    wording_add(&entry.text, order->name);
    wording_add(&entry.text, volume);
    wording_add_dose(&entry.text, order);
    wording_add(&entry.value, count_class(episode, "blood") > BLOOD_ORDERS_TOLD ? NULL : volume);
    fact_entry_row(&entry, SOURCE_ORDER, row);
    return fact_entry_end(&entry, facts, error);
}

static bool is_blood(const struct order *order) {
    return strcmp(order->order_class, "blood") == 0 && order_member(order, "volume") != NULL;
}

// The volumes of one product: "30 U", "2个治疗量"; nothing where their units differ.
static bool add_blood_sum(struct wording *wording, const struct episode *episode, int row) {
    const char *name = episode->orders[row].name;
    const char *first = order_member(&episode->orders[row], "volume");
    const char *unit = first + number_length(first);
    double sum = 0;
    for (int i = 0; i < episode->n_orders; i++) {
        const struct order *order = &episode->orders[i];
        if (!is_blood(order) || strcmp(order->name, name) != 0) continue;
        if (i < row) return true; // told with its first row
        const char *volume = order_member(order, "volume");
        size_t digits = number_length(volume);
        if (!digits || strcmp(volume + digits, unit) != 0) return false;
        sum += strtod(volume, NULL);
    }
    char number[32];
    snprintf(number, sizeof number, "%.10g", sum);
    wording_add(wording, wording->bytes ? "、" : "");
    wording_add(wording, name);
    wording_add(wording, number);
    wording_add(wording, unit);
    return true;
}

// A doctor counted the same: "输悬浮红细胞30 U、…" stands in a note.
static bool is_counted(const struct episode *episode, const char *sums) {
    size_t bytes = sums ? strcspn(sums, "\xe3") : 0; // the first product, up to "、"
    char first[96];
    if (bytes == 0 || bytes >= sizeof first) return false;
    memcpy(first, sums, bytes);
    first[bytes] = '\0';
    for (int i = 0; i < episode->n_docs; i++) {
        const struct document *doc = &episode->docs[i];
        for (int s = 0; document_is_evidence(doc) && s < doc->n_sections; s++) {
            if (strstr(doc->sections[s].text, first)) return true;
        }
    }
    return false;
}

// Of many transfusions a record tells the sum.
static bool add_blood_sums(const struct episode *episode, struct fact_list *facts,
                           struct clinic_error *error) {
    struct fact_entry entry = fact_entry_begin(FACT_DRUG, true, (struct moment){0});
    struct wording sums = {0};
    bool is_summed = true;
    if (episode->encounter.discharge.seconds == MOMENT_UNKNOWN ||
        count_class(episode, "blood") <= BLOOD_ORDERS_TOLD)
        return true;
    for (int i = 0; i < episode->n_orders && is_summed; i++) {
        if (!is_blood(&episode->orders[i])) continue;
        entry.fact.at = episode->orders[i].start;
        is_summed = add_blood_sum(&sums, episode, i);
        fact_entry_row(&entry, SOURCE_ORDER, i);
    }
    if (is_summed && is_counted(episode, sums.text)) {
        wording_add(&entry.text, "住院期间累计输注");
        wording_add(&entry.text, sums.text);
    }
    wording_deinit(&sums);
    return fact_entry_end(&entry, facts, error);
}

static bool add_consult(const struct order_table *table, int row, struct fact_list *facts,
                        struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    struct fact_entry entry =
        fact_entry_begin(FACT_CONSULT, consult_is_must(episode, order->name), order->start);
    wording_add(&entry.text, order->name);
    wording_add(&entry.text, strstr(order->name, "会诊") ? "" : "会诊");
    wording_add(&entry.value, entry.text.text);
    fact_entry_row(&entry, SOURCE_ORDER, row);
    return fact_entry_end(&entry, facts, error);
}

static bool add_care_moment(const struct order_table *table, int row, bool is_stop,
                            struct fact_list *facts, struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    struct moment at = is_stop ? order->stop : order->start;
    bool is_alarm = strstr(order->name, "病危") || strstr(order->name, "病重");
    struct fact_entry entry = fact_entry_begin(FACT_EVENT, false, at);
    wording_add(&entry.text, is_stop ? "停" : is_alarm ? "下" : "予");
    wording_add(&entry.text, order->name);
    wording_add(&entry.text, is_alarm && !is_stop ? "医嘱" : "");
    fact_entry_row(&entry, SOURCE_ORDER, row);
    return fact_entry_end(&entry, facts, error);
}

static bool add_care(const struct order_table *table, int row, struct fact_list *facts,
                     struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    struct moment discharge = episode->encounter.discharge;
    if (!is_in(order->name, TOLD_CARE)) return true;
    if (!add_care_moment(table, row, false, facts, error)) return false;
    if (order->stop.seconds == MOMENT_UNKNOWN ||
        (discharge.seconds != MOMENT_UNKNOWN && order->stop.seconds >= discharge.seconds - 3600))
        return true;
    return add_care_moment(table, row, true, facts, error);
}

static bool add_pending(const struct order_table *table, int row, struct fact_list *facts,
                        struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    struct fact_entry entry = fact_entry_begin(FACT_PENDING, true, order->start);
    wording_add(&entry.text, order->name);
    wording_add(&entry.text, "结果尚未回报");
    wording_add(&entry.value, order->pending_name ? order->pending_name : order->name);
    fact_entry_row(&entry, SOURCE_ORDER, row);
    return fact_entry_end(&entry, facts, error);
}

static bool add_order(const struct order_table *table, int row, struct fact_list *facts,
                      struct clinic_error *error) {
    const struct episode *episode = table->episode;
    const struct order *order = &episode->orders[row];
    if (order->is_pending) return add_pending(table, row, facts, error);
    if (is_kind(order, "出院带药", "drug")) return add_discharge_drug(table, row, facts, error);
    if (is_kind(order, "长期", "drug") && order->has_dose)
        return add_course_start(table, row, facts, error) &&
               add_course_stop(table, row, facts, error);
    if (is_kind(order, "临时", "drug")) return add_single(table, row, facts, error);
    if (strcmp(order->order_class, "blood") == 0) return add_blood(table, row, facts, error);
    if (strcmp(order->order_class, "consult") == 0) return add_consult(table, row, facts, error);
    if (strcmp(order->order_class, "care") == 0) return add_care(table, row, facts, error);
    return true;
}

bool facts_of_orders(const struct episode *episode, struct fact_list *facts,
                     struct clinic_error *error) {
    struct order_table table = {.episode = episode};
    bool done = true;
    if (episode->n_orders == 0) return true;
    table.stems = calloc((size_t)episode->n_orders, sizeof *table.stems);
    if (!table.stems) return clinic_fail_memory(error);
    for (int i = 0; i < episode->n_orders; i++)
        drug_stem(episode->orders[i].name, table.stems[i]);
    for (int i = 0; done && i < episode->n_orders; i++)
        done = add_order(&table, i, facts, error);
    done = done && add_blood_sums(episode, facts, error);
    free(table.stems);
    return done;
}
