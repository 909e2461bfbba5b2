// SPDX-License-Identifier: Apache-2.0
// The unit test harness: a table of named tests, run all or one by name, one line each.
//   int main(int argc, char **argv) { return harness_main("bytes", tests, N, argc, argv); }
// A test returns TEST_PASS, TEST_FAIL or TEST_SKIP; CHECK() reports the line and fails the test.
#ifndef XL_TESTS_HARNESS_H
#define XL_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum test_result { TEST_PASS, TEST_FAIL, TEST_SKIP };

struct test {
    const char *name;
    const char *description;
    enum test_result (*run)(void);
};

// Arguments: none = all tests; --list; names of tests. Prints "ok NAME", "FAIL NAME" or
// "skip NAME (reason)" and a closing line "module: N passed, N failed, N skipped".
// Returns 1 if any failed, 77 if all were skipped, else 0.
int harness_main(const char *module, const struct test *tests, size_t n_tests, int argc,
                 char **argv);

// Gives the reason that the skip line prints; returns TEST_SKIP.
enum test_result harness_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Paths of inputs that live outside the repository. They return false where the file is absent.
bool harness_shared_path(const char *relative, char *path, size_t path_size); // ../shared
bool harness_input_path(const char *relative, char *path, size_t path_size);  // fetched inputs
bool harness_repo_path(const char *relative, char *path, size_t path_size);   // this repository
// A fresh private directory for files that a test writes (removed at exit).
const char *harness_scratch(void);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("    %s:%d: CHECK(%s)\n", __FILE__, __LINE__, #condition);                      \
            return TEST_FAIL;                                                                      \
        }                                                                                          \
    } while (0)

#define CHECK_MESSAGE(condition, ...)                                                              \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("    %s:%d: ", __FILE__, __LINE__);                                             \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
            return TEST_FAIL;                                                                      \
        }                                                                                          \
    } while (0)

#endif
