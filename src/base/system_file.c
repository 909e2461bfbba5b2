// SPDX-License-Identifier: Apache-2.0
// See system_file.h.
#include "base/system_file.h"

#include <stdio.h>

bool system_file_read(const char *root, const char *path, char *text, size_t text_size) {
    char full[SYSTEM_PATH_SIZE];
    int n = snprintf(full, sizeof full, "%s%s", root, path);
    if (n < 0 || (size_t)n >= sizeof full) return false;
    FILE *file = fopen(full, "re");
    if (!file) return false;
    size_t size = fread(text, 1, text_size - 1, file);
    fclose(file);
    text[size] = '\0';
    return size > 0;
}
