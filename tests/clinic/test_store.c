// SPDX-License-Identifier: Apache-2.0
// The store: folder, episodes, documents, drafts, forms, and many threads at once.
#include "harness.h"
#include "store_fixture.h"

#include "clinic/store/store_audit.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"
#include "clinic/store/store_forms.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct actor doctor = {"chen", "doctor", "10.0.0.7", "0123456789abcdef"};
static const char pneumonia[] = "01-pneumonia", template[] = "discharge-record";
static char folder[512];
static struct clinic_error error;

static const char *text_at(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static int mode_of(const char *name) {
    char path[1024];
    struct stat found;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &found) == 0 ? (int)(found.st_mode & 0777) : -1;
}

static enum test_result test_folder(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    CHECK(store);
    CHECK(fixture_put(store, pneumonia, "E-1") == 1);
    CHECK(mode_of(".") == 0700);
    CHECK(mode_of("clinic.db") == 0600);
    CHECK(mode_of("launch.key") == 0600);
    CHECK(mode_of("audit.head") == 0600);
    CHECK(mode_of("clinic.db-wal") == 0600);
    unsigned char key[STORE_KEY_BYTES];
    memcpy(key, store_launch_key(store), sizeof key);
    store_close(store);
    store = store_open(folder, false, &error);
    CHECK(store);
    CHECK(memcmp(key, store_launch_key(store), sizeof key) == 0);
    store_close(store);
    CHECK(chmod(folder, 0755) == 0);
    CHECK(!store_open(folder, false, &error) && error.failure == CLINIC_DENIED);
    CHECK(chmod(folder, 0700) == 0);
    CHECK(!store_open("/nowhere/at/all", false, &error) && error.failure == CLINIC_NOT_FOUND);
    return TEST_PASS;
}

static enum test_result test_foreign(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    CHECK(store);
    store_close(store);
    char path[1024];
    sqlite3 *database;
    snprintf(path, sizeof path, "%s/clinic.db", folder);
    CHECK(sqlite3_open(path, &database) == SQLITE_OK);
    CHECK(sqlite3_exec(database, "PRAGMA user_version=99", NULL, NULL, NULL) == SQLITE_OK);
    CHECK(!store_open(folder, true, &error) && strstr(error.message, "later program"));
    CHECK(sqlite3_exec(database, "PRAGMA application_id=1", NULL, NULL, NULL) == SQLITE_OK);
    CHECK(!store_open(folder, true, &error) && strstr(error.message, "no clinic's database"));
    sqlite3_close(database);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("this is no database at all, but it is long enough to look at", file) > 0);
    CHECK(fclose(file) == 0);
    CHECK(!store_open(folder, true, &error) && error.failure == CLINIC_STORAGE);
    return TEST_PASS;
}

static enum test_result test_put(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    CHECK(store);
    struct put_result result;
    json_t *episode = fixture_episode(pneumonia, "E-1");
    CHECK(episode);
    CHECK(store_put_episode(store, &doctor, episode, "json", &result, &error));
    CHECK(result.created && result.changed && result.version == 1 && strcmp(result.id, "E-1") == 0);
    CHECK(store_put_episode(store, &doctor, episode, "json", &result, &error));
    CHECK(!result.created && !result.changed && result.version == 1);
    json_object_set_new(json_object_get(episode, "encounter"), "bed", json_string("31"));
    CHECK(store_put_episode(store, &doctor, episode, "json", &result, &error));
    CHECK(!result.created && result.changed && result.version == 2);
    json_t *old, *now;
    int64_t version;
    CHECK(store_get_episode(store, "E-1", 1, &old, &version, &error) && version == 1);
    CHECK(store_get_episode(store, "E-1", 0, &now, &version, &error) && version == 2);
    CHECK(json_equal(now, episode) && !json_equal(old, now));
    json_decref(old);
    json_decref(now);
    CHECK(!store_get_episode(store, "E-1", 3, &now, &version, &error) &&
          error.failure == CLINIC_NOT_FOUND);
    CHECK(!store_get_episode(store, "E-2", 0, &now, &version, &error) &&
          error.failure == CLINIC_NOT_FOUND);
    json_object_set_new(json_object_get(episode, "patient"), "id", json_string("P-OTHER"));
    CHECK(!store_put_episode(store, &doctor, episode, "json", &result, &error) &&
          error.failure == CLINIC_CONFLICT);
    json_object_del(episode, "patient");
    CHECK(!store_put_episode(store, &doctor, episode, "json", &result, &error) &&
          error.failure == CLINIC_BAD_INPUT);
    json_decref(episode);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

static json_t *make_note(const char *id, const char *time, const char *text) {
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s}]}", "id", id,
                     "c_code", "C0038", "type", "progress_note", "local_title", "日常病程记录",
                     "author", "p-res", "event_time", time, "create_time", time, "sign_time", time,
                     "format", "text", "sections", "name", "病程", "text", text);
}

