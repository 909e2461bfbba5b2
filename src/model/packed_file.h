// SPDX-License-Identifier: Apache-2.0
// The packed weights of a checkpoint kept in a file, so that the next load maps them instead of
// packing them again. A file is used only if it is ours (owner, permissions), is about exactly the
// files that are open now (paths, sizes, times, inodes), has the table of tensors that this load
// wants byte for byte, and hashes to what its writer noted; anything else is as if it did not
// exist. So nothing in it is ever parsed.
//
//   header    struct packed_header (packed_file.c)
//   table     per matrix: dtype, rows, columns, length of the name, offset, size; then the names
//   hashes    of each HASH_BLOCK_BYTES of panels
//   panels    from the next page on, in the order of model_weights.sources
#ifndef XL_MODEL_PACKED_FILE_H
#define XL_MODEL_PACKED_FILE_H

#include "base/thread_pool.h"
#include "model/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

// What a file of this model has to begin with, and what it is called.
struct packed_plan {
    char *path;
    uint8_t *head; // header, table and room for the hashes, up to the panels
    uint64_t head_bytes, panels_bytes, hashes_offset, n_hashes;
};

// $XINGLIN_CACHE, which may be "off", else $XDG_CACHE_HOME/xinglin/packed or
// ~/.cache/xinglin/packed. False if there is to be no cache.
bool packed_file_directory(char *directory, size_t directory_size);

// Deinitialise also after a failure.
enum status packed_plan_init(struct packed_plan *plan, const struct model_weights *weights,
                             const struct checkpoint *checkpoint, const char *directory,
                             uint64_t panels_bytes, struct error *err);
void packed_plan_deinit(struct packed_plan *plan);

// Brings the file's panels into weights->memory and attaches them: mapped, or copied (each thread
// what it will multiply) if `copy` or if this system cannot map files by huge pages, without which
// every product would wait for the tables of small ones. False: there is no such file, or none that
// can be trusted.
bool packed_file_load(const struct packed_plan *plan, struct model_weights *weights,
                      struct thread_pool *pool, bool copy, bool *mapped);
// Writes what is packed in weights->memory; replaces older files of the same checkpoint.
enum status packed_file_save(const struct packed_plan *plan, const struct model_weights *weights,
                             struct thread_pool *pool, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
