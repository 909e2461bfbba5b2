// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.h"

#include "base/mapped_file.h"
#include "harness.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// A fresh directory for one test.
static const char *fresh_directory(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", harness_scratch(), name);
    return mkdir(path, 0700) == 0 ? path : NULL;
}

static int count_entries(const char *directory) {
    DIR *handle = opendir(directory);
    int n = 0;
    if (!handle) return -1;
    for (struct dirent *entry; (entry = readdir(handle)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(handle);
    return n;
}

static bool has_content(const char *path, const void *expected, size_t size_bytes) {
    struct mapped_file file;
    if (mapped_file_open(&file, path, NULL) != STATUS_OK) return false;
    bool equal = file.size_bytes == size_bytes &&
                 (size_bytes == 0 || memcmp(file.data, expected, size_bytes) == 0);
    mapped_file_close(&file);
    return equal;
}

static enum test_result commit_makes_it_visible(void) {
    const char *directory = fresh_directory("commit");
    char path[600];
    struct atomic_file *file;
    CHECK(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    for (int round = 0; round < 2; round++) { // the second replaces the first
        const char *text = round ? "other" : "hello";
        CHECK(atomic_file_create(&file, path, NULL) == STATUS_OK);
        CHECK(atomic_file_write(file, text, 5, NULL) == STATUS_OK);
        CHECK(atomic_file_offset(file) == 5);
        CHECK(round ? has_content(path, "hello", 5) : access(path, F_OK) != 0);
        CHECK((round ? atomic_file_commit_unsynced : atomic_file_commit)(file, NULL) == STATUS_OK);
        CHECK(has_content(path, text, 5));
        CHECK(count_entries(directory) == 1);
    }
    return TEST_PASS;
}

static enum test_result abort_leaves_nothing(void) {
    const char *directory = fresh_directory("abort");
    char path[600];
    struct atomic_file *file;
    CHECK(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    CHECK(atomic_file_create(&file, path, NULL) == STATUS_OK);
    CHECK(atomic_file_write(file, "hello", 5, NULL) == STATUS_OK);
    atomic_file_abort(file);
    atomic_file_abort(NULL);
    CHECK(count_entries(directory) == 0);
    return TEST_PASS;
}

static enum test_result large_and_overwritten(void) {
    enum { SIZE = 5 << 20 };
    const char *directory = fresh_directory("large");
    char path[600];
    struct atomic_file *file;
    struct error err;
    unsigned char *data = malloc(SIZE);
    CHECK(directory && data);
    for (int i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 7 + i / 1000);
    snprintf(path, sizeof path, "%s/file", directory);
    CHECK(atomic_file_create(&file, path, &err) == STATUS_OK);
    static const int steps[] = {1, 1000, 1 << 20, 300000, 2 << 20, 77};
    int written = 0;
    for (int i = 0; written < SIZE; i++) {
        int n = steps[i % 6] < SIZE - written ? steps[i % 6] : SIZE - written;
        CHECK(atomic_file_write(file, data + written, (size_t)n, &err) == STATUS_OK);
        written += n;
        CHECK(atomic_file_offset(file) == (uint64_t)written);
    }
    memset(data + 3, 0xee, 100);
    CHECK(atomic_file_write_at(file, 3, data + 3, 100, &err) == STATUS_OK);
    memset(data + SIZE - 4, 0xdd, 4);
    CHECK(atomic_file_write_at(file, SIZE - 4, data + SIZE - 4, 4, &err) == STATUS_OK);
    CHECK(atomic_file_write_at(file, SIZE - 3, data, 4, &err) == STATUS_USAGE);
    CHECK(atomic_file_write_at(file, UINT64_MAX, data, 4, &err) == STATUS_USAGE);
    CHECK(atomic_file_commit(file, &err) == STATUS_OK);
    CHECK(has_content(path, data, SIZE));
    free(data);
    return TEST_PASS;
}

static enum test_result bad_paths_are_explained(void) {
    struct atomic_file *file;
    struct error err;
    CHECK(atomic_file_create(&file, "/no/such/directory/file", &err) == STATUS_NOT_FOUND);
    CHECK(file == NULL && strstr(err.message, "/no/such/directory/file"));
    CHECK(atomic_file_create(&file, "", &err) == STATUS_USAGE);
    return TEST_PASS;
}

// A limit on file sizes fails as a full disk does. In a child, whose limits do not matter.
static int run_out_of_space(const char *path) {
    static unsigned char data[1 << 20];
    struct rlimit limit = {3 << 20, 3 << 20};
    struct atomic_file *file;
    struct error err;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    if (atomic_file_create(&file, path, &err) != STATUS_OK) return 2;
    enum status status = STATUS_OK;
    for (int i = 0; i < 8 && status == STATUS_OK; i++)
        status = atomic_file_write(file, data, sizeof data, &err);
    if (status != STATUS_NO_SPACE || !strstr(err.message, "space")) return 3;
    if (atomic_file_write(file, data, 1, &err) != STATUS_NO_SPACE) return 4; // sticky
    if (atomic_file_commit(file, &err) != STATUS_NO_SPACE) return 5;
    return 0;
}

static enum test_result full_disk(void) {
    const char *directory = fresh_directory("full");
    char path[600];
    int status;
    CHECK(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(run_out_of_space(path));
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_MESSAGE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child: status 0x%x", status);
    CHECK(count_entries(directory) == 0);
    return TEST_PASS;
}

static bool has_nameless_files(const char *directory) {
    char name[600];
    struct atomic_file *file;
    snprintf(name, sizeof name, "%s/probe", directory);
    if (atomic_file_create(&file, name, NULL) != STATUS_OK) return false;
    bool nameless = count_entries(directory) == 0;
    atomic_file_abort(file);
    return nameless;
}

static enum test_result killed_while_writing(void) {
    const char *directory = fresh_directory("killed");
    char path[600];
    int status;
    CHECK(directory);
    if (!has_nameless_files(directory))
        return harness_skip("the file system of %s has no O_TMPFILE", directory);
    snprintf(path, sizeof path, "%s/file", directory);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        static unsigned char data[3 << 20];
        struct atomic_file *file;
        if (atomic_file_create(&file, path, NULL) != STATUS_OK) _exit(1);
        if (atomic_file_write(file, data, sizeof data, NULL) != STATUS_OK) _exit(1);
        raise(SIGKILL);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    CHECK(count_entries(directory) == 0);
    return TEST_PASS;
}

// Writes the same file again and again; NULL if every time worked.
static void *write_often(void *argument) {
    const char *path = argument;
    for (int i = 0; i < 50; i++) {
        struct atomic_file *file;
        if (atomic_file_create(&file, path, NULL) != STATUS_OK) return argument;
        if (atomic_file_write(file, "whole", 5, NULL) != STATUS_OK ||
            atomic_file_commit(file, NULL) != STATUS_OK)
            return argument;
    }
    return NULL;
}

static enum test_result several_writers(void) {
    enum { N_WRITERS = 4 };
    const char *directory = fresh_directory("writers");
    char path[600];
    pthread_t threads[N_WRITERS];
    CHECK(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    for (int i = 0; i < N_WRITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, write_often, path) == 0);
    for (int i = 0; i < N_WRITERS; i++) {
        void *failed;
        CHECK(pthread_join(threads[i], &failed) == 0 && !failed);
    }
    CHECK(has_content(path, "whole", 5) && count_entries(directory) == 1);
    return TEST_PASS;
}

// In a shared directory a process of another container may have our number.
static enum test_result foreign_temporary_files(void) {
    enum { N_FOREIGN = 60, FIRST = 200 };
    const char *directory = fresh_directory("foreign");
    char path[600], foreign[700];
    struct atomic_file *file;
    CHECK(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    for (int i = 0; i < FIRST + N_FOREIGN; i++) {
        snprintf(foreign, sizeof foreign, "%s.%ld.%d.tmp", path, (long)getpid(), i);
        FILE *other = i % 5 == 0 ? NULL : fopen(foreign, "w");
        if (other) CHECK(fputs("theirs", other) >= 0 && fclose(other) == 0);
    }
    int n_before = count_entries(directory);
    CHECK(atomic_file_create(&file, path, NULL) == STATUS_OK);
    CHECK(atomic_file_write(file, "ours", 4, NULL) == STATUS_OK);
    CHECK(atomic_file_commit(file, NULL) == STATUS_OK);
    CHECK(has_content(path, "ours", 4) && count_entries(directory) == n_before + 1);
    for (int i = 1; i < FIRST + N_FOREIGN; i += 5) {
        snprintf(foreign, sizeof foreign, "%s.%ld.%d.tmp", path, (long)getpid(), i);
        CHECK(has_content(foreign, "theirs", 6));
    }
    return TEST_PASS;
}

static const struct test tests[] = {
    {"commit", "a file appears whole, replacing one of its name", commit_makes_it_visible},
    {"abort", "an aborted file leaves nothing", abort_leaves_nothing},
    {"large", "writes of all sizes, and corrections of what was written", large_and_overwritten},
    {"paths", "a bad path is refused with its name", bad_paths_are_explained},
    {"full_disk", "a full disk is told, sticks, and leaves nothing", full_disk},
    {"writers", "threads that write one file do not disturb each other", several_writers},
    {"foreign", "temporary files of others are left alone", foreign_temporary_files},
    {"killed", "SIGKILL while writing leaves nothing", killed_while_writing},
};

int main(int argc, char **argv) {
    return harness_main("atomic_file", tests, sizeof tests / sizeof tests[0], argc, argv);
}
