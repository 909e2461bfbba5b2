// SPDX-License-Identifier: Apache-2.0
#include "server/job_pool.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS_MAX = 16 };

struct job {
    void (*run)(void *);
    void *argument;
};

struct job_pool {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job *jobs; // ring [capacity]
    size_t capacity, first, n_jobs;
    bool ends;
    pthread_t threads[THREADS_MAX];
    int n_threads;
};

static void *work(void *argument) {
    struct job_pool *pool = argument;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (pool->n_jobs == 0 && !pool->ends)
            pthread_cond_wait(&pool->changed, &pool->mutex);
        if (pool->n_jobs == 0) break;
        struct job job = pool->jobs[pool->first];
        pool->first = (pool->first + 1) % pool->capacity;
        pool->n_jobs--;
        pthread_mutex_unlock(&pool->mutex);
        job.run(job.argument);
        pthread_mutex_lock(&pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

struct job_pool *job_pool_create(int n_threads, size_t waiting_max) {
    struct job_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->capacity = waiting_max;
    pool->jobs = calloc(waiting_max, sizeof *pool->jobs);
    while (pool->jobs && pool->n_threads < n_threads && pool->n_threads < THREADS_MAX &&
           pthread_create(&pool->threads[pool->n_threads], NULL, work, pool) == 0)
        pool->n_threads++;
    if (pool->n_threads > 0) return pool;
    job_pool_destroy(pool);
    return NULL;
}

void job_pool_destroy(struct job_pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    pool->ends = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->jobs);
    free(pool);
}

bool job_pool_add(struct job_pool *pool, void (*run)(void *), void *argument) {
    pthread_mutex_lock(&pool->mutex);
    bool has_room = pool->n_jobs < pool->capacity && !pool->ends;
    if (has_room) {
        pool->jobs[(pool->first + pool->n_jobs) % pool->capacity] = (struct job){run, argument};
        pool->n_jobs++;
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->mutex);
    return has_room;
}

size_t job_pool_waiting(struct job_pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    size_t n_jobs = pool->n_jobs;
    pthread_mutex_unlock(&pool->mutex);
    return n_jobs;
}
