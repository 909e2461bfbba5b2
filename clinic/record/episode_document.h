// SPDX-License-Identifier: Apache-2.0
// One document as hospitals store it: HTML with labelled spans, or plain text with "现病史："
// lines. The result is plain text in sections. The local title says what document it is; which
// titles mean what, and which labels begin a section, is data:
// clinic/templates/document-titles.json.
#ifndef XL_CLINIC_EPISODE_DOCUMENT_H
#define XL_CLINIC_EPISODE_DOCUMENT_H

#include "clinic/record/clinic_error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct title_map;

// From JSON text, or the built-in one if `json` is NULL. NULL on failure.
struct title_map *title_map_open(const char *json, size_t json_bytes, struct clinic_error *error);
void title_map_close(struct title_map *map); // NULL is allowed

// What a local title means; the strings belong to the map. Never fails: a title that no row knows
// is "X-OTHER", "other".
void title_map_find(const struct title_map *map, const char *local_title, const char **c_code,
                    const char **type);

enum { DOCUMENT_CONTENT_BYTES_MAX = 4 << 20 };

// `format` is "html" or "text". `*document` is a row of docs[] without id, author and times:
// {c_code, type, local_title, format: "text", sections: [{name, text}]}. Text before the first
// label goes to a section 正文. Sections of one name are joined. Time is linear in `bytes`.
bool document_from_text(const char *content, size_t bytes, const char *format,
                        const char *local_title, const struct title_map *map, json_t **document,
                        struct clinic_error *error);

#endif