static enum test_result test_documents(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    struct put_result result;
    CHECK(store && fixture_put(store, pneumonia, "E-1") == 1);
    json_t *before, *after;
    CHECK(store_list_documents(store, "E-1", &before, &error));
    json_t *note = make_note("new-1", "2025-11-07T16:00:00+08:00", "患者体温正常。");
    CHECK_MESSAGE(store_put_document(store, &doctor, "E-1", note, &result, &error), "%s",
                  error.message);
    CHECK(result.changed && !result.created && result.version == 2);
    CHECK(store_put_document(store, &doctor, "E-1", note, &result, &error));
    CHECK(!result.changed && result.version == 2);
    json_decref(note);
    note = make_note("new-1", "2025-11-07T16:00:00+08:00", "患者体温 37.9 ℃。");
    CHECK(store_put_document(store, &doctor, "E-1", note, &result, &error) && result.version == 3);
    CHECK(!store_put_document(store, &doctor, "E-9", note, &result, &error) &&
          error.failure == CLINIC_NOT_FOUND);
    json_decref(note);
    CHECK(store_list_documents(store, "E-1", &after, &error));
    CHECK(json_array_size(after) == json_array_size(before) + 1);
    size_t i;
    json_t *row;
    int64_t version = 0;
    json_array_foreach(after, i, row) if (strcmp(text_at(row, "id"), "new-1") == 0) version =
        json_integer_value(json_object_get(row, "version"));
    CHECK(version == 2); // of the document
    json_decref(before);
    json_decref(after);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

static int64_t list_size(struct store *store, struct episode_query query) {
    json_t *list;
    int64_t total;
    if (query.limit == 0) query.limit = 10;
    query.template_fields = 9;
    if (!store_list_episodes(store, &query, &list, &total, &error)) return -1;
    size_t n = json_array_size(list);
    json_decref(list);
    return query.offset || query.limit < 10 ? (int64_t)n : total;
}

static enum test_result test_list(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    CHECK(store);
    static const char *const names[] = {"01-pneumonia", "02-stemi-pci", "03-stroke"};
    for (int i = 0; i < 3; i++) {
        char id[32];
        snprintf(id, sizeof id, "E-%d", i + 1);
        CHECK(fixture_put(store, names[i], id) == 1);
    }
    static const char *const chest[] = {"呼吸内科", "心血管内科"}, *const none[] = {"' OR 1=1 --"};
    CHECK(list_size(store, (struct episode_query){.n_departments = -1}) == 3);
    CHECK(list_size(store, (struct episode_query){.n_departments = 0}) == 0);
    CHECK(list_size(store, (struct episode_query){.departments = chest, .n_departments = 1}) == 1);
    CHECK(list_size(store, (struct episode_query){.departments = none, .n_departments = 1}) == 0);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .limit = 2}) == 2);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .offset = 2}) == 1);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .text = "张示安"}) == 1);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .text = " e-2 "}) == 1);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .text = "张示安 e-2"}) == 0);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .text = "%"}) == 0);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .state = "admitted"}) == 0);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .state = "open"}) == 3);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .state = "?"}) == -1);
    CHECK(list_size(store, (struct episode_query){.n_departments = -1, .limit = 5000}) == -1);
    struct episode_query query = {.n_departments = -1, .text = "E-1", .limit = 5};
    json_t *list;
    query.template_fields = 9;
    CHECK(store_list_episodes(store, &query, &list, NULL, &error));
    json_t *entry = json_array_get(list, 0), *patient = json_object_get(entry, "patient");
    CHECK(strcmp(text_at(patient, "name"), "张示安") == 0 &&
          strcmp(text_at(patient, "sex"), "男") == 0);
    CHECK(json_integer_value(json_object_get(patient, "age")) == 66);
    CHECK(json_integer_value(json_object_get(entry, "stay_days")) == 8);
    CHECK(strstr(text_at(entry, "main_diagnosis"), "肺炎克雷伯菌"));
    CHECK(strcmp(text_at(entry, "bed"), "12") == 0);
    CHECK(json_is_null(json_object_get(entry, "draft")));
    CHECK(json_integer_value(json_object_get(json_object_get(entry, "form"), "all")) == 9);
    json_decref(list);
    char department[64];
    CHECK(store_episode_department(store, "E-1", department, sizeof department, &error));
    CHECK(strcmp(department, "呼吸内科") == 0);
    store_close(store);
    return TEST_PASS;
}

