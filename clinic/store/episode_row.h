// SPDX-License-Identifier: Apache-2.0
// An episode as a row of the list: what is shown, sorted, searched and scoped by.
#ifndef XL_CLINIC_EPISODE_ROW_H
#define XL_CLINIC_EPISODE_ROW_H

#include <jansson.h>
#include <stdint.h>

// The columns of the projection "episodes", from canonical JSON that episode_read() accepted.
json_t *episode_row_make(const json_t *state, int64_t version, int64_t seq, int64_t at_ms);
// ASCII letters small, as in the column `search`.
void search_fold(char *text);

#endif
