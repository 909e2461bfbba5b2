// SPDX-License-Identifier: Apache-2.0
// Grammars damaged at random, a little at a time, always the same way: fuzz_grammars CORPUS [N]
// [SEED]. Pieces of the corpus (gbnf/*.gbnf, schema/*.json) are cut, doubled, swapped and put into
// each other, compiled and followed. Part of the tests; fuzz_gbnf and fuzz_schema go on for longer.
#include "fuzz_grammar.h"

#include "grammar/grammar_gbnf.h"
#include "grammar/grammar_schema.h"
#include "sampler/random_stream.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 64, TEXT_MAX = 1 << 14 };

static struct seed {
    char text[TEXT_MAX];
    size_t size_bytes;
    bool is_schema;
} seeds[FILES_MAX];

static int n_seeds;

static void load(const char *folder, const char *kind) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, kind);
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)) && n_seeds < FILES_MAX) {
        if (entry->d_name[0] == '.') continue;
        char name[4096 + 512];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        FILE *file = fopen(name, "rb");
        if (!file) continue;
        struct seed *seed = &seeds[n_seeds++];
        seed->size_bytes = fread(seed->text, 1, TEXT_MAX, file);
        seed->is_schema = strcmp(kind, "schema") == 0;
        fclose(file);
    }
    if (directory) closedir(directory);
}

static int compare_seeds(const void *a, const void *b) {
    return memcmp(((const struct seed *)a)->text, ((const struct seed *)b)->text, TEXT_MAX);
}

static size_t below(struct random_stream *random, size_t n) {
    return n ? (size_t)(random_stream_next(random) % n) : 0;
}

// Replaces a slice by a slice of `from`.
static size_t splice(struct random_stream *random, char *text, size_t n, const struct seed *from) {
    size_t begin = below(random, n), end = begin + below(random, n - begin < 30 ? n - begin : 30);
    size_t first = below(random, from->size_bytes), room = TEXT_MAX - (n - (end - begin));
    size_t size = below(random, from->size_bytes - first < 60 ? from->size_bytes - first : 60);
    if (size > room) size = room;
    memmove(text + begin + size, text + end, n - end);
    memcpy(text + begin, from->text + first, size);
    return n - (end - begin) + size;
}

// A JSON value of a schema in place of another one, by their brackets and colons.
static size_t mutate(struct random_stream *random, char *text, size_t n, bool is_schema) {
    static const char *const pieces[] = {
        "{}",      "[]",   "true", "false", "0", "-1", "1e9", "null", "\"\"", "{\"$ref\":\"#\"}",
        "2000000", "|",    "*",    "{2,5}", "(", ")",  "[^",  "]",    "root", "\\",
        ".",       "\"a\""};
    const struct seed *from = &seeds[below(random, (size_t)n_seeds)];
    switch (below(random, 4)) {
    case 0:
        return splice(random, text, n, from);
    case 1:
        if (n > 0) text[below(random, n)] = (char)random_stream_next(random);
        return n;
    default:
        break;
    }
    // Between two places where a value may begin or end.
    const char *signs = is_schema ? ",:{}[]" : " |()\n";
    const char *piece = pieces[below(random, sizeof pieces / sizeof *pieces)];
    size_t begin = below(random, n), size = strlen(piece), end;
    while (begin < n && !strchr(signs, text[begin]))
        begin++;
    end = ++begin;
    while (end < n && !strchr(signs, text[end]))
        end++;
    if (end > n || n - (end - begin) + size > TEXT_MAX) return n;
    memmove(text + begin + size, text + end, n - end);
    memcpy(text + begin, piece, size);
    return n - (end - begin) + size;
}

// ---- Schemas as trees --------------------------------------------------------------------------

