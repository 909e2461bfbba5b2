// SPDX-License-Identifier: Apache-2.0
// See projection.h.
#include "clinic/store/projection.h"

#include "clinic/store/episode_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *member(const json_t *state, const char *name) {
    return json_object_get(state, name); // NULL becomes null in a row: "o?"
}

static json_t *make_draft_row(const json_t *state, int64_t version, int64_t seq, int64_t at_ms) {
    (void)at_ms;
    return json_pack("[O? O? O? O? O? O? I I]", member(state, "id"), member(state, "episode"),
                     member(state, "template"), member(state, "state"), member(state, "created"),
                     member(state, "by"), (json_int_t)version, (json_int_t)seq);
}

static json_t *make_form_row(const json_t *state, int64_t version, int64_t seq, int64_t at_ms) {
    (void)at_ms;
    return json_pack("[O? O? O? O? O? I O? O? O? O? O? I]", member(state, "episode"),
                     member(state, "template"), member(state, "id"), member(state, "name"),
                     member(state, "text"), (json_int_t)version, member(state, "from"),
                     member(state, "draft"), member(state, "by"), member(state, "at"),
                     member(state, "base"), (json_int_t)seq);
}

static json_t *make_user_row(const json_t *state, int64_t version, int64_t seq, int64_t at_ms) {
    json_t *departments = member(state, "departments");
    char *list = departments ? kept_text(departments, NULL) : NULL;
    json_t *row =
        json_pack("[O? O? O? s? i I I I]", member(state, "name"), member(state, "display"),
                  member(state, "role"), list, json_is_true(member(state, "disabled")),
                  (json_int_t)version, (json_int_t)at_ms, (json_int_t)seq);
    free(list);
    return row;
}

const struct projection projections[PROJECTIONS] = {
    [PROJECTION_EPISODE] = {"episode/", "episodes",
                            "id, version, seq, changed, patient_id, patient_name, sex, age, "
                            "department, ward, bed, admit, admit_second, discharge, stay_days, "
                            "main_diagnosis, n_docs, search",
                            18, 1, 2, episode_row_make},
    [PROJECTION_DRAFT] = {"draft/", "drafts",
                          "id, episode, template, state, created, by, revision, seq", 8, 1, 7,
                          make_draft_row},
    [PROJECTION_FORM] = {"form/", "forms",
                         "episode, template, field, name, text, version, source, draft, by, at, "
                         "base, seq",
                         12, 3, 11, make_form_row},
    [PROJECTION_USER] = {"user/", "users",
                         "name, display, role, departments, disabled, version, changed, seq", 8, 1,
                         7, make_user_row},
};

void projection_object(enum projection_kind kind, const json_t *row,
                       char object[STORE_OBJECT_BYTES]) {
    const struct projection *projection = &projections[kind];
    size_t used = (size_t)snprintf(object, STORE_OBJECT_BYTES, "%s", projection->prefix);
    for (int i = 0; i < projection->n_key && used < STORE_OBJECT_BYTES; i++) {
        const char *key = json_string_value(json_array_get(row, (size_t)i));
        used += (size_t)snprintf(object + used, STORE_OBJECT_BYTES - used, "%s%s", i ? "/" : "",
                                 key ? key : "");
    }
}

static bool bind_value(sqlite3_stmt *statement, int place, const json_t *value) {
    if (json_is_string(value))
        return sqlite3_bind_text(statement, place, json_string_value(value), -1, SQLITE_STATIC) ==
               SQLITE_OK;
    if (json_is_integer(value))
        return sqlite3_bind_int64(statement, place, json_integer_value(value)) == SQLITE_OK;
    return sqlite3_bind_null(statement, place) == SQLITE_OK;
}

