// SPDX-License-Identifier: Apache-2.0
// See packed_file.h.
#define _GNU_SOURCE // MADV_HUGEPAGE, MADV_POPULATE_READ
#include "model/packed_file.h"

#include "base/atomic_file.h"
#include "base/clock.h"
#include "base/hash64.h"
#include "model/forward.h"
#include "model/packed_head.h"
#include "model/weights_pack.h"
#include "numeric/packed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    SPACE_FACTOR = 2, // the disk must have this many times the file's size
    // Written in steps of this size at multiples of it, a file gets huge pages in the page cache
    // where the file system can, and is later mapped by them.
    WRITE_BYTES = 4 << 20,
    SAVE_SECONDS_MAX = 20,        // on a slower disk reading the file back would win nothing
    HUGE_MATTERS_BYTES = 32 << 20 // less than this is covered by the tables that a core keeps
};

static uint64_t file_bytes(const struct packed_plan *plan) {
    return plan->head_bytes + plan->panels_bytes;
}

static void run_parallel(struct thread_pool *pool, thread_pool_work work, void *argument) {
    if (pool)
        thread_pool_run(pool, work, argument);
    else
        work(argument, 0, 1);
}

static bool read_all(int fd, uint8_t *data, size_t size_bytes, uint64_t offset) {
    while (size_bytes > 0) {
        ssize_t n = pread(fd, data, size_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        data += n;
        size_bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

// ---- Hashes of the panels ----------------------------------------------------------------------
struct hashing {
    const uint8_t *panels;
    uint64_t panels_bytes, n_hashes;
    uint64_t *hashes;
};

static void hash_share(void *argument, int thread_index, int n_threads) {
    struct hashing *hashing = argument;
    uint64_t begin = hashing->n_hashes * (uint64_t)thread_index / (uint64_t)n_threads;
    uint64_t end = hashing->n_hashes * (uint64_t)(thread_index + 1) / (uint64_t)n_threads;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t offset = i * HASH_BLOCK_BYTES, size = hashing->panels_bytes - offset;
        if (size > HASH_BLOCK_BYTES) size = HASH_BLOCK_BYTES;
        const uint8_t *block = hashing->panels + offset;
#ifdef MADV_POPULATE_READ // maps all pages at once instead of on each one's first touch
        uintptr_t page = (uintptr_t)block & ~(uintptr_t)4095;
        madvise((void *)page, (uintptr_t)block + (size_t)size - page, MADV_POPULATE_READ);
#endif
        hashing->hashes[i] = hash64(block, (size_t)size, i);
    }
}

static void hash_panels(const struct packed_plan *plan, const uint8_t *panels, uint64_t *hashes,
                        struct thread_pool *pool) {
    struct hashing hashing = {panels, plan->panels_bytes, plan->n_hashes, hashes};
    run_parallel(pool, hash_share, &hashing);
}

// ---- Loading -----------------------------------------------------------------------------------
static int open_trusted(const struct packed_plan *plan) {
    int fd = open(plan->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return -1;
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
        (info.st_mode & (S_IWGRP | S_IWOTH)) == 0 && info.st_size >= 0 &&
        (uint64_t)info.st_size == file_bytes(plan))
        return fd;
    close(fd);
    return -1;
}

// Reads the head; true if it is the planned one but for its hashes, which then are in `head`.
static bool head_matches(const struct packed_plan *plan, int fd, uint8_t *head) {
    if (!read_all(fd, head, (size_t)plan->head_bytes, 0)) return false;
    const size_t hash_at = offsetof(struct packed_header, head_hash);
    uint64_t noted;
    memcpy(&noted, head + hash_at, sizeof noted);
    memset(head + hash_at, 0, sizeof noted);
    size_t hashes_end = (size_t)plan->hashes_offset + (size_t)plan->n_hashes * sizeof(uint64_t);
    return hash64(head, (size_t)plan->head_bytes, 0) == noted &&
           memcmp(head, plan->head, (size_t)plan->hashes_offset) == 0 &&
           memcmp(head + hashes_end, plan->head + hashes_end,
                  (size_t)plan->head_bytes - hashes_end) == 0;
}

struct copying {
    const struct model_weights *weights;
    uint8_t *memory;
    uint64_t head_bytes;
    int fd;
    int failed; // atomic
};

static void copy_share(void *argument, int thread_index, int n_threads) {
    struct copying *copying = argument;
    uint64_t offset = 0;
    for (size_t i = 0; i < copying->weights->n_sources; i++) {
        const struct weight *weight = copying->weights->sources[i].weight;
        int n_panels = (weight->n_rows + PANEL_ROWS - 1) / PANEL_ROWS;
        struct share share = share_of(n_panels, thread_index, n_threads);
        uint64_t begin = offset + (uint64_t)share.begin * weight->panel_bytes;
        size_t size = (size_t)(share.end - share.begin) * weight->panel_bytes;
        if (!read_all(copying->fd, copying->memory + begin, size, copying->head_bytes + begin))
            __atomic_store_n(&copying->failed, 1, __ATOMIC_RELAXED);
        offset += (uint64_t)n_panels * weight->panel_bytes;
    }
}

static bool copy_file(const struct packed_plan *plan, struct model_weights *weights, int fd,
                      struct thread_pool *pool, const uint8_t **panels) {
    if (weights_allocate(weights, plan->panels_bytes, NULL) != STATUS_OK) return false;
    struct copying copying = {weights, weights->memory, plan->head_bytes, fd, 0};
    run_parallel(pool, copy_share, &copying);
    *panels = weights->memory;
    return !copying.failed;
}

static bool map_file(const struct packed_plan *plan, struct model_weights *weights, int fd,
                     const uint8_t **panels) {
    size_t size = (size_t)file_bytes(plan);
    void *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return false;
    madvise(memory, size, MADV_HUGEPAGE); // where the file system can; a hint
    weights->memory = memory;
    weights->memory_bytes = size;
    *panels = (const uint8_t *)memory + plan->head_bytes;
    return true;
}

static void unmap(struct model_weights *weights) {
    if (weights->memory) munmap(weights->memory, weights->memory_bytes);
    weights->memory = NULL;
    weights->memory_bytes = 0;
}

static bool panels_match(const struct packed_plan *plan, const uint8_t *panels, const uint8_t *head,
                         struct thread_pool *pool) {
    uint64_t *hashes = malloc((size_t)plan->n_hashes * sizeof *hashes + 1);
    if (!hashes) return false;
    hash_panels(plan, panels, hashes, pool);
    bool match =
        memcmp(hashes, head + plan->hashes_offset, (size_t)plan->n_hashes * sizeof *hashes) == 0;
    free(hashes);
    return match;
}

// Is at least half of the mapping at `memory` in huge pages?
static bool is_huge(const void *memory, size_t size_bytes) {
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[PATH_MAX + 256];
    bool inside = false;
    unsigned long long begin, end, huge_kb = 0;
    if (!file) return false;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%llx-%llx ", &begin, &end) == 2)
            inside = begin == (uintptr_t)memory;
        else if (inside && sscanf(line, "FilePmdMapped: %llu kB", &huge_kb) == 1)
            break;
    }
    fclose(file);
    return huge_kb * 1024 >= size_bytes / 2;
}

// Maps; true if the panels are right. *huge: by huge pages, or so small that it does not matter.
static bool map_trusted(const struct packed_plan *plan, struct model_weights *weights, int fd,
                        const uint8_t *head, struct thread_pool *pool, bool *huge) {
    const uint8_t *panels;
    if (!map_file(plan, weights, fd, &panels)) return false;
    bool right = panels_match(plan, panels, head, pool);
    *huge =
        plan->panels_bytes < HUGE_MATTERS_BYTES || is_huge(weights->memory, weights->memory_bytes);
    if (right && *huge)
        weights_attach(weights, panels);
    else
        unmap(weights);
    return right;
}

static bool copy_trusted(const struct packed_plan *plan, struct model_weights *weights, int fd,
                         const uint8_t *head, struct thread_pool *pool) {
    const uint8_t *panels = NULL;
    bool right =
        copy_file(plan, weights, fd, pool, &panels) && panels_match(plan, panels, head, pool);
    if (right)
        weights_attach(weights, panels);
    else
        unmap(weights);
    return right;
}

bool packed_file_load(const struct packed_plan *plan, struct model_weights *weights,
                      struct thread_pool *pool, bool copy, bool *mapped) {
    int fd = open_trusted(plan);
    if (fd < 0) return false;
    uint8_t *head = malloc((size_t)plan->head_bytes);
    bool good = head && head_matches(plan, fd, head), huge = false;
    if (good && !copy) good = map_trusted(plan, weights, fd, head, pool, &huge);
    if (good && !huge) good = copy_trusted(plan, weights, fd, head, pool);
    *mapped = huge;
    free(head);
    close(fd);
    return good;
}

// ---- Saving ------------------------------------------------------------------------------------
// The directory of the file, private to its owner, with those above it.
static void make_directories(const char *path) {
    char *copy = strdup(path);
    if (!copy) return;
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0700); // that it cannot be made shows when the file is created
        *slash = '/';
    }
    free(copy);
}

