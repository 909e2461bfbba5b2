// SPDX-License-Identifier: Apache-2.0
#include "format/shard_index.h"

#include "format/json_file.h"
#include "format/name_index.h"
#include "format/refuse.h"

#include <stdlib.h>
#include <string.h>

enum { INDEX_BYTES_MAX = 32 << 20, FILES_MAX = 4096, FILE_NAME_BYTES_MAX = 255 };

void shard_index_deinit(struct shard_index *index) {
    free(index->path);
    free(index->files);
    free(index->entries);
    json_decref(index->json);
    memset(index, 0, sizeof *index);
}

// A shard lies beside its index: a name with a path in it could reach any file.
static bool is_plain_name(const char *name) {
    size_t length = strlen(name);
    return length > 0 && length <= FILE_NAME_BYTES_MAX && name[0] != '.' && !strchr(name, '/') &&
           !strchr(name, '\\');
}

static enum status add_entry(struct shard_index *index, struct name_index *files,
                             const char *tensor, const json_t *value, struct error *err) {
    const char *file = json_string_value(value);
    if (!file || !is_plain_name(file))
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: weight_map['%.*s'] is not the plain name of a file beside the index",
                         index->path, refuse_quote(strlen(tensor)), tensor);
    size_t number = index->n_files;
    enum name_result added = name_index_add(files, file, strlen(file), number);
    if (added == NAME_NO_MEMORY) return error_no_memory(err, "shard names", 0);
    if (added == NAME_EXISTS)
        name_index_find(files, file, strlen(file), &number);
    else if (index->n_files == FILES_MAX)
        return error_set(err, STATUS_BAD_INPUT, "%s: weight_map names more than %d files",
                         index->path, FILES_MAX);
    else
        index->files[index->n_files++] = file;
    index->entries[index->n_entries++] = (struct shard_entry){tensor, number};
    return STATUS_OK;
}

static enum status read_map(struct shard_index *index, struct name_index *files,
                            struct error *err) {
    json_t *map = json_object_get(index->json, "weight_map"), *value;
    const char *tensor;
    if (!json_is_object(map) || json_object_size(map) == 0)
        return error_set(err, STATUS_BAD_INPUT, "%s: weight_map is missing or empty", index->path);
    size_t n = json_object_size(map);
    index->entries = calloc(n, sizeof *index->entries);
    index->files = calloc(n < FILES_MAX ? n : FILES_MAX, sizeof *index->files);
    if (!index->entries || !index->files)
        return error_no_memory(err, "the index of shards", n * sizeof *index->entries);
    json_object_foreach(map, tensor, value) TRY(add_entry(index, files, tensor, value, err));
    return STATUS_OK;
}

enum status shard_index_read(struct shard_index *index, const char *path, struct error *err) {
    struct name_index files;
    memset(index, 0, sizeof *index);
    index->path = strdup(path);
    if (!index->path) return error_no_memory(err, "a path", strlen(path) + 1);
    TRY(json_file_read(&index->json, path, INDEX_BYTES_MAX, err));
    name_index_init(&files);
    enum status status = read_map(index, &files, err);
    name_index_deinit(&files);
    return status;
}
