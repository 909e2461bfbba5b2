// SPDX-License-Identifier: Apache-2.0
// See prefix_store.h. Files are named by the mark of their last page. LRU survives a restart by the
// files' times; a beginning is always used later than what follows on it, so that no file is left
// whose beginning is gone. The directory itself is the lock (flock), so nothing is left over after
// kill -9 but temporary names, which the next open removes.
#include "cache/prefix_store.h"

#include "cache/prefix_file.h"
#include "cache/prefix_index.h"
#include "cache/prefix_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct prefix_store {
    char *directory;
    int directory_fd; // carries the lock
    struct prefix_key *key;
    struct prefix_mark root; // before the first page
    uint64_t fingerprint, budget_bytes;
    struct page_shape page;
    pthread_mutex_t lock;  // of the index and the counts
    pthread_mutex_t saves; // one at a time
    struct prefix_index index;
    uint64_t n_ignored, n_evicted;
    struct timespec last_use; // of any file
};

// ---- Open and close ----------------------------------------------------------------------------

static enum status mark_root(struct prefix_store *store, struct error *err) {
    static const uint8_t nothing[PREFIX_MARK_BYTES];
    uint64_t model[2] = {store->fingerprint, store->page.page_bytes};
    return prefix_key_mark(store->key, nothing, model, sizeof model, store->root.bytes, err);
}

static enum status scan(struct prefix_store *store, struct error *err) {
    struct prefix_scan scan = {.directory = store->directory,
                               .key = store->key,
                               .root = store->root,
                               .fingerprint = store->fingerprint,
                               .page_bytes = store->page.page_bytes};
    enum status status = prefix_scan_run(&scan, &store->index, err);
    store->n_ignored = scan.n_ignored;
    return status;
}

enum status prefix_store_open(struct prefix_store **result,
                              const struct prefix_store_options *options, struct error *err) {
    *result = NULL;
    struct prefix_span page = {.page_bytes = options->page.page_bytes, .n_pages = 1};
    uint64_t least;
    if (!prefix_file_bytes(&page, &least))
        return error_set(err, STATUS_USAGE, "pages of %zu bytes cannot be stored",
                         options->page.page_bytes);
    struct prefix_store *store = calloc(1, sizeof *store);
    if (!store) return error_no_memory(err, "the prefix store", sizeof *store);
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->saves, NULL);
    store->directory_fd = -1;
    store->fingerprint = options->fingerprint;
    store->page = options->page;
    store->budget_bytes = options->budget_bytes;
    enum status status = prefix_key_open(&store->key, options->key_path, err);
    if (status == STATUS_OK)
        status =
            prefix_directory_open(options->directory, &store->directory, &store->directory_fd, err);
    if (status == STATUS_OK) status = mark_root(store, err);
    if (status == STATUS_OK) status = scan(store, err);
    if (status != STATUS_OK) {
        prefix_store_close(store);
        return status;
    }
    *result = store;
    return STATUS_OK;
}

void prefix_store_close(struct prefix_store *store) {
    if (!store) return;
    prefix_index_deinit(&store->index);
    prefix_key_close(store->key);
    if (store->directory_fd >= 0) close(store->directory_fd);
    free(store->directory);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->saves);
    free(store);
}

void prefix_store_describe(struct prefix_store *store, struct prefix_store_stats *stats) {
    pthread_mutex_lock(&store->lock);
    *stats = (struct prefix_store_stats){.ignored = store->n_ignored, .evicted = store->n_evicted};
    for (size_t i = 0; i < store->index.n_entries; i++) {
        const struct prefix_entry *entry = &store->index.entries[i];
        if (entry->n_pages == 0) continue;
        stats->files++;
        stats->bytes += entry->size_bytes;
    }
    pthread_mutex_unlock(&store->lock);
}

// ---- Chains of marks ---------------------------------------------------------------------------

static bool next_mark(const struct prefix_store *store, const int32_t *tokens, size_t page,
                      const struct prefix_mark *before, struct prefix_mark *mark) {
    return prefix_key_mark(store->key, before->bytes, tokens + page * PREFIX_PAGE_TOKENS,
                           PREFIX_PAGE_TOKENS * sizeof *tokens, mark->bytes, NULL) == STATUS_OK;
}

// Marks of the first n_pages pages; NULL if there is no memory.
static struct prefix_mark *mark_pages(const struct prefix_store *store, const int32_t *tokens,
                                      size_t n_pages) {
    struct prefix_mark *marks = malloc(n_pages * sizeof *marks);
    for (size_t i = 0; marks && i < n_pages; i++)
        if (!next_mark(store, tokens, i, i ? &marks[i - 1] : &store->root, &marks[i])) {
            free(marks);
            return NULL;
        }
    return marks;
}

// How many of the pages are stored, from the first on. Under the lock.
static size_t count_stored(const struct prefix_store *store, const struct prefix_mark *marks,
                           size_t n_pages) {
    size_t n = 0;
    while (n < n_pages && prefix_index_find(&store->index, &marks[n]))
        n++;
    return n;
}

