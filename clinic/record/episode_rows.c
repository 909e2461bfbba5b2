// SPDX-License-Identifier: Apache-2.0
// Staff, diagnoses, operations, orders, labs, vitals and reports.
#include "clinic/record/episode_budget.h"
#include "clinic/record/episode_tables.h"
#include "clinic/record/member_table.h"
#include "clinic/record/utf8_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(type, field) offsetof(struct type, field)
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct member staff_members[] = {
    {"id", MEMBER_ID, MEMBER_REQUIRED, AT(staff_member, id), NULL},
    {"name", MEMBER_TEXT, MEMBER_REQUIRED, AT(staff_member, name), NULL},
    {"title", MEMBER_TEXT, MEMBER_OPTIONAL, AT(staff_member, title), NULL},
};

static const struct member diagnosis_members[] = {
    {"id", MEMBER_ID, MEMBER_OPTIONAL, AT(diagnosis, id), NULL},
    {"stage", MEMBER_TEXT, MEMBER_REQUIRED, AT(diagnosis, stage), "|admission|discharge|"},
    {"rank", MEMBER_INT, MEMBER_REQUIRED, AT(diagnosis, rank), NULL},
    {"name", MEMBER_TEXT, MEMBER_REQUIRED, AT(diagnosis, name), NULL},
    {"icd10", MEMBER_TEXT, MEMBER_NULLABLE, AT(diagnosis, icd10), NULL},
    {"outcome", MEMBER_TEXT, MEMBER_NULLABLE, AT(diagnosis, outcome), NULL},
    {"present_on_admission", MEMBER_TEXT, MEMBER_NULLABLE, AT(diagnosis, present_on_admission),
     NULL},
    {"time", MEMBER_MOMENT, MEMBER_OPTIONAL, AT(diagnosis, at), NULL},
};

static const struct member operation_members[] = {
    {"id", MEMBER_ID, MEMBER_REQUIRED, AT(operation, id), NULL},
    {"name", MEMBER_TEXT, MEMBER_REQUIRED, AT(operation, name), NULL},
    {"icd9cm3", MEMBER_TEXT, MEMBER_OPTIONAL, AT(operation, code), NULL},
    {"operator", MEMBER_ID, MEMBER_OPTIONAL, AT(operation, operator_id), NULL},
    {"anaesthesia", MEMBER_TEXT, MEMBER_OPTIONAL, AT(operation, anaesthesia), NULL},
    {"record", MEMBER_ID, MEMBER_OPTIONAL, AT(operation, record), NULL},
    {"start", MEMBER_MOMENT, MEMBER_REQUIRED, AT(operation, start), NULL},
    {"end", MEMBER_MOMENT, MEMBER_OPTIONAL, AT(operation, end), NULL},
    {"emergency", MEMBER_BOOL, MEMBER_OPTIONAL, AT(operation, is_emergency), NULL},
};

static const struct member order_members[] = {
    {"id", MEMBER_ID, MEMBER_REQUIRED, AT(order, id), NULL},
    {"kind", MEMBER_TEXT, MEMBER_REQUIRED, AT(order, kind), "|长期|临时|出院带药|"},
    {"class", MEMBER_TEXT, MEMBER_REQUIRED, AT(order, order_class),
     "|drug|blood|lab|exam|care|consult|"},
    {"name", MEMBER_TEXT, MEMBER_REQUIRED, AT(order, name), NULL},
    {"route", MEMBER_TEXT, MEMBER_NULLABLE, AT(order, route), NULL},
    {"frequency", MEMBER_TEXT, MEMBER_NULLABLE, AT(order, frequency), NULL},
    {"purpose", MEMBER_TEXT, MEMBER_NULLABLE, AT(order, purpose), NULL},
    {"result", MEMBER_TEXT, MEMBER_NULLABLE, AT(order, result), NULL},
    {"start", MEMBER_MOMENT, MEMBER_REQUIRED, AT(order, start), NULL},
    {"stop", MEMBER_MOMENT, MEMBER_OPTIONAL, AT(order, stop), NULL},
    {"prescriber", MEMBER_ID, MEMBER_OPTIONAL, AT(order, prescriber), NULL},
    {"course_days", MEMBER_INT, MEMBER_OPTIONAL, AT(order, course_days), NULL},
    {"pending", MEMBER_BOOL, MEMBER_OPTIONAL, AT(order, is_pending), NULL},
    {"pending_name", MEMBER_TEXT, MEMBER_NULLABLE, AT(order, pending_name), NULL},
    {"antibacterial", MEMBER_BOOL, MEMBER_OPTIONAL, AT(order, is_antibacterial), NULL},
};

