// SPDX-License-Identifier: Apache-2.0
// What a cache file of packed weights has to begin with, derived from the checkpoint alone, and
// what it is called. Reading a file is then a comparison.
#include "model/packed_file.h"

#include "base/hash64.h"
#include "model/packed_head.h"
#include "numeric/packed.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char PACKED_MAGIC[8] = "XLPACK\r\n";
enum { BYTE_ORDER_MARK = 0x01020304, PAGE_ALIGNMENT = 4096 };

struct packed_entry {
    uint32_t dtype, name_bytes;
    int32_t n_rows, n_columns;
    uint64_t offset, size_bytes; // of the panels
};
_Static_assert(sizeof(struct packed_header) == 64, "no padding in a file format");
_Static_assert(sizeof(struct packed_entry) == 32, "no padding in a file format");

bool packed_file_directory(char *directory, size_t directory_size) {
    const char *given = getenv("XINGLIN_CACHE"), *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int n;
    if (given && given[0]) {
        if (strcmp(given, "off") == 0) return false;
        n = snprintf(directory, directory_size, "%s", given);
    } else if (cache && cache[0] == '/') {
        n = snprintf(directory, directory_size, "%s/xinglin/packed", cache);
    } else if (home && home[0] == '/') {
        n = snprintf(directory, directory_size, "%s/.cache/xinglin/packed", home);
    } else {
        return false;
    }
    return n > 0 && (size_t)n < directory_size;
}

// The state of all files that the tensors come from.
static uint64_t hash_state(const struct checkpoint *checkpoint, uint64_t hash) {
    for (size_t i = 0; i < checkpoint_n_files(checkpoint); i++) {
        const struct file_identity *identity = checkpoint_file_identity(checkpoint, i);
        hash = hash64(identity, sizeof *identity, hash);
    }
    return hash;
}

static uint64_t table_bytes(const struct model_weights *weights) {
    uint64_t size = 0;
    for (size_t i = 0; i < weights->n_sources; i++)
        size += sizeof(struct packed_entry) + strlen(weights->sources[i].tensor->name);
    return size;
}

static void fill_table(const struct model_weights *weights, uint8_t *table) {
    uint8_t *names = table + weights->n_sources * sizeof(struct packed_entry);
    uint64_t offset = 0;
    for (size_t i = 0; i < weights->n_sources; i++) {
        const struct weight *weight = weights->sources[i].weight;
        const char *name = weights->sources[i].tensor->name;
        struct packed_entry entry = {
            .dtype = (uint32_t)weight->dtype,
            .name_bytes = (uint32_t)strlen(name),
            .n_rows = weight->n_rows,
            .n_columns = weight->n_columns,
            .offset = offset,
            .size_bytes = packed_size_bytes(weight->dtype, weight->n_rows, weight->n_columns),
        };
        memcpy(table + i * sizeof entry, &entry, sizeof entry);
        memcpy(names, name, entry.name_bytes);
        names += entry.name_bytes;
        offset += entry.size_bytes;
    }
}

static enum status fill_plan(struct packed_plan *plan, const struct model_weights *weights,
                             const struct checkpoint *checkpoint, const char *directory,
                             const char *source_path, struct error *err) {
    struct packed_header header = {
        .byte_order = BYTE_ORDER_MARK,
        .version = PACKED_VERSION,
        .source = hash64(source_path, strlen(source_path), 0),
        .state = hash_state(checkpoint, PACKED_VERSION),
        .n_tensors = weights->n_sources,
        .head_bytes = plan->head_bytes,
        .panels_bytes = plan->panels_bytes,
    };
    memcpy(header.magic, PACKED_MAGIC, sizeof header.magic);
    plan->head = calloc(1, (size_t)plan->head_bytes);
    size_t path_size = strlen(directory) + 64;
    plan->path = malloc(path_size);
    if (!plan->head || !plan->path) return error_no_memory(err, "a file's head", plan->head_bytes);
    memcpy(plan->head, &header, sizeof header);
    fill_table(weights, plan->head + sizeof header);
    snprintf(plan->path, path_size, "%s/" PACKED_NAME_FORMAT, directory,
             (unsigned long long)header.source, (unsigned long long)header.state);
    return STATUS_OK;
}

enum status packed_plan_init(struct packed_plan *plan, const struct model_weights *weights,
                             const struct checkpoint *checkpoint, const char *directory,
                             uint64_t panels_bytes, struct error *err) {
    memset(plan, 0, sizeof *plan);
    plan->panels_bytes = panels_bytes;
    plan->n_hashes = (panels_bytes + HASH_BLOCK_BYTES - 1) / HASH_BLOCK_BYTES;
    plan->hashes_offset = sizeof(struct packed_header) + (table_bytes(weights) + 7) / 8 * 8;
    plan->head_bytes = plan->hashes_offset + plan->n_hashes * sizeof(uint64_t);
    plan->head_bytes = (plan->head_bytes + PAGE_ALIGNMENT - 1) / PAGE_ALIGNMENT * PAGE_ALIGNMENT;
    char *source_path = realpath(checkpoint_path(checkpoint), NULL);
    if (!source_path)
        return error_set(err, STATUS_FAILED, "%s: has no path", checkpoint_path(checkpoint));
    enum status status = fill_plan(plan, weights, checkpoint, directory, source_path, err);
    free(source_path);
    return status;
}

void packed_plan_deinit(struct packed_plan *plan) {
    free(plan->path);
    free(plan->head);
    memset(plan, 0, sizeof *plan);
}
