// SPDX-License-Identifier: Apache-2.0
// The types of a process: those of the binary, replaced and added to by those of a folder.
#include "clinic/draft/record_template.h"
#include "clinic/draft/template_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20, JSON_FLAGS = JSON_REJECT_DUPLICATES };

struct template_set {
    struct record_template *records[TEMPLATES_MAX];
    int n_records;
};

static bool add(struct template_set *set, struct record_template *record, const char *where,
                struct clinic_error *error) {
    for (int i = 0; i < set->n_records; i++)
        if (strcmp(set->records[i]->id, record->id) == 0) {
            record_template_free(set->records[i]);
            set->records[i] = record;
            return true;
        }
    if (set->n_records == TEMPLATES_MAX) {
        record_template_free(record);
        return clinic_fail(error, CLINIC_BAD_INPUT, "%.80s: there are %d templates already", where,
                           TEMPLATES_MAX);
    }
    set->records[set->n_records++] = record;
    return true;
}

// Other data of the clinic may lie in the same folder: what its "format" says is another's.
static bool is_other_form(const json_t *root) {
    const char *format = json_string_value(json_object_get(root, "format"));
    return format && strncmp(format, "xinglin-", 8) == 0 &&
           strcmp(format, "xinglin-record-template") != 0;
}

static bool add_text(struct template_set *set, const char *where, const char *text, size_t bytes,
                     struct clinic_error *error) {
    json_error_t json_error;
    json_t *root = json_loadb(text, bytes, JSON_FLAGS, &json_error);
    if (!root)
        return clinic_fail(error, CLINIC_BAD_INPUT, "%.80s: line %d: %.100s", where,
                           json_error.line, json_error.text);
    bool is_added = true;
    if (!is_other_form(root)) {
        struct record_template *record = record_template_read(root, where, error);
        is_added = record && add(set, record, where, error);
    }
    json_decref(root);
    return is_added;
}

static bool add_file(struct template_set *set, const char *folder, const char *name,
                     struct clinic_error *error) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return clinic_fail(error, CLINIC_BAD_INPUT, "%.80s: the path is too long", name);
    FILE *file = fopen(path, "rb");
    if (!file) return clinic_fail(error, CLINIC_BAD_INPUT, "%.150s: %.60s", path, strerror(errno));
    char *text = malloc(FILE_BYTES_MAX + 1);
    size_t bytes = text ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;
    bool is_read = text && !ferror(file), fits = bytes <= FILE_BYTES_MAX;
    fclose(file);
    bool is_added = is_read && fits && add_text(set, name, text, bytes, error);
    free(text);
    if (!text) return clinic_fail_memory(error);
    if (!is_read || !fits)
        return clinic_fail(error, CLINIC_BAD_INPUT, "%.150s: %s", path,
                           is_read ? "larger than 1 MiB" : "cannot be read");
    return is_added;
}

// The folder may also hold the titles of documents (clinic/record).
static int is_template(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    if (strcmp(entry->d_name, "document-titles.json") == 0) return 0;
    return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

// In the order of names, so that the list of types is the same every time.
static bool add_folder(struct template_set *set, const char *folder, struct clinic_error *error) {
    struct dirent **entries;
    int n = scandir(folder, &entries, is_template, alphasort);
    bool is_done = n >= 0;
    if (n < 0)
        return clinic_fail(error, CLINIC_BAD_INPUT, "%.150s: %.60s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        is_done = is_done && add_file(set, folder, entries[i]->d_name, error);
        free(entries[i]);
    }
    free(entries);
    return is_done;
}

struct template_set *template_set_open(const char *folder, struct clinic_error *error) {
    struct template_set *set = calloc(1, sizeof *set);
    bool is_done = set != NULL;
    if (!set) clinic_fail_memory(error);
    for (size_t i = 0; is_done && i < n_template_files; i++)
        is_done = add_text(set, template_files[i].name, (const char *)template_files[i].data,
                           template_files[i].size_bytes, error);
    if (is_done && (!folder || add_folder(set, folder, error))) return set;
    template_set_close(set);
    return NULL;
}

void template_set_close(struct template_set *set) {
    if (!set) return;
    for (int i = 0; i < set->n_records; i++)
        record_template_free(set->records[i]);
    free(set);
}

int template_set_count(const struct template_set *set) {
    return set->n_records;
}

const struct record_template *template_set_at(const struct template_set *set, int index) {
    return index >= 0 && index < set->n_records ? set->records[index] : NULL;
}

const struct record_template *template_set_find(const struct template_set *set, const char *id) {
    for (int i = 0; i < set->n_records; i++)
        if (strcmp(set->records[i]->id, id) == 0) return set->records[i];
    return NULL;
}
