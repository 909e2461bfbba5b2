// SPDX-License-Identifier: Apache-2.0
// Users of the store: passwords, lock-out, sessions and their ends, launches by a host.
#include "harness.h"
#include "store_fixture.h"

#include "clinic/store/store_audit.h"
#include "clinic/store/store_users.h"

#include <stdlib.h>
#include <string.h>

static const struct actor admin = {"root", "admin", NULL, NULL};
static const char *const chest[] = {"呼吸内科"};
static const char password[] = "correct horse battery";
static char folder[512];
static struct clinic_error error;

static struct store *store_with_user(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    struct user_data user = {.name = "chen",
                             .display = "陈示医",
                             .role = "doctor",
                             .departments = chest,
                             .n_departments = 1,
                             .password = password,
                             .is_disabled = 0};
    if (store && store_put_user(store, &admin, &user, &error)) return store;
    printf("    store_put_user: %s\n", error.message);
    store_close(store);
    return NULL;
}

static bool change(struct store *store, const char *role, const char *new_password, int disabled) {
    struct user_data user = {.name = "chen",
                             .role = role,
                             .n_departments = -1,
                             .password = new_password,
                             .is_disabled = disabled};
    return store_put_user(store, &admin, &user, &error);
}

static bool is_open(struct store *store, const char *token) {
    struct store_session session;
    bool is_found = store_session_find(store, token, &session, &error);
    if (is_found) store_session_deinit(&session);
    return is_found;
}

static int64_t count(struct store *store, const char *action) {
    struct audit_query query = {.action = action, .limit = 1000};
    json_t *rows;
    if (!store_read_audit(store, &query, &rows, &error)) return -1;
    int64_t n = (int64_t)json_array_size(rows);
    json_decref(rows);
    return n;
}

