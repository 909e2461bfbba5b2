// SPDX-License-Identifier: Apache-2.0
// See database.h.
#include "clinic/store/database.h"

#include <stdarg.h>
#include <string.h>

enum { BUSY_MS = 10000, TEXT_BYTES_MAX = 64 << 20 };

bool database_fail(struct database *database, struct clinic_error *error) {
    int code = database->handle ? sqlite3_extended_errcode(database->handle) : SQLITE_CANTOPEN;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return clinic_fail_memory(error);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return clinic_fail(error, CLINIC_BUSY, "the store is busy with another change; try again");
    case SQLITE_FULL:
        return clinic_fail(error, CLINIC_STORAGE,
                           "the store's disk is full: make room; nothing was changed");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return clinic_fail(error, CLINIC_STORAGE,
                           "the store cannot be written or opened: look at its folder's owner and "
                           "permissions");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return clinic_fail(error, CLINIC_STORAGE,
                           "the store's database is damaged: stop, keep the folder, restore a "
                           "backup");
    case SQLITE_CONSTRAINT:
        return clinic_fail(error, CLINIC_NOT_FOUND,
                           "what this belongs to is not in the store; nothing was changed");
    default: // the text of a code, never of a statement
        return clinic_fail(error, CLINIC_STORAGE, "the store's database failed: %s (%d)",
                           sqlite3_errstr(code), code);
    }
}

static bool harden(struct database *database) {
    sqlite3 *handle = database->handle;
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
    return sqlite3_busy_timeout(handle, BUSY_MS) == SQLITE_OK &&
           sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
           sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
           sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL) == SQLITE_OK &&
           sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL) == SQLITE_OK;
}

bool database_open(struct database *database, const char *path, enum database_mode mode,
                   struct clinic_error *error) {
    *database = (struct database){0};
    if (pthread_mutex_init(&database->mutex, NULL) != 0) return clinic_fail_memory(error);
    // Read/write for readers, too: after a crash somebody has to bring the log in.
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    bool is_open =
        sqlite3_open_v2(path, &database->handle, flags, NULL) == SQLITE_OK && harden(database);
    if (!is_open) {
        database_fail(database, error);
        sqlite3_close(database->handle);
        pthread_mutex_destroy(&database->mutex);
        *database = (struct database){0};
        return false;
    }
    const char *pragmas = mode == DATABASE_WRITE
                              ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                "PRAGMA secure_delete=ON; PRAGMA cell_size_check=ON;"
                                "PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864;"
                              : "PRAGMA query_only=ON; PRAGMA cell_size_check=ON;"
                                "PRAGMA temp_store=MEMORY;";
    if (database_script(database, pragmas, error)) return true;
    database_close(database);
    return false;
}

void database_close(struct database *database) {
    if (!database->handle) return;
    sqlite3_close(database->handle);
    pthread_mutex_destroy(&database->mutex);
    *database = (struct database){0};
}

static bool bind(sqlite3_stmt *statement, const char *types, va_list values) {
    for (int i = 0; types[i]; i++) {
        int status = SQLITE_MISUSE;
        if (types[i] == 't') {
            status = sqlite3_bind_text(statement, i + 1, va_arg(values, const char *), -1,
                                       SQLITE_STATIC);
        } else if (types[i] == 'i') {
            status = sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
        } else if (types[i] == 'b') {
            const void *bytes = va_arg(values, const void *);
            status = sqlite3_bind_blob(statement, i + 1, bytes, va_arg(values, int), SQLITE_STATIC);
        }
        if (status != SQLITE_OK) return false;
    }
    return true;
}

static sqlite3_stmt *prepare(struct database *database, struct clinic_error *error, const char *sql,
                             const char *types, va_list values) {
    sqlite3_stmt *statement = NULL;
    bool is_ready = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL) == SQLITE_OK &&
                    bind(statement, types, values);
    if (is_ready) return statement;
    database_fail(database, error);
    sqlite3_finalize(statement);
    return NULL;
}

sqlite3_stmt *database_query(struct database *database, struct clinic_error *error, const char *sql,
                             const char *types, ...) {
    va_list values;
    va_start(values, types);
    sqlite3_stmt *statement = prepare(database, error, sql, types, values);
    va_end(values);
    return statement;
}

enum database_step database_step(struct database *database, sqlite3_stmt *statement,
                                 struct clinic_error *error) {
    int status = sqlite3_step(statement);
    if (status == SQLITE_ROW) return STEP_ROW;
    if (status == SQLITE_DONE) return STEP_DONE;
    database_fail(database, error);
    return STEP_FAILED;
}

bool database_run(struct database *database, struct clinic_error *error, const char *sql,
                  const char *types, ...) {
    va_list values;
    va_start(values, types);
    sqlite3_stmt *statement = prepare(database, error, sql, types, values);
    va_end(values);
    if (!statement) return false;
    enum database_step step = database_step(database, statement, error);
    sqlite3_finalize(statement);
    return step != STEP_FAILED;
}

bool database_script(struct database *database, const char *sql, struct clinic_error *error) {
    if (sqlite3_exec(database->handle, sql, NULL, NULL, NULL) == SQLITE_OK) return true;
    return database_fail(database, error);
}

const char *column_text(sqlite3_stmt *statement, int column) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? text : "";
}