static json_t *make_draft(const char *state, const char *text) {
    return json_pack("{s:s, s:[{s:s, s:s, s:s}]}", "state", state, "fields", "id", "course",
                     "state", "writing", "text", text);
}

static enum test_result test_drafts(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    CHECK(store && fixture_put(store, pneumonia, "E-1") == 1);
    char id[STORE_ID_BYTES], other[STORE_ID_BYTES];
    json_t *draft = make_draft("running", "患者"), *found;
    CHECK(!store_create_draft(store, &doctor, "E-9", template, draft, id, &error) &&
          error.failure == CLINIC_NOT_FOUND);
    CHECK(store_create_draft(store, &doctor, "E-1", template, draft, id, &error));
    CHECK(strcmp(text_at(draft, "by"), "chen") == 0 && strcmp(text_at(draft, "id"), id) == 0);
    json_object_set_new(draft, "state", json_string("done"));
    json_object_set_new(draft, "episode", json_string("E-9")); // a caller's mistake
    json_t *before = json_string("旧"), *after = json_string("新");
    struct draft_change change = {"draft.edit", before, after};
    CHECK(store_save_draft(store, &doctor, id, draft, 1, &change, &error));
    CHECK(json_integer_value(json_object_get(draft, "revision")) == 2);
    CHECK(!store_save_draft(store, &doctor, id, draft, 1, &change, &error) &&
          error.failure == CLINIC_CONFLICT);
    CHECK(store_get_draft(store, id, &found, &error));
    CHECK(strcmp(text_at(found, "episode"), "E-1") == 0 && json_equal(found, draft));
    json_decref(found);
    json_decref(draft);
    draft = make_draft("running", "其他");
    CHECK(store_create_draft(store, NULL, "E-1", "stage-summary", draft, other, &error));
    json_decref(draft);
    int n_stopped;
    CHECK(store_stop_drafts(store, NULL, &n_stopped, &error) && n_stopped == 1);
    CHECK(store_get_draft(store, other, &found, &error));
    CHECK(strcmp(text_at(found, "state"), "stopped") == 0);
    CHECK(strcmp(text_at(json_array_get(json_object_get(found, "fields"), 0), "state"),
                 "stopped") == 0);
    json_decref(found);
    CHECK(store_list_drafts(store, "E-1", &found, &error) && json_array_size(found) == 2);
    json_decref(found);
    struct episode_query query = {.n_departments = -1, .state = "drafted", .limit = 5};
    CHECK(store_list_episodes(store, &query, &found, NULL, &error));
    CHECK(strcmp(text_at(json_object_get(json_array_get(found, 0), "draft"), "id"), id) == 0);
    json_decref(found);
    json_decref(before);
    json_decref(after);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

static const char *field_text(const json_t *form, const char *id, int64_t *version) {
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(form, "fields"), i, field) {
        if (strcmp(text_at(field, "id"), id) != 0) continue;
        *version = json_integer_value(json_object_get(field, "version"));
        return text_at(field, "text");
    }
    return "(none)";
}