size_t prefix_store_find(struct prefix_store *store, const int32_t *tokens, size_t n_tokens) {
    struct prefix_mark before = store->root, mark;
    size_t n_pages = n_tokens / PREFIX_PAGE_TOKENS, n = 0;
    for (; n < n_pages && next_mark(store, tokens, n, &before, &mark); n++, before = mark) {
        pthread_mutex_lock(&store->lock);
        bool is_stored = prefix_index_find(&store->index, &mark) != NULL;
        pthread_mutex_unlock(&store->lock);
        if (!is_stored) break;
    }
    return n;
}

// Of two uses the later has the larger time, in memory and, for the next process, as the file's.
// The kernel's own times of files are only milliseconds fine. The caller holds the lock.
static void note_use(struct prefix_store *store, struct prefix_entry *entry) {
    char text[PREFIX_NAME_SIZE];
    struct timespec now, *last = &store->last_use;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec < last->tv_sec || (now.tv_sec == last->tv_sec && now.tv_nsec <= last->tv_nsec)) {
        now = *last;
        if (++now.tv_nsec == 1000000000) now = (struct timespec){now.tv_sec + 1, 0};
    }
    *last = now;
    entry->used = ++store->index.last_used;
    prefix_name(&entry->name, text);
    utimensat(store->directory_fd, text, (const struct timespec[2]){now, now}, 0);
}

// Notes that the first n_pages were used: the later pages first, so that they go first.
static void touch(struct prefix_store *store, const struct prefix_mark *marks, size_t n_pages) {
    const struct prefix_entry *last = NULL;
    pthread_mutex_lock(&store->lock);
    for (size_t i = n_pages; i-- > 0;) {
        struct prefix_entry *entry = prefix_index_find(&store->index, &marks[i]);
        if (!entry || entry == last) continue;
        last = entry;
        note_use(store, entry);
    }
    pthread_mutex_unlock(&store->lock);
}

// ---- Reading -----------------------------------------------------------------------------------

struct reading {
    struct prefix_store *store;
    const int32_t *tokens;
    const struct prefix_mark *marks;
    struct prefix_reader *reader; // of the file `name`
    struct prefix_mark name;
};

// A file that turned out to be damaged: it is of no use to anybody.
static void drop_file(struct prefix_store *store, const struct prefix_mark *name) {
    char file[PREFIX_NAME_SIZE];
    prefix_name(name, file);
    pthread_mutex_lock(&store->lock);
    struct prefix_entry *entry = prefix_index_named(&store->index, name);
    if (entry) {
        unlinkat(store->directory_fd, file, 0);
        prefix_index_remove(&store->index, entry);
        store->n_ignored++;
    }
    pthread_mutex_unlock(&store->lock);
}

static char *file_path(const struct prefix_store *store, const struct prefix_mark *name) {
    size_t size = strlen(store->directory) + 1 + PREFIX_NAME_SIZE;
    char *path = malloc(size), file[PREFIX_NAME_SIZE];
    if (!path) return NULL;
    prefix_name(name, file);
    snprintf(path, size, "%s/%s", store->directory, file);
    return path;
}

static enum status open_file(struct reading *reading, const struct prefix_mark *name) {
    const struct prefix_store *store = reading->store;
    prefix_reader_close(reading->reader);
    reading->reader = NULL;
    reading->name = *name;
    char *path = file_path(store, name);
    if (!path) return STATUS_NO_MEMORY;
    enum status status = prefix_reader_open(&reading->reader, path, store->key, store->fingerprint,
                                            store->page.page_bytes, NULL);
    free(path);
    return status;
}

static enum status read_page(struct reading *reading, size_t page, void *memory) {
    struct prefix_store *store = reading->store;
    struct prefix_mark name = {{0}};
    pthread_mutex_lock(&store->lock);
    const struct prefix_entry *entry = prefix_index_find(&store->index, &reading->marks[page]);
    if (entry) name = entry->name;
    pthread_mutex_unlock(&store->lock);
    if (!entry) return STATUS_NOT_FOUND;
    enum status status = STATUS_OK;
    if (!reading->reader || memcmp(&name, &reading->name, sizeof name) != 0)
        status = open_file(reading, &name);
    // The marks said so already; equal tokens leave nothing to believe.
    size_t n_tokens = (page + 1) * PREFIX_PAGE_TOKENS;
    if (status == STATUS_OK)
        status = prefix_reader_page(reading->reader, (uint32_t)page, &store->page, memory, NULL);
    if (status == STATUS_OK && memcmp(prefix_reader_tokens(reading->reader), reading->tokens,
                                      n_tokens * sizeof *reading->tokens) != 0)
        status = STATUS_BAD_INPUT;
    if (status == STATUS_BAD_INPUT || status == STATUS_NOT_FOUND) drop_file(store, &name);
    return status;
}

