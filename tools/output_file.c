// SPDX-License-Identifier: Apache-2.0
// See output_file.h.
#include "tools/output_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

bool output_file_open(struct output_file *output, const char *path) {
    *output = (struct output_file){.path = path};
    if (!path) return true;
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) { // a device or pipe keeps its place
        output->file = fopen(path, "wb");
        return output->file != NULL;
    }
    int n =
        snprintf(output->temporary, sizeof output->temporary, "%s.%ld.tmp", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof output->temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    output->file = fopen(output->temporary, "wb");
    return output->file != NULL;
}

void output_file_write(struct output_file *output, const void *data, size_t size_bytes) {
    if (output->file) fwrite(data, 1, size_bytes, output->file); // commit asks ferror
}

bool output_file_commit(struct output_file *output) {
    if (!output->file) return true;
    FILE *file = output->file;
    bool in_place = output->temporary[0] == '\0';
    errno = 0;
    bool good = fflush(file) == 0 && !ferror(file) && (in_place || fsync(fileno(file)) == 0);
    int reason = errno;
    good = fclose(file) == 0 && good;
    output->file = NULL;
    if (good && !in_place) good = rename(output->temporary, output->path) == 0;
    if (good) return true;
    if (reason == 0) reason = errno;
    if (!in_place) unlink(output->temporary);
    errno = reason;
    return false;
}

void output_file_abort(struct output_file *output) {
    if (!output->file) return;
    fclose(output->file);
    if (output->temporary[0]) unlink(output->temporary);
    output->file = NULL;
}
