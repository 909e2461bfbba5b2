// SPDX-License-Identifier: Apache-2.0
// A whole file mapped read-only. The mapping is private to us only as far as the file is not
// truncated by somebody else while mapped; callers treat its bytes as hostile all the same.
#ifndef XL_BASE_MAPPED_FILE_H
#define XL_BASE_MAPPED_FILE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Which file it was and in which state, taken before its first byte was read: another file or a
// changed one differs in some field.
struct file_identity {
    uint64_t device, inode, size_bytes;
    int64_t modified_s, modified_ns;
};

struct mapped_file {
    const uint8_t *data; // NULL for an empty file
    size_t size_bytes;
    struct file_identity identity;
};

// Errors: STATUS_NOT_FOUND, STATUS_BAD_INPUT (not a regular file), STATUS_FAILED; message has path.
enum status mapped_file_open(struct mapped_file *file, const char *path, struct error *err);
void mapped_file_close(struct mapped_file *file);
// Tells the kernel that a range has been read for now, so that a stream over a large file does
// not keep it resident. A hint only.
void mapped_file_release(const struct mapped_file *file, size_t offset_bytes, size_t size_bytes);

#ifdef __cplusplus
}
#endif
#endif
