// SPDX-License-Identifier: Apache-2.0
// Small text files of /proc and /sys, read under a root directory ("" = the real one), so that
// tests can show any machine.
#ifndef XL_BASE_SYSTEM_FILE_H
#define XL_BASE_SYSTEM_FILE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SYSTEM_PATH_SIZE = 2048, SYSTEM_TEXT_MAX = 8192 };

// The beginning of root/path as terminated text; false if there is nothing to read.
bool system_file_read(const char *root, const char *path, char *text, size_t text_size);

#ifdef __cplusplus
}
#endif
#endif
