// SPDX-License-Identifier: Apache-2.0
// The audit chain: what it says, that nothing of patients stands in it, and that every way of
// changing the store behind its back is found.
#include "harness.h"
#include "store_fixture.h"

#include "clinic/store/store_audit.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"
#include "clinic/store/store_forms.h"
#include "clinic/store/store_users.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct actor doctor = {"chen", "doctor", "10.0.0.7", "0123456789abcdef"};
static const char *const chest[] = {"呼吸内科"};
static char folder[512];
static struct clinic_error error;

// Episodes in two versions, a user, a draft in two revisions, a form in three, reads.
static struct store *store_with_work(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    if (!store) return NULL;
    json_t *episode = fixture_episode("01-pneumonia", "E-1");
    json_object_set_new(json_object_get(episode, "encounter"), "bed", json_string("31"));
    struct put_result result;
    struct user_data user = {.name = "chen",
                             .role = "doctor",
                             .departments = chest,
                             .n_departments = 1,
                             .password = "correct horse battery"};
    char id[STORE_ID_BYTES];
    json_t *draft = json_pack("{s:s, s:[{s:s, s:s}]}", "state", "done", "fields", "id", "course",
                              "text", "患者治愈");
    json_t *before = json_string("旧句"), *after = json_string("新句");
    struct draft_change change = {"draft.edit", before, after};
    struct form_field fields[] = {{"course", "诊疗经过", "甲句", -1}, {"stay_days", NULL, "8", -1}};
    struct form_fill fill = {"E-1", "discharge-record", fields, 2, "d-1"};
    bool is_good =
        fixture_put(store, "01-pneumonia", "E-1") == 1 &&
        fixture_put(store, "02-stemi-pci", "E-2") == 1 &&
        store_put_episode(store, &doctor, episode, "json", &result, &error) &&
        store_put_user(store, NULL, &user, &error) &&
        store_create_draft(store, &doctor, "E-1", "discharge-record", draft, id, &error) &&
        store_save_draft(store, &doctor, id, draft, 1, &change, &error) &&
        store_fill_form(store, &doctor, &fill, NULL, &error) &&
        store_undo_form(store, &doctor, "E-1", "discharge-record", "course", 1, NULL, &error) &&
        store_audit(store, &doctor, "read", "E-1", "episode/E-1", NULL, NULL, &error);
    json_decref(before);
    json_decref(after);
    json_decref(draft);
    json_decref(episode);
    if (is_good) return store;
    printf("    %s\n", error.message);
    store_close(store);
    return NULL;
}

