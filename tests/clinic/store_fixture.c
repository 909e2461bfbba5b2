// SPDX-License-Identifier: Apache-2.0
// See store_fixture.h.
#include "store_fixture.h"

#include "harness.h"

#include "clinic/store/store_audit.h"
#include "clinic/store/store_episodes.h"

#include <stdlib.h>
#include <string.h>

int64_t fixture_now_ms = 1800000000000;

static int64_t read_clock(void *user) {
    (void)user;
    return fixture_now_ms;
}

struct store *fixture_store(char *folder, size_t folder_bytes) {
    static int n;
    struct clinic_error error = {0};
    snprintf(folder, folder_bytes, "%s/store%d", harness_scratch(), n++);
    struct store *store = store_open(folder, true, &error);
    if (store)
        store_set_clock(store, read_clock, NULL);
    else
        printf("    store_open: %s\n", error.message);
    return store;
}

json_t *fixture_episode(const char *name, const char *id) {
    char relative[160], path[1024];
    snprintf(relative, sizeof relative, "examples/episodes/%s/episode.json", name);
    if (!harness_repo_path(relative, path, sizeof path)) return NULL;
    json_t *root = json_load_file(path, 0, NULL);
    json_object_set_new(json_object_get(root, "encounter"), "id", json_string(id));
    return root;
}

int64_t fixture_put(struct store *store, const char *name, const char *id) {
    static const struct actor actor = {.user = "importer", .role = "admin"};
    struct put_result result;
    struct clinic_error error = {0};
    json_t *episode = fixture_episode(name, id);
    bool is_good = store_put_episode(store, &actor, episode, "json", &result, &error);
    if (!is_good) printf("    store_put_episode: %s\n", error.message);
    json_decref(episode);
    return is_good ? result.version : 0;
}

// The statements that make the triggers again. sqlite3_free().
static char *triggers_of(sqlite3 *database) {
    sqlite3_stmt *rows = NULL;
    char *sql = NULL;
    if (sqlite3_prepare_v2(database,
                           "SELECT group_concat(sql, ';') FROM sqlite_schema WHERE type='trigger'",
                           -1, &rows, NULL) == SQLITE_OK &&
        sqlite3_step(rows) == SQLITE_ROW)
        sql = sqlite3_mprintf("%s", sqlite3_column_text(rows, 0));
    sqlite3_finalize(rows);
    return sql;
}

bool fixture_tamper(const char *folder, const char *sql) {
    char path[1024];
    sqlite3 *database = NULL;
    snprintf(path, sizeof path, "%s/clinic.db", folder);
    bool is_good = sqlite3_open(path, &database) == SQLITE_OK;
    static const char unlock[] =
        "PRAGMA foreign_keys=OFF; DROP TRIGGER audit_keeps; DROP TRIGGER audit_stays;"
        "DROP TRIGGER contents_keep; DROP TRIGGER contents_stay;";
    char *lock = is_good ? triggers_of(database) : NULL;
    is_good = lock && sqlite3_exec(database, unlock, NULL, NULL, NULL) == SQLITE_OK &&
              sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK &&
              sqlite3_total_changes(database) > 0 &&
              sqlite3_exec(database, lock, NULL, NULL, NULL) == SQLITE_OK;
    if (!is_good) printf("    %s: %s\n", sql, sqlite3_errmsg(database));
    sqlite3_free(lock);
    sqlite3_close(database);
    return is_good;
}

bool fixture_copy(const char *from, const char *to) {
    char bytes[1 << 14];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    bool is_good = in && out;
    for (size_t n; is_good && (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
        is_good = fwrite(bytes, 1, n, out) == n;
    if (in) is_good = fclose(in) == 0 && is_good;
    if (out) is_good = fclose(out) == 0 && is_good;
    return is_good;
}

bool fixture_is_whole(struct store *store, char *why) {
    struct audit_report report;
    struct clinic_error error = {0};
    if (!store_verify_audit(store, NULL, &report, &error)) {
        printf("    store_verify_audit: %s\n", error.message);
        return false;
    }
    if (why) snprintf(why, 160, "%s", report.why);
    return report.first_bad == 0 && !report.why[0];
}
