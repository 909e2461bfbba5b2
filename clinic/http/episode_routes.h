// SPDX-License-Identifier: Apache-2.0
// Reading episodes: the list, one of them, its conflicts, its form as FHIR.
#ifndef XL_CLINIC_EPISODE_ROUTES_H
#define XL_CLINIC_EPISODE_ROUTES_H

#include "clinic/http/clinic_call.h"

struct draft_ground;
struct episode;

extern const struct field_table search_tables[];
extern const size_t search_n_tables;

bool search_run(struct clinic_call *call);
bool episode_run(struct clinic_call *call);
bool conflicts_run(struct clinic_call *call);
bool composition_run(struct clinic_call *call);

// An episode of the store, read and ready to be drafted from.
struct opened_episode {
    json_t *canonical;
    struct episode *episode;
    struct draft_ground *ground;
    int64_t version;
};
// version 0: the newest.
bool opened_episode_init(struct opened_episode *opened, struct store *store, const char *id,
                         int64_t version, struct clinic_error *error);
void opened_episode_deinit(struct opened_episode *opened);

#endif
