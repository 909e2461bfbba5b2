// SPDX-License-Identifier: Apache-2.0
// An episode is read in this order: budget of the whole, its tables, what ids refer to.
#include "clinic/record/episode.h"

#include "clinic/record/episode_budget.h"
#include "clinic/record/episode_tables.h"
#include "clinic/record/member_table.h"

#include <stdlib.h>
#include <string.h>

// The ids of a table as the members of an object; NULL after filling the error.
static json_t *index_ids(const char *table, const void *rows, int n_rows, size_t row_bytes,
                         struct clinic_error *error) {
    json_t *index = json_object();
    for (int i = 0; index && i < n_rows; i++) {
        const char *id = *(const char *const *)((const char *)rows + (size_t)i * row_bytes);
        if (json_object_get(index, id)) {
            clinic_fail(error, CLINIC_BAD_INPUT, "%s: two rows have the id %s", table, id);
            json_decref(index);
            return NULL;
        }
        if (json_object_set_new(index, id, json_true()) != 0) {
            json_decref(index);
            index = NULL;
        }
    }
    if (!index) clinic_fail_memory(error);
    return index;
}

static bool refer(const json_t *index, const char *target, const char *id, const char *table,
                  const char *row, const char *member, struct clinic_error *error) {
    if (!id || id[0] == '\0' || json_object_get(index, id)) return true;
    return clinic_fail(error, CLINIC_BAD_INPUT, "%s %s: %s: %s has no row with this id", table, row,
                       member, target);
}

static bool refer_to_staff(const struct episode *e, const json_t *staff,
                           struct clinic_error *error) {
    for (int i = 0; i < e->n_docs; i++) {
        const struct document *doc = &e->docs[i];
        if (!refer(staff, "staff", doc->author, "docs", doc->id, "author", error) ||
            !refer(staff, "staff", doc->cosigner, "docs", doc->id, "cosigner", error))
            return false;
    }
    for (int i = 0; i < e->n_orders; i++) {
        if (!refer(staff, "staff", e->orders[i].prescriber, "orders", e->orders[i].id, "prescriber",
                   error))
            return false;
    }
    for (int i = 0; i < e->n_operations; i++) {
        if (!refer(staff, "staff", e->operations[i].operator_id, "operations", e->operations[i].id,
                   "operator", error))
            return false;
    }
    return true;
}

// Ids are members of their own table's index; each index lives for its check only.
static bool check_ids(const struct episode *e, struct clinic_error *error) {
    struct {
        const char *table;
        const void *rows;
        int n_rows;
        size_t row_bytes;
    } tables[] = {{"staff", e->staff, e->n_staff, sizeof *e->staff},
                  {"docs", e->docs, e->n_docs, sizeof *e->docs},
                  {"orders", e->orders, e->n_orders, sizeof *e->orders},
                  {"diagnoses", e->diagnoses, e->n_diagnoses, sizeof *e->diagnoses},
                  {"operations", e->operations, e->n_operations, sizeof *e->operations},
                  {"labs", e->labs, e->n_labs, sizeof *e->labs},
                  {"reports", e->reports, e->n_reports, sizeof *e->reports}};
    enum { STAFF, DOCS, ORDERS, N_TABLES = sizeof tables / sizeof *tables };
    json_t *index[N_TABLES] = {NULL};
    bool is_right = true;
    for (int i = 0; is_right && i < N_TABLES; i++) {
        index[i] = index_ids(tables[i].table, tables[i].rows, tables[i].n_rows, tables[i].row_bytes,
                             error);
        is_right = index[i] != NULL;
    }
    is_right = is_right && refer_to_staff(e, index[STAFF], error);
    for (int i = 0; is_right && i < e->n_operations; i++)
        is_right = refer(index[DOCS], "docs", e->operations[i].record, "operations",
                         e->operations[i].id, "record", error);
    for (int i = 0; is_right && i < e->n_reports; i++)
        is_right = refer(index[ORDERS], "orders", e->reports[i].order, "reports", e->reports[i].id,
                         "order", error);
    for (int i = 0; i < N_TABLES; i++)
        json_decref(index[i]);
    return is_right;
}

static bool check_format(const json_t *root, struct clinic_error *error) {
    if (!json_is_object(root))
        return clinic_fail(error, CLINIC_BAD_INPUT, "the episode must be a JSON object");
    const char *format = json_string_value(json_object_get(root, "format"));
    const json_t *version = json_object_get(root, "version");
    if (!format || strcmp(format, "xinglin-episode") != 0)
        return clinic_fail(error, CLINIC_BAD_INPUT, "format: must be \"xinglin-episode\"");
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return clinic_fail(error, CLINIC_BAD_INPUT, "version: must be 1");
    return true;
}

struct episode *episode_read(json_t *root, struct clinic_error *error) {
    if (!episode_budget_check(root, "the episode", error) || !check_format(root, error))
        return NULL;
    struct episode *episode = calloc(1, sizeof *episode);
    if (!episode) {
        clinic_fail_memory(error);
        return NULL;
    }
    episode->root = json_incref(root);
    if (episode_read_patient(episode, error) && episode_read_encounter(episode, error) &&
        episode_read_rows(episode, error) && episode_read_docs(episode, error) &&
        check_ids(episode, error))
        return episode;
    episode_free(episode);
    return NULL;
}

struct episode *episode_parse(const char *text, size_t text_bytes, struct clinic_error *error) {
    json_t *root = episode_budget_parse(text, text_bytes, "the episode", error);
    if (!root) return NULL;
    struct episode *episode = episode_read(root, error);
    json_decref(root);
    return episode;
}

void episode_free(struct episode *episode) {
    if (!episode) return;
    for (int i = 0; i < episode->patient.n_allergies; i++)
        free(episode->patient.allergies[i].avoid);
    for (int i = 0; i < episode->n_docs; i++)
        free(episode->docs[i].sections);
    free(episode->patient.allergies);
    free(episode->events);
    free(episode->staff);
    free(episode->diagnoses);
    free(episode->operations);
    free(episode->docs);
    free(episode->orders);
    free(episode->labs);
    free(episode->vitals);
    free(episode->reports);
    free(episode->made_ids);
    free(episode->made_texts);
    json_decref(episode->root);
    free(episode);
}

const struct staff_member *episode_staff(const struct episode *episode, const char *id) {
    for (int i = 0; id && i < episode->n_staff; i++) {
        if (strcmp(episode->staff[i].id, id) == 0) return &episode->staff[i];
    }
    return NULL;
}

int episode_age_years(const struct episode *episode) {
    struct calendar_day born, day = moment_day(episode->encounter.admit);
    if (!calendar_day_parse(episode->patient.birth_date, &born)) return 0;
    bool is_before = day.month < born.month || (day.month == born.month && day.day < born.day);
    int age = day.year - born.year - is_before;
    return age < 0 ? 0 : age;
}

int episode_stay_days(const struct episode *episode) {
    const struct encounter *encounter = &episode->encounter;
    if (encounter->discharge.seconds == MOMENT_UNKNOWN) return -1;
    int64_t days = moment_day_number(encounter->discharge) - moment_day_number(encounter->admit);
    return days < 0 ? 0 : (int)days;
}
