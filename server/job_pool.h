// SPDX-License-Identifier: Apache-2.0
// Threads for work that is too long for the thread that owns the sockets: parsing, templates,
// tokens, grammars, embeddings. A bounded queue: what does not fit is refused, not kept.
#ifndef XL_SERVER_JOB_POOL_H
#define XL_SERVER_JOB_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct job_pool;

// NULL: no memory or no threads.
struct job_pool *job_pool_create(int n_threads, size_t waiting_max);
// Waits for the jobs that run or wait. NULL is allowed.
void job_pool_destroy(struct job_pool *pool);
// False: the queue is full.
bool job_pool_add(struct job_pool *pool, void (*run)(void *), void *argument);
size_t job_pool_waiting(struct job_pool *pool);

#endif
