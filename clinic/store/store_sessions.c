// SPDX-License-Identifier: Apache-2.0
// See store_users.h: logins, launches and the sessions that they open.
#include "clinic/store/audit_chain.h"
#include "clinic/store/kept_episode.h"
#include "clinic/store/store_users.h"
#include "clinic/store/user_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOKEN_RANDOM_BYTES = 32,
    SESSION_ID_BYTES = 17,
    TOUCH_MS_MAX = 15000,
    NONCE_BYTES_MAX = 600
};

struct new_session {
    char token[STORE_TOKEN_BYTES], id[SESSION_ID_BYTES];
    unsigned char hash[SHA256_BYTES];
};

static bool token_hash(const char *token, unsigned char hash[SHA256_BYTES]) {
    return sha256_of(token, strlen(token), hash);
}

static bool make_token(struct new_session *made, struct clinic_error *error) {
    unsigned char bytes[TOKEN_RANDOM_BYTES];
    if (!bytes_random(bytes, sizeof bytes))
        return clinic_fail(error, CLINIC_STORAGE, "this system gives no random numbers");
    base64url_write(bytes, sizeof bytes, made->token);
    if (!token_hash(made->token, made->hash)) return clinic_fail_memory(error);
    hex_write(made->hash, (SESSION_ID_BYTES - 1) / 2, made->id);
    return true;
}

// Counts a try before the password is looked at, so that tries at the same time count, too. False
// if the name is locked.
static bool count_try(struct store *store, const unsigned char name[SHA256_BYTES],
                      struct clinic_error *error) {
    int64_t now = store_now_ms(store), n = 0, last = 0;
    const int64_t lock_ms = (int64_t)STORE_LOCK_SECONDS * 1000;
    if (!database_run(&store->writer, error,
                      "DELETE FROM login_attempts WHERE last <= ? OR last > ?", "ii", now - lock_ms,
                      now + lock_ms))
        return false;
    sqlite3_stmt *query =
        database_query(&store->writer, error, "SELECT n, last FROM login_attempts WHERE name=?",
                       "b", (const void *)name, SHA256_BYTES);
    enum database_step step = query ? database_step(&store->writer, query, error) : STEP_FAILED;
    if (step == STEP_ROW) {
        n = sqlite3_column_int64(query, 0);
        last = sqlite3_column_int64(query, 1);
    }
    sqlite3_finalize(query);
    if (step == STEP_FAILED) return false;
    if (n >= STORE_LOGIN_FAILURES_MAX)
        return clinic_fail(error, CLINIC_BLOCKED,
                           "too many wrong passwords for this name; try again in %lld seconds",
                           (long long)((last + lock_ms - now + 999) / 1000));
    return database_run(&store->writer, error,
                        "INSERT OR REPLACE INTO login_attempts(name, n, last) VALUES(?,?,?)", "bii",
                        (const void *)name, SHA256_BYTES, n + 1, now);
}

static bool end_old_sessions(struct store *store, struct clinic_error *error) {
    int64_t now = store_now_ms(store);
    return database_run(&store->writer, error, "DELETE FROM sessions WHERE used < ? OR created < ?",
                        "ii", now - (int64_t)store->session_seconds * 1000,
                        now - (int64_t)STORE_SESSION_SECONDS_MAX * 1000);
}

static bool audit_entry(struct store *store, const struct actor *actor, const char *action,
                        const char *episode, const char *user, struct clinic_error *error) {
    char object[STORE_OBJECT_BYTES];
    snprintf(object, sizeof object, "user/%s", user ? user : "?");
    struct audit_line line = {
        .actor = actor, .action = action, .episode = episode, .object = object};
    return audit_append(store, &line, NULL, NULL, error);
}

static bool admit(struct store *store, const struct user_row *user, const char *address,
                  const unsigned char name[SHA256_BYTES], const struct new_session *made,
                  struct clinic_error *error) {
    int64_t now = store_now_ms(store);
    struct actor actor = {user->name, user->role, address, made->id};
    return end_old_sessions(store, error) &&
           database_run(&store->writer, error, "DELETE FROM login_attempts WHERE name=?", "b",
                        (const void *)name, SHA256_BYTES) &&
           database_run(&store->writer, error,
                        "INSERT INTO sessions(hash, id, user, is_launch, created, used)"
                        " VALUES(?,?,?,0,?,?)",
                        "bttii", (const void *)made->hash, SHA256_BYTES, made->id, user->name, now,
                        now) &&
           audit_entry(store, &actor, "login", NULL, user->name, error);
}

