// SPDX-License-Identifier: Apache-2.0
// Versions of single documents, by the digest of their content. Inside clinic/store only.
#ifndef XL_CLINIC_EPISODE_DOCUMENTS_H
#define XL_CLINIC_EPISODE_DOCUMENTS_H

#include "clinic/store/store_core.h"

// Gives every document of the episode whose content is new its next version; inside a change.
bool documents_put(struct store *store, const json_t *canonical, struct clinic_error *error);
// Whether the table knows exactly these contents as the newest. False with `why`.
bool documents_check(struct store *store, struct database *database, const json_t *canonical,
                     char *why, size_t why_bytes);
// [{"id", "version", "signed"}] of an episode's newest version; inside a reading. NULL with an
// error.
json_t *documents_list(struct store *store, const json_t *canonical, struct clinic_error *error);

#endif
