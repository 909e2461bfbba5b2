// SPDX-License-Identifier: Apache-2.0
// One inpatient episode in memory: what examples/episodes/README.md describes, checked and typed.
// Read-only after episode_read(); all strings belong to `root`, which the episode holds.
#ifndef XL_CLINIC_EPISODE_H
#define XL_CLINIC_EPISODE_H

#include "clinic/record/clinic_error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOMENT_UNKNOWN INT64_MIN

// A point in time and the clock of the hospital that wrote it.
struct moment {
    int64_t seconds; // since 1970 UTC; MOMENT_UNKNOWN: none is given
    int offset_minutes;
};

struct allergy {
    const char *substance, *reaction;
    const char **avoid; // [n_avoid] parts of drug names that may not be ordered
    int n_avoid;
};

struct patient {
    const char *id, *name, *sex, *birth_date, *id_card, *blood_type; // last two may be NULL
    double weight_kg;                                                // 0: not known
    struct allergy *allergies;
    int n_allergies;
};

struct encounter {
    const char *id, *hospital, *department, *ward, *bed, *route, *disposition;
    struct moment admit, discharge; // discharge unknown: still here
};

struct encounter_event {
    const char *type; // admit, transfer, surgery, discharge, …
    struct moment at;
    const char *detail;    // NULL: none
    const char *from, *to; // departments of a transfer; NULL: not given
};

struct staff_member {
    const char *id, *name, *title;
};

struct diagnosis {
    const char *id;    // "dx1" by order if the data has none
    const char *stage; // "admission", "discharge"
    int rank;          // 1 = main
    const char *name, *icd10, *outcome, *present_on_admission; // the last three may be NULL
    struct moment at;
    const json_t *json; // its row, with the members that have no field here
};

struct operation {
    const char *id, *name, *code, *operator_id, *anaesthesia, *record; // record: id of the 手术记录
    struct moment start, end;
    bool is_emergency;
    const json_t *json; // its row
};

struct section {
    const char *name, *text;
    size_t text_bytes;
};

struct document {
    const char *id, *c_code, *type, *local_title, *author, *cosigner; // cosigner may be NULL
    struct moment event, create, sign;                                // sign unknown: not signed
    struct section *sections;
    int n_sections;
    const json_t *json; // its row
    int row;            // of the JSON's array: which may not be in the order of time
};

struct order {
    const char *id, *kind, *order_class, *name; // class: drug, blood, lab, exam, care, consult
    bool has_dose;
    double dose;
    const char *dose_unit, *route, *frequency, *purpose, *result; // may be NULL
    struct moment start, stop;
    const char *prescriber;
    int course_days; // 0: none
    bool is_discharge_drug, is_pending, is_antibacterial;
    const char *pending_name; // NULL: name
    const json_t *json;       // its row
};

struct lab {
    const char *id, *panel, *code, *name, *unit, *specimen, *flag; // flag H, L, N, A; "" unknown
    bool is_number, is_critical, has_range;
    double value, low, high;
    const char *text; // of a number, too: as it was written
    struct moment collect, report;
    const json_t *json; // its row
};

struct vital {
    struct moment at;
    double temperature_c, pulse_per_min, respiration_per_min, spo2_percent, oxygen_l_per_min,
        systolic_mmhg, diastolic_mmhg; // NAN: not measured
};

struct report {
    const char *id, *type, *name, *order; // order may be NULL
    struct moment exam, report;
    struct section findings, conclusion; // text "" if there is none
    const char *organism;                // NULL: none
    const json_t *json;                  // its row
};

struct episode {
    json_t *root;
    struct patient patient;
    struct encounter encounter;
    struct encounter_event *events;
    struct staff_member *staff;
    struct diagnosis *diagnoses;
    struct operation *operations;
    struct document *docs; // in the order of event time
    struct order *orders;
    struct lab *labs;
    struct vital *vitals;
    struct report *reports;
    int n_events, n_staff, n_diagnoses, n_operations, n_docs, n_orders, n_labs, n_vitals, n_reports;
    char *made_ids, *made_texts; // what the data has not as a string
};

// Checks the canonical JSON and takes a reference. Hostile input: counts, lengths, types, times,
// ids that repeat or are referred to in vain are refused with table, id and member named (ids and
// members only, never values). NULL on failure.
struct episode *episode_read(json_t *root, struct clinic_error *error);
// The same from text.
struct episode *episode_parse(const char *text, size_t text_bytes, struct clinic_error *error);
void episode_free(struct episode *episode); // NULL is allowed

const struct staff_member *episode_staff(const struct episode *episode, const char *id); // or NULL
int episode_age_years(const struct episode *episode); // at admission
int episode_stay_days(const struct episode *episode); // calendar days; < 0: still here

// "2025-11-03T09:40:00+08:00"; false if it is not a time.
bool moment_parse(const char *text, struct moment *moment);
// Writes the same form. Buffer of 32 bytes.
void moment_write(struct moment moment, char text[32]);
// Calendar day in the moment's own clock.
struct calendar_day {
    int year, month, day;
};
struct calendar_day moment_day(struct moment moment);
// Days since 1970-01-01 of a moment's calendar day: equal for two moments of one day.
int64_t moment_day_number(struct moment moment);

#endif
