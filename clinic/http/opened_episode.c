// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/opened_episode.h"

#include "clinic/draft/draft.h"
#include "clinic/store/store_episodes.h"

bool opened_episode_init(struct opened_episode *opened, struct store *store, const char *id,
                         int64_t version, struct clinic_error *error) {
    *opened = (struct opened_episode){0};
    if (!store_get_episode(store, id, version, &opened->canonical, &opened->version, error))
        return false;
    opened->episode = episode_read(opened->canonical, error);
    if (opened->episode) opened->ground = draft_ground_open(opened->episode, error);
    if (opened->ground) return true;
    opened_episode_deinit(opened);
    return false;
}

void opened_episode_deinit(struct opened_episode *opened) {
    draft_ground_close(opened->ground);
    episode_free(opened->episode);
    json_decref(opened->canonical);
    *opened = (struct opened_episode){0};
}
