// SPDX-License-Identifier: Apache-2.0
// See store_audit.h: adding lines for others, and reading them.
#include "clinic/store/store_audit.h"

#include "clinic/record/utf8_text.h"
#include "clinic/store/audit_chain.h"
#include "clinic/store/user_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MAX = 1000, ACTION_BYTES_MAX = 64 };

// A line that waits for the writer. Whoever gets the writer adds all lines that wait then, in one
// transaction and with one sync: a ward that reads much does not wait for a disk line by line.
struct waiting_line {
    const struct audit_line *line;
    struct waiting_line *next;
    bool is_done, is_good; // with the writer's mutex held
    struct clinic_error error;
};

static void wait_in_line(struct store *store, struct waiting_line *waiting) {
    pthread_mutex_lock(&store->waiting_mutex);
    struct waiting_line **end = &store->waiting;
    while (*end)
        end = &(*end)->next;
    *end = waiting;
    pthread_mutex_unlock(&store->waiting_mutex);
}

static struct waiting_line *take_waiting(struct store *store) {
    pthread_mutex_lock(&store->waiting_mutex);
    struct waiting_line *first = store->waiting;
    store->waiting = NULL;
    pthread_mutex_unlock(&store->waiting_mutex);
    return first;
}

static void add_lines(struct store *store, struct waiting_line *first) {
    struct clinic_error error = {0};
    bool is_good = change_open(store, &error);
    if (is_good) {
        for (struct waiting_line *each = first; is_good && each; each = each->next)
            is_good = audit_append(store, each->line, NULL, NULL, &error);
        is_good = change_close(store, is_good, &error);
    }
    for (struct waiting_line *each = first, *next; each; each = next) {
        next = each->next; // its owner may go on as soon as the mutex is free
        each->is_good = is_good;
        each->error = error;
        each->is_done = true;
    }
}

static bool add_line(struct store *store, const struct audit_line *line,
                     struct clinic_error *error) {
    struct waiting_line own = {.line = line};
    wait_in_line(store, &own);
    pthread_mutex_lock(&store->writer.mutex);
    if (!own.is_done) add_lines(store, take_waiting(store)); // our own is among them
    pthread_mutex_unlock(&store->writer.mutex);
    if (!own.is_good && error) *error = own.error;
    return own.is_good;
}

bool store_audit(struct store *store, const struct actor *actor, const char *action,
                 const char *episode, const char *object, const json_t *before, const json_t *after,
                 struct clinic_error *error) {
    if (!action || !*action || strlen(action) > ACTION_BYTES_MAX || !object ||
        strlen(object) >= STORE_OBJECT_BYTES)
        return clinic_fail(error, CLINIC_BAD_INPUT, "an audit line needs an action and an object");
    char *before_text = before ? kept_text(before, error) : NULL;
    char *after_text = after ? kept_text(after, error) : NULL;
    struct audit_line line = {.actor = actor,
                              .action = action,
                              .episode = episode,
                              .object = object,
                              .texts = {[SIDE_BEFORE] = before_text, [SIDE_AFTER] = after_text}};
    bool is_good =
        (before_text || !before) && (after_text || !after) && add_line(store, &line, error);
    free(before_text);
    free(after_text);
    return is_good;
}

static json_t *digest_json(const unsigned char *digest) {
    char hex[SHA256_HEX_BYTES];
    if (!digest) return json_null();
    hex_write(digest, SHA256_BYTES, hex);
    return json_string(hex);
}

// What came from a client's address or a hand may be no UTF-8; the line is shown all the same.
static json_t *text_json(const char *text) {
    if (!text) return json_null();
    return json_string(utf8_text_is_valid(text, strlen(text)) ? text : "(no UTF-8)");
}

static json_t *line_json(const struct audit_row *row) {
    char at[32];
    time_write(row->at_ms, at);
    return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}",
                     "seq", (json_int_t)row->seq, "at", at, "user", text_json(row->user), "role",
                     text_json(row->role), "address", text_json(row->address), "session",
                     text_json(row->session), "action", text_json(row->action), "episode",
                     text_json(row->episode), "object", text_json(row->object), "version",
                     (json_int_t)row->version, "before_digest",
                     digest_json(row->digests[SIDE_BEFORE]), "after_digest",
                     digest_json(row->digests[SIDE_AFTER]), "state_digest",
                     digest_json(row->digests[SIDE_STATE]), "hash", digest_json(row->hash));
}

