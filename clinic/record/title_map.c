// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/title_map.h"

#include "clinic/record/episode_budget.h"
#include "clinic/record/member_table.h"

#include <stdlib.h>
#include <string.h>

enum { TYPES_MAX = 500, TITLES_MAX = 200, LABELS_MAX = 200, TITLE_BYTES = 512 };

struct title_map {
    json_t *roots[2]; // the hospital's and the built-in one
    struct document_type *types;
    int n_types; // the last is for what no title matches
};

// Copies without white space (ASCII, no-break, ideographic) and in lower case, for matching.
static void plain_title(const char *title, char plain[TITLE_BYTES]) {
    size_t n = 0;
    while (*title != '\0' && n + 1 < TITLE_BYTES) {
        if (strncmp(title, "\xC2\xA0", 2) == 0) {
            title += 2;
        } else if (strncmp(title, "\xE3\x80\x80", 3) == 0) {
            title += 3;
        } else if (*title == ' ' || *title == '\t' || *title == '\n' || *title == '\r') {
            title++;
        } else {
            char c = *title++;
            plain[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
        }
    }
    plain[n] = '\0';
}

// "介入*同意书": its parts stand in the title, one after the other.
static bool matches(const char *given, const char *plain) {
    char whole[TITLE_BYTES];
    plain_title(given, whole);
    for (const char *pattern = whole;;) {
        char part[TITLE_BYTES];
        size_t length = strcspn(pattern, "*");
        if (length >= sizeof part) return false;
        memcpy(part, pattern, length);
        part[length] = '\0';
        plain = strstr(plain, part);
        if (!plain) return false;
        plain += length;
        if (pattern[length] == '\0') return true;
        pattern += length + 1;
    }
}

const struct document_type *title_map_type(const struct title_map *map, const char *local_title) {
    char plain[TITLE_BYTES];
    plain_title(local_title, plain);
    for (int i = 0; i < map->n_types - 1; i++) {
        size_t k;
        json_t *title;
        json_array_foreach(map->types[i].titles, k, title) {
            if (matches(json_string_value(title), plain)) return &map->types[i];
        }
    }
    return &map->types[map->n_types - 1];
}

const struct document_type *title_map_code(const struct title_map *map, const char *c_code) {
    for (int i = 0; i < map->n_types; i++) {
        if (strcmp(map->types[i].c_code, c_code) == 0) return &map->types[i];
    }
    return NULL;
}

void title_map_find(const struct title_map *map, const char *local_title, const char **c_code,
                    const char **type) {
    const struct document_type *found = title_map_type(map, local_title);
    *c_code = found->c_code;
    *type = found->type;
}

static bool are_strings(const json_t *array, size_t most) {
    if (!json_is_array(array) || json_array_size(array) > most) return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *value = json_array_get(array, i);
        size_t bytes = json_string_length(value);
        if (!json_is_string(value) || bytes == 0 || bytes >= TITLE_BYTES) return false;
    }
    return true;
}

static int count_labels(const json_t *sections) {
    int n = 0;
    for (size_t i = 0; i < json_array_size(sections); i++)
        n += (int)json_array_size(json_object_get(json_array_get(sections, i), "labels"));
    return n;
}

static bool read_labels(const json_t *row, struct document_type *type, const struct place *place,
                        struct clinic_error *error) {
    const json_t *sections = json_object_get(row, "sections");
    if (!sections) return true;
    if (!json_is_array(sections) || json_array_size(sections) > LABELS_MAX)
        return place_fail(place, "sections", error, "must be an array of at most 200 rows");
    for (size_t i = 0; i < json_array_size(sections); i++) {
        const json_t *section = json_array_get(sections, i);
        if (json_string_length(json_object_get(section, "name")) == 0 ||
            !are_strings(json_object_get(section, "labels"), 50))
            return place_fail(place, "sections", error, "a row needs name and labels[]");
    }
    type->labels = calloc((size_t)count_labels(sections) + 1, sizeof *type->labels);
    if (!type->labels) return clinic_fail_memory(error);
    for (size_t i = 0; i < json_array_size(sections); i++) {
        const json_t *section = json_array_get(sections, i);
        const json_t *labels = json_object_get(section, "labels");
        for (size_t k = 0; k < json_array_size(labels); k++) {
            type->labels[type->n_labels++] = (struct section_label){
                .name = json_string_value(json_object_get(section, "name")),
                .label = json_string_value(json_array_get(labels, k)),
                .order = (int)i,
                .is_forward = json_is_true(json_object_get(section, "forward"))};
        }
    }
    return true;
}

