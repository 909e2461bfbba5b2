// SPDX-License-Identifier: Apache-2.0
// The list of episodes (store_episodes.h): one statement whose conditions are made of fixed pieces;
// values are always bound, never written into it.
#include "clinic/store/episode_row.h"
#include "clinic/store/projection.h"
#include "clinic/store/store_episodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 8, DEPARTMENTS_MAX = 256, LIMIT_MAX = 1000, SQL_BYTES = 4096, TEXT_BYTES = 256 };

struct list_statement {
    const struct episode_query *query;
    char conditions[SQL_BYTES];
    char text[TEXT_BYTES]; // words, each with its final zero
    const char *words[WORDS_MAX];
    int n_words;
};

static void condition_add(struct list_statement *list, const char *piece) {
    size_t used = strlen(list->conditions);
    snprintf(list->conditions + used, sizeof list->conditions - used, "%s", piece);
}

static bool take_words(struct list_statement *list, struct clinic_error *error) {
    const char *text = list->query->text ? list->query->text : "";
    if (strlen(text) >= sizeof list->text)
        return clinic_fail(error, CLINIC_BAD_INPUT, "the search is longer than %d bytes",
                           TEXT_BYTES - 1);
    snprintf(list->text, sizeof list->text, "%s", text);
    search_fold(list->text);
    for (char *at = list->text + strspn(list->text, " \t\r\n"); *at;) {
        if (list->n_words == WORDS_MAX)
            return clinic_fail(error, CLINIC_BAD_INPUT, "the search has more than %d words",
                               WORDS_MAX);
        list->words[list->n_words++] = at;
        condition_add(list, " AND instr(search, ?) > 0");
        at += strcspn(at, " \t\r\n");
        if (*at) *at++ = '\0';
        at += strspn(at, " \t\r\n");
    }
    return true;
}

static bool take_state(struct list_statement *list, struct clinic_error *error) {
    static const struct {
        const char *name, *condition;
    } states[] = {
        {"admitted", " AND discharge IS NULL"},
        {"discharged", " AND discharge IS NOT NULL"},
        {"drafted", " AND EXISTS(SELECT 1 FROM drafts d WHERE d.episode=episodes.id"
                    " AND d.template=?1)"},
        {"filled", " AND EXISTS(SELECT 1 FROM forms f WHERE f.episode=episodes.id"
                   " AND f.template=?1 AND f.text<>'')"},
        {"open", " AND NOT EXISTS(SELECT 1 FROM forms f WHERE f.episode=episodes.id"
                 " AND f.template=?1 AND f.text<>'')"},
    };
    const char *state = list->query->state;
    if (!state || !*state) return true;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(states[i].name, state) == 0) {
            condition_add(list, states[i].condition);
            return true;
        }
    return clinic_fail(error, CLINIC_BAD_INPUT,
                       "state is one of admitted, discharged, drafted, filled, open");
}

static bool make_conditions(struct list_statement *list, struct clinic_error *error) {
    const struct episode_query *query = list->query;
    if (query->limit < 1 || query->limit > LIMIT_MAX || query->offset < 0)
        return clinic_fail(error, CLINIC_BAD_INPUT, "limit is 1 to %d, offset not negative",
                           LIMIT_MAX);
    if (query->n_departments > DEPARTMENTS_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT, "more than %d departments", DEPARTMENTS_MAX);
    condition_add(list, " WHERE ?1 IS NOT NULL");
    if (query->n_departments >= 0) {
        condition_add(list, " AND department IN (");
        for (int i = 0; i < query->n_departments; i++)
            condition_add(list, i ? ",?" : "?");
        condition_add(list, ")");
    }
    return take_words(list, error) && take_state(list, error);
}

// Prepares head + conditions + tail and binds template, departments, words; `next` is the place
// behind them.
static sqlite3_stmt *prepare_list(struct store *store, const struct list_statement *list,
                                  const char *head, const char *tail, int *next,
                                  struct clinic_error *error) {
    char sql[SQL_BYTES + 1024];
    snprintf(sql, sizeof sql, "%s%s%s", head, list->conditions, tail);
    sqlite3_stmt *statement = database_query(&store->reader, error, sql, "");
    if (!statement) return NULL;
    const struct episode_query *query = list->query;
    int place = 1;
    bool is_good = sqlite3_bind_text(statement, place++,
                                     query->template ? query->template : "discharge-record", -1,
                                     SQLITE_STATIC) == SQLITE_OK;
    for (int i = 0; i < query->n_departments; i++)
        is_good = is_good && sqlite3_bind_text(statement, place++, query->departments[i], -1,
                                               SQLITE_STATIC) == SQLITE_OK;
    for (int i = 0; i < list->n_words; i++)
        is_good = is_good && sqlite3_bind_text(statement, place++, list->words[i], -1,
                                               SQLITE_STATIC) == SQLITE_OK;
    *next = place;
    if (is_good) return statement;
    database_fail(&store->reader, error);
    sqlite3_finalize(statement);
    return NULL;
}

