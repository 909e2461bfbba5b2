// SPDX-License-Identifier: Apache-2.0
// The central directory of a zip archive in memory: which names it holds and where their bytes are.
// Stored entries are found without copying; deflated ones are unpacked by libzip within their
// declared size.
#ifndef XL_FORMAT_ZIP_DIRECTORY_H
#define XL_FORMAT_ZIP_DIRECTORY_H

#include "base/status.h"
#include "format/name_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zip_entry {
    const char *name; // inside the archive, not terminated
    size_t name_bytes;
    uint64_t packed_bytes, size_bytes;
    const uint8_t *data; // packed_bytes of it
    bool stored;         // else deflated
};

struct zip_directory {
    const char *label; // a path, for errors
    const uint8_t *data;
    size_t size_bytes;
    struct zip_entry *entries;
    size_t n_entries;
    struct name_index names;
};

// `label` and `data` must outlive the directory. Deinit also after a failure.
enum status zip_directory_read(struct zip_directory *directory, const char *label,
                               const uint8_t *data, size_t size_bytes, struct error *err);
void zip_directory_deinit(struct zip_directory *directory);

// NULL: absent.
const struct zip_entry *zip_directory_find(const struct zip_directory *directory, const char *name,
                                           size_t name_bytes);
// Copies the entry's size_bytes bytes to dst, unpacking them if need be.
enum status zip_directory_unpack(const struct zip_directory *directory,
                                 const struct zip_entry *entry, void *dst, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
