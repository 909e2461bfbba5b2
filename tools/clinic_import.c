// SPDX-License-Identifier: Apache-2.0
// `xinglin clinic import`: files of episodes into the store, one transaction each. In folders,
// which are walked in the order of names, JSON files of other kinds are passed over; a file that is
// named must be an episode.
#include "tools/clinic_command.h"
#include "tools/terminal.h"

#include "clinic/record/fhir_import.h"
#include "clinic/store/store_episodes.h"
#include "server/json_memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 8, PATH_BYTES = 4096 };
static const off_t file_bytes_max = (off_t)64 << 20;

struct import {
    const struct clinic_options *options;
    struct store *store;
    struct actor actor;
    int n_done, status; // status: of the first failure
};

static void fail(struct import *import, int status) {
    if (import->status == 0) import->status = status;
}

static void put(struct import *import, const char *path, json_t *episode, const char *source,
                int n_left_out) {
    struct clinic_error error = {0};
    struct put_result result;
    if (!store_put_episode(import->store, &import->actor, episode, source, &result, &error)) {
        fail(import, clinic_fail_command(import->options, path, &error));
        return;
    }
    import->n_done++;
    clinic_print_text(result.id);
    printf("\t%lld\t%s", (long long)result.version,
           result.created   ? "new"
           : result.changed ? "changed"
                            : "unchanged");
    if (n_left_out > 0) printf("\t%d observations left out", n_left_out);
    putchar('\n');
}

static void put_bundle(struct import *import, const char *path, const json_t *bundle) {
    struct clinic_error error = {0};
    int n_left_out = 0;
    json_t *episode = episode_from_fhir(bundle, NULL, &n_left_out, &error);
    if (episode)
        put(import, path, episode, "fhir", n_left_out);
    else
        fail(import, clinic_fail_command(import->options, path, &error));
    json_decref(episode);
}

static bool says(const json_t *root, const char *member, const char *value) {
    const char *text = json_string_value(json_object_get(root, member));
    return text && strcmp(text, value) == 0;
}

static void take_file(struct import *import, const char *path, off_t n_bytes, bool is_named) {
    const char *command = import->options->command;
    if (n_bytes > file_bytes_max) {
        fail(import,
             terminal_fail_text(command, CLINIC_EXIT_INPUT, "%s: longer than 64 MiB", path));
        return;
    }
    json_error_t problem;
    json_memory_begin();
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    if (json_memory_is_lost()) { // and the parser may have lost a letter
        json_decref(root);
        fail(import, terminal_fail_text(command, 4, "%s: out of memory", path));
        return;
    }
    // The parser's message may quote the text around a mistake: only its place is told.
    if (!root && (is_named || n_bytes > 0))
        fail(import,
             terminal_fail_text(command, CLINIC_EXIT_INPUT, "%s: no JSON (line %d, column %d)",
                                path, problem.line, problem.column));
    else if (says(root, "format", "xinglin-episode"))
        put(import, path, root, "json", 0);
    else if (says(root, "resourceType", "Bundle"))
        put_bundle(import, path, root);
    else if (is_named)
        fail(import, terminal_fail_text(command, CLINIC_EXIT_INPUT,
                                        "%s: neither an episode nor a FHIR Bundle", path));
    json_decref(root);
}

static bool is_json_name(const char *name) {
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".json") == 0;
}

static int is_listed(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void take_path(struct import *import, const char *path, int depth);

static void take_folder(struct import *import, const char *path, int depth) {
    struct dirent **entries;
    int n = scandir(path, &entries, is_listed, alphasort);
    if (n < 0) {
        fail(import, terminal_fail_text(import->options->command, CLINIC_EXIT_INPUT, "%s: %s", path,
                                        strerror(errno)));
        return;
    }
    for (int i = 0; i < n; i++) {
        char inside[PATH_BYTES];
        if (snprintf(inside, sizeof inside, "%s/%s", path, entries[i]->d_name) < (int)sizeof inside)
            take_path(import, inside, depth + 1);
        free(entries[i]);
    }
    free(entries);
}

static void take_path(struct import *import, const char *path, int depth) {
    struct stat found;
    bool is_named = depth == 0;
    // Links inside folders are not followed: they might lead round and round.
    if ((is_named ? stat(path, &found) : lstat(path, &found)) != 0)
        fail(import, terminal_fail_text(import->options->command, CLINIC_EXIT_INPUT, "%s: %s", path,
                                        strerror(errno)));
    else if (S_ISDIR(found.st_mode) && depth < DEPTH_MAX)
        take_folder(import, path, depth);
    else if (S_ISREG(found.st_mode) && (is_named || is_json_name(path)))
        take_file(import, path, found.st_size, is_named);
}

int clinic_import(const struct clinic_options *options) {
    json_memory_watch();
    struct import import = {.options = options, .actor = clinic_shell_actor()};
    int opened = clinic_open(options, &import.store);
    if (opened != 0) return opened;
    for (int i = 1; i < options->n_arguments; i++)
        take_path(&import, options->arguments[i], 0);
    store_close(import.store);
    if (import.n_done == 0 && import.status == 0)
        import.status = terminal_fail_text(options->command, CLINIC_EXIT_INPUT,
                                           "there is no episode in what was named");
    return terminal_finish(options->command, import.status);
}
