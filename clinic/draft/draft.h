// SPDX-License-Identifier: Apache-2.0
// Drafts of records: composed field by field from an episode, a template and, where there is one, a
// model; checked sentence by sentence; with what they leave out and what the record contradicts.
// A draft is JSON (docs/CLINIC.md); this part knows no store, no HTTP, no users.
#ifndef XL_CLINIC_DRAFT_H
#define XL_CLINIC_DRAFT_H

#include "clinic/draft/record_template.h"
#include "clinic/draft/text_writer.h"
#include "clinic/record/episode.h"

#include <jansson.h>
#include <stdbool.h>

#define DRAFT_LABEL "AI辅助生成，须经医师审核"

// An episode with its facts and its verifier, made once for all that is done with its drafts. One
// thread at a time; the episode must live longer.
struct draft_ground;
struct draft_ground *draft_ground_open(const struct episode *episode, struct clinic_error *error);
void draft_ground_close(struct draft_ground *ground); // NULL is allowed

struct draft_request {
    struct draft_ground *ground;
    const struct record_template *record;
    const struct text_writer *writer; // NULL: without a model
    // An earlier draft of the same template: its id, revision and other members go on; with
    // only_field every other field stays as it is; without, locked fields stay. NULL: a new one.
    const json_t *kept;
    const char *only_field; // NULL: all fields
    const char *user;       // who gets a turn at the model; NULL: nobody
};

// How the draft looks before draft_compose has begun: what followers see first, and what the store
// keeps under a name. New reference.
json_t *draft_begin(const struct draft_request *request, struct clinic_error *error);

// Called in the thread of draft_compose.
struct draft_events {
    void *user;
    // {"event": "state" | "field" | "text" | "checked" | "omissions" | "conflicts" | "done" |
    // "failed", "data": {…}}, borrowed. False stops the draft.
    bool (*on_event)(void *user, const json_t *event);
    bool (*is_stopped)(void *user); // asked several times a second; NULL: never
};

// Blocks until the draft is done, stopped or failed, and says so in its "state"; what was finished
// before stays. *draft: a new reference, NULL only if this returns false (no memory, or what was
// asked makes no sense). Members that belong to others ("id", "created", "by", "episode_version")
// are taken from `kept` or null.
bool draft_compose(const struct draft_request *request, const struct draft_events *events,
                   json_t **draft, struct clinic_error *error);

// Brings a copy of a draft up to date with one event, so that late followers can be given all.
bool draft_apply(json_t *draft, const json_t *event, struct clinic_error *error);

// Reads the chart in the background, so that the next draft of this template finds it known.
bool draft_warm(const struct draft_request *request, struct clinic_error *error);

// ---- What a doctor does with a draft; each adds 1 to its "revision" and computes what follows
// ---- CLINIC_NOT_FOUND: no such field, sentence or omission. CLINIC_CONFLICT: it is not what was
// seen.
bool draft_edit(struct draft_ground *ground, const struct record_template *record, json_t *draft,
                const char *field, const char *text, struct clinic_error *error);
bool draft_lock(json_t *draft, const char *field, bool is_locked, struct clinic_error *error);
// The sentence's text must be the one that the doctor saw.
bool draft_accept(json_t *draft, const char *field, size_t sentence, const char *text,
                  const char *reason, struct clinic_error *error);
bool draft_insert(struct draft_ground *ground, const struct record_template *record, json_t *draft,
                  const char *omission, struct clinic_error *error);
bool draft_dismiss(json_t *draft, const char *omission, const char *reason,
                   struct clinic_error *error);
json_t *draft_field(const json_t *draft, const char *field); // borrowed; NULL: it has none

// [{"id", …}] of clinic/facts, of the clean record: what GET …/conflicts gives. New reference.
json_t *draft_conflicts(struct draft_ground *ground, struct clinic_error *error);

#endif