// A name that nobody has may be a password typed into the wrong box: it is not written down.
static bool refuse(struct store *store, const struct user_row *user, const char *address,
                   struct clinic_error *error) {
    struct actor actor = {user->name[0] ? user->name : NULL, NULL, address, NULL};
    bool is_kept =
        change_begin(store, error) &&
        change_end(store, audit_entry(store, &actor, "login.failed", NULL, actor.user, error),
                   error);
    if (is_kept) clinic_fail(error, CLINIC_DENIED, "the user's name or the password is wrong");
    return false;
}

static bool find_for_login(struct store *store, const char *name, struct user_row *user,
                           struct clinic_error *error) {
    struct clinic_error found = {0};
    if (!reading_begin(store, error)) return false;
    bool is_there = user_find(&store->reader, name, user, &found);
    bool is_good = is_there || found.failure == CLINIC_OK;
    if (!is_good && error) *error = found;
    return reading_end(store, is_good);
}

bool store_login(struct store *store, const char *name, const char *password, const char *address,
                 char token[STORE_TOKEN_BYTES], struct clinic_error *error) {
    unsigned char name_digest[SHA256_BYTES];
    struct user_row user = {0};
    struct new_session made;
    token[0] = '\0';
    if (!hmac_of(store->digest_key, name, strlen(name), name_digest) || !make_token(&made, error))
        return clinic_fail_memory(error);
    if (!change_begin(store, error) ||
        !change_end(store, count_try(store, name_digest, error), error) ||
        !find_for_login(store, name, &user, error))
        return false;
    bool is_right = password_matches(password, user.name[0] ? user.hash : NULL);
    bool is_in = is_right && !user.is_disabled;
    if (is_in)
        is_in = change_begin(store, error) &&
                change_end(store, admit(store, &user, address, name_digest, &made, error), error);
    else
        refuse(store, &user, address, error);
    if (is_in) snprintf(token, STORE_TOKEN_BYTES, "%s", made.token);
    json_decref(user.departments);
    bytes_wipe(user.hash, sizeof user.hash);
    bytes_wipe(&made, sizeof made);
    return is_in;
}

static bool keep_nonce(struct store *store, const char *text, int64_t expires_s,
                       struct clinic_error *error) {
    unsigned char nonce[SHA256_BYTES];
    int64_t now = store_now_ms(store) / 1000;
    if (!token_hash(text, nonce)) return clinic_fail_memory(error);
    if (!database_run(&store->writer, error, "DELETE FROM launch_nonces WHERE expires < ?", "i",
                      now) ||
        !database_run(&store->writer, error,
                      "INSERT OR IGNORE INTO launch_nonces(nonce, expires) VALUES(?,?)", "bi",
                      (const void *)nonce, SHA256_BYTES, expires_s))
        return false;
    if (sqlite3_changes(store->writer.handle) == 1) return true;
    return clinic_fail(error, CLINIC_DENIED, "the token was used before");
}

bool store_use_once(struct store *store, const char *issuer, const char *nonce, int64_t expires_s,
                    struct clinic_error *error) {
    char text[NONCE_BYTES_MAX];
    int n = snprintf(text, sizeof text, "%s\n%s", issuer, nonce); // launches' have no line end
    if (n < 0 || (size_t)n >= sizeof text)
        return clinic_fail(error, CLINIC_BAD_INPUT, "the token's names are too long");
    return change_begin(store, error) &&
           change_end(store, keep_nonce(store, text, expires_s, error), error);
}

static bool use_nonce(struct store *store, const struct launch *launch,
                      struct clinic_error *error) {
    if (launch->expires_s <= store_now_ms(store) / 1000)
        return clinic_fail(error, CLINIC_DENIED, "the launch token has expired");
    if (!launch->nonce || !*launch->nonce || strchr(launch->nonce, '\n'))
        return clinic_fail(error, CLINIC_DENIED, "the launch token has no id of its own");
    return keep_nonce(store, launch->nonce, launch->expires_s, error);
}

