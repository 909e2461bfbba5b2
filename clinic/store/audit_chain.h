// SPDX-License-Identifier: Apache-2.0
// The chain of audit lines: how a line is hashed, how one is added inside a change, and the file
// that keeps the newest hash apart from the database. A line has up to three texts, which are kept
// beside it: the whole state of a versioned object, and what a person sees as before and after.
#ifndef XL_CLINIC_AUDIT_CHAIN_H
#define XL_CLINIC_AUDIT_CHAIN_H

#include "clinic/store/store_core.h"

enum audit_side { SIDE_BEFORE, SIDE_AFTER, SIDE_STATE, SIDES };

struct audit_line {
    const struct actor *actor;
    const char *action, *episode, *object; // episode may be NULL
    int64_t version;                       // of the object's state; 0: the line has none
    const char *texts[SIDES];              // JSON; NULL: none
};

// Adds a line and its texts; inside a change only. `seq` and `at_ms` may be NULL.
bool audit_append(struct store *store, const struct audit_line *line, int64_t *seq, int64_t *at_ms,
                  struct clinic_error *error);

// A row of the table audit, as SQL and as C. Texts belong to the statement.
#define AUDIT_COLUMNS                                                                              \
    "seq, at, user, role, address, session, action, episode, object, version, before, after, "     \
    "state, hash"
struct audit_row {
    int64_t seq, at_ms, version;
    const char *user, *role, *address, *session, *action, *episode, *object; // NULL as stored
    const unsigned char *digests[SIDES]; // [SHA256_BYTES]; NULL: none
    const unsigned char *hash;           // NULL: not of its size
    bool is_shaped;                      // every column has the type and size that it must have
};
void audit_row_read(sqlite3_stmt *statement, struct audit_row *row);
// The hash that the row must have after `previous`.
bool audit_row_hash(const struct audit_row *row, const unsigned char previous[SHA256_BYTES],
                    unsigned char hash[SHA256_BYTES]);

// The text of one side of a line, checked against its digest in the chain. NULL with an error; of
// a line without it CLINIC_NOT_FOUND. free().
char *audit_text(struct store *store, struct database *database, int64_t seq, enum audit_side side,
                 struct clinic_error *error);

// audit.head: the last line's number and hash, written behind each commit, so that a tail that is
// cut off the database is noticed. It may lag after a crash, never lead.
struct audit_head {
    int64_t seq;
    unsigned char hash[SHA256_BYTES];
};
void audit_head_open(struct store *store);  // the file; freezes it if it contradicts the database
void audit_head_write(struct store *store); // of the change that was just committed
enum head_state { HEAD_ABSENT, HEAD_UNREADABLE, HEAD_READ };
enum head_state audit_head_read(const struct store *store, struct audit_head *head);

#endif
