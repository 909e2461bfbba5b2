// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE // nftw
#include "harness.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char skip_reason[256];
static char scratch_directory[256];

enum test_result harness_skip(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(skip_reason, sizeof skip_reason, format, args);
    va_end(args);
    return TEST_SKIP;
}

static bool join(const char *directory, const char *relative, char *path, size_t path_size) {
    int n = snprintf(path, path_size, "%s/%s", directory, relative);
    return n > 0 && (size_t)n < path_size && access(path, R_OK) == 0;
}

bool harness_repo_path(const char *relative, char *path, size_t path_size) {
    return join(XL_REPO_DIR, relative, path, path_size);
}

bool harness_shared_path(const char *relative, char *path, size_t path_size) {
    const char *directory = getenv("XINGLIN_SHARED");
    return join(directory ? directory : XL_REPO_DIR "/../shared", relative, path, path_size);
}

bool harness_input_path(const char *relative, char *path, size_t path_size) {
    char directory[1024];
    const char *inputs = getenv("XINGLIN_INPUTS");
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (inputs)
        snprintf(directory, sizeof directory, "%s", inputs);
    else if (cache)
        snprintf(directory, sizeof directory, "%s/xinglin/inputs", cache);
    else
        snprintf(directory, sizeof directory, "%s/.cache/xinglin/inputs", home ? home : "/root");
    return join(directory, relative, path, path_size);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static void remove_scratch(void) {
    nftw(scratch_directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *harness_scratch(void) {
    if (!scratch_directory[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(scratch_directory, sizeof scratch_directory, "%s/xinglin-test-XXXXXX",
                 base ? base : "/tmp");
        if (!mkdtemp(scratch_directory)) {
            perror("mkdtemp");
            exit(1);
        }
        atexit(remove_scratch);
    }
    return scratch_directory;
}

static bool selected(const char *name, int argc, char **argv) {
    if (argc < 2) return true;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return true;
    return false;
}

int harness_main(const char *module, const struct test *tests, size_t n_tests, int argc,
                 char **argv) {
    int counts[3] = {0, 0, 0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("XINGLIN_CACHE", "off", 0); // no test writes to the user's cache
    for (size_t i = 0; i < n_tests; i++) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0) {
            printf("%-32s %s\n", tests[i].name, tests[i].description);
            continue;
        }
        if (!selected(tests[i].name, argc, argv)) continue;
        skip_reason[0] = '\0';
        enum test_result result = tests[i].run();
        counts[result]++;
        if (result == TEST_PASS)
            printf("ok   %s.%s\n", module, tests[i].name);
        else if (result == TEST_FAIL)
            printf("FAIL %s.%s: %s\n", module, tests[i].name, tests[i].description);
        else
            printf("skip %s.%s (%s)\n", module, tests[i].name, skip_reason);
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0) return 0;
    if (counts[0] + counts[1] + counts[2] == 0) {
        printf("%s: no test has that name\n", module);
        return 1;
    }
    printf("%s: %d passed, %d failed, %d skipped\n", module, counts[0], counts[1], counts[2]);
    if (counts[TEST_FAIL]) return 1;
    return counts[TEST_PASS] == 0 && counts[TEST_SKIP] > 0 ? 77 : 0;
}