static bool read_type(const json_t *row, bool needs_titles, struct document_type *type,
                      const struct place *place, struct clinic_error *error) {
    static const struct member members[] = {
        {"type", MEMBER_ID, MEMBER_REQUIRED, offsetof(struct document_type, type), NULL},
        {"c_code", MEMBER_ID, MEMBER_REQUIRED, offsetof(struct document_type, c_code), NULL},
        {"body", MEMBER_TEXT, MEMBER_REQUIRED, offsetof(struct document_type, body), NULL},
    };
    if (!member_table_read(row, members, sizeof members / sizeof *members, type, place, error))
        return false;
    type->titles = json_object_get(row, "titles");
    if (needs_titles && (!are_strings(type->titles, TITLES_MAX)))
        return place_fail(place, "titles", error, "must be an array of at most 200 strings");
    return read_labels(row, type, place, error);
}

static bool check_head(const json_t *root, struct clinic_error *error) {
    const char *format = json_string_value(json_object_get(root, "format"));
    const json_t *types = json_object_get(root, "types");
    if (!format || strcmp(format, "xinglin-document-titles") != 0 ||
        json_integer_value(json_object_get(root, "version")) != 1)
        return clinic_fail(
            error, CLINIC_BAD_INPUT,
            "document titles: format must be \"xinglin-document-titles\", version 1");
    if (!json_is_array(types) || json_array_size(types) > TYPES_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT,
                           "document titles: types must be an array of at most 500 rows");
    return true;
}

// Appends the types of one file, and its "other" as the last if `is_last`.
static bool add_types(struct title_map *map, const json_t *root, bool is_last,
                      struct clinic_error *error) {
    const json_t *types = json_object_get(root, "types");
    for (size_t i = 0; i < json_array_size(types); i++) {
        struct place place = {"types", i, NULL};
        if (!read_type(json_array_get(types, i), true, &map->types[map->n_types++], &place, error))
            return false;
    }
    struct place place = {"other", SIZE_MAX, NULL};
    return !is_last || read_type(json_object_get(root, "other"), false, &map->types[map->n_types++],
                                 &place, error);
}

struct title_map *title_map_open(const char *json, size_t json_bytes, struct clinic_error *error) {
    struct title_map *map = calloc(1, sizeof *map);
    if (!map) {
        clinic_fail_memory(error);
        return NULL;
    }
    int n_roots = 0;
    bool is_open = true, needs_builtin = json == NULL;
    if (json) {
        map->roots[0] = episode_budget_parse(json, json_bytes, "the document titles", error);
        n_roots = 1;
        is_open = map->roots[0] && check_head(map->roots[0], error);
        // A map without "other" stands before the built-in one.
        needs_builtin = is_open && !json_object_get(map->roots[0], "other");
    }
    if (is_open && needs_builtin) {
        map->roots[n_roots] =
            episode_budget_parse((const char *)document_titles_json, document_titles_json_bytes,
                                 "the built-in document titles", error);
        is_open = map->roots[n_roots] && check_head(map->roots[n_roots], error);
        n_roots++;
    }
    map->types = is_open ? calloc(2 * TYPES_MAX + 1, sizeof *map->types) : NULL;
    if (is_open && !map->types) is_open = clinic_fail_memory(error);
    for (int i = 0; is_open && i < n_roots; i++)
        is_open = add_types(map, map->roots[i], i == n_roots - 1, error);
    if (is_open) return map;
    title_map_close(map);
    return NULL;
}

void title_map_close(struct title_map *map) {
    if (!map) return;
    for (int i = 0; i < map->n_types; i++)
        free(map->types[i].labels);
    free(map->types);
    for (int i = 0; i < 2; i++)
        json_decref(map->roots[i]);
    free(map);
}
