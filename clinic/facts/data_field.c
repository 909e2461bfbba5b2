// SPDX-License-Identifier: Apache-2.0
// See data_field.h. A value is a name in a table and a function that words it.
#include "clinic/facts/data_field.h"

#include "clinic/facts/condition_field.h"
#include "clinic/facts/drug_stem.h"
#include "clinic/facts/episode_facts.h"
#include "clinic/facts/note_class.h"
#include "clinic/facts/stay_size.h"
#include "clinic/facts/told_window.h"
#include "clinic/facts/trusted_text.h"
#include "clinic/facts/wording.h"

#include <stdlib.h>
#include <string.h>

#define LONG_STAY_DAYS 20
#define LAST_DAYS 10

typedef bool (*field_words)(struct wording *wording, const struct episode *episode,
                            struct source_list *sources, struct clinic_error *error);

static void add_row(struct source_list *sources, enum source_kind kind, int row) {
    source_list_add(sources, &(struct source){.kind = kind, .row = row});
}

static void add_event(const struct episode *episode, const char *type,
                      struct source_list *sources) {
    for (int i = 0; i < episode->n_events; i++) {
        if (strcmp(episode->events[i].type, type) == 0) {
            add_row(sources, SOURCE_EVENT, i);
            return;
        }
    }
}

static bool add_patient_text(struct wording *wording, const char *text,
                             struct source_list *sources) {
    wording_add(wording, text);
    add_row(sources, SOURCE_PATIENT, 0);
    return true;
}

static bool add_name(struct wording *wording, const struct episode *episode,
                     struct source_list *sources, struct clinic_error *error) {
    (void)error;
    return add_patient_text(wording, episode->patient.name, sources);
}

static bool add_sex(struct wording *wording, const struct episode *episode,
                    struct source_list *sources, struct clinic_error *error) {
    (void)error;
    return add_patient_text(wording, episode->patient.sex, sources);
}

static bool add_age(struct wording *wording, const struct episode *episode,
                    struct source_list *sources, struct clinic_error *error) {
    (void)error;
    int years = episode_age_years(episode);
    if (years < 0) return true;
    wording_add_int(wording, years);
    return add_patient_text(wording, "岁", sources);
}

static bool add_department(struct wording *wording, const struct episode *episode,
                           struct source_list *sources, struct clinic_error *error) {
    (void)error;
    wording_add(wording, episode->encounter.department);
    add_event(episode, "admit", sources);
    return true;
}

static bool add_admit_date(struct wording *wording, const struct episode *episode,
                           struct source_list *sources, struct clinic_error *error) {
    (void)error;
    if (episode->encounter.admit.seconds == MOMENT_UNKNOWN) return true;
    wording_add_date(wording, episode->encounter.admit);
    add_event(episode, "admit", sources);
    return true;
}

static bool add_discharge_date(struct wording *wording, const struct episode *episode,
                               struct source_list *sources, struct clinic_error *error) {
    (void)error;
    if (episode->encounter.discharge.seconds == MOMENT_UNKNOWN) return true;
    wording_add_date(wording, episode->encounter.discharge);
    add_event(episode, "discharge", sources);
    return true;
}

static bool add_stay(struct wording *wording, const struct episode *episode,
                     struct source_list *sources, struct clinic_error *error) {
    (void)error;
    int days = episode_stay_days(episode);
    if (days < 0) return true;
    wording_add_int(wording, days);
    wording_add(wording, "天");
    add_event(episode, "admit", sources);
    add_event(episode, "discharge", sources);
    return true;
}

static void begin_item(struct wording *wording, int number) {
    if (wording->bytes) wording_add(wording, wording_ends_with(wording, "。") ? "" : "；");
    wording_add_int(wording, number);
    wording_add(wording, ". ");
}

// The next diagnosis of a stage behind (rank, row), by rank; -1: no more.
static int next_diagnosis(const struct episode *episode, const char *stage, int after_rank,
                          int after_row) {
    int next = -1;
    for (int i = 0; i < episode->n_diagnoses; i++) {
        const struct diagnosis *diagnosis = &episode->diagnoses[i];
        if (strcmp(diagnosis->stage, stage) != 0 || diagnosis->rank < after_rank ||
            (diagnosis->rank == after_rank && i <= after_row))
            continue;
        if (next < 0 || diagnosis->rank < episode->diagnoses[next].rank) next = i;
    }
    return next;
}

