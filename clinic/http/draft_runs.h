// SPDX-License-Identifier: Apache-2.0
// Drafts that are being composed: a bounded number of threads, each with one draft. A run belongs
// to the draft, so to its episode and the doctor who made it. Its copy of the draft is kept up to
// date event by event; a finished field is in the store before anybody is told. When the last
// follower goes away, or the server ends, the run stops and what was finished stays.
#ifndef XL_CLINIC_DRAFT_RUNS_H
#define XL_CLINIC_DRAFT_RUNS_H

#include "clinic/record/clinic_error.h"
#include "clinic/store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct draft_runs;
struct draft_supply;
struct exchange;
struct stream_follower;

struct draft_runs *
draft_runs_create(const struct draft_supply *supply); // NULL: no memory or threads
void draft_runs_ask_stop(struct draft_runs *runs);    // all; returns at once
void draft_runs_join(struct draft_runs *runs);        // after it: waits for the threads
void draft_runs_destroy(struct draft_runs *runs);

// Begins to compose a draft that the store has, with its "id" and "revision"; only_field NULL: all
// its fields. CLINIC_BUSY: too many run or wait. CLINIC_CONFLICT: it runs already.
bool draft_runs_start(struct draft_runs *runs, const struct actor *actor, const json_t *draft,
                      const char *only_field, struct clinic_error *error);
// The draft that this doctor composes now for the episode by this template: a new reference; NULL:
// none.
json_t *draft_runs_find(struct draft_runs *runs, const char *user, const char *episode,
                        const char *template);
// The draft as it is now; NULL: it does not run.
json_t *draft_runs_get(struct draft_runs *runs, const char *id);
// Stops the run and waits until its last state is in the store. False: it does not run.
bool draft_runs_stop(struct draft_runs *runs, const char *id);

// For a doctor's change of what is finished already while the rest is written: between hold and
// let_go nothing else happens to the run. *draft: a new reference to a copy; NULL if it does not
// run (any more): then the store has the draft. What was changed and saved is then told with
// `change`; `field` (or NULL) is what differs.
struct live_draft;
struct live_draft *draft_runs_hold(struct draft_runs *runs, const char *id, json_t **draft);
void draft_runs_change(struct live_draft *run, json_t *draft, const char *field);
void draft_runs_let_go(struct live_draft *run);

// Follows a run; NULL with CLINIC_NOT_FOUND: it does not run (any more).
struct stream_follower *draft_runs_follow(struct draft_runs *runs, const char *id,
                                          struct exchange *exchange, const char *session,
                                          struct clinic_error *error);
// The episode has a new version: runs for the old one tell it.
void draft_runs_tell_version(struct draft_runs *runs, const char *episode, int64_t version);

#endif
