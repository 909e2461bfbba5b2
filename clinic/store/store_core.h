// SPDX-License-Identifier: Apache-2.0
// What the parts of the store share, inside clinic/store only: the handle, how a change begins and
// ends, and a few forms of JSON and ids.
#ifndef XL_CLINIC_STORE_CORE_H
#define XL_CLINIC_STORE_CORE_H

#include "clinic/store/database.h"
#include "clinic/store/store.h"
#include "clinic/store/store_digest.h"

#include <jansson.h>
#include <sys/types.h>

enum { STORE_PATH_BYTES = 4096, EPISODE_ID_BYTES = 129, STORE_FIELDS_MAX = 200 };

struct store {
    struct database writer, reader; // changes; everything else
    char folder[STORE_PATH_BYTES], path[STORE_PATH_BYTES + 16];
    uid_t owner; // of the folder: files that root makes are given to them
    gid_t group;
    unsigned char launch_key[STORE_KEY_BYTES];
    // Of this store alone: what the audit's first line follows, and the key of text digests.
    unsigned char genesis[SHA256_BYTES], digest_key[SHA256_BYTES];
    int64_t (*now_ms)(void *user);
    void *clock_user;
    int session_seconds;
    int head_fd;                  // audit.head; -1: none
    int lock_fd;                  // of the server that serves the store; -1: not locked
    bool is_head_frozen;          // it did not fit when the store was opened: left as evidence
    struct waiting_line *waiting; // audit lines that wait for the writer; see store_audit.c
    pthread_mutex_t waiting_mutex;
    int64_t last_seq; // of the change that is under way; 0: no line yet
    unsigned char last_hash[SHA256_BYTES];
};

int64_t store_now_ms(const struct store *store);

// A change holds the writer's mutex and a transaction that nobody else may have. End it in any
// case: `return change_begin(store, error) && change_end(store, work(...), error);`
bool change_begin(struct store *store, struct clinic_error *error);
// Commits if `is_good`, else takes everything back and returns false.
bool change_end(struct store *store, bool is_good, struct clinic_error *error);
// The same for whoever holds the writer's mutex already, and keeps it.
bool change_open(struct store *store, struct clinic_error *error);
bool change_close(struct store *store, bool is_good, struct clinic_error *error);

// The reader, so that several statements see one state; the same form.
bool reading_begin(struct store *store, struct clinic_error *error);
bool reading_end(struct store *store, bool is_good);

// A list that `fill` makes in one reading. `of` is the caller's. *list is NULL on failure.
bool reading_list(struct store *store,
                  bool (*fill)(struct store *store, const void *of, json_t *list,
                               struct clinic_error *error),
                  const void *of, json_t **list, struct clinic_error *error);

// Compact, members sorted: equal values give equal texts. NULL with an error; free().
char *kept_text(const json_t *value, struct clinic_error *error);
// From a text that kept_text() made and that was proven since. NULL: no memory.
json_t *kept_value(const char *text, struct clinic_error *error);
bool kept_ready(const json_t *value, struct clinic_error *error); // NULL: no memory

// Ids that come from outside: printable, no '/', at most max_bytes. `what` names them in the error.
bool id_check(const char *id, size_t max_bytes, const char *what, struct clinic_error *error);
void id_make(char id[STORE_ID_BYTES], char letter); // letter and 128 random bits
// "2025-11-03T01:40:00.123Z"
void time_write(int64_t ms, char text[32]);

#endif
