// SPDX-License-Identifier: Apache-2.0
// See store_schema.h. The chain (audit, contents) is what is true; episodes, drafts, forms, users
// and documents are projections of each object's newest state, made so that reading is quick;
// sessions and logins may be lost without harm.
#include "clinic/store/store_schema.h"

#include <stdio.h>
#include <string.h>

static const char tables[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE audit(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, user TEXT, role TEXT,"
    " address TEXT, session TEXT, action TEXT NOT NULL, episode TEXT, object TEXT NOT NULL,"
    " version INTEGER NOT NULL, before BLOB, after BLOB, state BLOB, hash BLOB NOT NULL);"
    "CREATE INDEX audit_by_object ON audit(object, version);"
    "CREATE INDEX audit_by_episode ON audit(episode, seq) WHERE episode IS NOT NULL;"
    "CREATE INDEX audit_by_user ON audit(user, seq);"
    "CREATE TABLE contents(seq INTEGER NOT NULL REFERENCES audit(seq), side INTEGER NOT NULL,"
    " text TEXT NOT NULL, PRIMARY KEY(seq, side));"
    "CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN"
    " SELECT RAISE(ABORT, 'the audit is append-only'); END;"
    "CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN"
    " SELECT RAISE(ABORT, 'the audit is append-only'); END;"
    "CREATE TRIGGER contents_keep BEFORE UPDATE ON contents BEGIN"
    " SELECT RAISE(ABORT, 'what is kept is append-only'); END;"
    "CREATE TRIGGER contents_stay BEFORE DELETE ON contents BEGIN"
    " SELECT RAISE(ABORT, 'what is kept is append-only'); END;"

    "CREATE TABLE episodes(id TEXT PRIMARY KEY, version INTEGER NOT NULL,"
    " seq INTEGER NOT NULL REFERENCES audit(seq), changed INTEGER NOT NULL, patient_id TEXT,"
    " patient_name TEXT, sex TEXT, age INTEGER, department TEXT NOT NULL, ward TEXT, bed TEXT,"
    " admit TEXT, admit_second INTEGER, discharge TEXT, stay_days INTEGER, main_diagnosis TEXT,"
    " n_docs INTEGER NOT NULL, search TEXT NOT NULL);"
    "CREATE INDEX episodes_by_admission ON episodes(admit_second DESC, id);"
    "CREATE INDEX episodes_by_department ON episodes(department, admit_second DESC, id);"
    "CREATE TABLE documents(episode TEXT NOT NULL REFERENCES episodes(id), document TEXT NOT NULL,"
    " version INTEGER NOT NULL, digest BLOB NOT NULL,"
    " PRIMARY KEY(episode, document, version)) WITHOUT ROWID;"

    "CREATE TABLE drafts(id TEXT PRIMARY KEY, episode TEXT NOT NULL REFERENCES episodes(id),"
    " template TEXT NOT NULL, state TEXT NOT NULL, created TEXT NOT NULL, by TEXT,"
    " revision INTEGER NOT NULL, seq INTEGER NOT NULL REFERENCES audit(seq));"
    "CREATE INDEX drafts_by_episode ON drafts(episode, template, seq);"
    "CREATE INDEX drafts_running ON drafts(id) WHERE state = 'running';"
    "CREATE TABLE forms(episode TEXT NOT NULL REFERENCES episodes(id), template TEXT NOT NULL,"
    " field TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, version INTEGER NOT NULL,"
    " source TEXT, draft TEXT, by TEXT, at TEXT NOT NULL, base INTEGER NOT NULL,"
    " seq INTEGER NOT NULL REFERENCES audit(seq), PRIMARY KEY(episode, template, field));"

    "CREATE TABLE users(name TEXT PRIMARY KEY, display TEXT NOT NULL, role TEXT NOT NULL,"
    " departments TEXT NOT NULL, disabled INTEGER NOT NULL, version INTEGER NOT NULL,"
    " changed INTEGER NOT NULL, seq INTEGER NOT NULL REFERENCES audit(seq));"
    "CREATE TABLE passwords(name TEXT PRIMARY KEY REFERENCES users(name), hash TEXT NOT NULL);"
    "CREATE TABLE login_attempts(name BLOB PRIMARY KEY, n INTEGER NOT NULL,"
    " last INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE sessions(hash BLOB PRIMARY KEY, id TEXT NOT NULL, user TEXT NOT NULL,"
    " is_launch INTEGER NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL, display TEXT,"
    " role TEXT, departments TEXT, episode TEXT, template TEXT) WITHOUT ROWID;"
    "CREATE INDEX sessions_by_user ON sessions(user);"
    "CREATE TABLE launch_nonces(nonce BLOB PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;";

static bool read_number(struct store *store, const char *sql, int64_t *number,
                        struct clinic_error *error) {
    sqlite3_stmt *query = database_query(&store->writer, error, sql, "");
    bool is_good = query && database_step(&store->writer, query, error) == STEP_ROW;
    if (is_good) *number = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return is_good;
}

static bool write_version(struct store *store, struct clinic_error *error) {
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             SCHEMA_APPLICATION, SCHEMA_VERSION);
    return database_script(&store->writer, sql, error);
}

static bool make_tables(struct store *store, struct clinic_error *error) {
    unsigned char genesis[SHA256_BYTES], key[SHA256_BYTES];
    if (!bytes_random(genesis, sizeof genesis) || !bytes_random(key, sizeof key))
        return clinic_fail(error, CLINIC_STORAGE, "this system gives no random numbers");
    return database_script(&store->writer, tables, error) &&
           database_run(&store->writer, error,
                        "INSERT INTO meta(name, value) VALUES('genesis',?),('digest_key',?)", "bb",
                        (const void *)genesis, SHA256_BYTES, (const void *)key, SHA256_BYTES) &&
           write_version(store, error);
}

// migrations[i] leads from version i + 1 to i + 2: SQL for the tables; a projection that changes is
// made anew from contents. There is one version so far.
static const char *const migrations[SCHEMA_VERSION] = {NULL};

static bool migrate(struct store *store, int64_t version, struct clinic_error *error) {
    for (int64_t from = version; from < SCHEMA_VERSION; from++)
        if (!database_script(&store->writer, migrations[from - 1], error)) return false;
    return write_version(store, error);
}

static bool prepare(struct store *store, bool create, struct clinic_error *error) {
    int64_t application, version, n_tables;
    if (!read_number(store, "PRAGMA application_id", &application, error) ||
        !read_number(store, "PRAGMA user_version", &version, error) ||
        !read_number(store, "SELECT count(*) FROM sqlite_schema", &n_tables, error))
        return false;
    if (application == 0 && version == 0 && n_tables == 0) {
        if (create) return make_tables(store, error);
        return clinic_fail(error, CLINIC_STORAGE,
                           "the store was never finished; run xinglin clinic init");
    }
    if (application != SCHEMA_APPLICATION || version < 1)
        return clinic_fail(error, CLINIC_STORAGE, "clinic.db is no clinic's database");
    if (version > SCHEMA_VERSION)
        return clinic_fail(error, CLINIC_STORAGE,
                           "the store is of version %lld, written by a later program (this one "
                           "knows %d)",
                           (long long)version, SCHEMA_VERSION);
    return version == SCHEMA_VERSION || migrate(store, version, error);
}

bool schema_prepare(struct store *store, bool create, struct clinic_error *error) {
    return change_begin(store, error) && change_end(store, prepare(store, create, error), error);
}

bool schema_read_keys(struct store *store, struct clinic_error *error) {
    sqlite3_stmt *query = database_query(&store->writer, error,
                                         "SELECT (SELECT value FROM meta WHERE name='genesis'),"
                                         " (SELECT value FROM meta WHERE name='digest_key')",
                                         "");
    if (!query) return false;
    bool is_good = database_step(&store->writer, query, error) == STEP_ROW;
    unsigned char *keys[] = {store->genesis, store->digest_key};
    for (int i = 0; is_good && i < 2; i++) {
        const void *bytes = sqlite3_column_blob(query, i);
        is_good = bytes && sqlite3_column_bytes(query, i) == SHA256_BYTES;
        if (is_good)
            memcpy(keys[i], bytes, SHA256_BYTES);
        else
            clinic_fail(error, CLINIC_STORAGE, "the store has lost its keys; restore a backup");
    }
    sqlite3_finalize(query);
    return is_good;
}

// What SQLite makes itself (sqlite_…) may be there or not.
static sqlite3_stmt *list_objects(struct database *database, struct clinic_error *error) {
    return database_query(database, error,
                          "SELECT name, type, tbl_name, sql FROM sqlite_schema"
                          " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name, type",
                          "");
}

static bool is_same_object(sqlite3_stmt *a, sqlite3_stmt *b) {
    for (int column = 0; column < 4; column++)
        if (strcmp(column_text(a, column), column_text(b, column)) != 0) return false;
    return true;
}

static bool compare_objects(struct database *database, struct database *model, bool *is_same,
                            char *name, size_t name_bytes, struct clinic_error *error) {
    sqlite3_stmt *found = list_objects(database, error), *wanted = list_objects(model, error);
    enum database_step a = found && wanted ? STEP_ROW : STEP_FAILED, b = a;
    *is_same = true;
    while (*is_same && a == STEP_ROW && b == STEP_ROW) {
        a = database_step(database, found, error);
        b = database_step(model, wanted, error);
        if (a == STEP_FAILED || b == STEP_FAILED) break;
        bool is_found_first =
            a == STEP_ROW &&
            (b == STEP_DONE || strcmp(column_text(found, 0), column_text(wanted, 0)) < 0);
        *is_same = a == b && (a == STEP_DONE || is_same_object(found, wanted));
        if (!*is_same)
            snprintf(name, name_bytes, "%s", column_text(is_found_first ? found : wanted, 0));
    }
    sqlite3_finalize(found);
    sqlite3_finalize(wanted);
    return a != STEP_FAILED && b != STEP_FAILED;
}

bool schema_compare(struct database *database, bool *is_same, char *name, size_t name_bytes,
                    struct clinic_error *error) {
    struct database model;
    if (!database_open(&model, ":memory:", DATABASE_WRITE, error)) return false;
    bool is_good = database_script(&model, tables, error) &&
                   compare_objects(database, &model, is_same, name, name_bytes, error);
    database_close(&model);
    return is_good;
}
