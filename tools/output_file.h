// SPDX-License-Identifier: Apache-2.0
// A result file that appears whole or not at all: written beside its name, renamed at the end.
#ifndef XL_TOOLS_OUTPUT_FILE_H
#define XL_TOOLS_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { OUTPUT_PATH_MAX = 4096 };

struct output_file {
    FILE *file;       // NULL: not wanted, and every call below does nothing
    const char *path; // as given
    char temporary[OUTPUT_PATH_MAX];
};

// path NULL: nothing is wanted. False with errno if it cannot be made.
bool output_file_open(struct output_file *output, const char *path);
void output_file_write(struct output_file *output, const void *data, size_t size_bytes);
// Gives the file its name. False with errno if anything was not written; then nothing is left.
bool output_file_commit(struct output_file *output);
void output_file_abort(struct output_file *output);

#endif