static enum test_result test_forms(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    CHECK(store && fixture_put(store, pneumonia, "E-1") == 1);
    struct form_field fields[] = {{"course", "诊疗经过", "甲", 0},
                                  {"stay_days", "住院天数", "8", 0}};
    struct form_fill fill = {"E-1", template, fields, 2, "d-1"};
    json_t *form, *history;
    int64_t version;
    CHECK_MESSAGE(store_fill_form(store, &doctor, &fill, &form, &error), "%s", error.message);
    CHECK(strcmp(field_text(form, "course", &version), "甲") == 0 && version == 1);
    json_decref(form);
    // All or none: the second field's version is wrong.
    fields[0] = (struct form_field){"course", NULL, "乙", 1};
    fields[1] = (struct form_field){"stay_days", NULL, "9", 0};
    CHECK(!store_fill_form(store, &doctor, &fill, &form, &error));
    CHECK(error.failure == CLINIC_CONFLICT && form);
    CHECK(strcmp(field_text(form, "course", &version), "甲") == 0 && version == 1);
    json_decref(form);
    fill.n_fields = 1;
    fill.draft = NULL;
    CHECK(store_fill_form(store, &doctor, &fill, NULL, &error));
    static const char *const texts[] = {"甲", ""}; // what undoing brings back
    for (int i = 0; i < 2; i++) {
        CHECK(store_undo_form(store, &doctor, "E-1", template, "course", 2 + i, &form, &error));
        CHECK(strcmp(field_text(form, "course", &version), texts[i]) == 0 && version == 3 + i);
        json_decref(form);
    }
    CHECK(!store_undo_form(store, &doctor, "E-1", template, "course", 4, NULL, &error));
    CHECK(error.failure == CLINIC_CONFLICT && strstr(error.message, "nothing to undo"));
    CHECK(!store_undo_form(store, &doctor, "E-1", template, "stay_days", 7, NULL, &error));
    CHECK(store_form_history(store, "E-1", template, "course", &history, &error));
    CHECK(json_array_size(history) == 4);
    CHECK(strcmp(text_at(json_array_get(history, 2), "text"), "乙") == 0);
    CHECK(strcmp(text_at(json_array_get(history, 2), "from"), "typed") == 0);
    json_decref(history);
    fill.episode = "E-9";
    CHECK(!store_fill_form(store, &doctor, &fill, NULL, &error) &&
          error.failure == CLINIC_NOT_FOUND);
    CHECK(!store_get_form(store, "E-9", template, &form, &error));
    fields[0] = (struct form_field){"a/b", NULL, "x", -1};
    fill.episode = "E-1";
    CHECK(!store_fill_form(store, &doctor, &fill, NULL, &error) &&
          error.failure == CLINIC_BAD_INPUT);
    fields[0] = (struct form_field){"course", NULL, "\xff\xfe", -1};
    CHECK(!store_fill_form(store, &doctor, &fill, NULL, &error) &&
          error.failure == CLINIC_BAD_INPUT);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

// A draft's text stays a draft's text while people change words of it.
static enum test_result test_form_origin(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    CHECK(store && fixture_put(store, pneumonia, "E-1") == 1);
    static const struct {
        const char *text, *draft; // draft: of the call
        const char *from, *origin;
    } steps[] = {{"甲。", "d-1", "draft", "d-1"},
                 {"乙。", NULL, "typed", "d-1"},
                 {"", NULL, "(null)", ""},
                 {"丙。", NULL, "typed", ""},
                 {"丁。", "d-2", "draft", "d-2"}};
    json_t *form, *history;
    for (int i = 0; i < 5; i++) {
        struct form_field field = {"course", NULL, steps[i].text, i};
        struct form_fill fill = {"E-1", template, &field, 1, steps[i].draft};
        CHECK(store_fill_form(store, &doctor, &fill, &form, &error));
        json_t *found = json_array_get(json_object_get(form, "fields"), 0);
        CHECK_MESSAGE(strcmp(text_at(found, "draft"), steps[i].origin) == 0, "step %d", i);
        const char *from =
            json_is_null(json_object_get(found, "from")) ? "(null)" : text_at(found, "from");
        CHECK_MESSAGE(strcmp(from, steps[i].from) == 0, "step %d", i);
        json_decref(form);
    }
    for (int i = 0; i < 3; i++) // back to the second
        CHECK(store_undo_form(store, &doctor, "E-1", template, "course", 5 + i, NULL, &error));
    CHECK(store_form_history(store, "E-1", template, "course", &history, &error));
    json_t *now = json_array_get(history, 0);
    CHECK(strcmp(text_at(now, "text"), "乙。") == 0 && strcmp(text_at(now, "draft"), "d-1") == 0);
    CHECK(strcmp(text_at(now, "from"), "typed") == 0);
    CHECK(json_integer_value(json_object_get(now, "restores")) == 2);
    CHECK(json_is_null(json_object_get(json_array_get(history, 4), "restores")));
    json_decref(history);
    CHECK(fixture_is_whole(store, NULL));
    store_close(store);
    return TEST_PASS;
}

enum { THREADS = 6, ROUNDS = 20 };

struct thread_part {
    struct store *store;
    int number;
    bool is_good;
};

static void *work(void *argument) {
    struct thread_part *part = argument;
    char id[32], text[32];
    snprintf(id, sizeof id, "field-%d", part->number);
    part->is_good = true;
    for (int i = 0; i < ROUNDS && part->is_good; i++) {
        snprintf(text, sizeof text, "%d", i);
        struct form_field field = {id, NULL, text, i};
        struct form_fill fill = {"E-1", template, &field, 1, NULL};
        struct episode_query query = {.n_departments = -1, .limit = 10};
        struct audit_report report;
        json_t *list;
        part->is_good =
            store_fill_form(part->store, &doctor, &fill, NULL, NULL) &&
            store_audit(part->store, &doctor, "read", "E-1", "episode/E-1", NULL, NULL, NULL) &&
            store_list_episodes(part->store, &query, &list, NULL, NULL);
        if (part->is_good) json_decref(list);
        if (part->is_good && i % 8 == 0)
            part->is_good = store_verify_audit(part->store, NULL, &report, NULL) && !report.why[0];
    }
    return NULL;
}

static enum test_result test_threads(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    struct store *second = NULL; // as another process
    CHECK(store && fixture_put(store, pneumonia, "E-1") == 1);
    CHECK((second = store_open(folder, false, &error)));
    struct thread_part parts[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        parts[i] = (struct thread_part){i % 2 ? second : store, i, false};
        CHECK(pthread_create(&threads[i], NULL, work, &parts[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        CHECK_MESSAGE(parts[i].is_good, "thread %d failed", i);
    struct audit_report report;
    CHECK(store_verify_audit(store, NULL, &report, &error) && !report.why[0]);
    CHECK(report.n_lines == 1 + 2 * THREADS * ROUNDS);
    store_close(second);
    store_close(store);
    return TEST_PASS;
}

static enum test_result test_backup(void) {
    struct store *store = fixture_store(folder, sizeof folder);
    CHECK(store && fixture_put(store, pneumonia, "E-1") == 1);
    char copy[600], path[700];
    snprintf(copy, sizeof copy, "%s.copy", folder);
    CHECK(mkdir(copy, 0700) == 0);
    snprintf(path, sizeof path, "%s/clinic.db", copy);
    CHECK_MESSAGE(store_backup(store, path, &error), "%s", error.message);
    CHECK(!store_backup(store, path, &error) && error.failure == CLINIC_CONFLICT);
    CHECK(fixture_put(store, "02-stemi-pci", "E-2") == 1);
    store_close(store);
    CHECK(store_open(copy, false, &error) == NULL); // no launch.key: only init makes one
    store = store_open(copy, true, &error);
    CHECK_MESSAGE(store, "%s", error.message);
    json_t *episode;
    CHECK(store_get_episode(store, "E-1", 0, &episode, NULL, &error));
    json_decref(episode);
    CHECK(!store_get_episode(store, "E-2", 0, &episode, NULL, &error));
    struct audit_report report;
    CHECK(store_verify_audit(store, NULL, &report, &error) && !report.why[0]);
    CHECK(!report.is_anchored && report.n_lines == 1);
    store_close(store);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"folder", "modes of folder and files, the key stays", test_folder},
        {"foreign", "later versions and other databases are refused", test_foreign},
        {"put", "episodes are versioned by content", test_put},
        {"documents", "single documents have versions", test_documents},
        {"list", "scope, search, state, paging", test_list},
        {"drafts", "revisions, conflicts, what a dead process left", test_drafts},
        {"forms", "all or none, undo, history", test_forms},
        {"form_origin", "changed words do not wipe a draft's origin", test_form_origin},
        {"threads", "many threads and two handles", test_threads},
        {"backup", "a copy is a store", test_backup},
    };
    return harness_main("store", tests, sizeof tests / sizeof *tests, argc, argv);
}
