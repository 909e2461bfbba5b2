// SPDX-License-Identifier: Apache-2.0
// The forms of an episode outside the program, for check_record.py. Prints JSON and ends with 0, or
// the error and 1.
//   episode_tool read EPISODE.json               counts of the tables
//   episode_tool import BUNDLE.json              the canonical episode
//   episode_tool export EPISODE.json FIELDS.json the Composition of [{id, name, text, loinc, …}]
//   episode_tool document PUSH.json [TITLES.json] {local_title, format, content}: a row of docs[]
#include "clinic/record/episode_document.h"
#include "clinic/record/fhir_export.h"
#include "clinic/record/fhir_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 40 };

static const char *member(const json_t *row, const char *name) {
    const char *text = json_string_value(json_object_get(row, name));
    return text ? text : "";
}

static const char *optional(const json_t *row, const char *name) {
    return json_string_value(json_object_get(row, name));
}

static json_t *read_counts(json_t *root, struct clinic_error *error) {
    struct episode *e = episode_read(root, error);
    json_t *counts =
        e ? json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "id", e->encounter.id, "docs",
                      e->n_docs, "orders", e->n_orders, "labs", e->n_labs, "vitals", e->n_vitals,
                      "reports", e->n_reports, "diagnoses", e->n_diagnoses, "operations",
                      e->n_operations)
          : NULL;
    episode_free(e);
    return counts;
}

static json_t *export_fields(json_t *root, const json_t *rows, struct clinic_error *error) {
    struct episode *episode = episode_read(root, error);
    struct composition_field fields[FIELDS_MAX];
    int n_fields = 0;
    for (size_t i = 0; i < json_array_size(rows) && i < FIELDS_MAX; i++) {
        const json_t *row = json_array_get(rows, i);
        fields[n_fields++] = (struct composition_field){
            .id = member(row, "id"),
            .name = member(row, "name"),
            .text = optional(row, "text"),
            .loinc = optional(row, "loinc"),
            .element = optional(row, "element"),
            .by = optional(row, "by"),
            .is_from_draft = json_is_true(json_object_get(row, "draft"))};
    }
    struct composition_head head = {.title = "出院记录", .c_code = "C0049", .identifier = "form-1"};
    moment_parse("2025-11-11T10:30:00+08:00", &head.date);
    json_t *composition =
        episode ? composition_from_fields(episode, &head, fields, n_fields, error) : NULL;
    episode_free(episode);
    return composition;
}

static json_t *read_document(const json_t *push, const json_t *titles, struct clinic_error *error) {
    char *text = titles ? json_dumps(titles, 0) : NULL;
    struct title_map *map = title_map_open(text, text ? strlen(text) : 0, error);
    const json_t *content = json_object_get(push, "content");
    json_t *document = NULL;
    if (map)
        document_from_text(member(push, "content"), json_string_length(content),
                           member(push, "format"), member(push, "local_title"), map, &document,
                           error);
    title_map_close(map);
    free(text);
    return document;
}

static json_t *run(const char *command, json_t *first, const json_t *second,
                   struct clinic_error *error) {
    if (strcmp(command, "read") == 0) return read_counts(first, error);
    if (strcmp(command, "import") == 0) return episode_from_fhir(first, NULL, NULL, error);
    if (strcmp(command, "export") == 0) return export_fields(first, second, error);
    if (strcmp(command, "document") == 0) return read_document(first, second, error);
    clinic_fail(error, CLINIC_BAD_INPUT, "usage: episode_tool read|import|export|document FILE …");
    return NULL;
}

int main(int argc, char **argv) {
    struct clinic_error error = {.message = "cannot read the file"};
    json_t *first = argc > 2 ? json_load_file(argv[2], 0, NULL) : NULL;
    json_t *second = argc > 3 ? json_load_file(argv[3], 0, NULL) : NULL;
    json_t *result = first && (argc < 4 || second) ? run(argv[1], first, second, &error) : NULL;
    if (result) {
        json_dumpf(result, stdout, JSON_INDENT(1));
        printf("\n");
    } else {
        printf("%s\n", error.message);
    }
    json_decref(result);
    json_decref(first);
    json_decref(second);
    return result ? 0 : 1;
}
