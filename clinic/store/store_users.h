// SPDX-License-Identifier: Apache-2.0
// Users and sessions. Passwords are kept as PBKDF2-SHA256 with a salt each, session tokens as
// SHA-256; neither can be read back. Five wrong passwords lock a name for five minutes, whether it
// exists or not, and take as long as a right one.
#ifndef XL_CLINIC_STORE_USERS_H
#define XL_CLINIC_STORE_USERS_H

#include "clinic/store/store.h"

enum {
    STORE_TOKEN_BYTES = 44, // 32 random bytes in base64url, with the final zero
    STORE_PASSWORD_CHARACTERS_MIN = 10,
    STORE_LOGIN_FAILURES_MAX = 5,
    STORE_LOCK_SECONDS = 300,
    STORE_SESSION_SECONDS_MAX = 12 * 3600
};

struct user_data {
    const char *name;               // letters, digits, . _ - @; at most 64 bytes
    const char *display;            // NULL: as it is, or the name
    const char *role;               // "doctor", "qc", "admin", "auditor"; NULL: as it is
    const char *const *departments; // "*" stands for all
    int n_departments;              // < 0: as they are
    const char *password;           // NULL: as it is (a new user needs one)
    int is_disabled;                // < 0: as it is
};

// "doctor", "qc", "admin" or "auditor".
bool store_role_check(const char *role, struct clinic_error *error);
// Makes or changes a user; a change of password or role, or disabling, ends the user's sessions.
// CLINIC_CONFLICT: the last admin who may log in would be none any more.
// Audit: user.put.
bool store_put_user(struct store *store, const struct actor *actor, const struct user_data *user,
                    struct clinic_error *error);
// [{"name", "display", "role", "departments", "disabled", "changed"}]
bool store_list_users(struct store *store, json_t **users, struct clinic_error *error);

// Checks the password and opens a session. CLINIC_DENIED with one message for an unknown name, a
// wrong password and a disabled user; CLINIC_BLOCKED while the name is locked. Audit: login,
// login.failed.
bool store_login(struct store *store, const char *name, const char *password, const char *address,
                 char token[STORE_TOKEN_BYTES], struct clinic_error *error);

// What a host vouches for with a launch token whose signature the caller has checked.
struct launch {
    const char *user, *display, *role; // role: "doctor" or "qc"
    const char *const *departments;
    int n_departments;
    const char *episode, *template; // the only ones that the session is for; template may be NULL
    const char *nonce;              // the token's own id: it opens one session, ever
    int64_t expires_s;              // of the token, seconds since 1970
    const char *address;
};
// CLINIC_DENIED: used before, expired, the episode lies outside the departments, or a local user of
// that name is disabled. CLINIC_NOT_FOUND: no such episode. Audit: launch.
bool store_open_launch_session(struct store *store, const struct launch *launch,
                               char token[STORE_TOKEN_BYTES], struct clinic_error *error);

// Keeps until it expires that this token of the issuer was used. CLINIC_DENIED: it was before.
bool store_use_once(struct store *store, const char *issuer, const char *nonce, int64_t expires_s,
                    struct clinic_error *error);

struct store_session {
    char id[17]; // names the session in the audit; no secret
    char user[65], display[129], role[16];
    json_t *departments;
    char episode[129], template[65]; // of a launch; "" for logins
    int64_t seconds_left;            // until the idle timeout or the absolute one
};
// Looks a token up and counts as use. CLINIC_DENIED: there is no such session (any more).
bool store_session_find(struct store *store, const char *token, struct store_session *session,
                        struct clinic_error *error);
// Whether there is such a session (still), without counting as use.
bool store_session_lives(struct store *store, const char *token);
void store_session_deinit(struct store_session *session);
// By the departments, and of a launch by its episode.
bool store_session_sees(const struct store_session *session, const char *episode,
                        const char *department);
struct actor store_session_actor(const struct store_session *session, const char *address);
// Audit: logout. A token that is none is no error.
bool store_logout(struct store *store, const char *token, const char *address,
                  struct clinic_error *error);
// Idle timeout of sessions, 15 minutes at first. Before the first use by threads.
void store_set_session_minutes(struct store *store, int minutes);

#endif
