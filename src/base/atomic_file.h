// SPDX-License-Identifier: Apache-2.0
// A file that appears whole or not at all: written without a name where the file system allows it
// (O_TMPFILE, so that even SIGKILL leaves nothing behind), else under a temporary name beside the
// target; synced, then given its name.
#ifndef XL_BASE_ATOMIC_FILE_H
#define XL_BASE_ATOMIC_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct atomic_file;

// The directory of `path` must exist. Errors: STATUS_NOT_FOUND, STATUS_FAILED, STATUS_NO_SPACE.
enum status atomic_file_create(struct atomic_file **file, const char *path, struct error *err);
// Sequential, buffered. STATUS_NO_SPACE when the disk is full; sticky after a failure.
enum status atomic_file_write(struct atomic_file *file, const void *data, size_t size_bytes,
                              struct error *err);
// Overwrites bytes already written (for a header that is known last).
enum status atomic_file_write_at(struct atomic_file *file, uint64_t offset_bytes, const void *data,
                                 size_t size_bytes, struct error *err);
int atomic_file_descriptor(const struct atomic_file *file);  // stays the file's; for its mode
uint64_t atomic_file_offset(const struct atomic_file *file); // bytes written so far
// Flushes, syncs file and directory, gives the file its name (replacing one of that name) and frees
// `file`, also on failure (then nothing is left behind).
enum status atomic_file_commit(struct atomic_file *file, struct error *err);
// The same without waiting for the disk: after a power cut the file may have the name and not the
// bytes. For files whose reader checks every byte and can do without.
enum status atomic_file_commit_unsynced(struct atomic_file *file, struct error *err);
// Drops everything written and frees `file`. NULL is allowed.
void atomic_file_abort(struct atomic_file *file);

#ifdef __cplusplus
}
#endif
#endif
