// SPDX-License-Identifier: Apache-2.0
// The directory of a prefix store: made, locked, cleaned of what a kill left, and read into an
// index. It opens every file of ours far enough to prove header and tokens, never a page.
#ifndef XL_CACHE_PREFIX_SCAN_H
#define XL_CACHE_PREFIX_SCAN_H

#include "cache/prefix_index.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PREFIX_NAME_SIZE = 2 * PREFIX_MARK_BYTES + 8 }; // "<32 hex>.prefix"

struct prefix_scan {
    const char *directory;
    const struct prefix_key *key;
    struct prefix_mark root;
    uint64_t fingerprint, page_bytes;
    uint64_t n_ignored; // result
};

void prefix_name(const struct prefix_mark *mark, char name[PREFIX_NAME_SIZE]);
// *path is the directory's absolute path, free(); *fd holds the lock until it is closed.
enum status prefix_directory_open(const char *directory, char **path, int *fd, struct error *err);
// Adds all files to an empty index, the longest unused ones first; removes temporary ones.
enum status prefix_scan_run(struct prefix_scan *scan, struct prefix_index *index,
                            struct error *err);

#ifdef __cplusplus
}
#endif
#endif
