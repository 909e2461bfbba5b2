// SPDX-License-Identifier: Apache-2.0
// What a JSON value from outside may cost before anybody reads it.
#ifndef XL_CLINIC_EPISODE_BUDGET_H
#define XL_CLINIC_EPISODE_BUDGET_H

#include "clinic/record/clinic_error.h"

#include <jansson.h>
#include <stddef.h>

enum {
    EPISODE_BYTES_MAX = 32 << 20,
    EPISODE_DEPTH_MAX = 32,
    EPISODE_VALUES_MAX = 4000000,
    EPISODE_ROWS_MAX = 100000,
    EPISODE_DOCS_MAX = 2000,
    EPISODE_SECTIONS_MAX = 200
};

// Depth, count of values, bytes of all strings, and that every string is valid UTF-8 without NUL.
// `what` names the value in messages ("the episode").
bool episode_budget_check(const json_t *root, const char *what, struct clinic_error *error);
// Parses text within the same limits: repeated names of members, NUL and bad UTF-8 are refused.
// The message has the line and column, not the text. NULL on failure.
json_t *episode_budget_parse(const char *text, size_t bytes, const char *what,
                             struct clinic_error *error);

#endif
