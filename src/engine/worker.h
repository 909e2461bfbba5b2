// SPDX-License-Identifier: Apache-2.0
// The worker: one thread that owns all that changes, and a lock for the little that callers share
// with it: the list of new requests, who runs, whether it closes, and the numbers for
// xl_worker_describe.
//
// A request is new, then waiting (worker.c), then running: it holds pages of KV memory
// (worker_memory.c) and takes part in steps (worker_step.c) until it ends; now and then it waits
// for the disk (worker_disk.c). It may have to give its pages back to more important ones; then it
// waits again and its tokens are read once more, which gives the same keys and values.
#ifndef XL_ENGINE_WORKER_H
#define XL_ENGINE_WORKER_H

#include "engine/engine.h"
#include "engine/prefix_tree.h"
#include "engine/request.h"
#include "engine/step_cost.h"
#include "engine/turn_order.h"

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

struct worker_step; // worker_step.c

struct xl_worker {
    struct xl_engine *engine;
    int n_holders; // atomic: who opened it, and each request that was not freed
    int n_running_max, n_waiting_max;
    pthread_t thread;
    bool has_thread, has_lock;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    // Behind the lock. The thread alone writes running and n_running, and reads them without it.
    struct xl_request *first_new, *last_new; // submitted, in order, not seen by the thread
    struct xl_request **running;             // [n_running_max] the most important first
    int n_running;
    bool is_closing;
    bool was_woken; // something was cancelled or submitted
    xl_worker_stats stats;

    // The thread's own:
    struct kv_pool pool; // pool.n_pages never changes
    struct prefix_tree tree;
    const struct turn **waiting; // [n_waiting_max + n_running_max]
    int n_waiting;
    struct turn_order order;
    uint64_t n_arrivals;
    struct worker_step *step;
    struct worker_disk *disk; // NULL: nothing is kept on disk
};

// ---- worker.c ----------------------------------------------------------------------------------
enum status worker_enqueue(struct xl_worker *worker, struct xl_request *request, struct error *err);
void worker_count_refusal(struct xl_worker *worker);
void worker_wake(struct xl_worker *worker);
void worker_drop(struct xl_worker *worker); // one holder lets go
// Ends a request that is neither waiting nor running any more.
void worker_end(struct xl_worker *worker, struct xl_request *request, enum status status,
                struct error *err);
// The same for running[index], once its errand to the disk is back: its pages stay as a known
// beginning unless it failed.
void worker_end_running(struct xl_worker *worker, int index, enum status status, struct error *err);
// Puts running[index] back among those that wait; if it only waited for the disk, it ends.
void worker_put_back(struct xl_worker *worker, int index);

// ---- worker_memory.c ---------------------------------------------------------------------------
enum status worker_memory_init(struct xl_worker *worker, uint64_t kv_bytes, struct error *err);
void worker_memory_deinit(struct xl_worker *worker);
// Would it be admitted now?
bool worker_memory_fits(const struct xl_worker *worker, const struct xl_request *request);
// Gives it pages for its tokens so far; known beginnings are found there already. STATUS_NO_MEMORY
// if that fails after all.
enum status worker_memory_admit(struct xl_worker *worker, struct xl_request *request,
                                struct error *err);
// Sees to it that running[index] can be fed n_tokens more; others that are less important give
// their pages back for it. False: it was itself the least important one and waits again.
bool worker_memory_reserve(struct xl_worker *worker, int index, int n_tokens);
// The same without taking from anybody.
bool worker_memory_reserve_spare(struct xl_worker *worker, struct xl_request *request,
                                 int n_tokens);
// Goes on where another request with the same beginning has come to meanwhile.
void worker_memory_follow(struct xl_worker *worker, struct xl_request *request);
// Makes full pages known.
void worker_memory_remember(struct xl_worker *worker, struct xl_request *request);
// What was sent for has come back from the disk.
void worker_memory_collect(struct xl_worker *worker, struct xl_request *request);
// Sends the pages of its prompt to the disk once they are there, if that was asked for.
enum status worker_memory_save(struct xl_worker *worker, struct xl_request *request,
                               struct error *err);
// Gives everything back. `keep`: what it holds stays known, its last page too.
void worker_memory_leave(struct xl_worker *worker, struct xl_request *request, bool keep);

// ---- worker_step.c -----------------------------------------------------------------------------
enum status worker_step_create(struct xl_worker *worker, struct error *err);
void worker_step_destroy(struct xl_worker *worker);
// Wipes what steps leave behind, when nothing runs any more.
void worker_step_wipe(struct xl_worker *worker);
// Computes what comes next of the running requests and tells it.
void worker_step_run(struct xl_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
