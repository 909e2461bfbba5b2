// SPDX-License-Identifier: Apache-2.0
// See store_users.h: the users themselves. Logins and sessions are in store_sessions.c.
#include "clinic/store/store_users.h"

#include "clinic/store/projection.h"
#include "clinic/store/user_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPARTMENTS_MAX = 200, DEPARTMENT_BYTES_MAX = 128 };

bool user_name_check(const char *name, struct clinic_error *error) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-@";
    size_t length = name ? strlen(name) : 0;
    if (length > 0 && length < USER_NAME_BYTES && strspn(name, allowed) == length) return true;
    return clinic_fail(error, CLINIC_BAD_INPUT,
                       "a user's name is 1 to 64 letters, digits and . _ - @");
}

json_t *departments_make(const char *const *departments, int n, struct clinic_error *error) {
    json_t *list = json_array();
    if (!list) clinic_fail_memory(error);
    if (n > DEPARTMENTS_MAX) n = DEPARTMENTS_MAX + 1;
    for (int i = 0; list && i < n; i++) {
        bool is_good = i < DEPARTMENTS_MAX && departments[i] && *departments[i] &&
                       strlen(departments[i]) <= DEPARTMENT_BYTES_MAX;
        if (is_good && json_array_append_new(list, json_string(departments[i])) == 0) continue;
        clinic_fail(error, CLINIC_BAD_INPUT,
                    "departments are at most %d names of at most %d bytes of UTF-8",
                    DEPARTMENTS_MAX, DEPARTMENT_BYTES_MAX);
        json_decref(list);
        list = NULL;
    }
    return list;
}

bool departments_see(const json_t *departments, const char *department) {
    size_t i;
    json_t *name;
    json_array_foreach(departments, i, name) {
        const char *text = json_string_value(name);
        if (text && (strcmp(text, "*") == 0 || strcmp(text, department) == 0)) return true;
    }
    return false;
}

bool user_find(struct database *database, const char *name, struct user_row *row,
               struct clinic_error *error) {
    *row = (struct user_row){0};
    sqlite3_stmt *query = database_query(
        database, error,
        "SELECT name, display, role, departments, disabled, version,"
        " (SELECT hash FROM passwords p WHERE p.name=users.name) FROM users WHERE name=?",
        "t", name);
    if (!query) return false;
    enum database_step step = database_step(database, query, error);
    if (step == STEP_ROW) {
        snprintf(row->name, sizeof row->name, "%s", column_text(query, 0));
        snprintf(row->display, sizeof row->display, "%s", column_text(query, 1));
        snprintf(row->role, sizeof row->role, "%s", column_text(query, 2));
        row->departments = kept_value(column_text(query, 3), error);
        row->is_disabled = sqlite3_column_int(query, 4) != 0;
        row->version = sqlite3_column_int64(query, 5);
        snprintf(row->hash, sizeof row->hash, "%s", column_text(query, 6));
        if (!row->departments) step = STEP_FAILED;
    }
    sqlite3_finalize(query);
    return step == STEP_ROW;
}

bool store_role_check(const char *role, struct clinic_error *error) {
    static const char *const roles[] = {"doctor", "qc", "admin", "auditor"};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (role && strcmp(role, roles[i]) == 0) return true;
    return clinic_fail(error, CLINIC_BAD_INPUT, "a role is doctor, qc, admin or auditor");
}

static bool check_password(const struct user_data *user, struct clinic_error *error) {
    size_t n_characters = 0;
    for (const char *c = user->password; *c; c++)
        n_characters += ((unsigned char)*c & 0xc0) != 0x80;
    if (n_characters < STORE_PASSWORD_CHARACTERS_MIN || strlen(user->password) > PASSWORD_BYTES_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT,
                           "a password has at least %d characters; a few words are good",
                           STORE_PASSWORD_CHARACTERS_MIN);
    if (strcmp(user->password, user->name) == 0)
        return clinic_fail(error, CLINIC_BAD_INPUT, "the password is the user's name");
    return true;
}

// What the user will be: the new members over the old ones.
static bool merge(struct user_row *row, const struct user_data *user, struct clinic_error *error) {
    if (user->role) snprintf(row->role, sizeof row->role, "%s", user->role);
    if (!store_role_check(row->role, error)) return false;
    const char *display = user->display && *user->display ? user->display
                          : row->display[0]               ? row->display
                                                          : user->name;
    if (strlen(display) >= USER_DISPLAY_BYTES)
        return clinic_fail(error, CLINIC_BAD_INPUT, "the display name is longer than %d bytes",
                           USER_DISPLAY_BYTES - 1);
    if (display != row->display) snprintf(row->display, sizeof row->display, "%s", display);
    if (user->n_departments >= 0 || !row->departments) {
        json_decref(row->departments);
        row->departments = departments_make(
            user->departments, user->n_departments < 0 ? 0 : user->n_departments, error);
    }
    if (user->is_disabled >= 0) row->is_disabled = user->is_disabled > 0;
    return row->departments != NULL;
}

