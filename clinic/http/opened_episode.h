// SPDX-License-Identifier: Apache-2.0
// Episodes of the store, read and ready to be drafted from: facts taken from their documents and
// tables, the verifier's index of the record. Making that takes longer than most of what is done
// with it, so the charts that were used last stay on a shelf. A version of an episode never
// changes: what is on the shelf cannot be old, and nobody has to clear it.
#ifndef XL_CLINIC_OPENED_EPISODE_H
#define XL_CLINIC_OPENED_EPISODE_H

#include "clinic/store/store.h"

struct chart_shelf;
struct draft_ground;
struct episode;

struct opened_episode {
    json_t *canonical;
    struct episode *episode;
    struct draft_ground *ground; // of one thread at a time
    int64_t version;
    struct chart_shelf *shelf; // where it comes from
};

enum { SHELF_CHARTS = 32, SHELF_WEIGHT_MAX = 10 << 20 };

// Over a store, which must live longer. NULL: no memory. Any thread.
struct chart_shelf *chart_shelf_create(struct store *store);
void chart_shelf_destroy(struct chart_shelf *shelf); // all must be back; NULL is allowed

// version 0: the newest. Whoever has it has it alone: a second one is read anew.
bool opened_episode_init(struct opened_episode *opened, struct chart_shelf *shelf, const char *id,
                         int64_t version, struct clinic_error *error);
// Puts it on the shelf, from which the longest unused ones go: no more than SHELF_CHARTS, whose
// texts and rows weigh no more than SHELF_WEIGHT_MAX bytes together. A zeroed one is allowed.
void opened_episode_deinit(struct opened_episode *opened);

#endif
