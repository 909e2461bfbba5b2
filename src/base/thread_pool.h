// SPDX-License-Identifier: Apache-2.0
// A fixed set of threads that run one function together and wait for each other. The calling
// thread is member 0. Waiting spins briefly, then sleeps, so an idle pool costs nothing and a pool
// of more threads than CPUs does not burn the time that its own members need.
#ifndef XL_BASE_THREAD_POOL_H
#define XL_BASE_THREAD_POOL_H

#include "base/status.h"
#include "base/topology.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct thread_pool;

// What every member runs: index 0 .. n_threads-1.
typedef void (*thread_pool_work)(void *argument, int thread_index, int n_threads);

struct thread_pool_options {
    int n_threads;
    int n_at_once; // threads that can run at the same time: more members than this never spin
    // Binds each member to its topology_place(); read during creation only. The caller is bound
    // while it runs and gets its own mask back. NULL: nobody is bound.
    const struct topology *topology;
};

// Threads that are not bound, and spin if there are CPUs enough in the affinity mask.
enum status thread_pool_create(struct thread_pool **pool, int n_threads, struct error *err);
enum status thread_pool_create_placed(struct thread_pool **pool,
                                      const struct thread_pool_options *options, struct error *err);
void thread_pool_destroy(struct thread_pool *pool); // NULL is allowed
int thread_pool_size(const struct thread_pool *pool);
// Runs `work` on all members and returns when all are done. One caller at a time.
void thread_pool_run(struct thread_pool *pool, thread_pool_work work, void *argument);
// The same on n_active of them, spread evenly over the pool's places; the others sleep on.
void thread_pool_run_some(struct thread_pool *pool, int n_active, thread_pool_work work,
                          void *argument);
// Inside `work`: waits until every member of this run has come here.
void thread_pool_barrier(struct thread_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