static const struct member dose_members[] = {
    {"value", MEMBER_NUMBER, MEMBER_REQUIRED, AT(order, dose), NULL},
    {"unit", MEMBER_TEXT, MEMBER_REQUIRED, AT(order, dose_unit), NULL},
};

static const struct member lab_members[] = {
    {"id", MEMBER_ID, MEMBER_REQUIRED, AT(lab, id), NULL},
    {"panel", MEMBER_TEXT, MEMBER_OPTIONAL, AT(lab, panel), NULL},
    {"code", MEMBER_TEXT, MEMBER_OPTIONAL, AT(lab, code), NULL},
    {"name", MEMBER_TEXT, MEMBER_REQUIRED, AT(lab, name), NULL},
    {"unit", MEMBER_TEXT, MEMBER_OPTIONAL, AT(lab, unit), NULL},
    {"specimen", MEMBER_TEXT, MEMBER_OPTIONAL, AT(lab, specimen), NULL},
    {"flag", MEMBER_TEXT, MEMBER_OPTIONAL, AT(lab, flag), "|H|L|N|A|"},
    {"critical", MEMBER_BOOL, MEMBER_OPTIONAL, AT(lab, is_critical), NULL},
    {"low", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(lab, low), NULL},
    {"high", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(lab, high), NULL},
    {"collect_time", MEMBER_MOMENT, MEMBER_REQUIRED, AT(lab, collect), NULL},
    {"report_time", MEMBER_MOMENT, MEMBER_OPTIONAL, AT(lab, report), NULL},
};

static const struct member vital_members[] = {
    {"time", MEMBER_MOMENT, MEMBER_REQUIRED, AT(vital, at), NULL},
    {"temperature_c", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(vital, temperature_c), NULL},
    {"pulse_per_min", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(vital, pulse_per_min), NULL},
    {"respiration_per_min", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(vital, respiration_per_min), NULL},
    {"spo2_percent", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(vital, spo2_percent), NULL},
    {"oxygen_l_per_min", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(vital, oxygen_l_per_min), NULL},
    {"systolic_mmhg", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(vital, systolic_mmhg), NULL},
    {"diastolic_mmhg", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(vital, diastolic_mmhg), NULL},
};

static const struct member report_members[] = {
    {"id", MEMBER_ID, MEMBER_REQUIRED, AT(report, id), NULL},
    {"type", MEMBER_ID, MEMBER_REQUIRED, AT(report, type), NULL},
    {"name", MEMBER_TEXT, MEMBER_REQUIRED, AT(report, name), NULL},
    {"order", MEMBER_ID, MEMBER_NULLABLE, AT(report, order), NULL},
    {"exam_time", MEMBER_MOMENT, MEMBER_OPTIONAL, AT(report, exam), NULL},
    {"report_time", MEMBER_MOMENT, MEMBER_OPTIONAL, AT(report, report), NULL},
    {"findings", MEMBER_PROSE, MEMBER_OPTIONAL, AT(report, findings.text), NULL},
    {"conclusion", MEMBER_PROSE, MEMBER_OPTIONAL, AT(report, conclusion.text), NULL},
    {"organism", MEMBER_TEXT, MEMBER_NULLABLE, AT(report, organism), NULL},
};

