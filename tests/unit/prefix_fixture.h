// SPDX-License-Identifier: Apache-2.0
// Stores of prefixes for tests: a key, a directory of their own, tokens and pages made from
// numbers.
#ifndef XL_TESTS_PREFIX_FIXTURE_H
#define XL_TESTS_PREFIX_FIXTURE_H

#include "cache/prefix_store.h"

#include <stdbool.h>

enum { FIXTURE_PAGES_MAX = 24, FIXTURE_FINGERPRINT = 0x5eed };

struct prefix_fixture {
    char directory[512], key_path[512];
    size_t page_bytes;
    uint64_t fingerprint, budget_bytes;
    struct prefix_store *store;
};

// A new key and an empty directory under harness_scratch(); not opened.
bool fixture_init(struct prefix_fixture *fixture, const char *name, size_t page_bytes);
bool fixture_open(struct prefix_fixture *fixture);
void fixture_close(struct prefix_fixture *fixture);
// Token of a position: the same in all beginnings before `fork_page`, then its own of `branch`.
void fixture_tokens(int branch, size_t fork_page, size_t n_pages, int32_t *tokens);
// Saves, or reads and compares; what a page holds follows from the tokens up to its end.
enum status fixture_save(struct prefix_fixture *fixture, const int32_t *tokens, size_t n_pages,
                         struct error *err);
// Pages that are found and read right from first_page on; -1 if one is wrong or not zeroed.
int fixture_read(struct prefix_fixture *fixture, const int32_t *tokens, size_t first_page,
                 size_t n_pages);
// The only file of the directory (its path), false if there is not exactly one.
bool fixture_only_file(const struct prefix_fixture *fixture, char *path, size_t path_size);
int fixture_count_files(const struct prefix_fixture *fixture);
bool fixture_write_file(const char *path, const void *data, size_t size_bytes, int mode);
// malloc'd; NULL if it cannot be read.
unsigned char *fixture_read_file(const char *path, size_t *size_bytes);

#endif