static bool check_launch(struct store *store, const struct launch *launch,
                         const json_t *departments, struct clinic_error *error) {
    struct user_row local;
    struct clinic_error found = {0};
    int64_t version, seq;
    if (!user_name_check(launch->user, error)) return false;
    if (!launch->role || (strcmp(launch->role, "doctor") != 0 && strcmp(launch->role, "qc") != 0))
        return clinic_fail(error, CLINIC_DENIED, "a launch is for a doctor or for qc");
    bool is_local = user_find(&store->writer, launch->user, &local, &found);
    bool is_disabled = is_local && local.is_disabled;
    json_decref(local.departments);
    if (!is_local && found.failure != CLINIC_OK) {
        if (error) *error = found;
        return false;
    }
    if (is_disabled) return clinic_fail(error, CLINIC_DENIED, "this user is disabled");
    if (!kept_episode_find(&store->writer, launch->episode, &version, &seq, error)) return false;
    sqlite3_stmt *query = database_query(
        &store->writer, error, "SELECT department FROM episodes WHERE id=?", "t", launch->episode);
    bool is_seen = query && database_step(&store->writer, query, error) == STEP_ROW &&
                   departments_see(departments, column_text(query, 0));
    sqlite3_finalize(query);
    return is_seen || clinic_fail(error, CLINIC_DENIED, "the episode is outside the departments");
}

static bool open_launch(struct store *store, const struct launch *launch, const json_t *departments,
                        const char *list, const struct new_session *made,
                        struct clinic_error *error) {
    int64_t now = store_now_ms(store);
    struct actor actor = {launch->user, launch->role, launch->address, made->id};
    return check_launch(store, launch, departments, error) && use_nonce(store, launch, error) &&
           end_old_sessions(store, error) &&
           database_run(&store->writer, error,
                        "INSERT INTO sessions(hash, id, user, is_launch, created, used, display,"
                        " role, departments, episode, template) VALUES(?,?,?,1,?,?,?,?,?,?,?)",
                        "bttiittttt", (const void *)made->hash, SHA256_BYTES, made->id,
                        launch->user, now, now, launch->display ? launch->display : launch->user,
                        launch->role, list, launch->episode, launch->template) &&
           audit_entry(store, &actor, "launch", launch->episode, launch->user, error);
}

bool store_open_launch_session(struct store *store, const struct launch *launch,
                               char token[STORE_TOKEN_BYTES], struct clinic_error *error) {
    struct new_session made;
    token[0] = '\0';
    if (!make_token(&made, error)) return false;
    json_t *departments = departments_make(launch->departments, launch->n_departments, error);
    char *list = departments ? kept_text(departments, error) : NULL;
    bool is_good =
        list && change_begin(store, error) &&
        change_end(store, open_launch(store, launch, departments, list, &made, error), error);
    if (is_good) snprintf(token, STORE_TOKEN_BYTES, "%s", made.token);
    json_decref(departments);
    free(list);
    bytes_wipe(&made, sizeof made);
    return is_good;
}

struct session_times {
    int64_t created_ms, used_ms;
    bool is_disabled;
};

static bool read_session(sqlite3_stmt *row, struct store_session *session,
                         struct session_times *times, struct clinic_error *error) {
    snprintf(session->id, sizeof session->id, "%s", column_text(row, 0));
    snprintf(session->user, sizeof session->user, "%s", column_text(row, 1));
    times->created_ms = sqlite3_column_int64(row, 2);
    times->used_ms = sqlite3_column_int64(row, 3);
    snprintf(session->display, sizeof session->display, "%s", column_text(row, 4));
    snprintf(session->role, sizeof session->role, "%s", column_text(row, 5));
    snprintf(session->episode, sizeof session->episode, "%s", column_text(row, 7));
    snprintf(session->template, sizeof session->template, "%s", column_text(row, 8));
    times->is_disabled = sqlite3_column_int(row, 9) != 0;
    session->departments = kept_value(column_text(row, 6), error);
    return session->departments != NULL;
}

static bool find_session(struct store *store, const unsigned char hash[SHA256_BYTES],
                         struct store_session *session, struct session_times *times,
                         struct clinic_error *error) {
    // Roles and departments of local users are as they are now, of launches as the token said. A
    // row that no login or launch of the audit stands for was put there by somebody else.
    sqlite3_stmt *query = database_query(
        &store->reader, error,
        "SELECT s.id, s.user, s.created, s.used, coalesce(s.display, u.display),"
        " coalesce(s.role, u.role), coalesce(s.departments, u.departments), s.episode, s.template,"
        " coalesce(u.disabled, s.is_launch = 0) FROM sessions s LEFT JOIN users u ON u.name=s.user"
        " WHERE s.hash=? AND s.id = lower(substr(hex(s.hash), 1, 16))"
        " AND (SELECT a.action = iif(s.is_launch, 'launch', 'login') FROM audit a"
        " WHERE a.user=s.user AND a.session=s.id AND a.action IN ('login', 'launch')"
        " ORDER BY a.seq DESC LIMIT 1)",
        "b", (const void *)hash, SHA256_BYTES);
    enum database_step step = query ? database_step(&store->reader, query, error) : STEP_FAILED;
    bool is_good = step == STEP_ROW && read_session(query, session, times, error);
    if (step == STEP_DONE) clinic_fail(error, CLINIC_DENIED, "there is no such session; log in");
    sqlite3_finalize(query);
    return is_good;
}