// One kind of row: its members and what is more than members. finish() may be NULL.
struct row_kind {
    const char *table;
    const struct member *members;
    size_t n_members, row_bytes;
    bool (*finish)(struct episode *, size_t row, const json_t *json, const struct place *,
                   struct clinic_error *);
};

static bool read_table(struct episode *episode, const struct row_kind *kind, void **rows,
                       int *n_rows, struct clinic_error *error) {
    if (!episode_open_table(episode->root, kind->table, kind->table, EPISODE_ROWS_MAX,
                            kind->row_bytes, rows, n_rows, error))
        return false;
    const json_t *array = json_object_get(episode->root, kind->table);
    for (int i = 0; i < *n_rows; i++) {
        const json_t *json = json_array_get(array, (size_t)i);
        struct place place = {kind->table, (size_t)i, NULL};
        char *row = (char *)*rows + (size_t)i * kind->row_bytes;
        if (!member_table_read(json, kind->members, kind->n_members, row, &place, error))
            return false;
        if (kind->members[0].kind == MEMBER_ID) place.id = *(const char **)row;
        if (kind->finish && !kind->finish(episode, (size_t)i, json, &place, error)) return false;
    }
    return true;
}

static bool finish_diagnosis(struct episode *episode, size_t row, const json_t *json,
                             const struct place *place, struct clinic_error *error) {
    struct diagnosis *diagnosis = &episode->diagnoses[row];
    diagnosis->json = json;
    if (diagnosis->rank < 1) return place_fail(place, "rank", error, "begins with 1");
    if (diagnosis->id[0] != '\0') return true;
    char **names = &episode->made_ids;
    if (!*names) *names = calloc((size_t)episode->n_diagnoses, 16);
    if (!*names) return clinic_fail_memory(error);
    snprintf(*names + row * 16, 16, "dx%zu", row % 1000000 + 1);
    diagnosis->id = *names + row * 16;
    return true;
}

static bool finish_operation(struct episode *episode, size_t row, const json_t *json,
                             const struct place *place, struct clinic_error *error) {
    (void)place;
    (void)error;
    episode->operations[row].json = json;
    return true;
}

static bool finish_order(struct episode *episode, size_t row, const json_t *json,
                         const struct place *place, struct clinic_error *error) {
    struct order *order = &episode->orders[row];
    const json_t *dose = json_object_get(json, "dose");
    order->json = json;
    order->is_discharge_drug = strcmp(order->kind, "出院带药") == 0;
    if (!dose || json_is_null(dose)) return true;
    order->has_dose = true;
    char name[ID_BYTES_MAX + 8];
    snprintf(name, sizeof name, "%s: dose", place->id);
    struct place here = {place->table, place->row, name};
    return member_table_read(dose, dose_members, COUNT(dose_members), order, &here, error);
}

// A number as it was written: 4.0 stays "4.0".
static void write_number(const json_t *value, char text[32]) {
    if (json_is_integer(value)) {
        snprintf(text, 32, "%lld", (long long)json_integer_value(value));
        return;
    }
    double number = json_real_value(value);
    snprintf(text, 28, "%.15g", number);
    if (strtod(text, NULL) != number) snprintf(text, 28, "%.17g", number);
    if (!strpbrk(text, ".e")) memcpy(text + strlen(text), ".0", 3);
}

