// SPDX-License-Identifier: Apache-2.0
// Members of resources: by path, codes, names, times.
#include "clinic/record/fhir_bundle.h"
#include "clinic/record/member_table.h"

#include <stdio.h>
#include <string.h>

enum { STEP_BYTES = 64 };

const json_t *fhir_find(const json_t *value, const char *path) {
    while (value) {
        if (json_is_array(value)) value = json_array_get(value, 0);
        if (*path == '\0') return value;
        char step[STEP_BYTES];
        size_t n = strcspn(path, ".|");
        if (n >= sizeof step) return NULL;
        memcpy(step, path, n);
        step[n] = '\0';
        value = json_object_get(value, step);
        path += n;
        if (*path == '|' || *path == '\0') break;
        path++;
    }
    if (json_is_array(value)) value = json_array_get(value, 0);
    return value && !json_is_null(value) ? value : NULL;
}

const char *fhir_string(const json_t *value, const char *path) {
    const char *text = json_string_value(fhir_find(value, path));
    return text && text[0] != '\0' ? text : NULL;
}

bool fhir_is(const json_t *value, const char *path, const char *word) {
    const char *text = fhir_string(value, path);
    return text && strcmp(text, word) == 0;
}

const char *fhir_concept(const json_t *concept) {
    if (json_is_array(concept)) concept = json_array_get(concept, 0);
    const char *text = fhir_string(concept, "text");
    const json_t *codings = json_object_get(concept, "coding");
    for (size_t i = 0; !text && i < json_array_size(codings); i++)
        text = fhir_string(json_array_get(codings, i), "display");
    return text ? text : fhir_string(concept, "coding.code");
}

const char *fhir_code(const json_t *concept, const char *system_part) {
    const json_t *codings = json_object_get(concept, "coding");
    for (size_t i = 0; i < json_array_size(codings); i++) {
        const json_t *coding = json_array_get(codings, i);
        const char *system = fhir_string(coding, "system");
        if (strstr(system ? system : "", system_part)) return fhir_string(coding, "code");
    }
    return NULL;
}

bool fhir_has_code(const json_t *concept, const char *code) {
    const json_t *codings = json_object_get(concept, "coding");
    for (size_t i = 0; i < json_array_size(codings); i++) {
        if (fhir_is(json_array_get(codings, i), "code", code)) return true;
    }
    return fhir_is(concept, "text", code);
}

bool fhir_any_code(const json_t *concepts, const char *code) {
    if (!json_is_array(concepts)) return fhir_has_code(concepts, code);
    for (size_t i = 0; i < json_array_size(concepts); i++) {
        if (fhir_has_code(json_array_get(concepts, i), code)) return true;
    }
    return false;
}

const char *fhir_type(const json_t *resource) {
    const char *type = fhir_string(resource, "resourceType");
    return type ? type : "";
}

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
            char name[STEP_BYTES];
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
