// SPDX-License-Identifier: Apache-2.0
// See audit_chain.h.
#include "clinic/store/audit_chain.h"

#include <stdlib.h>
#include <string.h>

static const unsigned char *digest_column(sqlite3_stmt *statement, int column, bool *is_shaped) {
    int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_NULL) return NULL;
    const unsigned char *bytes = sqlite3_column_blob(statement, column);
    if (type == SQLITE_BLOB && bytes && sqlite3_column_bytes(statement, column) == SHA256_BYTES)
        return bytes;
    *is_shaped = false;
    return NULL;
}

static const char *text_column(sqlite3_stmt *statement, int column, bool *is_shaped) {
    int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_NULL) return NULL;
    const char *text = (const char *)sqlite3_column_text(statement, column);
    // A zero byte inside would hide what follows it from the hash.
    bool is_whole = text && strlen(text) == (size_t)sqlite3_column_bytes(statement, column);
    if (type != SQLITE_TEXT || !is_whole) *is_shaped = false;
    return text;
}

static int64_t number_column(sqlite3_stmt *statement, int column, bool *is_shaped) {
    if (sqlite3_column_type(statement, column) != SQLITE_INTEGER) *is_shaped = false;
    return sqlite3_column_int64(statement, column);
}

void audit_row_read(sqlite3_stmt *statement, struct audit_row *row) {
    bool shaped = true;
    *row = (struct audit_row){.seq = number_column(statement, 0, &shaped),
                              .at_ms = number_column(statement, 1, &shaped),
                              .user = text_column(statement, 2, &shaped),
                              .role = text_column(statement, 3, &shaped),
                              .address = text_column(statement, 4, &shaped),
                              .session = text_column(statement, 5, &shaped),
                              .action = text_column(statement, 6, &shaped),
                              .episode = text_column(statement, 7, &shaped),
                              .object = text_column(statement, 8, &shaped),
                              .version = number_column(statement, 9, &shaped)};
    for (int side = 0; side < SIDES; side++)
        row->digests[side] = digest_column(statement, 10 + side, &shaped);
    row->hash = digest_column(statement, 10 + SIDES, &shaped);
    row->is_shaped = shaped && row->hash;
}

bool audit_row_hash(const struct audit_row *row, const unsigned char previous[SHA256_BYTES],
                    unsigned char hash[SHA256_BYTES]) {
    const char *texts[] = {row->user,   row->role,    row->address, row->session,
                           row->action, row->episode, row->object};
    struct field_hash fields;
    field_hash_begin(&fields);
    field_hash_bytes(&fields, previous, SHA256_BYTES);
    field_hash_number(&fields, row->seq);
    field_hash_number(&fields, row->at_ms);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        field_hash_text(&fields, texts[i]);
    field_hash_number(&fields, row->version);
    for (int side = 0; side < SIDES; side++)
        field_hash_bytes(&fields, row->digests[side], SHA256_BYTES);
    return field_hash_end(&fields, hash);
}

