// SPDX-License-Identifier: Apache-2.0
// Stores and episodes for tests: a fresh folder each, the episodes of examples/ under other ids,
// a clock that stands still until it is moved.
#ifndef XL_TESTS_STORE_FIXTURE_H
#define XL_TESTS_STORE_FIXTURE_H

#include "clinic/store/store.h"

#include <sqlite3.h>

extern int64_t fixture_now_ms; // the clock of fixture_store()

// A new folder under the scratch directory, its path in `folder` (at least 256 bytes).
struct store *fixture_store(char *folder, size_t folder_bytes);
// An episode of examples/episodes ("01-pneumonia") with another encounter.id. NULL: it is not
// there.
json_t *fixture_episode(const char *name, const char *id);
// Puts one and returns its version, 0 on failure.
int64_t fixture_put(struct store *store, const char *name, const char *id);
// Runs SQL on the database from outside, as a careful forger would: the triggers that keep the
// audit go and come back. False: it failed.
bool fixture_tamper(const char *folder, const char *sql);
bool fixture_copy(const char *from, const char *to); // of a file
// Whether verify-audit finds the store whole; the fault goes into `why` (160 bytes, or NULL).
bool fixture_is_whole(struct store *store, char *why);

#endif