static bool add_diagnoses(struct wording *wording, const struct episode *episode, const char *stage,
                          struct source_list *sources) {
    int number = 0, rank = -1, row = -1;
    while ((row = next_diagnosis(episode, stage, rank, row)) >= 0) {
        rank = episode->diagnoses[row].rank;
        begin_item(wording, ++number);
        wording_add(wording, episode->diagnoses[row].name);
        add_row(sources, SOURCE_DIAGNOSIS, row);
    }
    wording_add(wording, number ? "。" : "");
    return true;
}

static bool add_admission_diagnoses(struct wording *wording, const struct episode *episode,
                                    struct source_list *sources, struct clinic_error *error) {
    (void)error;
    return add_diagnoses(wording, episode, "admission", sources);
}

static bool add_discharge_diagnoses(struct wording *wording, const struct episode *episode,
                                    struct source_list *sources, struct clinic_error *error) {
    (void)error;
    return add_diagnoses(wording, episode, "discharge", sources);
}

static int add_drug_items(struct wording *wording, const struct episode *episode, int number,
                          struct source_list *sources) {
    for (int i = 0; i < episode->n_orders; i++) {
        const struct order *order = &episode->orders[i];
        if (!order->is_discharge_drug) continue;
        begin_item(wording, ++number);
        wording_add_prescription(wording, order);
        wording_add(wording, "。");
        add_row(sources, SOURCE_ORDER, i);
    }
    return number;
}

static void add_allergy_items(struct wording *wording, const struct episode *episode, int *number,
                              struct source_list *sources) {
    for (int i = 0; i < episode->patient.n_allergies; i++) {
        begin_item(wording, ++*number);
        wording_add(wording, episode->patient.allergies[i].substance);
        wording_add(wording, allergy_is_food(episode->patient.allergies[i].substance)
                                 ? "过敏，避免食用。"
                                 : "过敏，避免使用。");
        add_row(sources, SOURCE_PATIENT, 0);
    }
}

// Advice from the middle of a long stay mostly came true or was given up before its end.
static bool is_overtaken(const struct episode *episode, const struct fact *fact) {
    struct moment discharge = episode->encounter.discharge;
    return fact->fact_class == FACT_FOLLOWUP && episode_stay_days(episode) > LONG_STAY_DAYS &&
           fact->at.seconds != MOMENT_UNKNOWN &&
           moment_day_number(fact->at) + LAST_DAYS < moment_day_number(discharge);
}

// Says of a drug for home nothing but what its line says: dose and how often, not how long.
static bool is_prescription(const struct episode *episode, const struct fact *fact) {
    static const char *const MORE[] = {"终身", "长期", "不可", "不得", "自行",
                                       "停",   "复查", "监测", "如",   NULL};
    for (int i = 0; MORE[i]; i++) {
        if (strstr(fact->text, MORE[i])) return false;
    }
    for (int i = 0; i < episode->n_orders; i++) {
        char stem[DRUG_STEM_BYTES];
        const struct order *order = &episode->orders[i];
        if (!order->is_discharge_drug) continue;
        drug_stem(order->name, stem);
        struct window words = {.text = fact->text, .bytes = strlen(fact->text)};
        if (!stem[0] || !strstr(fact->text, stem) || !window_has_number(&words, order->dose))
            continue;
        struct wording line = {0};
        wording_add_prescription(&line, order);
        struct window window = {.text = line.text, .bytes = line.bytes};
        bool is_same = line.text && window_numbers(&window, fact->text) >= 1;
        wording_deinit(&line);
        if (is_same) return true;
    }
    return false;
}

// Results that are out, advice in the order of the notes, allergies.
static bool add_advice_items(struct wording *wording, const struct episode *episode, int *number,
                             struct source_list *sources, struct clinic_error *error) {
    struct fact_list facts;
    if (!facts_of_episode(episode, &facts, error)) return false;
    for (int pass = 0; pass < 2; pass++) {
        enum fact_class wanted = pass ? FACT_FOLLOWUP : FACT_PENDING;
        for (int i = 0; i < facts.n_facts; i++) {
            const struct fact *fact = &facts.facts[i];
            if (fact->fact_class != wanted || is_overtaken(episode, fact) ||
                (wanted == FACT_FOLLOWUP &&
                 (advice_is_doubtful(fact->text) || is_prescription(episode, fact))))
                continue;
            begin_item(wording, ++*number);
            wording_add(wording, fact->text);
            wording_add(wording, "。");
            if (fact->n_sources) source_list_add(sources, &fact->sources[0]);
        }
    }
    fact_list_deinit(&facts);
    add_allergy_items(wording, episode, number, sources);
    return true;
}

