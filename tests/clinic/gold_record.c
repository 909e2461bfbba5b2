// SPDX-License-Identifier: Apache-2.0
// See gold_record.h.
#include "gold_record.h"

#include "harness.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *folder, const char *name) {
    char relative[160], path[4096];
    snprintf(relative, sizeof relative, "examples/episodes/%s/%s", folder, name);
    return harness_repo_path(relative, path, sizeof path) ? json_load_file(path, 0, NULL) : NULL;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const struct gold_episode *)left)->folder,
                  ((const struct gold_episode *)right)->folder);
}

static bool open_one(struct gold_episode *one) {
    struct clinic_error error = {0};
    one->root = load(one->folder, "episode.json");
    if (!one->root) return false;
    one->episode = episode_read(one->root, &error);
    if (!one->episode) {
        printf("    %s: %s\n", one->folder, error.message);
        json_decref(one->root);
        return false;
    }
    one->gold = load(one->folder, "gold.json");
    one->defects = load(one->folder, "defects.json");
    return true;
}

int gold_episodes_open(struct gold_episode episodes[GOLD_EPISODES_MAX]) {
    char path[4096];
    int n = 0, n_open = 0;
    if (!harness_repo_path("examples/episodes", path, sizeof path)) return 0;
    DIR *folder = opendir(path);
    if (!folder) return 0;
    for (struct dirent *entry; n < GOLD_EPISODES_MAX && (entry = readdir(folder));) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || strlen(entry->d_name) >= 64)
            continue;
        episodes[n] = (struct gold_episode){0};
        memcpy(episodes[n++].folder, entry->d_name, strlen(entry->d_name));
    }
    closedir(folder);
    qsort(episodes, (size_t)n, sizeof *episodes, compare_names);
    for (int i = 0; i < n; i++) {
        if (open_one(&episodes[i])) episodes[n_open++] = episodes[i];
    }
    return n_open;
}

void gold_episodes_close(struct gold_episode *episodes, int n) {
    for (int i = 0; i < n; i++) {
        episode_free(episodes[i].episode);
        json_decref(episodes[i].root);
        json_decref(episodes[i].gold);
        json_decref(episodes[i].defects);
    }
}

static bool is_same_place(const struct source *a, const struct source *b) {
    if (a->kind != b->kind || a->row != b->row) return false;
    if (a->kind != SOURCE_DOC && a->kind != SOURCE_REPORT) return true;
    return a->section == b->section && a->start < b->end && b->start < a->end;
}

bool gold_shares_place(const struct episode *episode, const json_t *gold_fact,
                       const struct fact *fact) {
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(gold_fact, "sources"), i, value) {
        struct source source;
        if (!source_from_json(episode, value, &source)) continue;
        for (int k = 0; k < fact->n_sources; k++) {
            if (is_same_place(&source, &fact->sources[k])) return true;
        }
    }
    return false;
}

bool gold_shares_value(const json_t *gold_fact, const struct fact *fact) {
    const char *value = json_string_value(json_object_get(gold_fact, "value"));
    if (!value) return false;
    while (*value) {
        char part[128];
        size_t bytes = strcspn(value, ";");
        if (bytes >= sizeof part) return false;
        memcpy(part, value, bytes);
        part[bytes] = '\0';
        if (!strstr(fact->text, part) && !(fact->value && strstr(fact->value, part))) return false;
        value += bytes;
        value += strspn(value, "; ");
    }
    return true;
}

struct growing {
    char *text;
    size_t bytes, capacity;
};

static void append(struct growing *out, const char *text, size_t bytes) {
    if (out->bytes + bytes + 1 > out->capacity) {
        out->capacity = (out->bytes + bytes + 1) * 2;
        out->text = realloc(out->text, out->capacity);
        if (!out->text) abort();
    }
    memcpy(out->text + out->bytes, text, bytes);
    out->bytes += bytes;
    out->text[out->bytes] = '\0';
}

static size_t sentence_bytes(const char *text) {
    const char *stop = strstr(text, "。"), *half = strstr(text, "；");
    const char *end = stop && (!half || stop < half) ? stop : half;
    return end ? (size_t)(end - text) + strlen("。") : strlen(text);
}

