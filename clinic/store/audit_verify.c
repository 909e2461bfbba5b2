// SPDX-License-Identifier: Apache-2.0
// store_verify_audit() (store_audit.h): first the lines and their texts, side by side in the order
// of their numbers; then the rows that repeat states; then the ends: what was expected, and
// audit.head. On a connection of its own and in one transaction, while others go on writing.
#include "clinic/store/audit_chain.h"
#include "clinic/store/episode_documents.h"
#include "clinic/store/projection.h"
#include "clinic/store/store_audit.h"
#include "clinic/store/store_schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verification {
    struct store *store;
    struct database database;
    struct audit_report *report;
    struct clinic_error *error;
    sqlite3_stmt *lines, *contents;
    enum database_step at_content; // whether `contents` stands on a row
    unsigned char previous[SHA256_BYTES], expected[SHA256_BYTES];
    bool is_expected_given, is_expected_found;
    struct audit_head head;
    enum head_state head_state;
    bool is_head_found;
};

// The first fault is the one that is told; later ones follow from it.
__attribute__((format(printf, 3, 4))) static bool fault(struct verification *verification,
                                                        int64_t seq, const char *format, ...) {
    struct audit_report *report = verification->report;
    if (report->why[0]) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->why, sizeof report->why, format, arguments);
    va_end(arguments);
    report->first_bad = seq;
    return false;
}

static bool next_content(struct verification *verification) {
    verification->at_content =
        database_step(&verification->database, verification->contents, verification->error);
    return verification->at_content != STEP_FAILED;
}

// The content row under the cursor against the digest of its line.
static bool check_content(struct verification *verification, const struct audit_row *row,
                          const unsigned char *digest) {
    sqlite3_stmt *contents = verification->contents;
    unsigned char found[SHA256_BYTES];
    bool is_text = sqlite3_column_type(contents, 2) == SQLITE_TEXT; // before it is converted
    const char *text = column_text(contents, 2);
    size_t n_bytes = (size_t)sqlite3_column_bytes(contents, 2);
    if (!is_text || !hmac_of(verification->store->digest_key, text, n_bytes, found) ||
        !bytes_equal(found, digest, SHA256_BYTES))
        return fault(verification, row->seq, "a text of line %lld was changed",
                     (long long)row->seq);
    verification->report->n_contents++;
    return true;
}

static bool check_texts(struct verification *verification, const struct audit_row *row) {
    sqlite3_stmt *contents = verification->contents;
    for (int side = 0; side < SIDES; side++) {
        bool is_here = verification->at_content == STEP_ROW &&
                       sqlite3_column_int64(contents, 0) == row->seq &&
                       sqlite3_column_int64(contents, 1) == side;
        if (!is_here && !row->digests[side]) continue;
        if (!is_here)
            return fault(verification, row->seq, "a text of line %lld is missing",
                         (long long)row->seq);
        if (!row->digests[side])
            return fault(verification, row->seq, "line %lld has a text that was added later",
                         (long long)row->seq);
        if (!check_content(verification, row, row->digests[side]) || !next_content(verification))
            return false;
    }
    return true;
}

static bool check_line(struct verification *verification, const struct audit_row *row) {
    struct audit_report *report = verification->report;
    int64_t seq = report->n_lines + 1;
    unsigned char hash[SHA256_BYTES];
    if (row->seq != seq)
        return fault(verification, seq, "line %lld is missing (the next is %lld)", (long long)seq,
                     (long long)row->seq);
    if (!row->is_shaped || !audit_row_hash(row, verification->previous, hash) ||
        !bytes_equal(hash, row->hash, SHA256_BYTES))
        return fault(verification, seq, "line %lld was changed, or lines before it were moved",
                     (long long)seq);
    memcpy(verification->previous, hash, SHA256_BYTES);
    report->n_lines = seq;
    if (verification->is_expected_given && bytes_equal(hash, verification->expected, SHA256_BYTES))
        verification->is_expected_found = true;
    if (verification->head_state == HEAD_READ && verification->head.seq == seq)
        verification->is_head_found = bytes_equal(hash, verification->head.hash, SHA256_BYTES);
    return check_texts(verification, row);
}

