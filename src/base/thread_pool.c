// SPDX-License-Identifier: Apache-2.0
// See thread_pool.h. Everything waits at a gate: a number that only grows. Waiting for a gate spins
// for some tens of microseconds (the usual distance between two parts of one layer), then sleeps on
// a futex. Nobody enters the kernel to wake unless somebody sleeps: the sleeper announces itself
// and then looks at the number; the opener changes the number and then looks for sleepers. Both in
// one total order (seq_cst), so at least one of them sees the other.
//
// Members stand in groups of 16, each with a gate and a count of arrivals on lines of their own.
// The last of a group arrives at the root, the last of the groups opens all gates. Starting a run
// goes the same way: the caller wakes the first of each group, who wakes the others.
#define _GNU_SOURCE // sched_setaffinity, syscall
#include "base/thread_pool.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    GROUP_MEMBERS = 16,
    THREADS_MAX = 1024,
    LINE_BYTES = 64,
    SPIN_NS = 50000,
    SPINS_PER_LOOK = 64 // between two looks at the clock
};

struct gate {
    _Alignas(LINE_BYTES) atomic_uint number;
    atomic_uint sleepers;
};

struct group {
    struct gate gate; // one more per barrier passed
    _Alignas(LINE_BYTES) atomic_int n_arrived;
};

struct member {
    struct gate start; // one more per run of this member
    struct thread_pool *pool;
    pthread_t thread;
    int position;    // 0 .. size-1
    int index;       // in the current run: 0 .. n_active-1
    cpu_set_t *cpus; // NULL: not bound
};

struct thread_pool {
    _Alignas(LINE_BYTES) atomic_int n_groups_arrived;
    _Alignas(LINE_BYTES) int n_active; // of the current run
    thread_pool_work work;
    void *argument;
    bool may_spin; // in the current run
    bool stopping;
    int n_threads; // members, with the caller
    int n_created; // threads that exist: members 1..n_created
    int n_at_once;
    struct member *members; // [n_threads]
    struct group *groups;   // [n_threads / GROUP_MEMBERS, rounded up]
};

// The index of the running thread in the run that it is part of.
static _Thread_local int own_index;

static const size_t cpu_set_bytes = CPU_ALLOC_SIZE(TOPOLOGY_CPUS_MAX);

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// ---- Gates -------------------------------------------------------------------------------------