char *gold_text(const json_t *gold, bool (*drop)(void *user, const char *sentence, size_t bytes),
                void *user) {
    struct growing out = {0};
    size_t i;
    json_t *field;
    append(&out, "", 0);
    json_array_foreach(json_object_get(gold, "fields"), i, field) {
        const char *text = json_string_value(json_object_get(field, "text"));
        for (size_t bytes; text && *text; text += bytes) {
            bytes = sentence_bytes(text);
            if (!drop || !drop(user, text, bytes)) append(&out, text, bytes);
        }
        append(&out, "\n", 1);
    }
    return out.text;
}

// --- defects
// --------------------------------------------------------------------------------------

static json_t *row_of(const json_t *root, const json_t *edit) {
    const char *id = json_string_value(json_object_get(edit, "id"));
    const char *table = json_string_value(json_object_get(edit, "table"));
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(root, table), i, row) {
        const char *other = json_string_value(json_object_get(row, "id"));
        if (id && other && strcmp(id, other) == 0) return row;
    }
    return NULL;
}

static bool replace_in(json_t *holder, const char *member, const json_t *edit) {
    const char *text = json_string_value(json_object_get(holder, member));
    const char *quote = json_string_value(json_object_get(edit, "quote"));
    const char *with = json_string_value(json_object_get(edit, "with"));
    if (!text || !quote || !with) return false;
    size_t start = bytes_before(text, strlen(text),
                                (size_t)json_integer_value(json_object_get(edit, "start")));
    if (strncmp(text + start, quote, strlen(quote)) != 0) return false;
    struct growing out = {0};
    append(&out, text, start);
    append(&out, with, strlen(with));
    append(&out, text + start + strlen(quote), strlen(text + start + strlen(quote)));
    bool done = json_object_set_new(holder, member, json_string(out.text)) == 0;
    free(out.text);
    return done;
}

static bool replace_text(json_t *row, const json_t *edit) {
    const char *name = json_string_value(json_object_get(edit, "section"));
    size_t i;
    json_t *section;
    json_array_foreach(json_object_get(row, "sections"), i, section) {
        const char *other = json_string_value(json_object_get(section, "name"));
        if (other && name && strcmp(other, name) == 0) return replace_in(section, "text", edit);
    }
    return name && replace_in(row, name, edit);
}

static bool remove_row(json_t *root, const json_t *edit, const json_t *row) {
    json_t *table = json_object_get(root, json_string_value(json_object_get(edit, "table")));
    for (size_t i = 0; i < json_array_size(table); i++) {
        if (json_array_get(table, i) == row) return json_array_remove(table, i) == 0;
    }
    return false;
}

static bool apply(json_t *root, const json_t *edit) {
    const char *op = json_string_value(json_object_get(edit, "op"));
    json_t *row = row_of(root, edit);
    if (strcmp(op, "add") == 0)
        return json_array_append_new(
                   json_object_get(root, json_string_value(json_object_get(edit, "table"))),
                   json_deep_copy(json_object_get(edit, "row"))) == 0;
    if (!row) return false;
    if (strcmp(op, "replace") == 0) return replace_text(row, edit);
    if (strcmp(op, "remove") == 0) return remove_row(root, edit, row);
    return json_object_set_new(row, json_string_value(json_object_get(edit, "member")),
                               json_deep_copy(json_object_get(edit, "to"))) == 0;
}

struct episode *gold_defective(const struct gold_episode *clean, const json_t *defect,
                               json_t **root) {
    json_t *edits = json_object_get(defect, "edits");
    struct clinic_error error = {0};
    *root = json_deep_copy(clean->root);
    // Later spans first, so that offsets stay true; edits are written in the order of the text.
    for (size_t i = json_array_size(edits); *root && i-- > 0;) {
        if (!apply(*root, json_array_get(edits, i))) {
            json_decref(*root);
            *root = NULL;
        }
    }
    struct episode *episode = *root ? episode_read(*root, &error) : NULL;
    if (*root && !episode) printf("    %s: %s\n", clean->folder, error.message);
    return episode;
}
