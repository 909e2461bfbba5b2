// SPDX-License-Identifier: Apache-2.0
// See prefix_fixture.h.
#include "prefix_fixture.h"

#include "base/hash64.h"
#include "cache/prefix_cipher.h"
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool fixture_init(struct prefix_fixture *fixture, const char *name, size_t page_bytes) {
    *fixture = (struct prefix_fixture){
        .page_bytes = page_bytes, .fingerprint = FIXTURE_FINGERPRINT, .budget_bytes = 1 << 28};
    snprintf(fixture->directory, sizeof fixture->directory, "%s/%s", harness_scratch(), name);
    snprintf(fixture->key_path, sizeof fixture->key_path, "%s/%s.key", harness_scratch(), name);
    return prefix_key_create(fixture->key_path, NULL) == STATUS_OK;
}

bool fixture_open(struct prefix_fixture *fixture) {
    struct prefix_store_options options = {.directory = fixture->directory,
                                           .key_path = fixture->key_path,
                                           .fingerprint = fixture->fingerprint,
                                           .page = {fixture->page_bytes, fixture->page_bytes, 0},
                                           .budget_bytes = fixture->budget_bytes};
    struct error err;
    if (prefix_store_open(&fixture->store, &options, &err) == STATUS_OK) return true;
    printf("    %s\n", err.message);
    return false;
}

void fixture_close(struct prefix_fixture *fixture) {
    prefix_store_close(fixture->store);
    fixture->store = NULL;
}

void fixture_tokens(int branch, size_t fork_page, size_t n_pages, int32_t *tokens) {
    for (size_t i = 0; i < n_pages * PREFIX_PAGE_TOKENS; i++)
        tokens[i] = (int32_t)(i * 7 % 997) + (i / PREFIX_PAGE_TOKENS < fork_page ? 0 : branch);
}

static void fill_page(const struct prefix_fixture *fixture, const int32_t *tokens, size_t page,
                      uint8_t *memory) {
    uint64_t hash = hash64(tokens, (page + 1) * PREFIX_PAGE_TOKENS * sizeof *tokens, 1);
    for (size_t i = 0; i < fixture->page_bytes; i++)
        memory[i] = (uint8_t)((hash >> (i % 8 * 8)) + i / 8);
}

enum status fixture_save(struct prefix_fixture *fixture, const int32_t *tokens, size_t n_pages,
                         struct error *err) {
    const void *pages[FIXTURE_PAGES_MAX] = {NULL};
    uint8_t *memory = malloc(n_pages * fixture->page_bytes);
    if (!memory) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < n_pages; i++) {
        fill_page(fixture, tokens, i, memory + i * fixture->page_bytes);
        pages[i] = memory + i * fixture->page_bytes;
    }
    enum status status = prefix_store_save(fixture->store, tokens, pages, n_pages, err);
    free(memory);
    return status;
}

static bool page_is_zero(const struct prefix_fixture *fixture, const uint8_t *page) {
    for (size_t i = 0; i < fixture->page_bytes; i++)
        if (page[i]) return false;
    return true;
}

int fixture_read(struct prefix_fixture *fixture, const int32_t *tokens, size_t first_page,
                 size_t n_pages) {
    size_t size = fixture->page_bytes;
    uint8_t *memory = malloc((n_pages + 1) * size), *expected = memory + n_pages * size;
    void *pages[FIXTURE_PAGES_MAX] = {NULL};
    if (!memory) return -1;
    memset(memory, 0xa5, n_pages * size);
    for (size_t i = 0; i < n_pages; i++)
        pages[i] = memory + i * size;
    int n = (int)prefix_store_read(fixture->store, tokens, first_page, pages, n_pages), result = n;
    for (int i = 0; i < (int)n_pages; i++) {
        fill_page(fixture, tokens, first_page + (size_t)i, expected);
        bool is_right =
            i < n ? memcmp(pages[i], expected, size) == 0 : page_is_zero(fixture, pages[i]);
        if (!is_right) result = -1;
    }
    free(memory);
    return result;
}

// Calls for every file; the count.
static int each_file(const struct prefix_fixture *fixture, char *path, size_t path_size) {
    DIR *directory = opendir(fixture->directory);
    int n = 0;
    for (const struct dirent *item; directory && (item = readdir(directory));) {
        if (item->d_name[0] == '.') continue;
        if (path) snprintf(path, path_size, "%s/%s", fixture->directory, item->d_name);
        n++;
    }
    if (directory) closedir(directory);
    return n;
}

bool fixture_only_file(const struct prefix_fixture *fixture, char *path, size_t path_size) {
    return each_file(fixture, path, path_size) == 1;
}

int fixture_count_files(const struct prefix_fixture *fixture) {
    return each_file(fixture, NULL, 0);
}

bool fixture_write_file(const char *path, const void *data, size_t size_bytes, int mode) {
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return false;
    bool ok = write(fd, data, size_bytes) == (ssize_t)size_bytes && fchmod(fd, (mode_t)mode) == 0;
    close(fd);
    return ok;
}

unsigned char *fixture_read_file(const char *path, size_t *size_bytes) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    unsigned char *data = malloc(1 << 20);
    *size_bytes = data ? fread(data, 1, 1 << 20, file) : 0;
    fclose(file);
    return data;
}
