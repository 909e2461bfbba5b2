// SPDX-License-Identifier: Apache-2.0
// Drafts in the store: JSON whose content only the draft part knows; the store reads "state" and
// sets "id", "episode", "template", "created", "by" and "revision". Every revision is kept.
#ifndef XL_CLINIC_STORE_DRAFTS_H
#define XL_CLINIC_STORE_DRAFTS_H

#include "clinic/store/store.h"

// Keeps a new draft; sets id, episode, template, created, by, revision 1 in `draft` and copies the
// id. Audit: draft.create. CLINIC_NOT_FOUND: no such episode.
bool store_create_draft(struct store *store, const struct actor *actor, const char *episode,
                        const char *template, json_t *draft, char id[STORE_ID_BYTES],
                        struct clinic_error *error);

// What a change of a draft was, for the audit: a short readable before and after (the sentence that
// was accepted and the reason, the field's text) beside the whole revision. NULLs are allowed.
struct draft_change {
    const char *action; // "draft.edit", "draft.stop", "draft.accept", "draft.insert", "override", …
    const json_t *before, *after;
};

// Keeps the draft as revision expected + 1 and sets "revision" in `draft`. CLINIC_CONFLICT: it is
// not at `expected` any more; nothing is kept.
bool store_save_draft(struct store *store, const struct actor *actor, const char *id, json_t *draft,
                      int64_t expected_revision, const struct draft_change *change,
                      struct clinic_error *error);
bool store_get_draft(struct store *store, const char *id, json_t **draft,
                     struct clinic_error *error);
// [{"id", "template", "state", "created", "by", "revision"}] of an episode, newest first.
bool store_list_drafts(struct store *store, const char *episode, json_t **drafts,
                       struct clinic_error *error);
// After a start: drafts that a dead process left in "running" become "stopped" (audit:
// draft.stop). `n_stopped` may be NULL.
bool store_stop_drafts(struct store *store, const struct actor *actor, int *n_stopped,
                       struct clinic_error *error);

#endif
