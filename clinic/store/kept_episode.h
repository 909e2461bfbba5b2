// SPDX-License-Identifier: Apache-2.0
// The newest version of an episode as it is kept. Inside clinic/store only, in a change or a
// reading of the caller's.
#ifndef XL_CLINIC_KEPT_EPISODE_H
#define XL_CLINIC_KEPT_EPISODE_H

#include "clinic/store/store_core.h"

// Its version and the number of its line in the audit; CLINIC_NOT_FOUND.
bool kept_episode_find(struct database *database, const char *id, int64_t *version, int64_t *seq,
                       struct clinic_error *error);
// Its canonical JSON, a new value. NULL with an error.
json_t *kept_episode_read(struct store *store, struct database *database, const char *id,
                          int64_t *version, struct clinic_error *error);

#endif
