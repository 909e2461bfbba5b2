// SPDX-License-Identifier: Apache-2.0
// One connection to SQLite and the few ways in which the store uses it: statements with their
// values in one call, and failures as clinic errors. Knows no table.
#ifndef XL_CLINIC_DATABASE_H
#define XL_CLINIC_DATABASE_H

#include "clinic/record/clinic_error.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct database {
    sqlite3 *handle;
    pthread_mutex_t mutex; // held by whoever uses the handle
};

enum database_mode { DATABASE_WRITE, DATABASE_READ };

// The file must exist. READ refuses every change.
bool database_open(struct database *database, const char *path, enum database_mode mode,
                   struct clinic_error *error);
void database_close(struct database *database); // of zeroes: nothing

// A failure of SQLite as an error; returns false.
bool database_fail(struct database *database, struct clinic_error *error);

// Prepares a statement and binds its values, one letter each: t text or NULL, i int64_t, b bytes
// (pointer or NULL, then int). Values must live until the statement is finalized. NULL: an error.
sqlite3_stmt *database_query(struct database *database, struct clinic_error *error, const char *sql,
                             const char *types, ...);
enum database_step { STEP_FAILED = -1, STEP_DONE, STEP_ROW };
enum database_step database_step(struct database *database, sqlite3_stmt *statement,
                                 struct clinic_error *error);
// The whole statement at once.
bool database_run(struct database *database, struct clinic_error *error, const char *sql,
                  const char *types, ...);
bool database_script(struct database *database, const char *sql, struct clinic_error *error);

// A column's text; "" for NULL. Lives until the next step.
const char *column_text(sqlite3_stmt *statement, int column);

#endif