// A value somewhere inside; sometimes the whole.
static json_t *pick(struct random_stream *random, json_t *value, json_t **parent, const char **key,
                    size_t *index) {
    *parent = NULL;
    while (below(random, 4) != 0) {
        size_t n = json_is_array(value) ? json_array_size(value) : json_object_size(value), at;
        if (n == 0) break;
        *parent = value;
        *index = at = below(random, n);
        if (json_is_array(value)) {
            value = json_array_get(value, at);
            continue;
        }
        void *item = json_object_iter(value);
        while (at-- > 0)
            item = json_object_iter_next(value, item);
        *key = json_object_iter_key(item);
        value = json_object_iter_value(item);
    }
    return value;
}

static json_t *new_value(struct random_stream *random, json_t *old) {
    static const json_int_t numbers[] = {0, 1, 2, 3, 7, 100, 2000, -1, 1000000, INT64_MAX};
    json_t *parent;
    const char *key;
    size_t index;
    if (json_is_integer(old) && below(random, 2))
        return json_integer(numbers[below(random, sizeof numbers / sizeof *numbers)]);
    for (int i = 0; i < 20; i++) {
        const struct seed *from = &seeds[below(random, (size_t)n_seeds)];
        if (!from->is_schema) continue;
        json_t *donor = json_loadb(from->text, from->size_bytes, 0, NULL);
        json_t *value = json_deep_copy(pick(random, donor, &parent, &key, &index));
        json_decref(donor);
        if (value && json_typeof(value) == json_typeof(old)) return value;
        json_decref(value);
    }
    return json_true();
}

// Values replaced by others of their kind; returns the new text's size.
static size_t change_tree(struct random_stream *random, char *text, size_t n) {
    json_t *root = json_loadb(text, n, 0, NULL), *parent;
    const char *key;
    size_t index;
    for (size_t k = 1 + below(random, 4); root && k > 0; k--) {
        json_t *old = pick(random, root, &parent, &key, &index);
        if (json_is_array(parent)) json_array_set_new(parent, index, new_value(random, old));
        if (json_is_object(parent) && below(random, 6) == 0)
            json_object_del(parent, key);
        else if (json_is_object(parent))
            json_object_set_new(parent, key, new_value(random, old));
    }
    size_t size = root ? json_dumpb(root, text, TEXT_MAX, JSON_COMPACT) : 0;
    json_decref(root);
    return size > 0 && size <= TEXT_MAX ? size : n;
}

int main(int argc, char **argv) {
    struct random_stream random;
    static char text[TEXT_MAX];
    long n_tries = argc > 2 ? strtol(argv[2], NULL, 10) : 3000, n_compiled = 0;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 20261123;
    if (argc < 2) return 2;
    load(argv[1], "gbnf");
    load(argv[1], "schema");
    if (n_seeds == 0) return 2;
    qsort(seeds, (size_t)n_seeds, sizeof *seeds, compare_seeds); // whatever order the folder has
    random_stream_init(&random, seed);
    printf("seed %llu\n", (unsigned long long)seed);
    for (long i = 0; i < n_tries; i++) {
        struct grammar_program *program;
        struct error err;
        const struct seed *from = &seeds[below(&random, (size_t)n_seeds)];
        size_t n = from->size_bytes;
        memcpy(text, from->text, n);
        if (from->is_schema && below(&random, 4) != 0)
            n = change_tree(&random, text, n);
        else
            for (size_t k = 1 + below(&random, 3); k > 0; k--)
                n = mutate(&random, text, n, from->is_schema);
        char *exact = malloc(n + 1); // so that a sanitizer sees the end
        if (!exact) return 1;
        memcpy(exact, text, n);
        enum status status = from->is_schema ? grammar_from_schema(&program, exact, n, &err)
                                             : grammar_from_gbnf(&program, exact, n, &err);
        free(exact);
        if (status != STATUS_OK) continue;
        n_compiled++;
        fuzz_grammar_follow(program);
    }
    printf("%ld of %ld grammars compiled\n", n_compiled, n_tries);
    printf("grammars: %ld passed, 0 failed, 0 skipped\n", n_tries);
    return 0;
}
