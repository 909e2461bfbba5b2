// SPDX-License-Identifier: Apache-2.0
#include "engine/convert_name.h"

#include "quantize/recipe.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { NAME_BYTES_MAX = 200 };

static bool cut_end(char *name, const char *end) {
    size_t name_bytes = strlen(name), end_bytes = strlen(end);
    if (name_bytes <= end_bytes || strcasecmp(name + name_bytes - end_bytes, end) != 0)
        return false;
    name[name_bytes - end_bytes] = '\0';
    return true;
}

// "-00001-of-00003"
static void cut_shard_number(char *name) {
    static const char shape[] = "-00000-of-00000";
    size_t name_bytes = strlen(name), shape_bytes = sizeof shape - 1;
    if (name_bytes <= shape_bytes) return;
    char *tail = name + name_bytes - shape_bytes;
    for (size_t i = 0; i < shape_bytes; i++) {
        if (shape[i] == '0' ? !isdigit((unsigned char)tail[i]) : shape[i] != tail[i]) return;
    }
    *tail = '\0';
}

// ".Q4_1", "-q4_k_m", "-sym_int4", "-F16" at the end.
static void cut_type(char *name) {
    size_t at = strlen(name);
    while (at > 0 && name[at - 1] != '.' && name[at - 1] != '-')
        at--;
    if (at > 1 && recipe_find(name + at)) name[at - 1] = '\0';
}

static bool is_everyones_name(const char *name) {
    static const char *const usual[] = {"model", "pytorch_model", "consolidated", "weights"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        size_t length = strlen(usual[i]);
        if (strncmp(name, usual[i], length) == 0 && (name[length] == '\0' || name[length] == '.'))
            return true;
    }
    return false;
}

static const char *last_part(char *path) {
    char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// From an absolute path, which is changed on the way.
static void name_of(char *path, bool is_directory, char *name, size_t name_size) {
    static const char *const ends[] = {".gguf", ".safetensors", ".bin", ".pth", ".pt", ".json"};
    snprintf(name, name_size, "%s", last_part(path));
    if (is_directory) return;
    bool was_cut = false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends && !was_cut; i++)
        was_cut = cut_end(name, ends[i]);
    cut_shard_number(name);
    if (is_everyones_name(name)) {
        char *slash = strrchr(path, '/');
        if (slash && slash != path) {
            *slash = '\0';
            snprintf(name, name_size, "%s", last_part(path));
        }
        return;
    }
    cut_type(name);
}

enum status convert_output_path(char **path, const char *model, const char *type,
                                const char *out_dir, struct error *err) {
    *path = NULL;
    struct stat info;
    char *whole = realpath(model, NULL); // "." and ".." have no name of their own
    if (!whole || stat(whole, &info) != 0) {
        free(whole);
        return error_set(err, STATUS_NOT_FOUND, "%s: no such file or directory", model);
    }
    char name[NAME_BYTES_MAX], lower[32];
    name_of(whole, S_ISDIR(info.st_mode), name, sizeof name);
    free(whole);
    snprintf(lower, sizeof lower, "%s", type);
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    size_t size = strlen(out_dir) + sizeof name + sizeof lower + 16;
    *path = malloc(size);
    if (!*path) return error_no_memory(err, "a path", size);
    const char *separator = out_dir[0] && out_dir[strlen(out_dir) - 1] != '/' ? "/" : "";
    snprintf(*path, size, "%s%s%s-%s.gguf", out_dir, separator, name[0] ? name : "model", lower);
    return STATUS_OK;
}
