// SPDX-License-Identifier: Apache-2.0
// A worker's store of known beginnings on disk (cache/prefix_store.h) and the helper thread that
// reads and writes it, so that running streams never wait for a disk. A request has one errand at a
// time; while it has, its pages stay where they are.
#ifndef XL_ENGINE_WORKER_DISK_H
#define XL_ENGINE_WORKER_DISK_H

#include "base/status.h"
#include "cache/kv_pool.h"
#include "xinglin/xinglin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct worker_disk;

enum errand_state { ERRAND_NONE, ERRAND_QUEUED, ERRAND_DONE };

// Part of a request.
struct disk_errand {
    struct disk_errand *next;
    enum errand_state state; // behind the disk's lock
    bool is_save;
    const int32_t *tokens; // the request's
    void **pages;          // [n_pages] from first_page on
    int first_page, n_pages;
    int n_read;         // of a load: pages that are right
    enum status status; // of a save
    struct error err;
};

// *disk stays NULL if the options name no directory. fingerprint: of the model.
enum status worker_disk_open(struct worker_disk **disk, xl_worker *worker,
                             const xl_worker_options *options, const struct kv_layout *layout,
                             uint64_t fingerprint, struct error *err);
void worker_disk_close(struct worker_disk *disk); // carries out what is queued; NULL is allowed
// Pages of the beginning of these tokens on disk.
int worker_disk_find(struct worker_disk *disk, const int32_t *tokens, int n_tokens);
// Sends the helper for pages first_page … of the tokens, into or from pages [n_pages]. The worker
// is woken when it is back. STATUS_NO_MEMORY: nothing was sent.
enum status worker_disk_send(struct worker_disk *disk, struct disk_errand *errand, bool is_save,
                             const int32_t *tokens, uint8_t *const *pages, int first_page,
                             int n_pages, struct error *err);
// Has a helper that was sent come back? Then the errand's results can be read, and worker_disk_end
// makes it ready for another one.
bool worker_disk_is_back(struct worker_disk *disk, const struct disk_errand *errand);
void worker_disk_wait(struct worker_disk *disk, const struct disk_errand *errand);
void worker_disk_end(struct disk_errand *errand);
void worker_disk_describe(struct worker_disk *disk, xl_worker_stats *stats);

static inline bool disk_errand_is_out(const struct disk_errand *errand) {
    return errand->pages != NULL;
}

#ifdef __cplusplus
}
#endif
#endif