static int64_t seconds_left(const struct store *store, const struct session_times *times) {
    int64_t now = store_now_ms(store);
    int64_t idle = times->used_ms + (int64_t)store->session_seconds * 1000 - now;
    int64_t whole = times->created_ms + (int64_t)STORE_SESSION_SECONDS_MAX * 1000 - now;
    return (idle < whole ? idle : whole) / 1000;
}

// Writing down each use would cost a sync each: the idle time is allowed to be a little old.
static bool touch(struct store *store, const unsigned char hash[SHA256_BYTES],
                  struct session_times *times, struct clinic_error *error) {
    int64_t now = store_now_ms(store), interval = (int64_t)store->session_seconds * 100;
    if (interval > TOUCH_MS_MAX) interval = TOUCH_MS_MAX;
    if (now - times->used_ms < interval) return true;
    times->used_ms = now;
    return change_begin(store, error) &&
           change_end(store,
                      database_run(&store->writer, error, "UPDATE sessions SET used=? WHERE hash=?",
                                   "ib", now, (const void *)hash, SHA256_BYTES),
                      error);
}

bool store_session_find(struct store *store, const char *token, struct store_session *session,
                        struct clinic_error *error) {
    unsigned char hash[SHA256_BYTES];
    struct session_times times;
    *session = (struct store_session){0};
    if (!token || !token_hash(token, hash))
        return clinic_fail(error, CLINIC_DENIED, "there is no such session; log in");
    bool is_good = reading_begin(store, error) &&
                   reading_end(store, find_session(store, hash, session, &times, error));
    if (is_good && (times.is_disabled || seconds_left(store, &times) <= 0))
        is_good = clinic_fail(error, CLINIC_DENIED, "the session has ended; log in again");
    is_good = is_good && touch(store, hash, &times, error);
    if (is_good)
        session->seconds_left = seconds_left(store, &times);
    else
        store_session_deinit(session);
    return is_good;
}

bool store_session_lives(struct store *store, const char *token) {
    unsigned char hash[SHA256_BYTES];
    struct store_session session = {0};
    struct session_times times;
    if (!token_hash(token, hash) || !reading_begin(store, NULL)) return false;
    bool lives = reading_end(store, find_session(store, hash, &session, &times, NULL)) &&
                 !times.is_disabled && seconds_left(store, &times) > 0;
    store_session_deinit(&session);
    return lives;
}

void store_session_deinit(struct store_session *session) {
    json_decref(session->departments);
    *session = (struct store_session){0};
}

bool store_session_sees(const struct store_session *session, const char *episode,
                        const char *department) {
    if (session->episode[0] && strcmp(session->episode, episode) != 0) return false;
    return departments_see(session->departments, department);
}

struct actor store_session_actor(const struct store_session *session, const char *address) {
    return (struct actor){session->user, session->role, address, session->id};
}

static bool end_session(struct store *store, const unsigned char hash[SHA256_BYTES],
                        const struct actor *actor, struct clinic_error *error) {
    return database_run(&store->writer, error, "DELETE FROM sessions WHERE hash=?", "b",
                        (const void *)hash, SHA256_BYTES) &&
           audit_entry(store, actor, "logout", NULL, actor->user, error);
}

bool store_logout(struct store *store, const char *token, const char *address,
                  struct clinic_error *error) {
    unsigned char hash[SHA256_BYTES];
    struct store_session session = {0};
    struct session_times times;
    struct clinic_error found = {0};
    if (!token || !token_hash(token, hash)) return true;
    bool is_there = reading_begin(store, error) &&
                    reading_end(store, find_session(store, hash, &session, &times, &found));
    bool is_good = found.failure == CLINIC_OK || found.failure == CLINIC_DENIED;
    if (!is_good && error) *error = found;
    if (is_there) {
        struct actor actor = store_session_actor(&session, address);
        is_good = change_begin(store, error) &&
                  change_end(store, end_session(store, hash, &actor, error), error);
    }
    store_session_deinit(&session);
    return is_good;
}

void store_set_session_minutes(struct store *store, int minutes) {
    store->session_seconds = minutes > 0 ? minutes * 60 : 60;
}