static bool has_space(int fd, uint64_t size_bytes) {
    struct statvfs info;
    if (fstatvfs(fd, &info) != 0) return false;
    return (uint64_t)info.f_bavail * (uint64_t)info.f_frsize / SPACE_FACTOR >= size_bytes;
}

// Files of the same checkpoint in another state: the checkpoint was replaced.
static void remove_older(const struct packed_plan *plan) {
    const char *name = strrchr(plan->path, '/') + 1;
    char *directory = strdup(plan->path);
    if (!directory) return;
    directory[name - plan->path] = '\0';
    DIR *entries = opendir(directory);
    free(directory);
    if (!entries) return;
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL)
        if (strlen(entry->d_name) == strlen(name) && strcmp(entry->d_name, name) != 0 &&
            strncmp(entry->d_name, name, PACKED_NAME_SOURCE + 1) == 0)
            unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
}

// Head and panels as one stream of bytes; the steps begin at multiples of WRITE_BYTES.
static enum status write_file(const struct packed_plan *plan, const uint8_t *head,
                              const uint8_t *panels, struct atomic_file *file, struct error *err) {
    uint8_t *first = malloc(WRITE_BYTES); // holds the head and the first panels
    if (!first) return error_no_memory(err, "a file's head", WRITE_BYTES);
    enum status status = STATUS_OK;
    uint64_t total = file_bytes(plan);
    double start = clock_seconds();
    for (uint64_t at = 0; at < total && status == STATUS_OK; at += WRITE_BYTES) {
        size_t size = total - at < WRITE_BYTES ? (size_t)(total - at) : WRITE_BYTES;
        size_t of_head = at < plan->head_bytes ? (size_t)(plan->head_bytes - at) : 0;
        if (of_head > size) of_head = size;
        if (of_head > 0) {
            memcpy(first, head + at, of_head);
            memcpy(first + of_head, panels, size - of_head);
        }
        const uint8_t *data = of_head > 0 ? first : panels + (at - plan->head_bytes);
        status = atomic_file_write(file, data, size, err);
        if (status == STATUS_OK && clock_seconds() - start > SAVE_SECONDS_MAX)
            status = error_set(err, STATUS_FAILED, "%s: the disk is too slow", plan->path);
    }
    free(first);
    return status;
}