static bool has_prefix(const char *text, const char *prefix) {
    return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

// NULL without an error: the line has no such text.
static json_t *read_text(struct store *store, int64_t seq, enum audit_side side,
                         struct clinic_error *error) {
    char *text = audit_text(store, &store->reader, seq, side, error);
    json_t *value = text ? kept_value(text, error) : NULL;
    free(text);
    return value;
}

static int64_t find_seq(struct store *store, const char *object, int64_t version) {
    sqlite3_stmt *query =
        database_query(&store->reader, NULL, "SELECT seq FROM audit WHERE object=? AND version=?",
                       "ti", object, version);
    bool is_found = query && database_step(&store->reader, query, NULL) == STEP_ROW;
    int64_t seq = is_found ? sqlite3_column_int64(query, 0) : 0;
    sqlite3_finalize(query);
    return seq;
}

// A text that is missing or was changed is shown as null; verify-audit says which it is.
static bool set_text(json_t *line, const char *name, json_t *value) {
    json_object_del(value, "credential"); // of users: nothing that anybody should read
    return json_object_set_new(line, name, value ? value : json_null()) == 0;
}

static bool add_texts(struct store *store, const struct audit_row *row, json_t *line) {
    bool is_small = has_prefix(row->object, "form/") || has_prefix(row->object, "user/");
    if (row->version == 0 || !is_small)
        return set_text(line, "before",
                        row->digests[SIDE_BEFORE] ? read_text(store, row->seq, SIDE_BEFORE, NULL)
                                                  : NULL) &&
               set_text(line, "after",
                        row->digests[SIDE_AFTER] ? read_text(store, row->seq, SIDE_AFTER, NULL)
                                                 : NULL);
    int64_t earlier = row->version > 1 ? find_seq(store, row->object, row->version - 1) : 0;
    return set_text(line, "before", earlier ? read_text(store, earlier, SIDE_STATE, NULL) : NULL) &&
           set_text(line, "after", read_text(store, row->seq, SIDE_STATE, NULL));
}

static bool read_rows(struct store *store, const struct audit_query *query, sqlite3_stmt *rows,
                      json_t *list, struct clinic_error *error) {
    enum database_step step;
    while ((step = database_step(&store->reader, rows, error)) == STEP_ROW) {
        struct audit_row row;
        audit_row_read(rows, &row);
        json_t *line = line_json(&row);
        bool is_good = line && (!query->with_texts || add_texts(store, &row, line));
        if (!is_good) json_decref(line);
        if (!is_good || json_array_append_new(list, line) != 0) return clinic_fail_memory(error);
    }
    return step == STEP_DONE;
}

static bool check_query(const struct audit_query *query, char action[ACTION_BYTES_MAX + 8],
                        struct clinic_error *error) {
    size_t length = query->action ? strlen(query->action) : 0;
    if (query->limit < 1 || query->limit > LIMIT_MAX || length > ACTION_BYTES_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT, "limit is 1 to %d, an action at most %d bytes",
                           LIMIT_MAX, ACTION_BYTES_MAX);
    // The range of all texts that begin with "form."; of a whole action, only itself.
    bool is_prefix = length > 0 && query->action[length - 1] == '.';
    snprintf(action, ACTION_BYTES_MAX + 8, "%s%s", length ? query->action : "",
             is_prefix ? "\x7f" : "");
    return true;
}

// Conditions only for what is asked, so that the indexes are used.
static sqlite3_stmt *find_rows(struct store *store, const struct audit_query *query,
                               const char *action, const char *departments,
                               struct clinic_error *error) {
    char sql[800];
    snprintf(sql, sizeof sql,
             "SELECT " AUDIT_COLUMNS " FROM audit WHERE coalesce(?1, ?2, ?3, ?4, 1) IS NOT NULL"
             "%s%s%s%s%s AND (?5=0 OR at>=?5) AND (?6=0 OR at<?6) ORDER BY seq DESC LIMIT ?8",
             query->episode ? " AND episode=?1" : "", query->user ? " AND user=?2" : "",
             *action ? " AND action BETWEEN ?3 AND ?4" : "",
             query->before_seq ? " AND seq<?7" : " AND ?7=0",
             departments ? " AND (episode IS NULL OR episode IN (SELECT id FROM episodes WHERE"
                           " department IN (SELECT value FROM json_each(?9))))"
                         : " AND ?9 IS NULL");
    return database_query(&store->reader, error, sql, "ttttiiiit", query->episode, query->user,
                          query->action, action, query->from_ms, query->to_ms, query->before_seq,
                          (int64_t)query->limit, departments);
}

struct audit_search {
    const struct audit_query *query;
    char action[ACTION_BYTES_MAX + 8]; // the end of the range
    char *departments;                 // JSON; NULL: all
};

static bool search(struct store *store, const void *of, json_t *list, struct clinic_error *error) {
    const struct audit_search *wanted = of;
    sqlite3_stmt *rows =
        find_rows(store, wanted->query, wanted->action, wanted->departments, error);
    bool is_good = rows && read_rows(store, wanted->query, rows, list, error);
    sqlite3_finalize(rows);
    return is_good;
}

bool store_read_audit(struct store *store, const struct audit_query *query, json_t **rows,
                      struct clinic_error *error) {
    struct audit_search wanted = {.query = query};
    *rows = NULL;
    if (!check_query(query, wanted.action, error)) return false;
    bool is_for_some = query->departments && !departments_see(query->departments, "*");
    if (is_for_some && !(wanted.departments = kept_text(query->departments, error))) return false;
    bool is_good = reading_list(store, search, &wanted, rows, error);
    free(wanted.departments);
    return is_good;
}

bool store_walk_audit(struct store *store, bool (*on_line)(void *user, const json_t *line),
                      void *user, struct clinic_error *error) {
    struct database database; // its own: others go on while somebody reads a long chain
    if (!database_open(&database, store->path, DATABASE_READ, error)) return false;
    sqlite3_stmt *rows =
        database_query(&database, error, "SELECT " AUDIT_COLUMNS " FROM audit ORDER BY seq", "");
    enum database_step step = rows ? STEP_ROW : STEP_FAILED;
    bool go_on = true;
    while (go_on && step == STEP_ROW &&
           (step = database_step(&database, rows, error)) == STEP_ROW) {
        struct audit_row row;
        audit_row_read(rows, &row);
        json_t *line = line_json(&row);
        if (!line) {
            clinic_fail_memory(error);
            step = STEP_FAILED;
        } else
            go_on = on_line(user, line);
        json_decref(line);
    }
    sqlite3_finalize(rows);
    database_close(&database);
    return step != STEP_FAILED;
}