static bool write_row(struct store *store, enum projection_kind kind, const json_t *row,
                      struct clinic_error *error) {
    const struct projection *projection = &projections[kind];
    char sql[512], places[2 * 32];
    for (int i = 0; i < projection->n_columns; i++) {
        places[2 * i] = '?';
        places[2 * i + 1] = ',';
    }
    places[2 * projection->n_columns - 1] = '\0';
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO %s(%s) VALUES(%s)", projection->table,
             projection->columns, places);
    sqlite3_stmt *statement = database_query(&store->writer, error, sql, "");
    if (!statement) return false;
    size_t i;
    json_t *value;
    bool is_good = true;
    json_array_foreach(row, i, value) is_good = is_good && bind_value(statement, (int)i + 1, value);
    if (!is_good) database_fail(&store->writer, error);
    is_good = is_good && database_step(&store->writer, statement, error) != STEP_FAILED;
    sqlite3_finalize(statement);
    return is_good;
}

bool projection_put(struct store *store, enum projection_kind kind, const json_t *state,
                    struct audit_line *line, struct clinic_error *error) {
    char object[STORE_OBJECT_BYTES];
    int64_t seq, at_ms;
    json_t *row = projections[kind].make_row(state, line->version, 0, 0);
    char *text = row ? kept_text(state, error) : NULL;
    if (!row) clinic_fail_memory(error);
    if (row) projection_object(kind, row, object);
    line->object = object;
    line->texts[SIDE_STATE] = text;
    if (!line->episode && kind == PROJECTION_EPISODE)
        line->episode = json_string_value(json_array_get(row, 0));
    bool is_good = text && audit_append(store, line, &seq, &at_ms, error);
    json_decref(row);
    free(text);
    if (!is_good) return false;
    row = projections[kind].make_row(state, line->version, seq, at_ms);
    is_good = kept_ready(row, error) && write_row(store, kind, row, error);
    json_decref(row);
    return is_good;
}

json_t *projection_read(sqlite3_stmt *statement, int n_columns) {
    json_t *row = json_array();
    for (int i = 0; row && i < n_columns; i++) {
        json_t *value;
        int type = sqlite3_column_type(statement, i);
        if (type == SQLITE_INTEGER)
            value = json_integer(sqlite3_column_int64(statement, i));
        else if (type == SQLITE_NULL)
            value = json_null();
        else // of another type, a zero byte or no UTF-8: a value that no row of ours has
            value =
                json_stringn(column_text(statement, i), (size_t)sqlite3_column_bytes(statement, i));
        if (!value) value = json_false();
        if (json_array_append_new(row, value) == 0) continue;
        json_decref(row);
        return NULL;
    }
    return row;
}

// The last line that has a state of this object.
static bool find_last(struct database *database, const char *object, int64_t *seq, int64_t *version,
                      int64_t *at_ms) {
    sqlite3_stmt *query =
        database_query(database, NULL,
                       "SELECT seq, version, at FROM audit WHERE object=? AND version>0"
                       " ORDER BY version DESC LIMIT 1",
                       "t", object);
    bool is_found = query && database_step(database, query, NULL) == STEP_ROW;
    if (is_found) {
        *seq = sqlite3_column_int64(query, 0);
        *version = sqlite3_column_int64(query, 1);
        *at_ms = sqlite3_column_int64(query, 2);
    }
    sqlite3_finalize(query);
    return is_found;
}

bool projection_check(struct store *store, struct database *database, enum projection_kind kind,
                      const json_t *row, json_t **state, char *why, size_t why_bytes) {
    char object[STORE_OBJECT_BYTES];
    int64_t seq, version, at_ms;
    struct clinic_error error = {0};
    *state = NULL;
    projection_object(kind, row, object);
    if (!find_last(database, object, &seq, &version, &at_ms)) {
        snprintf(why, why_bytes, "a row of table %s has no line", projections[kind].table);
        return false;
    }
    char *text = audit_text(store, database, seq, SIDE_STATE, &error);
    *state = text ? kept_value(text, &error) : NULL;
    json_t *expected = *state ? projections[kind].make_row(*state, version, seq, at_ms) : NULL;
    bool is_equal = expected && json_equal(expected, row);
    if (!is_equal)
        snprintf(why, why_bytes, "a row of table %s is not what line %lld says",
                 projections[kind].table, (long long)seq);
    json_decref(expected);
    free(text);
    return is_equal;
}