static enum test_result test_login(void) {
    struct store *store = store_with_user();
    CHECK(store);
    char token[STORE_TOKEN_BYTES];
    struct store_session session;
    CHECK_MESSAGE(store_login(store, "chen", password, "10.1.1.1", token, &error), "%s",
                  error.message);
    CHECK(strlen(token) == STORE_TOKEN_BYTES - 1);
    CHECK(store_session_find(store, token, &session, &error));
    CHECK(strcmp(session.user, "chen") == 0 && strcmp(session.role, "doctor") == 0);
    CHECK(strcmp(session.display, "陈示医") == 0 && session.seconds_left == 15 * 60);
    CHECK(store_session_sees(&session, "any", "呼吸内科") &&
          !store_session_sees(&session, "any", "骨科"));
    store_session_deinit(&session);
    CHECK(!store_login(store, "chen", "correct horse batter", NULL, token, &error));
    CHECK(error.failure == CLINIC_DENIED && !token[0]);
    char wrong[256];
    snprintf(wrong, sizeof wrong, "%s", error.message);
    CHECK(!store_login(store, "nobody", password, NULL, token, &error));
    CHECK(strcmp(wrong, error.message) == 0); // tells nothing about names
    CHECK(count(store, "login") == 1 && count(store, "login.failed") == 2);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

static enum test_result test_policy(void) {
    struct store *store = store_with_user();
    CHECK(store);
    CHECK(!change(store, NULL, "short", -1) && error.failure == CLINIC_BAD_INPUT);
    CHECK(!change(store, NULL, "九个汉字的密码短", -1)); // 8 characters, 24 bytes
    CHECK(change(store, NULL, "十个汉字的密码就够长了", -1));
    CHECK(!change(store, "chief", NULL, -1) && error.failure == CLINIC_BAD_INPUT);
    struct user_data user = {.name = "a b", .role = "qc", .password = password};
    CHECK(!store_put_user(store, &admin, &user, &error) && error.failure == CLINIC_BAD_INPUT);
    user.name = "li";
    user.password = NULL;
    CHECK(!store_put_user(store, &admin, &user, &error) && error.failure == CLINIC_BAD_INPUT);
    json_t *users;
    CHECK(store_list_users(store, &users, &error) && json_array_size(users) == 1);
    char *text = json_dumps(users, 0);
    CHECK(text && !strstr(text, "pbkdf2") && strstr(text, "呼吸内科"));
    free(text);
    json_decref(users);
    store_close(store);
    return TEST_PASS;
}

static enum test_result test_last_admin(void) {
    struct store *store = store_with_user();
    CHECK(store);
    struct user_data chief = {.name = "chief", .role = "admin", .password = password};
    CHECK(store_put_user(store, &admin, &chief, &error));
    struct user_data less = {
        .name = "chief", .role = "doctor", .n_departments = -1, .is_disabled = -1};
    CHECK(!store_put_user(store, &admin, &less, &error) && error.failure == CLINIC_CONFLICT);
    less.role = NULL;
    less.is_disabled = 1;
    CHECK(!store_put_user(store, &admin, &less, &error) && error.failure == CLINIC_CONFLICT);
    CHECK(change(store, "admin", NULL, -1)); // another one is there
    CHECK(store_put_user(store, &admin, &less, &error));
    CHECK(!change(store, NULL, NULL, 1) && error.failure == CLINIC_CONFLICT);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

static enum test_result test_lock(void) {
    struct store *store = store_with_user();
    CHECK(store);
    char token[STORE_TOKEN_BYTES];
    for (int i = 0; i < STORE_LOGIN_FAILURES_MAX; i++)
        CHECK(!store_login(store, "chen", "wrong password", NULL, token, &error));
    CHECK(!store_login(store, "chen", password, NULL, token, &error)); // even the right one
    CHECK(error.failure == CLINIC_BLOCKED && strstr(error.message, "300 seconds"));
    fixture_now_ms += 299000;
    CHECK(!store_login(store, "chen", password, NULL, token, &error));
    CHECK(strstr(error.message, "in 1 seconds"));
    fixture_now_ms += 1000;
    CHECK(store_login(store, "chen", password, NULL, token, &error));
    // A success forgets the failures.
    for (int i = 0; i < STORE_LOGIN_FAILURES_MAX - 1; i++)
        CHECK(!store_login(store, "chen", "wrong password", NULL, token, &error));
    CHECK(store_login(store, "chen", password, NULL, token, &error));
    store_close(store);
    return TEST_PASS;
}

static enum test_result test_sessions_end(void) {
    struct store *store = store_with_user();
    CHECK(store);
    store_set_session_minutes(store, 30);
    char token[STORE_TOKEN_BYTES], second[STORE_TOKEN_BYTES];
    CHECK(store_login(store, "chen", password, NULL, token, &error));
    for (int hours = 0; hours < 23; hours++) { // used every 29 minutes
        fixture_now_ms += 29 * 60000;
        CHECK(is_open(store, token));
    }
    fixture_now_ms += 29 * 60000; // 11 h 36 min
    CHECK(is_open(store, token));
    fixture_now_ms += 29 * 60000; // behind 12 h
    CHECK(!is_open(store, token) && error.failure == CLINIC_DENIED);
    CHECK(store_login(store, "chen", password, NULL, token, &error));
    fixture_now_ms += 30 * 60000;
    CHECK(!is_open(store, token)); // idle
    CHECK(store_login(store, "chen", password, NULL, token, &error));
    CHECK(store_login(store, "chen", password, NULL, second, &error));
    CHECK(store_logout(store, token, NULL, &error) && !is_open(store, token) &&
          is_open(store, second));
    CHECK(store_logout(store, token, NULL, &error)); // again: no error
    CHECK(change(store, "qc", NULL, -1) && !is_open(store, second));
    CHECK(store_login(store, "chen", password, NULL, token, &error));
    CHECK(change(store, NULL, NULL, 1) && !is_open(store, token));
    CHECK(!store_login(store, "chen", password, NULL, token, &error));
    CHECK(!is_open(store, "") && !is_open(store, "x") && !is_open(store, NULL));
    CHECK(count(store, "logout") == 1);
    store_close(store);
    return TEST_PASS;
}

static enum test_result test_tokens_are_not_kept(void) {
    struct store *store = store_with_user();
    CHECK(store);
    char token[STORE_TOKEN_BYTES], path[600];
    CHECK(store_login(store, "chen", password, NULL, token, &error));
    snprintf(path, sizeof path, "%s.copy", folder);
    CHECK(store_backup(store, path, &error));
    store_close(store);
    FILE *file = fopen(path, "rb");
    CHECK(file);
    static char bytes[1 << 20];
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    CHECK(n > 4096 && n < sizeof bytes);
    const char *secrets[] = {token, password};
    for (int s = 0; s < 2; s++) {
        size_t length = strlen(secrets[s]);
        for (size_t i = 0; i + length <= n; i++)
            CHECK(memcmp(bytes + i, secrets[s], length) != 0);
    }
    return TEST_PASS;
}

// Who can write the database but not the chain cannot log himself in.
static enum test_result test_sessions_made_by_hand(void) {
    struct store *store = store_with_user();
    CHECK(store);
    char token[STORE_TOKEN_BYTES];
    CHECK(store_login(store, "chen", password, NULL, token, &error) && is_open(store, token));
    // As if somebody had a token "forged"; this is its SHA-256.
#define FORGED "ccdd35168ab474fa5764a526cfb83621351e23682c5075b2e18d56bddf96aa30"
    CHECK(fixture_tamper(folder,
                         "INSERT INTO sessions SELECT x'" FORGED "', id, user, is_launch, created,"
                         " used, display, role, departments, episode, template FROM sessions"));
    CHECK(!is_open(store, "forged") && error.failure == CLINIC_DENIED);
    CHECK(fixture_tamper(folder,
                         "UPDATE sessions SET id='ccdd35168ab474fa' WHERE hash=x'" FORGED "'"));
    CHECK(!is_open(store, "forged") && is_open(store, token));
    store_close(store);
    return TEST_PASS;
}

static enum test_result test_launch(void) {
    struct store *store = store_with_user();
    CHECK(store && fixture_put(store, "01-pneumonia", "E-1") == 1);
    char token[STORE_TOKEN_BYTES], again[STORE_TOKEN_BYTES];
    struct launch launch = {.user = "w.host",
                            .display = "王示",
                            .role = "doctor",
                            .departments = chest,
                            .n_departments = 1,
                            .episode = "E-1",
                            .template = "discharge-record",
                            .nonce = "n-1",
                            .expires_s = fixture_now_ms / 1000 + 60};
    CHECK_MESSAGE(store_open_launch_session(store, &launch, token, &error), "%s", error.message);
    CHECK(!store_open_launch_session(store, &launch, again, &error) &&
          strstr(error.message, "used before"));
    struct store_session session;
    CHECK(store_session_find(store, token, &session, &error));
    CHECK(strcmp(session.episode, "E-1") == 0 && strcmp(session.user, "w.host") == 0);
    CHECK(store_session_sees(&session, "E-1", "呼吸内科") &&
          !store_session_sees(&session, "E-2", "呼吸内科"));
    store_session_deinit(&session);
    static const char *const other[] = {"骨科"};
    struct launch bad[] = {launch, launch, launch, launch, launch};
    bad[0].expires_s = fixture_now_ms / 1000;
    bad[1].role = "admin";
    bad[2].departments = other;
    bad[3].episode = "E-9";
    bad[4].nonce = "";
    for (int i = 0; i < 5; i++) {
        if (i < 4) bad[i].nonce = "n-2";
        CHECK_MESSAGE(!store_open_launch_session(store, &bad[i], again, &error), "case %d", i);
        CHECK(error.failure == (i == 3 ? CLINIC_NOT_FOUND : CLINIC_DENIED));
    }
    launch.user = "chen"; // whom the clinic itself has shut out
    launch.nonce = "n-2"; // which a refused launch has not used up
    CHECK(change(store, NULL, NULL, 1));
    CHECK(!store_open_launch_session(store, &launch, again, &error));
    launch.user = "w.host";
    CHECK(store_open_launch_session(store, &launch, again, &error));
    CHECK(count(store, "launch") == 2 && fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"login", "right, wrong and unknown", test_login},
        {"policy", "what a password, a role and a name may be", test_policy},
        {"last_admin", "there is always one", test_last_admin},
        {"lock", "five failures lock a name for five minutes", test_lock},
        {"sessions_end", "idle, absolute, logout, changes of the user", test_sessions_end},
        {"tokens_are_not_kept", "neither token nor password stands in the file",
         test_tokens_are_not_kept},
        {"sessions_made_by_hand", "a row without its line opens nothing",
         test_sessions_made_by_hand},
        {"launch", "a host's token opens one session for one episode", test_launch},
    };
    return harness_main("store_users", tests, sizeof tests / sizeof *tests, argc, argv);
}