static enum status save_to(const struct packed_plan *plan, const struct model_weights *weights,
                           struct thread_pool *pool, struct atomic_file *file, struct error *err) {
    int fd = atomic_file_descriptor(file);
    if (!has_space(fd, file_bytes(plan)))
        return error_set(err, STATUS_NO_SPACE, "%s: not enough room to keep packed weights",
                         plan->path);
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0)
        return error_set(err, STATUS_FAILED, "%s: %s", plan->path, strerror(errno));
    uint8_t *head = malloc((size_t)plan->head_bytes);
    if (!head) return error_no_memory(err, "a file's head", plan->head_bytes);
    memcpy(head, plan->head, (size_t)plan->head_bytes);
    hash_panels(plan, weights->memory, (uint64_t *)(void *)(head + plan->hashes_offset), pool);
    uint64_t hash = hash64(head, (size_t)plan->head_bytes, 0);
    memcpy(head + offsetof(struct packed_header, head_hash), &hash, sizeof hash);
    enum status status = write_file(plan, head, weights->memory, file, err);
    free(head);
    return status;
}

enum status packed_file_save(const struct packed_plan *plan, const struct model_weights *weights,
                             struct thread_pool *pool, struct error *err) {
    struct atomic_file *file;
    make_directories(plan->path);
    TRY(atomic_file_create(&file, plan->path, err));
    enum status status = save_to(plan, weights, pool, file, err);
    if (status != STATUS_OK) {
        atomic_file_abort(file);
        return status;
    }
    TRY(atomic_file_commit_unsynced(file, err)); // the hashes tell a file that is not whole
    remove_older(plan);
    return STATUS_OK;
}