static json_t *number_or_null(sqlite3_stmt *row, int column) {
    return sqlite3_column_type(row, column) == SQLITE_NULL
               ? json_null()
               : json_integer(sqlite3_column_int64(row, column));
}

static const char *text_or_null(sqlite3_stmt *row, int column) {
    return (const char *)sqlite3_column_text(row, column);
}

static json_t *make_entry(sqlite3_stmt *row, int n_fields) {
    char changed[32];
    time_write(sqlite3_column_int64(row, 1), changed);
    const char *draft = text_or_null(row, 14);
    json_t *shown =
        draft ? json_pack("{s:s, s:s}", "id", draft, "state", column_text(row, 15)) : json_null();
    return json_pack(
        "{s:s, s:{s:s?, s:s?, s:s?, s:o}, s:s, s:s?, s:s?, s:s?, s:s?, s:o, s:s?, s:I, s:o,"
        " s:{s:I, s:i}, s:s, s:I}",
        "id", column_text(row, 0), "patient", "id", text_or_null(row, 2), "name",
        text_or_null(row, 3), "sex", text_or_null(row, 4), "age", number_or_null(row, 5),
        "department", column_text(row, 6), "ward", text_or_null(row, 7), "bed",
        text_or_null(row, 8), "admit", text_or_null(row, 9), "discharge", text_or_null(row, 10),
        "stay_days", number_or_null(row, 11), "main_diagnosis", text_or_null(row, 12), "n_docs",
        (json_int_t)sqlite3_column_int64(row, 13), "draft", shown, "form", "filled",
        (json_int_t)sqlite3_column_int64(row, 16), "all", n_fields, "changed", changed, "version",
        (json_int_t)sqlite3_column_int64(row, 17));
}

static json_t *read_entries(struct store *store, const struct list_statement *list,
                            struct clinic_error *error) {
    static const char head[] =
        "SELECT e.id, changed, patient_id, patient_name, sex, age, department, ward, bed, admit,"
        " discharge, stay_days, main_diagnosis, n_docs, d.id, d.state,"
        " (SELECT count(*) FROM forms f WHERE f.episode=e.id AND f.template=?1 AND f.text<>''),"
        " e.version FROM (SELECT * FROM episodes";
    static const char tail[] =
        " ORDER BY admit_second DESC, id LIMIT ? OFFSET ?) e LEFT JOIN drafts d ON d.seq ="
        " (SELECT max(seq) FROM drafts n WHERE n.episode=e.id AND n.template=?1)"
        " AND d.episode=e.id AND d.template=?1 ORDER BY admit_second DESC, e.id";
    int next;
    sqlite3_stmt *rows = prepare_list(store, list, head, tail, &next, error);
    if (!rows) return NULL;
    sqlite3_bind_int(rows, next, list->query->limit);
    sqlite3_bind_int(rows, next + 1, list->query->offset);
    json_t *entries = json_array();
    enum database_step step = entries ? STEP_ROW : STEP_FAILED;
    if (!entries) clinic_fail_memory(error);
    while (step == STEP_ROW && (step = database_step(&store->reader, rows, error)) == STEP_ROW)
        if (json_array_append_new(entries, make_entry(rows, list->query->template_fields)) != 0) {
            clinic_fail_memory(error);
            step = STEP_FAILED;
        }
    sqlite3_finalize(rows);
    if (step == STEP_DONE) return entries;
    json_decref(entries);
    return NULL;
}

static bool count_entries(struct store *store, const struct list_statement *list, int64_t *total,
                          struct clinic_error *error) {
    int next;
    sqlite3_stmt *row =
        prepare_list(store, list, "SELECT count(*) FROM episodes", "", &next, error);
    bool is_good = row && database_step(&store->reader, row, error) == STEP_ROW;
    if (is_good) *total = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return is_good;
}

bool store_list_episodes(struct store *store, const struct episode_query *query, json_t **list,
                         int64_t *total, struct clinic_error *error) {
    *list = NULL;
    struct list_statement *statement = calloc(1, sizeof *statement);
    if (!statement) return clinic_fail_memory(error);
    statement->query = query;
    bool is_good = make_conditions(statement, error) && reading_begin(store, error);
    if (is_good) {
        *list = read_entries(store, statement, error);
        is_good = *list && (!total || count_entries(store, statement, total, error));
        is_good = reading_end(store, is_good);
    }
    if (!is_good) {
        json_decref(*list);
        *list = NULL;
    }
    free(statement);
    return is_good;
}