static enum test_result test_read(void) {
    struct store *store = store_with_work();
    CHECK(store);
    struct audit_query query = {.limit = 100, .episode = "E-1"};
    json_t *rows;
    CHECK(store_read_audit(store, &query, &rows, &error));
    CHECK(json_array_size(rows) == 8);
    char *text = json_dumps(rows, 0);
    CHECK(text && !strstr(text, "甲句") && !strstr(text, "旧句") && !strstr(text, "治愈"));
    free(text);
    json_decref(rows);
    query.action = "form.";
    query.with_texts = true;
    CHECK(store_read_audit(store, &query, &rows, &error) && json_array_size(rows) == 3);
    json_t *undo = json_array_get(rows, 0);
    CHECK(strcmp(json_string_value(json_object_get(undo, "user")), "chen") == 0);
    const char *was = json_string_value(json_object_get(json_object_get(undo, "before"), "text"));
    CHECK(was && strcmp(was, "甲句") == 0);
    json_decref(rows);
    query.action = "draft.edit";
    CHECK(store_read_audit(store, &query, &rows, &error) && json_array_size(rows) == 1);
    CHECK(strcmp(json_string_value(json_object_get(json_array_get(rows, 0), "after")), "新句") ==
          0);
    json_decref(rows);
    query = (struct audit_query){.limit = 2, .before_seq = 4};
    CHECK(store_read_audit(store, &query, &rows, &error) && json_array_size(rows) == 2);
    CHECK(json_integer_value(json_object_get(json_array_get(rows, 0), "seq")) == 3);
    json_decref(rows);
    query = (struct audit_query){.limit = 10, .action = "user.put", .with_texts = true};
    CHECK(store_read_audit(store, &query, &rows, &error) && json_array_size(rows) == 1);
    text = json_dumps(rows, 0);
    CHECK(text && !strstr(text, "credential") && !strstr(text, "pbkdf2"));
    free(text);
    json_decref(rows);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

// Whatever a client's address was, the line is kept, shown and proven.
static enum test_result test_odd_names(void) {
    struct store *store = store_with_work();
    CHECK(store);
    struct actor odd = {"li\xff", NULL, "\xc3\x28", ""};
    struct audit_query query = {.limit = 1};
    json_t *rows;
    CHECK(store_audit(store, &odd, "read", NULL, "list", NULL, NULL, &error));
    CHECK(store_read_audit(store, &query, &rows, &error) && json_array_size(rows) == 1);
    CHECK(strcmp(json_string_value(json_object_get(json_array_get(rows, 0), "user")),
                 "(no UTF-8)") == 0);
    json_decref(rows);
    CHECK(!store_audit(store, &odd, "", NULL, "list", NULL, NULL, &error));
    CHECK(!store_audit(store, &odd, "read", NULL, NULL, NULL, NULL, &error));
    query.limit = 1001;
    CHECK(!store_read_audit(store, &query, &rows, &error) && error.failure == CLINIC_BAD_INPUT);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

// No text of a patient stands in the lines themselves, whatever was done.
static bool has_no_text(void *user, const json_t *line) {
    static const char *const texts[] = {"甲句", "新句", "治愈", "张示安", "肺炎"};
    char *text = json_dumps(line, 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!text || strstr(text, texts[i])) *(bool *)user = false;
    free(text);
    return true;
}

static enum test_result test_lines_tell_no_text(void) {
    struct store *store = store_with_work();
    CHECK(store);
    bool is_clean = true;
    CHECK(store_walk_audit(store, has_no_text, &is_clean, &error) && is_clean);
    store_close(store);
    return TEST_PASS;
}

static enum test_result test_append_only(void) {
    struct store *store = store_with_work();
    CHECK(store);
    char path[600];
    sqlite3 *database;
    snprintf(path, sizeof path, "%s/clinic.db", folder);
    CHECK(sqlite3_open(path, &database) == SQLITE_OK);
    static const char *const changes[] = {"UPDATE audit SET user='x'", "DELETE FROM audit",
                                          "UPDATE contents SET text='x'", "DELETE FROM contents"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        CHECK(sqlite3_exec(database, changes[i], NULL, NULL, NULL) != SQLITE_OK);
    sqlite3_close(database);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

// Each on a fresh store; with the line that must be named first, where it is known (0: any).
static const struct {
    const char *sql;
    int64_t line;
} changes[] = {
    {"UPDATE audit SET user='li' WHERE seq=6", 6},
    {"UPDATE audit SET user=NULL WHERE seq=6", 6},
    {"UPDATE audit SET role='' WHERE seq=7", 7},
    {"UPDATE audit SET address='10.0.0.8' WHERE seq=7", 7},
    {"UPDATE audit SET session='x' WHERE seq=7", 7},
    {"UPDATE audit SET at=at+1 WHERE seq=2", 2},
    {"UPDATE audit SET action='form.type' WHERE seq=7", 7},
    {"UPDATE audit SET episode='E-2' WHERE seq=1", 1},
    {"UPDATE audit SET object='episode/E-3' WHERE seq=2", 2},
    {"UPDATE audit SET version=2 WHERE seq=2", 2},
    {"UPDATE audit SET hash=zeroblob(32) WHERE seq=3", 3},
    {"UPDATE audit SET hash=CAST(hash AS TEXT) WHERE seq=3", 3},
    {"UPDATE audit SET state=zeroblob(32) WHERE seq=1", 1},
    {"UPDATE audit SET before=NULL WHERE seq=6", 6},
    {"UPDATE audit SET user=CAST(x'6368656e0078' AS TEXT) WHERE seq=6", 6},
    {"DELETE FROM audit WHERE seq=3", 3},
    {"DELETE FROM audit WHERE seq=1", 1},
    {"DELETE FROM audit WHERE seq=10", 10},
    {"DELETE FROM audit WHERE seq>7; DELETE FROM contents WHERE seq>7;", 8},
    {"UPDATE audit SET seq=-1 WHERE seq=2; UPDATE audit SET seq=2 WHERE seq=3;"
     "UPDATE audit SET seq=3 WHERE seq=-1;",
     2},
    {"INSERT INTO audit SELECT 11, at, user, role, address, session, action, episode, object,"
     " version, before, after, state, hash FROM audit WHERE seq=10",
     11},
    {"UPDATE contents SET text=replace(text, '克雷伯', '克雷白') WHERE seq=1 AND side=2", 1},
    {"UPDATE contents SET text=text||' ' WHERE seq=5 AND side=2", 5},
    {"UPDATE contents SET text=CAST(text AS BLOB) WHERE seq=5 AND side=2", 5},
    {"UPDATE contents SET text=CAST(CAST(text AS BLOB)||x'0078' AS TEXT) WHERE seq=7", 7},
    {"UPDATE contents SET text='\"x\"' WHERE seq=6 AND side=0", 6},
    {"DELETE FROM contents WHERE seq=6 AND side=1", 6},
    {"UPDATE contents SET side=0 WHERE seq=5 AND side=2", 5},
    {"INSERT INTO contents VALUES(10, 0, '\"x\"')", 10},
    {"INSERT INTO contents VALUES(11, 0, '\"x\"')", 11},
    {"UPDATE episodes SET department='骨科' WHERE id='E-1'", 0},
    {"UPDATE episodes SET patient_name='李示' WHERE id='E-2'", 0},
    {"UPDATE episodes SET version=1, seq=1 WHERE id='E-1'", 0},
    {"UPDATE episodes SET search=search||'x' WHERE id='E-1'", 0},
    {"DELETE FROM episodes WHERE id='E-2'", 0},
    {"UPDATE episodes SET id='E-5' WHERE id='E-2'", 0},
    {"UPDATE documents SET digest=zeroblob(32) WHERE document='d01'", 0},
    {"DELETE FROM documents WHERE document='d01'", 0},
    {"UPDATE drafts SET state='stopped'", 0},
    {"UPDATE drafts SET revision=1, seq=5", 0},
    {"DELETE FROM drafts", 0},
    {"UPDATE forms SET text='乙句' WHERE field='course'", 0},
    {"UPDATE forms SET text='9' WHERE field='stay_days'", 0},
    {"UPDATE forms SET by='li' WHERE field='stay_days'", 0},
    {"UPDATE forms SET at='2020' WHERE field='stay_days'", 0},
    {"DELETE FROM forms WHERE field='stay_days'", 0},
    {"UPDATE users SET role='admin'", 0},
    {"UPDATE users SET departments='[\"*\"]'", 0},
    {"UPDATE users SET disabled=1", 0},
    {"UPDATE passwords SET hash='pbkdf2-sha256$1$00$00'", 0},
    {"DELETE FROM passwords", 0},
    {"UPDATE meta SET value=zeroblob(32) WHERE name='genesis'", 1},
    {"UPDATE meta SET value=zeroblob(32) WHERE name='digest_key'", 1},
};

static enum test_result test_changes_are_found(void) {
    struct store *store = store_with_work();
    CHECK(store);
    char pristine[600], path[600], why[160];
    snprintf(pristine, sizeof pristine, "%s.pristine", folder);
    snprintf(path, sizeof path, "%s/clinic.db", folder);
    CHECK(fixture_is_whole(store, why));
    CHECK(store_backup(store, pristine, &error));
    store_close(store);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        CHECK(unlink(path) == 0 && fixture_copy(pristine, path));
        CHECK(fixture_tamper(folder, changes[i].sql));
        store = store_open(folder, false, &error);
        CHECK_MESSAGE(store, "%s: %s", changes[i].sql, error.message);
        struct audit_report report;
        CHECK(store_verify_audit(store, NULL, &report, &error));
        CHECK_MESSAGE(report.why[0], "not found: %s", changes[i].sql);
        CHECK_MESSAGE(changes[i].line == 0 || report.first_bad == changes[i].line,
                      "%s: line %lld is named: %s", changes[i].sql, (long long)report.first_bad,
                      report.why);
        store_close(store);
    }
    return TEST_PASS;
}

// The database's own rules are looked at, too.
static enum test_result test_schema(void) {
    static const char *const forgeries[] = {
        "DROP TRIGGER audit_keeps",
        "DROP TRIGGER contents_stay",
        "CREATE TRIGGER zz AFTER INSERT ON audit BEGIN DELETE FROM login_attempts; END",
        "CREATE TABLE aa(x)",
        "DROP INDEX audit_by_user",
        "DROP INDEX audit_by_user; CREATE INDEX audit_by_user ON audit(role)",
        "ALTER TABLE users ADD COLUMN more",
    };
    struct store *store = store_with_work();
    CHECK(store);
    char pristine[600], path[600];
    snprintf(pristine, sizeof pristine, "%s.pristine", folder);
    snprintf(path, sizeof path, "%s/clinic.db", folder);
    CHECK(store_backup(store, pristine, &error));
    store_close(store);
    for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++) {
        CHECK(unlink(path) == 0 && fixture_copy(pristine, path));
        sqlite3 *database;
        CHECK(sqlite3_open(path, &database) == SQLITE_OK);
        CHECK(sqlite3_exec(database, forgeries[i], NULL, NULL, NULL) == SQLITE_OK);
        sqlite3_close(database);
        char why[160] = "";
        store = store_open(folder, false, &error);
        CHECK_MESSAGE(store, "%s", error.message);
        CHECK_MESSAGE(!fixture_is_whole(store, why) && strstr(why, "schema"), "%s: %s",
                      forgeries[i], why);
        store_close(store);
    }
    return TEST_PASS;
}

// A store that somebody changed does not hand the changed text out.
static enum test_result test_changed_text_is_refused(void) {
    struct store *store = store_with_work();
    CHECK(store);
    CHECK(fixture_tamper(folder, "UPDATE contents SET text=replace(text, '31', '32') WHERE seq=3"));
    json_t *episode;
    CHECK(!store_get_episode(store, "E-1", 0, &episode, NULL, &error));
    CHECK(error.failure == CLINIC_STORAGE && strstr(error.message, "verify-audit"));
    CHECK(store_get_episode(store, "E-1", 1, &episode, NULL, &error));
    json_decref(episode);
    store_close(store);
    return TEST_PASS;
}

static enum test_result test_expected_head(void) {
    struct store *store = store_with_work();
    CHECK(store);
    struct audit_report report, later;
    char path[600];
    CHECK(store_verify_audit(store, NULL, &report, &error) && report.n_lines == 10);
    CHECK(report.is_anchored && strlen(report.head) == 64);
    CHECK(store_audit(store, &doctor, "read", NULL, "list", NULL, NULL, &error));
    CHECK(store_verify_audit(store, report.head, &later, &error) && !later.why[0]);
    CHECK(strcmp(report.head, later.head) != 0);
    CHECK(!store_verify_audit(store, "abc", &later, &error) && error.failure == CLINIC_BAD_INPUT);
    store_close(store);
    // The tail and audit.head are cut alike: only the head that was written down tells.
    CHECK(fixture_tamper(folder, "DELETE FROM audit WHERE seq>9"));
    snprintf(path, sizeof path, "%s/audit.head", folder);
    CHECK(unlink(path) == 0);
    CHECK((store = store_open(folder, false, &error)));
    CHECK(store_verify_audit(store, NULL, &later, &error) && !later.why[0] && !later.is_anchored);
    CHECK(store_verify_audit(store, report.head, &later, &error) && later.why[0]);
    store_close(store);
    return TEST_PASS;
}

// audit.head: an older one is the mark of a crash, a newer or damaged one of a change; new lines do
// not wipe the evidence.
static enum test_result test_head_file(void) {
    struct store *store = store_with_work();
    CHECK(store);
    char path[600], old[128] = "", why[160];
    snprintf(path, sizeof path, "%s/audit.head", folder);
    FILE *file = fopen(path, "r");
    CHECK(file && fgets(old, sizeof old, file));
    fclose(file);
    CHECK(strlen(old) == 86);
    CHECK(store_audit(store, &doctor, "read", NULL, "list", NULL, NULL, &error));
    store_close(store);
    file = fopen(path, "w");
    CHECK(file && fputs(old, file) > 0);
    fclose(file);
    CHECK((store = store_open(folder, false, &error)) && fixture_is_whole(store, NULL));
    CHECK(store_audit(store, &doctor, "read", NULL, "list", NULL, NULL, &error));
    store_close(store);
    CHECK(fixture_tamper(folder, "DELETE FROM audit WHERE seq>9"));
    CHECK((store = store_open(folder, false, &error)) && !fixture_is_whole(store, why));
    CHECK(strstr(why, "line 12"));
    for (int i = 0; i < 4; i++)
        CHECK(store_audit(store, &doctor, "read", NULL, "list", NULL, NULL, &error));
    CHECK(!fixture_is_whole(store, why) && strstr(why, "line 12"));
    store_close(store);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"read", "filters, pages, before and after", test_read},
        {"odd_names", "what is no UTF-8 is kept and shown", test_odd_names},
        {"lines_tell_no_text", "lines hold digests only", test_lines_tell_no_text},
        {"append_only", "the database refuses changes of the audit", test_append_only},
        {"changes_are_found", "every table that says something", test_changes_are_found},
        {"schema", "a trigger that is gone or was added", test_schema},
        {"changed_text_is_refused", "reading proves the digest", test_changed_text_is_refused},
        {"expected_head", "a head that was written down", test_expected_head},
        {"head_file", "the head beside the database", test_head_file},
    };
    return harness_main("store_audit", tests, sizeof tests / sizeof *tests, argc, argv);
}
