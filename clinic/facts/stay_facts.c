// SPDX-License-Identifier: Apache-2.0
// See table_facts.h. Operations in the words of a course ("在全身麻醉下行…"), diagnoses, and fever
// and its end from the temperature chart.
#include "clinic/facts/fact_entry.h"
#include "clinic/facts/table_facts.h"

#include <math.h>
#include <string.h>

#define FEVER_C 38.0
#define NO_FEVER_C 37.3

static bool add_operation(const struct episode *episode, int row, struct fact_list *facts,
                          struct clinic_error *error) {
    const struct operation *operation = &episode->operations[row];
    struct fact_entry entry = fact_entry_begin(FACT_OPERATION, true, operation->start);
    if (operation->anaesthesia) {
        wording_add(&entry.text, "在");
        wording_add(&entry.text, operation->anaesthesia);
        wording_add(&entry.text, "下");
    }
    wording_add(&entry.text, operation->is_emergency ? "急诊行" : "行");
    wording_add(&entry.text, operation->name);
    wording_add(&entry.value, operation->name);
    fact_entry_row(&entry, SOURCE_OPERATION, row);
    return fact_entry_end(&entry, facts, error);
}

static bool is_same_stage(const struct diagnosis *diagnosis, const char *stage) {
    return strcmp(diagnosis->stage, stage) == 0;
}

static bool has_stage(const struct episode *episode, const char *stage, const char *name) {
    for (int i = 0; i < episode->n_diagnoses; i++) {
        const struct diagnosis *diagnosis = &episode->diagnoses[i];
        if (is_same_stage(diagnosis, stage) && (!name || strcmp(diagnosis->name, name) == 0))
            return true;
    }
    return false;
}

static bool add_diagnosis(const struct episode *episode, int row, struct fact_list *facts,
                          struct clinic_error *error) {
    const struct diagnosis *diagnosis = &episode->diagnoses[row];
    bool is_discharge = is_same_stage(diagnosis, "discharge");
    if (!is_discharge && has_stage(episode, "discharge", diagnosis->name)) return true;
    bool is_must = is_discharge || !has_stage(episode, "discharge", NULL);
    struct fact_entry entry = fact_entry_begin(FACT_DIAGNOSIS, is_must, diagnosis->at);
    wording_add(&entry.text, diagnosis->name);
    fact_entry_row(&entry, SOURCE_DIAGNOSIS, row);
    for (int i = 0; is_discharge && i < episode->n_diagnoses; i++) {
        if (i != row && strcmp(episode->diagnoses[i].name, diagnosis->name) == 0)
            fact_entry_row(&entry, SOURCE_DIAGNOSIS, i);
    }
    return fact_entry_end(&entry, facts, error);
}

// What came up in hospital: the course has to tell it, if nothing in it names it.
static bool add_new_diagnosis(const struct episode *episode, int row, struct fact_list *facts,
                              struct clinic_error *error) {
    const struct diagnosis *diagnosis = &episode->diagnoses[row];
    if (!is_same_stage(diagnosis, "discharge") || !diagnosis->present_on_admission ||
        strcmp(diagnosis->present_on_admission, "无") != 0)
        return true;
    struct fact_entry entry = fact_entry_begin(FACT_COMPLICATION, true, diagnosis->at);
    wording_add(&entry.text, NEW_DIAGNOSIS);
    wording_add(&entry.text, diagnosis->name);
    fact_entry_row(&entry, SOURCE_DIAGNOSIS, row);
    return fact_entry_end(&entry, facts, error);
}

static bool add_temperature(int row, const struct vital *vital, enum fact_class fact_class,
                            struct fact_list *facts, struct clinic_error *error) {
    struct fact_entry entry = fact_entry_begin(fact_class, false, vital->at);
    wording_add(&entry.text, "最高体温");
    wording_add_temperature(&entry.text, vital->temperature_c);
    wording_add_temperature(&entry.value, vital->temperature_c);
    fact_entry_row(&entry, SOURCE_VITAL, row);
    return fact_entry_end(&entry, facts, error);
}

// The highest temperature of the calendar day of a row.
static int warmest_of_day(const struct episode *episode, int row) {
    int64_t day = moment_day_number(episode->vitals[row].at);
    int warmest = row;
    for (int i = 0; i < episode->n_vitals; i++) {
        const struct vital *vital = &episode->vitals[i];
        if (moment_day_number(vital->at) == day && !isnan(vital->temperature_c) &&
            vital->temperature_c > episode->vitals[warmest].temperature_c)
            warmest = i;
    }
    return warmest;
}

static bool add_fever(const struct episode *episode, struct fact_list *facts,
                      struct clinic_error *error) {
    int worst = -1, last_warm = -1;
    for (int i = 0; i < episode->n_vitals; i++) {
        double celsius = episode->vitals[i].temperature_c;
        if (isnan(celsius)) continue;
        if (worst < 0 || celsius > episode->vitals[worst].temperature_c) worst = i;
        if (celsius > NO_FEVER_C) last_warm = i;
    }
    if (worst < 0 || episode->vitals[worst].temperature_c < FEVER_C) return true;
    if (!add_temperature(worst, &episode->vitals[worst], FACT_POSITIVE, facts, error)) return false;
    for (int i = last_warm + 1; i < episode->n_vitals; i++) {
        const struct vital *vital = &episode->vitals[i];
        if (isnan(vital->temperature_c) ||
            moment_day_number(vital->at) == moment_day_number(episode->vitals[last_warm].at))
            continue;
        int row = warmest_of_day(episode, i);
        return add_temperature(row, &episode->vitals[row], FACT_EVENT, facts, error);
    }
    return true;
}

static bool add_transfer(const struct episode *episode, int row, struct fact_list *facts,
                         struct clinic_error *error) {
    const struct encounter_event *event = &episode->events[row];
    if (strcmp(event->type, "transfer") != 0 || !event->to || !event->to[0]) return true;
    struct fact_entry entry = fact_entry_begin(FACT_EVENT, false, event->at);
    if (event->from && event->from[0]) {
        wording_add(&entry.text, "由");
        wording_add(&entry.text, event->from);
    }
    wording_add(&entry.text, "转入");
    wording_add(&entry.text, event->to);
    fact_entry_row(&entry, SOURCE_EVENT, row);
    return fact_entry_end(&entry, facts, error);
}

bool facts_of_stay(const struct episode *episode, struct fact_list *facts,
                   struct clinic_error *error) {
    for (int i = 0; i < episode->n_operations; i++) {
        if (!add_operation(episode, i, facts, error)) return false;
    }
    for (int i = 0; i < episode->n_diagnoses; i++) {
        if (!add_diagnosis(episode, i, facts, error) ||
            !add_new_diagnosis(episode, i, facts, error))
            return false;
    }
    for (int i = 0; i < episode->n_events; i++) {
        if (!add_transfer(episode, i, facts, error)) return false;
    }
    return add_fever(episode, facts, error);
}
