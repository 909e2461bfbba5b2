// SPDX-License-Identifier: Apache-2.0
// Tables that repeat what the newest state of each audited object says, for quick reading: one
// function makes the row from the state, both when it is written and when verify-audit asks whether
// the row still says the same. Inside clinic/store only.
#ifndef XL_CLINIC_PROJECTION_H
#define XL_CLINIC_PROJECTION_H

#include "clinic/store/audit_chain.h"

enum projection_kind {
    PROJECTION_EPISODE,
    PROJECTION_DRAFT,
    PROJECTION_FORM,
    PROJECTION_USER,
    PROJECTIONS
};

struct projection {
    const char *prefix;  // of the object's name: "episode/"
    const char *table;   // and its columns, as in SQL
    const char *columns; // the key first
    int n_columns, n_key, seq_column;
    // The row's values, in the order of the columns; NULL: no memory.
    json_t *(*make_row)(const json_t *state, int64_t version, int64_t seq, int64_t at_ms);
};
extern const struct projection projections[PROJECTIONS];

// The object's name from the key columns of a row: "form/E-1/discharge-record/course".
void projection_object(enum projection_kind kind, const json_t *row,
                       char object[STORE_OBJECT_BYTES]);
// Adds an audit line with this state and writes the row; inside a change. `line` needs actor,
// action, version and perhaps texts before and after; object, episode and state are set here.
bool projection_put(struct store *store, enum projection_kind kind, const json_t *state,
                    struct audit_line *line, struct clinic_error *error);
// Whether a row, as an array, is what its object's last line says. False with `why`. `state`: a new
// reference to the object's state, or NULL.
bool projection_check(struct store *store, struct database *database, enum projection_kind kind,
                      const json_t *row, json_t **state, char *why, size_t why_bytes);
// The current row of a statement as an array. NULL: no memory.
json_t *projection_read(sqlite3_stmt *statement, int n_columns);

#endif
