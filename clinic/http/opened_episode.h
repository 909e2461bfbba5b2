// SPDX-License-Identifier: Apache-2.0
// An episode of the store, read and ready to be drafted from.
#ifndef XL_CLINIC_OPENED_EPISODE_H
#define XL_CLINIC_OPENED_EPISODE_H

#include "clinic/store/store.h"

struct draft_ground;
struct episode;

struct opened_episode {
    json_t *canonical;
    struct episode *episode;
    struct draft_ground *ground;
    int64_t version;
};

// version 0: the newest.
bool opened_episode_init(struct opened_episode *opened, struct store *store, const char *id,
                         int64_t version, struct clinic_error *error);
void opened_episode_deinit(struct opened_episode *opened); // a zeroed one is allowed

#endif