// False: a fault, or it could not be done (then the error says so).
static bool check_chain(struct verification *verification) {
    struct database *database = &verification->database;
    memcpy(verification->previous, verification->store->genesis, SHA256_BYTES);
    if (!next_content(verification)) return false;
    enum database_step step;
    while ((step = database_step(database, verification->lines, verification->error)) == STEP_ROW) {
        struct audit_row row;
        audit_row_read(verification->lines, &row);
        if (!check_line(verification, &row)) return false;
    }
    if (step == STEP_FAILED) return false;
    if (verification->at_content == STEP_ROW)
        return fault(verification, verification->report->n_lines + 1,
                     "there are texts without a line (the tail was cut?)");
    return true;
}

static bool check_ends(struct verification *verification) {
    struct audit_report *report = verification->report;
    int64_t next = report->n_lines + 1;
    hex_write(verification->previous, SHA256_BYTES, report->head);
    report->is_anchored = verification->head_state != HEAD_ABSENT;
    if (verification->is_expected_given && !verification->is_expected_found)
        return fault(verification, next,
                     "the expected hash is not in the chain: its tail was cut, or it is another");
    if (verification->head_state == HEAD_UNREADABLE)
        return fault(verification, next, "audit.head is damaged");
    if (verification->head_state == HEAD_READ && verification->head.seq > 0 &&
        !verification->is_head_found)
        return fault(verification, next,
                     "audit.head names line %lld, which is not in the chain: its tail was cut",
                     (long long)verification->head.seq);
    return true;
}

// A row, and of an episode also its documents.
static bool check_row(struct verification *verification, enum projection_kind kind,
                      const json_t *row) {
    struct store *store = verification->store;
    char why[160] = "";
    int64_t seq = json_integer_value(json_array_get(row, (size_t)projections[kind].seq_column));
    json_t *state;
    bool is_good =
        projection_check(store, &verification->database, kind, row, &state, why, sizeof why) &&
        (kind != PROJECTION_EPISODE ||
         documents_check(store, &verification->database, state, why, sizeof why));
    json_decref(state);
    return is_good || fault(verification, seq, "%s", why);
}

static bool count_objects(struct verification *verification, enum projection_kind kind,
                          int64_t *n) {
    char pattern[32];
    snprintf(pattern, sizeof pattern, "%s*", projections[kind].prefix);
    sqlite3_stmt *query = database_query(
        &verification->database, verification->error,
        "SELECT count(*) FROM audit WHERE version=1 AND object GLOB ?", "t", pattern);
    bool is_good =
        query && database_step(&verification->database, query, verification->error) == STEP_ROW;
    if (is_good) *n = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return is_good;
}

static bool check_rows(struct verification *verification, enum projection_kind kind) {
    const struct projection *projection = &projections[kind];
    char sql[512];
    int64_t n = 0, n_expected = 0;
    snprintf(sql, sizeof sql, "SELECT %s FROM %s", projection->columns, projection->table);
    sqlite3_stmt *rows = database_query(&verification->database, verification->error, sql, "");
    if (!rows) return false;
    enum database_step step;
    bool is_good = true;
    while (is_good &&
           (step = database_step(&verification->database, rows, verification->error)) == STEP_ROW) {
        json_t *row = projection_read(rows, projection->n_columns);
        is_good = kept_ready(row, verification->error) && check_row(verification, kind, row);
        json_decref(row);
        n++;
    }
    sqlite3_finalize(rows);
    if (!is_good || step == STEP_FAILED || !count_objects(verification, kind, &n_expected))
        return false;
    return n == n_expected || fault(verification, verification->report->n_lines,
                                    "table %s has %lld rows, the lines tell of %lld",
                                    projection->table, (long long)n, (long long)n_expected);
}

