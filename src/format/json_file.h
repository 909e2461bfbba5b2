// SPDX-License-Identifier: Apache-2.0
// Small files read whole, and JSON parsed with limits on size, depth and number of values, so that
// a hostile file costs no more than a plausible one.
#ifndef XL_FORMAT_JSON_FILE_H
#define XL_FORMAT_JSON_FILE_H

#include "format/hf_config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { JSON_FILE_DEPTH_MAX = 64 };

// Reads a whole file of at most bytes_max. STATUS_NOT_FOUND if there is none.
enum status text_file_read(struct text_file *file, const char *path, size_t bytes_max,
                           struct error *err);
void text_file_free(struct text_file *file);

// Strict JSON (RFC 8259): no duplicate keys, no NaN, no lone surrogates; the root is an object.
// `label` and `base_offset_bytes` (of text within the file) are for errors only.
enum status json_text_parse(json_t **root, const char *label, uint64_t base_offset_bytes,
                            const char *text, size_t size_bytes, size_t values_max,
                            struct error *err);
// Both together.
enum status json_file_read(json_t **root, const char *path, size_t bytes_max, struct error *err);

// directory + "/" + name; NULL without memory. Free with free().
char *path_join(const char *directory, const char *name);

#ifdef __cplusplus
}
#endif
#endif
