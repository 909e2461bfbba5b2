// SPDX-License-Identifier: Apache-2.0
// See worker_disk.h.
#include "engine/worker_disk.h"

#include "base/hash64.h"
#include "cache/prefix_store.h"
#include "engine/worker.h"

#include <stdlib.h>

_Static_assert((int)PREFIX_PAGE_TOKENS == (int)PAGE_TOKENS, "files hold whole pages");

#define DISK_BYTES_DEFAULT ((uint64_t)4 << 30)

struct worker_disk {
    struct prefix_store *store;
    xl_worker *worker;
    pthread_t thread;
    bool has_thread, has_lock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct disk_errand *first, *last; // queued
    bool is_closing;
};

static void carry_out(struct prefix_store *store, struct disk_errand *errand) {
    size_t n = (size_t)errand->n_pages;
    if (errand->is_save)
        errand->status = prefix_store_save(store, errand->tokens,
                                           (const void *const *)errand->pages, n, &errand->err);
    else
        errand->n_read = (int)prefix_store_read(store, errand->tokens, (size_t)errand->first_page,
                                                errand->pages, n);
}

static void *run(void *argument) {
    struct worker_disk *disk = argument;
    pthread_mutex_lock(&disk->lock);
    for (;;) {
        while (!disk->first && !disk->is_closing)
            pthread_cond_wait(&disk->changed, &disk->lock);
        struct disk_errand *errand = disk->first;
        if (!errand) break;
        disk->first = errand->next;
        if (!disk->first) disk->last = NULL;
        pthread_mutex_unlock(&disk->lock);
        carry_out(disk->store, errand);
        pthread_mutex_lock(&disk->lock);
        errand->state = ERRAND_DONE;
        pthread_cond_broadcast(&disk->changed);
        pthread_mutex_unlock(&disk->lock);
        worker_wake(disk->worker);
        pthread_mutex_lock(&disk->lock);
    }
    pthread_mutex_unlock(&disk->lock);
    return NULL;
}

static enum status open_parts(struct worker_disk *disk, const xl_worker_options *options,
                              const struct kv_layout *layout, uint64_t fingerprint,
                              struct error *err) {
    uint64_t shape[] = {fingerprint,
                        (uint64_t)layout->dtype,
                        (uint64_t)layout->n_layers,
                        (uint64_t)layout->n_kv_heads,
                        (uint64_t)layout->head_dim,
                        layout->page_bytes,
                        PAGE_TOKENS};
    struct prefix_store_options store_options = {
        .directory = options->prefix_dir,
        .key_path = options->prefix_key,
        .fingerprint = hash64(shape, sizeof shape, 0),
        .page = kv_layout_shape(layout),
        .budget_bytes =
            options->prefix_disk_bytes ? options->prefix_disk_bytes : DISK_BYTES_DEFAULT,
    };
    if (pthread_mutex_init(&disk->lock, NULL) != 0)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a mutex");
    if (pthread_cond_init(&disk->changed, NULL) != 0) {
        pthread_mutex_destroy(&disk->lock);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a condition");
    }
    disk->has_lock = true;
    TRY(prefix_store_open(&disk->store, &store_options, err));
    if (pthread_create(&disk->thread, NULL, run, disk) != 0)
        return error_set(err, STATUS_NO_MEMORY, "cannot start the thread for the disk");
    disk->has_thread = true;
    return STATUS_OK;
}

enum status worker_disk_open(struct worker_disk **disk, xl_worker *worker,
                             const xl_worker_options *options, const struct kv_layout *layout,
                             uint64_t fingerprint, struct error *err) {
    *disk = NULL;
    if (!options->prefix_dir) return STATUS_OK;
    if (!options->prefix_key)
        return error_set(err, STATUS_USAGE,
                         "a directory for known beginnings needs a key file: they are encrypted");
    struct worker_disk *opened = calloc(1, sizeof *opened);
    if (!opened) return error_no_memory(err, "the store on disk", sizeof *opened);
    opened->worker = worker;
    enum status status = open_parts(opened, options, layout, fingerprint, err);
    if (status != STATUS_OK)
        worker_disk_close(opened);
    else
        *disk = opened;
    return status;
}

void worker_disk_close(struct worker_disk *disk) {
    if (!disk) return;
    if (disk->has_thread) {
        pthread_mutex_lock(&disk->lock);
        disk->is_closing = true;
        pthread_cond_broadcast(&disk->changed);
        pthread_mutex_unlock(&disk->lock);
        pthread_join(disk->thread, NULL);
    }
    prefix_store_close(disk->store);
    if (disk->has_lock) {
        pthread_cond_destroy(&disk->changed);
        pthread_mutex_destroy(&disk->lock);
    }
    free(disk);
}

int worker_disk_find(struct worker_disk *disk, const int32_t *tokens, int n_tokens) {
    if (!disk || n_tokens < PAGE_TOKENS) return 0;
    return (int)prefix_store_find(disk->store, tokens, (size_t)n_tokens);
}

enum status worker_disk_send(struct worker_disk *disk, struct disk_errand *errand, bool is_save,
                             const int32_t *tokens, uint8_t *const *pages, int first_page,
                             int n_pages, struct error *err) {
    size_t size = (size_t)n_pages * sizeof *errand->pages;
    void **copies = malloc(size);
    if (!copies) return error_no_memory(err, "a list of pages", size);
    for (int i = 0; i < n_pages; i++)
        copies[i] = pages[i];
    *errand = (struct disk_errand){.state = ERRAND_QUEUED,
                                   .is_save = is_save,
                                   .tokens = tokens,
                                   .pages = copies,
                                   .first_page = first_page,
                                   .n_pages = n_pages};
    pthread_mutex_lock(&disk->lock);
    if (disk->last)
        disk->last->next = errand;
    else
        disk->first = errand;
    disk->last = errand;
    pthread_cond_broadcast(&disk->changed);
    pthread_mutex_unlock(&disk->lock);
    return STATUS_OK;
}

bool worker_disk_is_back(struct worker_disk *disk, const struct disk_errand *errand) {
    pthread_mutex_lock(&disk->lock);
    bool is_back = errand->state == ERRAND_DONE;
    pthread_mutex_unlock(&disk->lock);
    return is_back;
}

void worker_disk_wait(struct worker_disk *disk, const struct disk_errand *errand) {
    pthread_mutex_lock(&disk->lock);
    while (errand->state != ERRAND_DONE)
        pthread_cond_wait(&disk->changed, &disk->lock);
    pthread_mutex_unlock(&disk->lock);
}

void worker_disk_end(struct disk_errand *errand) {
    free(errand->pages);
    *errand = (struct disk_errand){0};
}

void worker_disk_describe(struct worker_disk *disk, xl_worker_stats *stats) {
    struct prefix_store_stats own;
    if (!disk) return;
    prefix_store_describe(disk->store, &own);
    stats->prefix_files = own.files;
    stats->prefix_file_bytes = own.bytes;
    stats->prefix_ignored = own.ignored;
}