// Password hashes are no part of a state that auditors read; only their digests are.
static bool check_passwords(struct verification *verification) {
    struct store *store = verification->store;
    sqlite3_stmt *rows =
        database_query(&verification->database, verification->error,
                       "SELECT u.seq, p.hash FROM users u LEFT JOIN passwords p USING(name)", "");
    if (!rows) return false;
    enum database_step step;
    bool is_good = true;
    while (is_good &&
           (step = database_step(&verification->database, rows, verification->error)) == STEP_ROW) {
        unsigned char digest[SHA256_BYTES];
        char hex[SHA256_HEX_BYTES] = "";
        int64_t seq = sqlite3_column_int64(rows, 0);
        const char *hash = column_text(rows, 1);
        char *text = audit_text(store, &verification->database, seq, SIDE_STATE, NULL);
        json_t *state = text ? kept_value(text, NULL) : NULL;
        const char *credential = json_string_value(json_object_get(state, "credential"));
        if (sha256_of(hash, (size_t)sqlite3_column_bytes(rows, 1), digest))
            hex_write(digest, sizeof digest, hex);
        is_good = credential && strcmp(credential, hex) == 0;
        if (!is_good) fault(verification, seq, "the password of a user was changed in its table");
        json_decref(state);
        free(text);
    }
    sqlite3_finalize(rows);
    return is_good && step == STEP_DONE;
}

// A trigger that is gone no longer keeps the lines; one that was added runs inside every change.
static bool check_schema(struct verification *verification) {
    bool is_same = false;
    char name[64] = "";
    if (!schema_compare(&verification->database, &is_same, name, sizeof name, verification->error))
        return false;
    return is_same ||
           fault(verification, verification->report->n_lines,
                 "\"%s\" of the database's schema is missing, was added or changed", name);
}

static bool verify(struct verification *verification) {
    struct database *database = &verification->database;
    if (!database_script(database, "BEGIN", verification->error)) return false;
    verification->lines = database_query(database, verification->error,
                                         "SELECT " AUDIT_COLUMNS " FROM audit ORDER BY seq", "");
    verification->contents =
        verification->lines
            ? database_query(database, verification->error,
                             "SELECT seq, side, text FROM contents ORDER BY seq, side", "")
            : NULL;
    bool is_good = verification->contents && check_chain(verification);
    sqlite3_finalize(verification->lines);
    sqlite3_finalize(verification->contents);
    is_good = is_good && check_ends(verification);
    for (int kind = 0; is_good && kind < PROJECTIONS; kind++)
        is_good = check_rows(verification, (enum projection_kind)kind);
    return is_good && check_passwords(verification) && check_schema(verification);
}

bool store_verify_audit(struct store *store, const char *expected_head, struct audit_report *report,
                        struct clinic_error *error) {
    struct clinic_error own = {0};
    struct verification verification = {.store = store, .report = report, .error = &own};
    *report = (struct audit_report){0};
    verification.is_expected_given = expected_head && *expected_head;
    if (verification.is_expected_given &&
        !hex_read(expected_head, verification.expected, SHA256_BYTES))
        return clinic_fail(error, CLINIC_BAD_INPUT, "the expected hash is 64 hexadecimal digits");
    // Before the lines: they may only become more meanwhile.
    verification.head_state = audit_head_read(store, &verification.head);
    if (!database_open(&verification.database, store->path, DATABASE_READ, error)) return false;
    bool is_good = verify(&verification);
    database_close(&verification.database);
    if (is_good || report->why[0]) return true;
    if (own.failure == CLINIC_STORAGE) { // damaged so that SQLite itself cannot read it
        fault(&verification, report->n_lines + 1, "%.150s", own.message);
        return true;
    }
    if (error) *error = own;
    return false;
}
