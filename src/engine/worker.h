// SPDX-License-Identifier: Apache-2.0
// The worker: one thread that owns all that changes, and a lock for the little that callers share
// with it: the list of new requests, whether it closes, and the numbers for xl_worker_describe.
#ifndef XL_ENGINE_WORKER_H
#define XL_ENGINE_WORKER_H

#include "engine/engine.h"
#include "engine/request.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xl_worker {
    struct xl_engine *engine;
    int n_holders; // atomic: who opened it, and each request that was not freed
    int n_running_max, n_waiting_max;
    pthread_t thread;
    bool has_thread, has_lock;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    // Behind the lock:
    struct xl_request *first_new, *last_new; // submitted, in order, not seen by the thread
    struct xl_request *running;
    bool is_closing;
    bool was_woken; // something was cancelled or submitted
    xl_worker_stats stats;

    // The thread's own:
    xl_session *session;
};

enum status worker_enqueue(struct xl_worker *worker, struct xl_request *request, struct error *err);
void worker_count_refusal(struct xl_worker *worker);
void worker_wake(struct xl_worker *worker);
void worker_drop(struct xl_worker *worker); // one holder lets go

#ifdef __cplusplus
}
#endif
#endif
