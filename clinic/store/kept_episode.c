// SPDX-License-Identifier: Apache-2.0
// See kept_episode.h.
#include "clinic/store/kept_episode.h"

#include "clinic/store/audit_chain.h"

#include <stdlib.h>

bool kept_episode_find(struct database *database, const char *id, int64_t *version, int64_t *seq,
                       struct clinic_error *error) {
    sqlite3_stmt *query =
        database_query(database, error, "SELECT version, seq FROM episodes WHERE id=?", "t", id);
    if (!query) return false;
    enum database_step step = database_step(database, query, error);
    if (step == STEP_ROW) {
        *version = sqlite3_column_int64(query, 0);
        *seq = sqlite3_column_int64(query, 1);
    } else if (step == STEP_DONE)
        clinic_fail(error, CLINIC_NOT_FOUND, "there is no such episode");
    sqlite3_finalize(query);
    return step == STEP_ROW;
}

json_t *kept_episode_read(struct store *store, struct database *database, const char *id,
                          int64_t *version, struct clinic_error *error) {
    int64_t seq;
    if (!kept_episode_find(database, id, version, &seq, error)) return NULL;
    char *text = audit_text(store, database, seq, SIDE_STATE, error);
    json_t *canonical = text ? kept_value(text, error) : NULL;
    free(text);
    return canonical;
}