size_t prefix_store_read(struct prefix_store *store, const int32_t *tokens, size_t first_page,
                         void *const *pages, size_t n_pages) {
    size_t end = first_page + n_pages, n = 0;
    struct prefix_mark *marks = n_pages ? mark_pages(store, tokens, end) : NULL;
    struct reading reading = {.store = store, .tokens = tokens, .marks = marks};
    while (marks && n < n_pages && read_page(&reading, first_page + n, pages[n]) == STATUS_OK)
        n++;
    for (size_t i = n; i < n_pages; i++)
        page_shape_wipe(&store->page, pages[i]);
    if (n > 0) touch(store, marks, first_page + n);
    prefix_reader_close(reading.reader);
    free(marks);
    return n;
}

// ---- Saving ------------------------------------------------------------------------------------

// Whether the budget holds the new file beside those that it continues, each counted once (entries
// are few). Under the lock.
static bool budget_allows(const struct prefix_store *store, const struct prefix_mark *marks,
                          size_t n_stored, uint64_t new_bytes) {
    uint64_t sum = new_bytes;
    const struct prefix_entry *last = NULL;
    for (size_t i = 0; i < n_stored; i++) {
        const struct prefix_entry *entry = prefix_index_find(&store->index, &marks[i]);
        if (entry && entry != last) sum += entry->size_bytes;
        last = entry;
    }
    return sum <= store->budget_bytes;
}

static void evict(struct prefix_store *store) {
    pthread_mutex_lock(&store->lock);
    while (store->index.size_bytes > store->budget_bytes) {
        struct prefix_entry *oldest = prefix_index_oldest(&store->index);
        if (!oldest) break;
        char name[PREFIX_NAME_SIZE];
        prefix_name(&oldest->name, name);
        if (oldest->n_pages) store->n_evicted++;
        unlinkat(store->directory_fd, name, 0);
        prefix_index_remove(&store->index, oldest);
    }
    pthread_mutex_unlock(&store->lock);
}

static enum status add_file(struct prefix_store *store, const struct prefix_span *span,
                            uint64_t size_bytes, const struct prefix_mark *marks,
                            struct error *err) {
    struct prefix_entry entry = {.name = marks[span->first_page + span->n_pages - 1],
                                 .size_bytes = size_bytes,
                                 .n_pages = span->n_pages,
                                 .marks = malloc(span->n_pages * sizeof *marks)};
    if (!entry.marks) return error_no_memory(err, "the index of prefixes", sizeof entry);
    memcpy(entry.marks, marks + span->first_page, span->n_pages * sizeof *marks);
    pthread_mutex_lock(&store->lock);
    note_use(store, &entry);
    enum status status = prefix_index_add(&store->index, &entry, err);
    pthread_mutex_unlock(&store->lock);
    return status;
}

static enum status save_rest(struct prefix_store *store, const int32_t *tokens,
                             const struct prefix_mark *marks, const void *const *pages,
                             size_t n_stored, size_t n_pages, struct error *err) {
    struct prefix_span span = {.fingerprint = store->fingerprint,
                               .page_bytes = store->page.page_bytes,
                               .first_page = (uint32_t)n_stored,
                               .n_pages = (uint32_t)(n_pages - n_stored)};
    uint64_t size_bytes = 0;
    prefix_file_bytes(&span, &size_bytes);
    pthread_mutex_lock(&store->lock);
    bool fits = budget_allows(store, marks, n_stored, size_bytes);
    pthread_mutex_unlock(&store->lock);
    if (!fits)
        return error_set(err, STATUS_NO_SPACE,
                         "a prefix of %zu tokens (%llu MiB) is larger than the budget of the "
                         "prefix store (%llu MiB); raise it",
                         n_pages * PREFIX_PAGE_TOKENS, (unsigned long long)(size_bytes >> 20),
                         (unsigned long long)(store->budget_bytes >> 20));
    char *path = file_path(store, &marks[n_pages - 1]);
    if (!path) return error_no_memory(err, "a path", strlen(store->directory));
    enum status status =
        prefix_file_write(path, store->key, &span, tokens, &store->page, pages + n_stored, err);
    free(path);
    if (status == STATUS_OK) status = add_file(store, &span, size_bytes, marks, err);
    return status;
}

enum status prefix_store_save(struct prefix_store *store, const int32_t *tokens,
                              const void *const *pages, size_t n_pages, struct error *err) {
    if (n_pages == 0) return STATUS_OK;
    if (n_pages > PREFIX_TOKENS_MAX / PREFIX_PAGE_TOKENS)
        return error_set(err, STATUS_USAGE, "a prefix of %zu tokens is too long to be stored",
                         n_pages * PREFIX_PAGE_TOKENS);
    struct prefix_mark *marks = mark_pages(store, tokens, n_pages);
    if (!marks) return error_no_memory(err, "a prefix", n_pages * sizeof *marks);
    pthread_mutex_lock(&store->saves);
    pthread_mutex_lock(&store->lock);
    size_t n_stored = count_stored(store, marks, n_pages);
    pthread_mutex_unlock(&store->lock);
    enum status status = STATUS_OK;
    if (n_stored < n_pages) status = save_rest(store, tokens, marks, pages, n_stored, n_pages, err);
    if (status == STATUS_OK) {
        touch(store, marks, n_pages);
        evict(store);
    }
    pthread_mutex_unlock(&store->saves);
    free(marks);
    return status;
}