static bool finish_lab(struct episode *episode, size_t row, const json_t *json,
                       const struct place *place, struct clinic_error *error) {
    struct lab *lab = &episode->labs[row];
    const json_t *value = json_object_get(json, "value");
    lab->json = json;
    if (json_is_string(value)) {
        if (json_string_length(value) > TEXT_BYTES_MAX)
            return place_fail(place, "value", error, "is too long");
        if (!utf8_text_is_plain(json_string_value(value), json_string_length(value)))
            return place_fail(place, "value", error,
                              "has control characters, or characters that show nothing");
        lab->text = json_string_value(value);
        return true;
    }
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return place_fail(place, "value", error, "must be a number or a string");
    char **texts = &episode->made_texts;
    if (!*texts) *texts = calloc((size_t)episode->n_labs, 32);
    if (!*texts) return clinic_fail_memory(error);
    write_number(value, *texts + row * 32);
    lab->text = *texts + row * 32;
    lab->is_number = true;
    lab->value = json_number_value(value);
    lab->has_range = json_is_number(json_object_get(json, "low")) &&
                     json_is_number(json_object_get(json, "high"));
    if (lab->has_range && lab->low > lab->high)
        return place_fail(place, "low", error, "is above high");
    if (lab->flag[0] == '\0' && lab->has_range)
        lab->flag = lab->value > lab->high ? "H" : lab->value < lab->low ? "L" : "N";
    return true;
}

// What was not measured is not zero.
static bool finish_vital(struct episode *episode, size_t row, const json_t *json,
                         const struct place *place, struct clinic_error *error) {
    (void)place;
    (void)error;
    for (size_t i = 1; i < COUNT(vital_members); i++) {
        if (!json_is_number(json_object_get(json, vital_members[i].name)))
            *(double *)((char *)&episode->vitals[row] + vital_members[i].offset) = NAN;
    }
    return true;
}

static bool finish_report(struct episode *episode, size_t row, const json_t *json,
                          const struct place *place, struct clinic_error *error) {
    struct report *report = &episode->reports[row];
    report->json = json;
    report->findings.name = "findings";
    report->conclusion.name = "conclusion";
    report->findings.text_bytes = strlen(report->findings.text);
    report->conclusion.text_bytes = strlen(report->conclusion.text);
    const json_t *collected = json_object_get(json, "collect_time");
    if (collected && !json_is_null(collected)) {
        struct moment at;
        if (!json_is_string(collected) || !moment_parse(json_string_value(collected), &at))
            return place_fail(place, "collect_time", error, "is no time with an offset");
        if (report->exam.seconds == MOMENT_UNKNOWN) report->exam = at;
    }
    if (report->exam.seconds == MOMENT_UNKNOWN && report->report.seconds == MOMENT_UNKNOWN)
        return place_fail(place, "report_time", error, "is missing, and so is exam_time");
    return true;
}

bool episode_read_rows(struct episode *episode, struct clinic_error *error) {
    static const struct row_kind staff = {"staff", staff_members, COUNT(staff_members),
                                          sizeof(struct staff_member), NULL};
    static const struct row_kind diagnoses = {"diagnoses", diagnosis_members,
                                              COUNT(diagnosis_members), sizeof(struct diagnosis),
                                              finish_diagnosis};
    static const struct row_kind operations = {"operations", operation_members,
                                               COUNT(operation_members), sizeof(struct operation),
                                               finish_operation};
    static const struct row_kind orders = {"orders", order_members, COUNT(order_members),
                                           sizeof(struct order), finish_order};
    static const struct row_kind labs = {"labs", lab_members, COUNT(lab_members),
                                         sizeof(struct lab), finish_lab};
    static const struct row_kind vitals = {"vitals", vital_members, COUNT(vital_members),
                                           sizeof(struct vital), finish_vital};
    static const struct row_kind reports = {"reports", report_members, COUNT(report_members),
                                            sizeof(struct report), finish_report};
    struct episode *e = episode;
    return read_table(e, &staff, (void **)&e->staff, &e->n_staff, error) &&
           read_table(e, &diagnoses, (void **)&e->diagnoses, &e->n_diagnoses, error) &&
           read_table(e, &operations, (void **)&e->operations, &e->n_operations, error) &&
           read_table(e, &orders, (void **)&e->orders, &e->n_orders, error) &&
           read_table(e, &labs, (void **)&e->labs, &e->n_labs, error) &&
           read_table(e, &vitals, (void **)&e->vitals, &e->n_vitals, error) &&
           read_table(e, &reports, (void **)&e->reports, &e->n_reports, error);
}
