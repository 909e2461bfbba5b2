// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE // CPU_SET, pthread_setaffinity_np
#include "bench_team.h"

#include "base/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
    int n_threads;
    pthread_t threads[BENCH_THREADS_MAX];
    int indices[BENCH_THREADS_MAX];
    cpu_set_t allowed; // what the process had before
    atomic_uint generation;
    atomic_int n_done;
    bool stopping;
    bench_work work;
    void *argument;
} team;

static void fail(const char *what) {
    fprintf(stderr, "kernels: %s\n", what);
    exit(1);
}

// The index-th processor that the process may use; more threads than processors share them.
static void pin(int index) {
    int wanted = index % CPU_COUNT(&team.allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &team.allowed) || wanted-- > 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        return;
    }
}

static void pause_briefly(int *spins) {
    if (++*spins % 4096 == 0) sched_yield(); // the machine may have fewer processors than we think
}

static void *follow(void *argument) {
    const int index = *(const int *)argument;
    pin(index);
    for (unsigned seen = 0;; seen++) {
        int spins = 0;
        while (atomic_load_explicit(&team.generation, memory_order_acquire) == seen)
            pause_briefly(&spins);
        if (team.stopping) return NULL;
        team.work(team.argument, index, team.n_threads);
        atomic_fetch_add_explicit(&team.n_done, 1, memory_order_release);
    }
}

void bench_team_start(int n_threads) {
    if (n_threads < 1 || n_threads > BENCH_THREADS_MAX) fail("--threads is 1 to 256");
    if (sched_getaffinity(0, sizeof team.allowed, &team.allowed) != 0) fail("no affinity");
    team.n_threads = n_threads;
    team.stopping = false;
    atomic_store(&team.generation, 0);
    pin(0);
    for (int i = 1; i < n_threads; i++) {
        team.indices[i] = i;
        if (pthread_create(&team.threads[i], NULL, follow, &team.indices[i]) != 0)
            fail("cannot start a thread");
    }
}

void bench_team_stop(void) {
    team.stopping = true;
    atomic_fetch_add_explicit(&team.generation, 1, memory_order_release);
    for (int i = 1; i < team.n_threads; i++)
        pthread_join(team.threads[i], NULL);
    pthread_setaffinity_np(pthread_self(), sizeof team.allowed, &team.allowed);
}

double bench_team_run(bench_work work, void *argument) {
    team.work = work;
    team.argument = argument;
    atomic_store_explicit(&team.n_done, 0, memory_order_relaxed);
    double start = clock_seconds();
    atomic_fetch_add_explicit(&team.generation, 1, memory_order_release);
    work(argument, 0, team.n_threads);
    int spins = 0;
    while (atomic_load_explicit(&team.n_done, memory_order_acquire) < team.n_threads - 1)
        pause_briefly(&spins);
    return clock_seconds() - start;
}

static int compare_times(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct bench_timing bench_team_measure(bench_work work, void (*before)(void *argument, int run),
                                       void *argument, double seconds, int runs_min) {
    enum { RUNS_MAX = 1000 };
    static double times[RUNS_MAX];
    const double end = clock_seconds() + seconds;
    int n = 0;
    while (n < RUNS_MAX && (n < runs_min || clock_seconds() < end)) {
        if (before) before(argument, n);
        times[n++] = bench_team_run(work, argument);
    }
    qsort(times, (size_t)n, sizeof *times, compare_times);
    return (struct bench_timing){times[0], times[n / 2]};
}