static void gate_open(struct gate *gate) {
    atomic_fetch_add(&gate->number, 1);
    if (atomic_load(&gate->sleepers) == 0) return;
    syscall(SYS_futex, &gate->number, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static bool is_open(const struct gate *gate, unsigned seen) {
    return atomic_load_explicit(&gate->number, memory_order_acquire) != seen;
}

static bool spin(const struct gate *gate, unsigned seen) {
    int64_t end = 0;
    for (;;) {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (is_open(gate, seen)) return true;
            relax();
        }
        int64_t now = now_ns();
        if (end == 0) end = now + SPIN_NS;
        if (now >= end) return false;
    }
}

// Returns when the number is no longer `seen`.
static void gate_wait(struct gate *gate, unsigned seen, bool may_spin) {
    if (is_open(gate, seen) || (may_spin && spin(gate, seen))) return;
    atomic_fetch_add(&gate->sleepers, 1);
    while (atomic_load(&gate->number) == seen)
        syscall(SYS_futex, &gate->number, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    atomic_fetch_sub(&gate->sleepers, 1);
}

void thread_pool_barrier(struct thread_pool *pool) {
    int n_active = pool->n_active;
    if (n_active == 1) return;
    bool may_spin = pool->may_spin;
    int index = own_index / GROUP_MEMBERS, n_groups = (n_active - 1) / GROUP_MEMBERS + 1;
    struct group *group = &pool->groups[index];
    int n_members = n_active - index * GROUP_MEMBERS;
    if (n_members > GROUP_MEMBERS) n_members = GROUP_MEMBERS;
    // Read before arriving: the gate cannot open until we have arrived.
    unsigned seen = atomic_load_explicit(&group->gate.number, memory_order_relaxed);
    if (atomic_fetch_add(&group->n_arrived, 1) + 1 < n_members) {
        gate_wait(&group->gate, seen, may_spin);
        return;
    }
    atomic_store(&group->n_arrived, 0);
    if (n_groups > 1 && atomic_fetch_add(&pool->n_groups_arrived, 1) + 1 < n_groups) {
        gate_wait(&group->gate, seen, may_spin);
        return;
    }
    atomic_store(&pool->n_groups_arrived, 0);
    // The caller's group comes last: once it goes on, a new run may form other groups.
    for (int i = n_groups - 1; i >= 0; i--)
        gate_open(&pool->groups[i].gate);
}

// ---- Runs --------------------------------------------------------------------------------------

// Starts members [begin, end) of the current run, spread evenly over the pool.
static void start_members(struct thread_pool *pool, int begin, int end, int step) {
    for (int index = begin; index < end; index += step) {
        int position = (int)((int64_t)index * pool->n_threads / pool->n_active);
        pool->members[position].index = index;
        gate_open(&pool->members[position].start);
    }
}

static int group_end(const struct thread_pool *pool, int index) {
    int end = index + GROUP_MEMBERS;
    return end < pool->n_active ? end : pool->n_active;
}

static void *run_member(void *argument) {
    struct member *member = argument;
    struct thread_pool *pool = member->pool;
    bool may_spin = false;
    if (member->cpus) sched_setaffinity(0, cpu_set_bytes, member->cpus);
    for (unsigned seen = 0;; seen++) {
        gate_wait(&member->start, seen, may_spin);
        if (pool->stopping) return NULL;
        may_spin = pool->may_spin;
        int index = own_index = member->index;
        if (index % GROUP_MEMBERS == 0) start_members(pool, index + 1, group_end(pool, index), 1);
        pool->work(pool->argument, index, pool->n_active);
        thread_pool_barrier(pool);
    }
}

// Binds the calling thread as member 0; *old is what to give back. False: it stays as it is.
static bool bind_caller(const struct thread_pool *pool, cpu_set_t *old) {
    const cpu_set_t *cpus = pool->members[0].cpus;
    if (!cpus || sched_getaffinity(0, cpu_set_bytes, old) != 0) return false;
    return sched_setaffinity(0, cpu_set_bytes, cpus) == 0;
}

void thread_pool_run_some(struct thread_pool *pool, int n_active, thread_pool_work work,
                          void *argument) {
    if (n_active > pool->n_threads) n_active = pool->n_threads;
    if (n_active <= 1) {
        pool->n_active = 1;
        work(argument, 0, 1);
        return;
    }
    cpu_set_t old[TOPOLOGY_CPUS_MAX / CPU_SETSIZE];
    bool is_bound = bind_caller(pool, old);
    int outer_index = own_index;
    own_index = 0;
    pool->work = work;
    pool->argument = argument;
    pool->n_active = n_active;
    pool->may_spin = n_active <= pool->n_at_once;
    start_members(pool, GROUP_MEMBERS, n_active, GROUP_MEMBERS);
    start_members(pool, 1, group_end(pool, 0), 1);
    work(argument, 0, n_active);
    thread_pool_barrier(pool);
    own_index = outer_index;
    if (is_bound) sched_setaffinity(0, cpu_set_bytes, old);
}

void thread_pool_run(struct thread_pool *pool, thread_pool_work work, void *argument) {
    thread_pool_run_some(pool, pool->n_threads, work, argument);
}

int thread_pool_size(const struct thread_pool *pool) {
    return pool->n_threads;
}

// ---- Creation ----------------------------------------------------------------------------------

// What cannot be had is done without: an unbound thread is only slower.
static void place_member(struct member *member, const struct topology *topology, int n_threads) {
    struct thread_place place = topology_place(topology, member->position, n_threads);
    if (place.begin == place.end) return;
    member->cpus = CPU_ALLOC(TOPOLOGY_CPUS_MAX);
    if (!member->cpus) return;
    CPU_ZERO_S(cpu_set_bytes, member->cpus);
    for (int i = place.begin; i < place.end; i++)
        CPU_SET_S((size_t)topology->cpus[i].cpu, cpu_set_bytes, member->cpus);
}

static enum status create_threads(struct thread_pool *pool, struct error *err) {
    for (int i = 1; i < pool->n_threads; i++) {
        struct member *member = &pool->members[i];
        int code = pthread_create(&member->thread, NULL, run_member, member);
        if (code != 0)
            return error_set(err, STATUS_FAILED, "cannot start thread %d of %d: %s", i + 1,
                             pool->n_threads, strerror(code));
        pool->n_created++;
    }
    return STATUS_OK;
}

static void *allocate_lines(size_t size_bytes) {
    void *memory = aligned_alloc(LINE_BYTES, size_bytes);
    if (memory) memset(memory, 0, size_bytes);
    return memory;
}

static enum status allocate(struct thread_pool **result, const struct thread_pool_options *options,
                            struct error *err) {
    size_t n = (size_t)options->n_threads, n_groups = (n - 1) / GROUP_MEMBERS + 1;
    struct thread_pool *pool = *result = allocate_lines(sizeof *pool);
    if (pool) {
        pool->members = allocate_lines(n * sizeof *pool->members);
        pool->groups = allocate_lines(n_groups * sizeof *pool->groups);
    }
    if (!pool || !pool->members || !pool->groups)
        return error_no_memory(err, "the thread pool", sizeof *pool + n * sizeof *pool->members);
    pool->n_threads = options->n_threads;
    pool->n_at_once = options->n_at_once;
    for (int i = 0; i < pool->n_threads; i++) {
        pool->members[i].pool = pool;
        pool->members[i].position = i;
        if (options->topology) place_member(&pool->members[i], options->topology, pool->n_threads);
    }
    return create_threads(pool, err);
}

enum status thread_pool_create_placed(struct thread_pool **pool,
                                      const struct thread_pool_options *options,
                                      struct error *err) {
    *pool = NULL;
    if (options->n_threads < 1 || options->n_threads > THREADS_MAX)
        return error_set(err, STATUS_USAGE, "%d threads asked for; the range is 1 to %d",
                         options->n_threads, THREADS_MAX);
    enum status status = allocate(pool, options, err);
    if (status != STATUS_OK) {
        thread_pool_destroy(*pool);
        *pool = NULL;
    }
    return status;
}

enum status thread_pool_create(struct thread_pool **pool, int n_threads, struct error *err) {
    cpu_set_t set[TOPOLOGY_CPUS_MAX / CPU_SETSIZE];
    struct thread_pool_options options = {.n_threads = n_threads, .n_at_once = n_threads};
    if (sched_getaffinity(0, sizeof set, set) == 0)
        options.n_at_once = CPU_COUNT_S(sizeof set, set);
    return thread_pool_create_placed(pool, &options, err);
}

void thread_pool_destroy(struct thread_pool *pool) {
    if (!pool) return;
    pool->stopping = true;
    for (int i = 1; i <= pool->n_created; i++)
        gate_open(&pool->members[i].start);
    for (int i = 1; i <= pool->n_created; i++)
        pthread_join(pool->members[i].thread, NULL);
    for (int i = 0; pool->members && i < pool->n_threads; i++)
        if (pool->members[i].cpus) CPU_FREE(pool->members[i].cpus);
    free(pool->members);
    free(pool->groups);
    free(pool);
}
