// SPDX-License-Identifier: Apache-2.0
// The clinic's memory: a folder with an SQLite database, a key for launch tokens and the head of
// the audit chain. Every change and its audit line are one transaction; when a function returns
// true, the change has reached the disk. A handle may be used by many threads, a folder by many
// processes. What patients told never stands in an error, a log or a hashed audit line.
//
// Ids and texts that functions hand out as json_t * are new references.
#ifndef XL_CLINIC_STORE_H
#define XL_CLINIC_STORE_H

#include "clinic/record/clinic_error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STORE_KEY_BYTES = 32,
    STORE_ID_BYTES = 32,     // of drafts: with the final zero
    STORE_OBJECT_BYTES = 512 // the longest name of an audited object, with the final zero
};

struct store;

// Who does something, for the audit. Members may be NULL: not known. `session` is
// store_session.id, never a token.
struct actor {
    const char *user, *role, *address, *session;
};

// Opens the folder; `create`: makes it (mode 0700) and what is missing in it. A folder that others
// may enter, another program's database and one of a later version are refused. NULL with an error.
struct store *store_open(const char *folder, bool create, struct clinic_error *error);
void store_close(struct store *store); // NULL is allowed; no other call may be running

// For the one server of a store, until it is closed or its process ends. CLINIC_BUSY: there is
// another. Commands need not ask.
bool store_serve(struct store *store, struct clinic_error *error);

// The key that signs launch tokens, made with the store and kept in launch.key (hexadecimal).
const unsigned char *store_launch_key(const struct store *store); // [STORE_KEY_BYTES]

// Copies the database to a new file (mode 0600), consistent while others go on writing. The file
// appears whole or not at all; one that exists is refused.
bool store_backup(struct store *store, const char *path, struct clinic_error *error);

// Another clock, milliseconds since 1970 UTC: for tests. Before the first use by threads.
void store_set_clock(struct store *store, int64_t (*now_ms)(void *user), void *user);

#endif
