// SPDX-License-Identifier: Apache-2.0
// See fhir_row.h.
#include "clinic/record/fhir_row.h"
#include "clinic/record/member_table.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 64 };

json_t *fhir_made(struct fhir_bundle *bundle, json_t *value) {
    if (!value) bundle->has_no_memory = true;
    return value;
}

json_t *fhir_name(struct fhir_bundle *bundle, const json_t *names) {
    const json_t *name = names;
    for (size_t i = 0; i < json_array_size(names); i++) { // the official one, else the first
        const json_t *row = json_array_get(names, i);
        if (i == 0 || fhir_is(row, "use", "official")) name = row;
    }
    const char *text = fhir_string(name, "text");
    if (text) return fhir_made(bundle, json_string(text));
    const char *family = fhir_string(name, "family"), *given = fhir_string(name, "given");
    if (!family && !given) return NULL;
    return fhir_made(bundle, json_sprintf("%s%s", family ? family : "", given ? given : ""));
}

const char *fhir_time(const struct fhir_bundle *bundle, const json_t *value, char text[32],
                      bool *is_wrong) {
    const char *given = json_string_value(value);
    struct moment moment;
    struct calendar_day day;
    if (!value) return NULL;
    if (given && calendar_day_parse(given, &day)) {
        char whole[48];
        snprintf(whole, sizeof whole, "%sT00:00:00Z", given);
        if (!moment_parse(whole, &moment)) return NULL;
        moment.seconds -= (int64_t)bundle->offset_minutes * 60;
    } else if (!given || !moment_parse(given, &moment)) {
        *is_wrong = true;
        return NULL;
    }
    moment.offset_minutes = bundle->offset_minutes;
    moment_write(moment, text);
    return text;
}

bool fhir_put_time(struct fhir_bundle *bundle, json_t *row, const char *member,
                   const json_t *resource, const char *paths) {
    char text[32];
    bool is_wrong = false;
    for (const char *path = paths; path; path = strchr(path, '|')) {
        path += *path == '|';
        const char *time = fhir_time(bundle, fhir_find(resource, path), text, &is_wrong);
        if (is_wrong) {
            char name[NAME_BYTES];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "|"), path);
            return fhir_fail(bundle, resource, name, "is no dateTime with an offset, and no day");
        }
        if (!time) continue;
        fhir_put_string(bundle, row, member, time);
        return true;
    }
    return true;
}

void fhir_put(struct fhir_bundle *bundle, json_t *row, const char *member, json_t *value) {
    if (!value || json_object_set_new(row, member, value) != 0) bundle->has_no_memory = true;
}

void fhir_put_string(struct fhir_bundle *bundle, json_t *row, const char *member,
                     const char *text) {
    if (text && text[0] != '\0') fhir_put(bundle, row, member, json_string(text));
}

json_t *fhir_add_row(struct fhir_bundle *bundle, const char *table, const char *id) {
    json_t *rows = json_object_get(bundle->episode, table);
    json_t *row = json_object();
    if (!rows || !row || json_array_append_new(rows, row) != 0) {
        bundle->has_no_memory = true;
        return NULL;
    }
    fhir_put_string(bundle, row, "id", id);
    if (strcmp(table, "orders") == 0 && id && json_object_set(bundle->orders, id, row) != 0)
        bundle->has_no_memory = true;
    return row;
}
