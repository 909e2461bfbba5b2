// SPDX-License-Identifier: Apache-2.0
// See prefix_scan.h.
#include "cache/prefix_scan.h"

#include "cache/prefix_file.h"
#include "cache/prefix_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char EXTENSION[] = ".prefix";
enum { HEX_CHARS = 2 * PREFIX_MARK_BYTES, FILES_MAX = 1 << 16 };

struct found_file {
    struct prefix_entry entry;
    struct timespec modified;
    uint32_t first_page;
};

struct found_files {
    struct found_file *items;
    size_t n_items, n_items_max;
};

void prefix_name(const struct prefix_mark *mark, char name[PREFIX_NAME_SIZE]) {
    for (size_t i = 0; i < PREFIX_MARK_BYTES; i++)
        snprintf(name + 2 * i, 3, "%02x", mark->bytes[i]);
    memcpy(name + HEX_CHARS, EXTENSION, sizeof EXTENSION);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// "<32 hex>.prefix" and what follows; NULL for names that are not ours.
static const char *parse_name(const char *name, struct prefix_mark *mark) {
    for (size_t i = 0; i < PREFIX_MARK_BYTES; i++) {
        int high = hex_digit(name[2 * i]), low = high < 0 ? -1 : hex_digit(name[2 * i + 1]);
        if (low < 0) return NULL;
        mark->bytes[i] = (uint8_t)(high * 16 + low);
    }
    size_t length = sizeof EXTENSION - 1;
    return strncmp(name + HEX_CHARS, EXTENSION, length) == 0 ? name + HEX_CHARS + length : NULL;
}

enum status prefix_directory_open(const char *directory, char **path, int *fd, struct error *err) {
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return error_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED,
                         "%s: cannot make the directory of the prefix store: %s", directory,
                         strerror(errno));
    *path = realpath(directory, NULL);
    *fd = *path ? open(*path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (*fd < 0 || access(*path, W_OK) != 0)
        return error_set(err, STATUS_FAILED, "%s: cannot use the directory of the prefix store: %s",
                         directory, strerror(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0) return STATUS_OK;
    if (errno == EWOULDBLOCK)
        return error_set(err, STATUS_FAILED,
                         "%s: another process keeps its prefixes there; give every server a "
                         "directory of its own",
                         directory);
    return error_set(err, STATUS_FAILED, "%s: cannot lock the directory of the prefix store: %s",
                     directory, strerror(errno));
}

// The marks of a file's pages, if they lead to its name.
static enum status mark_file(const struct prefix_scan *scan, const struct prefix_reader *reader,
                             struct found_file *file, struct error *err) {
    const struct prefix_span *span = prefix_reader_span(reader);
    const int32_t *tokens = prefix_reader_tokens(reader);
    struct prefix_mark mark = scan->root;
    file->entry.marks = malloc(span->n_pages * sizeof *file->entry.marks);
    if (!file->entry.marks) return error_no_memory(err, "the index of prefixes", span->n_pages);
    for (uint32_t i = 0; i < span->first_page + span->n_pages; i++) {
        struct prefix_mark next;
        TRY(prefix_key_mark(scan->key, mark.bytes, tokens + (size_t)i * PREFIX_PAGE_TOKENS,
                            PREFIX_PAGE_TOKENS * sizeof *tokens, next.bytes, err));
        mark = next;
        if (i >= span->first_page) file->entry.marks[i - span->first_page] = mark;
    }
    if (memcmp(&mark, &file->entry.name, sizeof mark) != 0)
        return error_set(err, STATUS_BAD_INPUT, "a prefix file under another's name");
    file->entry.n_pages = span->n_pages;
    file->first_page = span->first_page;
    return STATUS_OK;
}

// Leaves n_pages 0 for a file that is no good. Only what is not the file's fault is a failure.
static enum status read_file(const struct prefix_scan *scan, const char *path,
                             struct found_file *file, struct error *err) {
    struct prefix_reader *reader;
    enum status status =
        prefix_reader_open(&reader, path, scan->key, scan->fingerprint, scan->page_bytes, err);
    if (status == STATUS_OK) status = mark_file(scan, reader, file, err);
    prefix_reader_close(reader);
    if (status == STATUS_OK) return STATUS_OK;
    free(file->entry.marks);
    file->entry.marks = NULL;
    return status == STATUS_BAD_INPUT || status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool reserve(struct found_files *files) {
    if (files->n_items < files->n_items_max) return true;
    size_t n_max = files->n_items_max ? files->n_items_max * 2 : 64;
    struct found_file *items = realloc(files->items, n_max * sizeof *items);
    if (!items) return false;
    files->items = items;
    files->n_items_max = n_max;
    return true;
}

static enum status take_name(struct prefix_scan *scan, int directory_fd, const char *name,
                             struct found_files *files, struct error *err) {
    struct found_file file = {0};
    const char *rest = parse_name(name, &file.entry.name);
    struct stat info;
    if (!rest || fstatat(directory_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return STATUS_OK;
    size_t length = strlen(rest);
    if (length > 4 && strcmp(rest + length - 4, ".tmp") == 0) unlinkat(directory_fd, name, 0);
    if (*rest || !S_ISREG(info.st_mode) || files->n_items == FILES_MAX) return STATUS_OK;
    size_t path_size = strlen(scan->directory) + strlen(name) + 2;
    char *path = malloc(path_size);
    if (!path || !reserve(files)) {
        free(path);
        return error_no_memory(err, "the index of prefixes", path_size);
    }
    snprintf(path, path_size, "%s/%s", scan->directory, name);
    file.entry.size_bytes = (uint64_t)info.st_size;
    file.modified = info.st_mtim;
    enum status status = read_file(scan, path, &file, err);
    free(path);
    if (status != STATUS_OK) return status;
    if (file.entry.n_pages == 0) scan->n_ignored++;
    files->items[files->n_items++] = file;
    return STATUS_OK;
}

// Ignored files go first, then by time; of one moment, what follows goes before its beginning.
static int compare_use(const void *a, const void *b) {
    const struct found_file *left = a, *right = b;
    bool left_ignored = left->entry.n_pages == 0, right_ignored = right->entry.n_pages == 0;
    if (left_ignored != right_ignored) return left_ignored ? -1 : 1;
    if (left->modified.tv_sec != right->modified.tv_sec)
        return left->modified.tv_sec < right->modified.tv_sec ? -1 : 1;
    if (left->modified.tv_nsec != right->modified.tv_nsec)
        return left->modified.tv_nsec < right->modified.tv_nsec ? -1 : 1;
    return (left->first_page < right->first_page) - (left->first_page > right->first_page);
}

static enum status fill_index(struct found_files *files, struct prefix_index *index,
                              struct error *err) {
    enum status status = STATUS_OK;
    if (files->n_items) qsort(files->items, files->n_items, sizeof *files->items, compare_use);
    for (size_t i = 0; i < files->n_items; i++) {
        struct prefix_entry *entry = &files->items[i].entry;
        entry->used = ++index->last_used;
        if (status == STATUS_OK)
            status = prefix_index_add(index, entry, err);
        else
            free(entry->marks);
    }
    return status;
}

enum status prefix_scan_run(struct prefix_scan *scan, struct prefix_index *index,
                            struct error *err) {
    DIR *directory = opendir(scan->directory);
    if (!directory)
        return error_set(err, STATUS_FAILED,
                         "%s: cannot read the directory of the prefix store: %s", scan->directory,
                         strerror(errno));
    struct found_files files = {0};
    enum status status = STATUS_OK;
    for (const struct dirent *item; status == STATUS_OK && (item = readdir(directory));)
        status = take_name(scan, dirfd(directory), item->d_name, &files, err);
    closedir(directory);
    if (status == STATUS_OK)
        status = fill_index(&files, index, err);
    else
        for (size_t i = 0; i < files.n_items; i++)
            free(files.items[i].entry.marks);
    free(files.items);
    return status;
}