static bool is_active_admin(const struct user_row *row) {
    return strcmp(row->role, "admin") == 0 && !row->is_disabled;
}

// Nobody could make users any more.
static bool check_not_last_admin(struct store *store, const char *name,
                                 struct clinic_error *error) {
    sqlite3_stmt *query = database_query(
        &store->writer, error,
        "SELECT 1 FROM users WHERE role='admin' AND disabled=0 AND name<>? LIMIT 1", "t", name);
    enum database_step step = query ? database_step(&store->writer, query, error) : STEP_FAILED;
    sqlite3_finalize(query);
    if (step == STEP_DONE)
        clinic_fail(error, CLINIC_CONFLICT,
                    "this is the last admin who may log in; make another one first");
    return step == STEP_ROW;
}

static bool put_row(struct store *store, const struct actor *actor, const struct user_row *row,
                    const char *name, struct clinic_error *error) {
    unsigned char digest[SHA256_BYTES];
    char credential[SHA256_HEX_BYTES];
    if (!sha256_of(row->hash, strlen(row->hash), digest)) return clinic_fail_memory(error);
    hex_write(digest, sizeof digest, credential);
    json_t *state = json_pack("{s:s, s:s, s:s, s:O, s:b, s:s}", "name", name, "display",
                              row->display, "role", row->role, "departments", row->departments,
                              "disabled", row->is_disabled, "credential", credential);
    if (!state) return clinic_fail(error, CLINIC_BAD_INPUT, "the display name is no UTF-8");
    struct audit_line line = {.actor = actor, .action = "user.put", .version = row->version + 1};
    bool is_good = projection_put(store, PROJECTION_USER, state, &line, error) &&
                   database_run(&store->writer, error,
                                "INSERT OR REPLACE INTO passwords(name, hash) VALUES(?,?)", "tt",
                                name, row->hash) &&
                   database_run(&store->writer, error,
                                "DELETE FROM sessions WHERE user=? AND is_launch=0", "t", name);
    json_decref(state);
    return is_good;
}

static bool put_user(struct store *store, const struct actor *actor, const struct user_data *user,
                     const char *hash, struct clinic_error *error) {
    struct user_row row;
    struct clinic_error found = {0};
    bool is_there = user_find(&store->writer, user->name, &row, &found);
    bool is_good = is_there || found.failure == CLINIC_OK;
    if (!is_good && error) *error = found;
    if (is_good && !is_there && !hash)
        is_good = clinic_fail(error, CLINIC_BAD_INPUT, "a new user needs a password");
    if (hash) snprintf(row.hash, sizeof row.hash, "%s", hash);
    bool was_admin = is_good && is_there && is_active_admin(&row);
    is_good = is_good && merge(&row, user, error);
    if (is_good && was_admin && !is_active_admin(&row))
        is_good = check_not_last_admin(store, user->name, error);
    is_good = is_good && put_row(store, actor, &row, user->name, error);
    json_decref(row.departments);
    bytes_wipe(row.hash, sizeof row.hash);
    return is_good;
}

bool store_put_user(struct store *store, const struct actor *actor, const struct user_data *user,
                    struct clinic_error *error) {
    char hash[PASSWORD_HASH_BYTES];
    if (!user_name_check(user->name, error)) return false;
    if (user->password) {
        if (!check_password(user, error)) return false;
        if (!password_hash(user->password, hash)) // before the change: it takes long
            return clinic_fail(error, CLINIC_STORAGE, "this system gives no random numbers");
    }
    return change_begin(store, error) &&
           change_end(store, put_user(store, actor, user, user->password ? hash : NULL, error),
                      error);
}

static bool read_users(struct store *store, sqlite3_stmt *rows, json_t *list,
                       struct clinic_error *error) {
    enum database_step step;
    while ((step = database_step(&store->reader, rows, error)) == STEP_ROW) {
        char changed[32];
        time_write(sqlite3_column_int64(rows, 5), changed);
        json_t *departments = kept_value(column_text(rows, 3), error);
        if (!departments) return false;
        json_t *user =
            json_pack("{s:s, s:s, s:s, s:o, s:b, s:s}", "name", column_text(rows, 0), "display",
                      column_text(rows, 1), "role", column_text(rows, 2), "departments",
                      departments, "disabled", sqlite3_column_int(rows, 4), "changed", changed);
        if (json_array_append_new(list, user) != 0) return clinic_fail_memory(error);
    }
    return step == STEP_DONE;
}

static bool list_of_all(struct store *store, const void *nothing, json_t *list,
                        struct clinic_error *error) {
    (void)nothing;
    sqlite3_stmt *rows = database_query(
        &store->reader, error,
        "SELECT name, display, role, departments, disabled, changed FROM users ORDER BY name", "");
    bool is_good = rows && read_users(store, rows, list, error);
    sqlite3_finalize(rows);
    return is_good;
}

bool store_list_users(struct store *store, json_t **users, struct clinic_error *error) {
    return reading_list(store, list_of_all, NULL, users, error);
}