// What the new line follows: the last line of the database, which another process may have written.
static bool read_last(struct store *store, struct clinic_error *error) {
    struct database *writer = &store->writer;
    if (store->last_seq > 0) return true; // the change's own line
    sqlite3_stmt *query =
        database_query(writer, error, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", "");
    if (!query) return false;
    enum database_step step = database_step(writer, query, error);
    bool is_good = step != STEP_FAILED;
    if (step == STEP_DONE) {
        store->last_seq = 0;
        memcpy(store->last_hash, store->genesis, SHA256_BYTES);
    } else if (step == STEP_ROW) {
        const void *hash = sqlite3_column_blob(query, 1);
        is_good = hash && sqlite3_column_bytes(query, 1) == SHA256_BYTES;
        if (is_good) {
            store->last_seq = sqlite3_column_int64(query, 0);
            memcpy(store->last_hash, hash, SHA256_BYTES);
        } else
            clinic_fail(error, CLINIC_STORAGE,
                        "the audit's last line is damaged: run verify-audit");
    }
    sqlite3_finalize(query);
    return is_good;
}

static bool insert_row(struct store *store, const struct audit_row *row,
                       struct clinic_error *error) {
    return database_run(&store->writer, error,
                        "INSERT INTO audit(" AUDIT_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                        "iitttttttibbbb", row->seq, row->at_ms, row->user, row->role, row->address,
                        row->session, row->action, row->episode, row->object, row->version,
                        row->digests[SIDE_BEFORE], SHA256_BYTES, row->digests[SIDE_AFTER],
                        SHA256_BYTES, row->digests[SIDE_STATE], SHA256_BYTES, row->hash,
                        SHA256_BYTES);
}

static bool insert_texts(struct store *store, const struct audit_line *line, int64_t seq,
                         struct clinic_error *error) {
    for (int side = 0; side < SIDES; side++)
        if (line->texts[side] &&
            !database_run(&store->writer, error,
                          "INSERT INTO contents(seq, side, text) VALUES(?,?,?)", "iit", seq,
                          (int64_t)side, line->texts[side]))
            return false;
    return true;
}

bool audit_append(struct store *store, const struct audit_line *line, int64_t *seq, int64_t *at_ms,
                  struct clinic_error *error) {
    unsigned char digests[SIDES][SHA256_BYTES], hash[SHA256_BYTES];
    static const struct actor nobody;
    const struct actor *actor = line->actor ? line->actor : &nobody;
    if (!read_last(store, error)) return false;
    struct audit_row row = {.seq = store->last_seq + 1,
                            .at_ms = store_now_ms(store),
                            .version = line->version,
                            .user = actor->user,
                            .role = actor->role,
                            .address = actor->address,
                            .session = actor->session,
                            .action = line->action,
                            .episode = line->episode,
                            .object = line->object,
                            .hash = hash};
    bool is_hashed = true;
    for (int side = 0; side < SIDES; side++) {
        const char *text = line->texts[side];
        if (!text) continue;
        is_hashed &= hmac_of(store->digest_key, text, strlen(text), digests[side]);
        row.digests[side] = digests[side];
    }
    if (!is_hashed || !audit_row_hash(&row, store->last_hash, hash))
        return clinic_fail_memory(error);
    if (!insert_row(store, &row, error) || !insert_texts(store, line, row.seq, error)) return false;
    store->last_seq = row.seq;
    memcpy(store->last_hash, hash, SHA256_BYTES);
    if (seq) *seq = row.seq;
    if (at_ms) *at_ms = row.at_ms;
    return true;
}

char *audit_text(struct store *store, struct database *database, int64_t seq, enum audit_side side,
                 struct clinic_error *error) {
    static const char *const queries[SIDES] = {
        "SELECT c.text, a.before FROM contents c JOIN audit a USING(seq) WHERE seq=? AND side=0",
        "SELECT c.text, a.after FROM contents c JOIN audit a USING(seq) WHERE seq=? AND side=1",
        "SELECT c.text, a.state FROM contents c JOIN audit a USING(seq) WHERE seq=? AND side=2"};
    sqlite3_stmt *query = database_query(database, error, queries[side], "i", seq);
    if (!query) return NULL;
    enum database_step step = database_step(database, query, error);
    char *text = NULL;
    if (step == STEP_DONE) clinic_fail(error, CLINIC_NOT_FOUND, "this text is not in the store");
    if (step == STEP_ROW) {
        unsigned char digest[SHA256_BYTES];
        bool shaped = true;
        const char *found = column_text(query, 0);
        const unsigned char *expected = digest_column(query, 1, &shaped);
        if (expected && hmac_of(store->digest_key, found, strlen(found), digest) &&
            bytes_equal(digest, expected, SHA256_BYTES)) {
            text = strdup(found);
            if (!text) clinic_fail_memory(error);
        } else
            clinic_fail(error, CLINIC_STORAGE,
                        "a kept text was changed outside of the program: run verify-audit, restore "
                        "a backup");
    }
    sqlite3_finalize(query);
    return text;
}
