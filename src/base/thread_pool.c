// SPDX-License-Identifier: Apache-2.0
// See thread_pool.h. Everything waits at a gate: a number that only grows. Waiting for a gate spins
// for some tens of microseconds (the usual distance between two parts of one layer), then sleeps.
// Nobody takes the gate's lock unless somebody sleeps: the sleeper announces itself and then looks
// at the number; the opener changes the number and then looks for sleepers. Both in one total
// order (seq_cst), so at least one of them sees the other.
#include "base/thread_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SPINS = 2000, THREADS_MAX = 1024 };

struct gate {
    _Alignas(64) atomic_uint number;
    atomic_uint sleepers;
    pthread_mutex_t mutex;
    pthread_cond_t opened;
};

struct member {
    struct thread_pool *pool;
    pthread_t thread;
    int index;
};

struct thread_pool {
    struct gate start;   // one more per run
    struct gate barrier; // one more per barrier passed
    _Alignas(64) atomic_int n_arrived;
    int n_threads; // members, with the caller
    int n_created; // threads that exist: members 1..n_created
    thread_pool_work work;
    void *argument;
    bool stopping;
    struct member *members; // [n_threads]
};

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool gate_init(struct gate *gate) {
    atomic_init(&gate->number, 0);
    atomic_init(&gate->sleepers, 0);
    if (pthread_mutex_init(&gate->mutex, NULL) != 0) return false;
    if (pthread_cond_init(&gate->opened, NULL) == 0) return true;
    pthread_mutex_destroy(&gate->mutex);
    return false;
}

static void gate_deinit(struct gate *gate) {
    pthread_cond_destroy(&gate->opened);
    pthread_mutex_destroy(&gate->mutex);
}

static void gate_open(struct gate *gate) {
    atomic_fetch_add(&gate->number, 1);
    if (atomic_load(&gate->sleepers) == 0) return;
    pthread_mutex_lock(&gate->mutex);
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->mutex);
}

// Returns when the number is no longer `seen`.
static void gate_wait(struct gate *gate, unsigned seen) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&gate->number, memory_order_acquire) != seen) return;
        relax();
    }
    pthread_mutex_lock(&gate->mutex);
    atomic_fetch_add(&gate->sleepers, 1);
    while (atomic_load(&gate->number) == seen)
        pthread_cond_wait(&gate->opened, &gate->mutex);
    atomic_fetch_sub(&gate->sleepers, 1);
    pthread_mutex_unlock(&gate->mutex);
}

void thread_pool_barrier(struct thread_pool *pool) {
    if (pool->n_threads == 1) return;
    // Read before arriving: the gate cannot open until we have arrived.
    unsigned seen = atomic_load_explicit(&pool->barrier.number, memory_order_relaxed);
    if (atomic_fetch_add(&pool->n_arrived, 1) + 1 < pool->n_threads) {
        gate_wait(&pool->barrier, seen);
        return;
    }
    atomic_store(&pool->n_arrived, 0);
    gate_open(&pool->barrier);
}

static void *run_member(void *argument) {
    const struct member *member = argument;
    struct thread_pool *pool = member->pool;
    for (unsigned seen = 0;; seen++) {
        gate_wait(&pool->start, seen);
        if (pool->stopping) return NULL;
        pool->work(pool->argument, member->index, pool->n_threads);
        thread_pool_barrier(pool);
    }
}

static enum status start_members(struct thread_pool *pool, struct error *err) {
    for (int i = 1; i < pool->n_threads; i++) {
        struct member *member = &pool->members[i];
        member->pool = pool;
        member->index = i;
        int code = pthread_create(&member->thread, NULL, run_member, member);
        if (code != 0)
            return error_set(err, STATUS_FAILED, "cannot start thread %d of %d: %s", i + 1,
                             pool->n_threads, strerror(code));
        pool->n_created++;
    }
    return STATUS_OK;
}

enum status thread_pool_create(struct thread_pool **result, int n_threads, struct error *err) {
    *result = NULL;
    if (n_threads < 1 || n_threads > THREADS_MAX)
        return error_set(err, STATUS_USAGE, "%d threads asked for; the range is 1 to %d", n_threads,
                         THREADS_MAX);
    size_t size_bytes = (sizeof(struct thread_pool) + 63) / 64 * 64;
    struct thread_pool *pool = aligned_alloc(64, size_bytes);
    if (!pool) return error_no_memory(err, "the thread pool", size_bytes);
    memset(pool, 0, size_bytes);
    pool->n_threads = n_threads;
    atomic_init(&pool->n_arrived, 0);
    pool->members = calloc((size_t)n_threads, sizeof *pool->members);
    bool has_start = pool->members && gate_init(&pool->start);
    if (!has_start || !gate_init(&pool->barrier)) {
        if (has_start) gate_deinit(&pool->start);
        free(pool->members);
        free(pool);
        return error_no_memory(err, "the thread pool", size_bytes);
    }
    enum status status = start_members(pool, err);
    if (status != STATUS_OK) {
        thread_pool_destroy(pool);
        return status;
    }
    *result = pool;
    return STATUS_OK;
}

void thread_pool_destroy(struct thread_pool *pool) {
    if (!pool) return;
    pool->stopping = true;
    gate_open(&pool->start);
    for (int i = 1; i <= pool->n_created; i++)
        pthread_join(pool->members[i].thread, NULL);
    gate_deinit(&pool->start);
    gate_deinit(&pool->barrier);
    free(pool->members);
    free(pool);
}

int thread_pool_size(const struct thread_pool *pool) {
    return pool->n_threads;
}

void thread_pool_run(struct thread_pool *pool, thread_pool_work work, void *argument) {
    if (pool->n_threads == 1) {
        work(argument, 0, 1);
        return;
    }
    pool->work = work;
    pool->argument = argument;
    gate_open(&pool->start);
    work(argument, 0, pool->n_threads);
    thread_pool_barrier(pool);
}
