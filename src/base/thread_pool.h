// SPDX-License-Identifier: Apache-2.0
// A fixed set of threads that run one function together and wait for each other. The calling
// thread is member 0. Waiting spins briefly, then sleeps, so an idle pool costs nothing.
#ifndef XL_BASE_THREAD_POOL_H
#define XL_BASE_THREAD_POOL_H

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct thread_pool;

// What every member runs: index 0 .. n_threads-1.
typedef void (*thread_pool_work)(void *argument, int thread_index, int n_threads);

enum status thread_pool_create(struct thread_pool **pool, int n_threads, struct error *err);
void thread_pool_destroy(struct thread_pool *pool); // NULL is allowed
int thread_pool_size(const struct thread_pool *pool);
// Runs `work` on all members and returns when all are done. One caller at a time.
void thread_pool_run(struct thread_pool *pool, thread_pool_work work, void *argument);
// Inside `work`: waits until every member has come here.
void thread_pool_barrier(struct thread_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
