// SPDX-License-Identifier: Apache-2.0
// What a source is called and what a row of a table says, in the words a doctor reads.
#ifndef XL_CLINIC_SOURCE_WORDS_H
#define XL_CLINIC_SOURCE_WORDS_H

#include "clinic/record/source.h"

enum { ROW_ID_BYTES = 112 };

// JSON strings; NULL: no memory. The source must be one of the episode.
json_t *source_label(const struct episode *episode, const struct source *source);
json_t *source_quote(const struct episode *episode, const struct source *source);

// "admit@2025-11-03T09:40:00+08:00", or the time alone if `type` is "".
void source_made_id(const char *type, struct moment at, char id[ROW_ID_BYTES]);

#endif