static bool add_discharge_drugs(struct wording *wording, const struct episode *episode,
                                struct source_list *sources, struct clinic_error *error) {
    (void)error;
    add_drug_items(wording, episode, 0, sources);
    return true;
}

static bool add_discharge_advice(struct wording *wording, const struct episode *episode,
                                 struct source_list *sources, struct clinic_error *error) {
    int number = 0;
    return add_advice_items(wording, episode, &number, sources, error);
}

static bool add_discharge_orders(struct wording *wording, const struct episode *episode,
                                 struct source_list *sources, struct clinic_error *error) {
    int number = add_drug_items(wording, episode, 0, sources);
    return add_advice_items(wording, episode, &number, sources, error);
}

static bool add_admission_summary(struct wording *wording, const struct episode *episode,
                                  struct source_list *sources, struct clinic_error *error) {
    (void)error;
    condition_add_admission(wording, episode, sources);
    return true;
}

static bool add_discharge_condition(struct wording *wording, const struct episode *episode,
                                    struct source_list *sources, struct clinic_error *error) {
    (void)error;
    condition_add_discharge(wording, episode, sources);
    return true;
}

static bool add_chief_complaint(struct wording *wording, const struct episode *episode,
                                struct source_list *sources, struct clinic_error *error) {
    (void)error;
    int section, row = document_last_of_type(episode, "admission_note");
    const struct section *text =
        row < 0 ? NULL : document_section(&episode->docs[row], "主诉", &section);
    if (!text) return true;
    wording_add(wording, text->text);
    source_list_add(
        sources, &(struct source){
                     .kind = SOURCE_DOC, .row = row, .section = section, .end = text->text_bytes});
    return true;
}

static bool add_operations(struct wording *wording, const struct episode *episode,
                           struct source_list *sources, struct clinic_error *error) {
    (void)error;
    for (int i = 0; i < episode->n_operations; i++) {
        begin_item(wording, i + 1);
        wording_add_date(wording, episode->operations[i].start);
        wording_add(wording, " ");
        wording_add(wording, episode->operations[i].name);
        add_row(sources, SOURCE_OPERATION, i);
    }
    wording_add(wording, episode->n_operations ? "。" : "");
    return true;
}

static const struct {
    const char *name;
    field_words words;
} FIELDS[] = {
    {"patient_name", add_name},
    {"sex", add_sex},
    {"age", add_age},
    {"department", add_department},
    {"admit_date", add_admit_date},
    {"discharge_date", add_discharge_date},
    {"stay_days", add_stay},
    {"admission_diagnoses", add_admission_diagnoses},
    {"discharge_diagnoses", add_discharge_diagnoses},
    {"discharge_drugs", add_discharge_drugs},
    {"discharge_advice", add_discharge_advice},
    {"discharge_orders", add_discharge_orders},
    {"admission_summary", add_admission_summary},
    {"discharge_condition", add_discharge_condition},
    {"chief_complaint", add_chief_complaint},
    {"operations", add_operations},
};
#define N_FIELDS (sizeof FIELDS / sizeof *FIELDS)

static field_words find_field(const char *value_name) {
    for (size_t i = 0; value_name && i < N_FIELDS; i++) {
        if (strcmp(value_name, FIELDS[i].name) == 0) return FIELDS[i].words;
    }
    return NULL;
}

bool data_field_exists(const char *value_name) {
    return find_field(value_name) != NULL;
}

bool data_field(const struct episode *episode, const char *value_name, char **text,
                struct source_list *sources, struct clinic_error *error) {
    *text = NULL;
    if (sources) sources->n_sources = 0;
    field_words words = find_field(value_name);
    if (!words)
        return clinic_fail(error, CLINIC_NOT_FOUND,
                           "there is no data field of that name; see clinic/facts/data_field.h");
    if (!stay_size_check(episode, error)) return false;
    struct wording wording = {0};
    if (!words(&wording, episode, sources, error)) {
        wording_deinit(&wording);
        return false;
    }
    *text = wording_take(&wording);
    return *text ? true : clinic_fail_memory(error);
}
