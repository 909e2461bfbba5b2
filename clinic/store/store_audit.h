// SPDX-License-Identifier: Apache-2.0
// The audit: an append-only chain of lines. A line's hash covers the line and the hash before it;
// texts are in it only as digests (HMAC with a key of the store's own, so that short texts cannot
// be guessed), while the texts themselves are kept beside. Who changes a byte, removes, adds or
// moves a line, or cuts the tail is found by store_verify_audit().
#ifndef XL_CLINIC_STORE_AUDIT_H
#define XL_CLINIC_STORE_AUDIT_H

#include "clinic/store/store.h"

enum { AUDIT_HASH_HEX_BYTES = 65 };

// A line for what the store does not see itself: reads, exports, overrides. `object` names what it
// was done to ("episode/E-1"); `episode` may be NULL, and so may before and after, which are kept.
bool store_audit(struct store *store, const struct actor *actor, const char *action,
                 const char *episode, const char *object, const json_t *before, const json_t *after,
                 struct clinic_error *error);

struct audit_report {
    int64_t n_lines, n_contents; // checked
    int64_t first_bad;           // line; 0: none. Of rows that no line stands for: the next line
    bool is_anchored;            // audit.head was there, so a cut tail would have been noticed
    char head[AUDIT_HASH_HEX_BYTES]; // hash of the last line
    char why[160];                   // of the first fault; "" if there is none
};
// Walks the whole chain and everything that hangs on it: texts, versions, and the rows of episodes,
// drafts, forms and users that must say what their last line said. `expected_head` (or NULL) is a
// hash printed earlier that must be in the chain. False only if it could not be done; a broken
// chain is true with first_bad != 0 or why[0].
bool store_verify_audit(struct store *store, const char *expected_head, struct audit_report *report,
                        struct clinic_error *error);

struct audit_query {
    const char *episode, *user, *action; // NULL: any; action "form." stands for all that begin so
    int64_t from_ms, to_ms;              // 0: open
    int64_t before_seq;                  // 0: from the newest; else only older lines
    int limit;                           // 1 … 1000
    // Names; lines about episodes of other departments are left out. NULL, or with "*": all lines.
    const json_t *departments;
    bool with_texts; // "before" and "after" as kept; else their digests only
};
// [{"seq", "at", "user", "role", "address", "session", "action", "episode", "object", "version",
// "before_digest", "after_digest", "hash", "before"?, "after"?}], newest first. Of forms "before"
// and "after" are whole fields; of episodes and drafts, what changed if the caller told it.
bool store_read_audit(struct store *store, const struct audit_query *query, json_t **rows,
                      struct clinic_error *error);
// Every line in order, without texts, to a function that returns false to stop.
bool store_walk_audit(struct store *store, bool (*on_line)(void *user, const json_t *line),
                      void *user, struct clinic_error *error);

#endif
