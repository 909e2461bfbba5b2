// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE // sched_getaffinity
#include "base/thread_pool.h"

#include "harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { MEMBERS_MAX = 40 }; // three groups of the barrier

static void rest(long nanoseconds) {
    struct timespec pause = {0, nanoseconds};
    nanosleep(&pause, NULL);
}

struct visits {
    int count[MEMBERS_MAX]; // plain: each member writes its own, the pool orders the rest
    int n_threads;
};

static void visit(void *argument, int index, int n_threads) {
    struct visits *visits = argument;
    visits->count[index]++;
    if (index == 0) visits->n_threads = n_threads;
}

static enum test_result every_member_runs_once(void) {
    static const int sizes[] = {1, 2, 3, 5, 8, 16, 17, 33, MEMBERS_MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int n = sizes[s];
        struct thread_pool *pool;
        struct visits visits = {{0}, 0};
        CHECK(thread_pool_create(&pool, n, NULL) == STATUS_OK);
        CHECK(thread_pool_size(pool) == n);
        for (int run = 1; run <= 50; run++) {
            thread_pool_run(pool, visit, &visits);
            for (int i = 0; i < MEMBERS_MAX; i++)
                CHECK(visits.count[i] == (i < n ? run : 0));
        }
        CHECK(visits.n_threads == n);
        thread_pool_destroy(pool);
    }
    return TEST_PASS;
}

struct relay {
    struct thread_pool *pool;
    int values[MEMBERS_MAX];
    atomic_int n_wrong;
    int n_rounds;
    bool is_slow;
};

// Each round every member writes its own value and, behind a barrier, reads its neighbour's.
static void pass_on(void *argument, int index, int n_threads) {
    struct relay *relay = argument;
    for (int round = 1; round <= relay->n_rounds; round++) {
        if (relay->is_slow && round % n_threads == index) rest(300000); // others fall asleep
        relay->values[index] = round;
        thread_pool_barrier(relay->pool);
        if (relay->values[(index + 1) % n_threads] != round) atomic_fetch_add(&relay->n_wrong, 1);
        thread_pool_barrier(relay->pool);
    }
}

static enum test_result relay_works(int n_threads, int n_rounds, bool is_slow) {
    struct relay relay = {.n_rounds = n_rounds, .is_slow = is_slow};
    atomic_init(&relay.n_wrong, 0);
    CHECK(thread_pool_create(&relay.pool, n_threads, NULL) == STATUS_OK);
    for (int run = 0; run < 3; run++)
        thread_pool_run(relay.pool, pass_on, &relay);
    thread_pool_destroy(relay.pool);
    CHECK(atomic_load(&relay.n_wrong) == 0);
    return TEST_PASS;
}

static enum test_result barrier_orders(void) {
    for (int n = 1; n <= 3; n++)
        CHECK(relay_works(n, n < 3 ? 3000 : 400, false) == TEST_PASS);
    return TEST_PASS;
}

static enum test_result barrier_wakes_sleepers(void) {
    return relay_works(3, 60, true);
}

static enum test_result more_threads_than_cpus(void) {
    CHECK(relay_works(8, 200, false) == TEST_PASS);
    CHECK(relay_works(17, 40, false) == TEST_PASS);
    return relay_works(MEMBERS_MAX, 20, false);
}

// Runs on parts of a pool, one right after the other: each calls exactly its members, and barriers
// hold among them.
static enum test_result parts_of_a_pool(void) {
    struct relay relay = {.n_rounds = 3};
    atomic_init(&relay.n_wrong, 0);
    CHECK(thread_pool_create(&relay.pool, MEMBERS_MAX, NULL) == STATUS_OK);
    for (int run = 0; run < 120; run++) {
        int n = 1 + run * 7 % (MEMBERS_MAX + 3), expected = n < MEMBERS_MAX ? n : MEMBERS_MAX;
        struct visits visits = {{0}, 0};
        thread_pool_run_some(relay.pool, n, visit, &visits);
        CHECK(visits.n_threads == expected);
        for (int i = 0; i < MEMBERS_MAX; i++)
            CHECK(visits.count[i] == (i < expected));
        thread_pool_run_some(relay.pool, expected, pass_on, &relay);
    }
    thread_pool_destroy(relay.pool);
    CHECK(atomic_load(&relay.n_wrong) == 0);
    return TEST_PASS;
}

struct masks {
    cpu_set_t set[MEMBERS_MAX];
};

static void take_mask(void *argument, int index, int n_threads) {
    struct masks *masks = argument;
    (void)n_threads;
    CPU_ZERO(&masks->set[index]);
    sched_getaffinity(0, sizeof masks->set[index], &masks->set[index]);
}

// As many members as cores: each runs on its own core, and the caller gets its mask back.
static enum test_result members_are_bound(void) {
    struct topology topology;
    struct masks masks;
    cpu_set_t before, after;
    CHECK(topology_read(&topology, NULL) == STATUS_OK);
    int n = topology.n_cores;
    if (n < 2 || n > MEMBERS_MAX || topology.cpus[topology.n_cpus - 1].cpu >= CPU_SETSIZE) {
        topology_deinit(&topology);
        return harness_skip("a machine of %d cores", n);
    }
    struct thread_pool_options options = {n, n, &topology};
    struct thread_pool *pool;
    CHECK(thread_pool_create_placed(&pool, &options, NULL) == STATUS_OK);
    CHECK(sched_getaffinity(0, sizeof before, &before) == 0);
    thread_pool_run(pool, take_mask, &masks);
    CHECK(sched_getaffinity(0, sizeof after, &after) == 0);
    CHECK(CPU_EQUAL(&before, &after));
    for (int t = 0; t < n; t++) {
        struct thread_place place = topology_place(&topology, t, n);
        CHECK(CPU_COUNT(&masks.set[t]) == place.end - place.begin);
        for (int i = place.begin; i < place.end; i++)
            CHECK(CPU_ISSET((size_t)topology.cpus[i].cpu, &masks.set[t]));
    }
    thread_pool_destroy(pool);
    topology_deinit(&topology);
    return TEST_PASS;
}

static void take_identity(void *argument, int index, int n_threads) {
    pthread_t *identity = argument;
    if (index == 0 && n_threads == 1) *identity = pthread_self();
}

static enum test_result one_member_is_the_caller(void) {
    struct thread_pool *pool;
    pthread_t identity;
    memset(&identity, 0, sizeof identity);
    CHECK(thread_pool_create(&pool, 1, NULL) == STATUS_OK);
    thread_pool_run(pool, take_identity, &identity);
    CHECK(pthread_equal(identity, pthread_self()));
    thread_pool_barrier(pool);
    thread_pool_destroy(pool);
    return TEST_PASS;
}

static enum test_result wakes_after_rest(void) {
    struct thread_pool *pool;
    struct visits visits = {{0}, 0};
    CHECK(thread_pool_create(&pool, 3, NULL) == STATUS_OK);
    for (int run = 1; run <= 20; run++) {
        rest(2000000); // far longer than the pool spins
        thread_pool_run(pool, visit, &visits);
        for (int i = 0; i < 3; i++)
            CHECK(visits.count[i] == run);
    }
    thread_pool_destroy(pool);
    return TEST_PASS;
}

static enum test_result idle_costs_nothing(void) {
    struct thread_pool *pool;
    struct timespec before, after;
    CHECK(thread_pool_create(&pool, 4, NULL) == STATUS_OK);
    double used = 1;
    for (int i = 0; i < 50 && used >= 0.02; i++) { // on a busy machine they fall asleep later
        rest(50000000);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        rest(200000000);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        used = (double)(after.tv_sec - before.tv_sec) +
               1e-9 * (double)(after.tv_nsec - before.tv_nsec);
    }
    thread_pool_destroy(pool);
    CHECK_MESSAGE(used < 0.02, "idle for 0.2 s took %.3f s of CPU", used);
    return TEST_PASS;
}

static enum test_result created_and_destroyed(void) {
    for (int i = 0; i < 100; i++) {
        struct thread_pool *pool;
        CHECK(thread_pool_create(&pool, 1 + i % 5, NULL) == STATUS_OK);
        thread_pool_destroy(pool);
    }
    thread_pool_destroy(NULL);
    return TEST_PASS;
}

static enum test_result bad_sizes_are_refused(void) {
    struct thread_pool *pool;
    struct error err;
    CHECK(thread_pool_create(&pool, 0, &err) == STATUS_USAGE);
    CHECK(pool == NULL && strstr(err.message, "0 threads"));
    CHECK(thread_pool_create(&pool, 1 << 20, &err) == STATUS_USAGE);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"every_member", "each run calls each member once, sizes 1 to 40", every_member_runs_once},
    {"barrier", "what was written before a barrier is read behind it", barrier_orders},
    {"sleepers", "a late member wakes those who gave up spinning", barrier_wakes_sleepers},
    {"oversubscribed", "more threads than CPUs only cost time", more_threads_than_cpus},
    {"parts", "runs on parts of a pool call those and order them", parts_of_a_pool},
    {"bound", "as many members as cores are bound, the caller only while it runs",
     members_are_bound},
    {"single", "a pool of one runs in the calling thread", one_member_is_the_caller},
    {"rest", "members wake after a long pause", wakes_after_rest},
    {"idle", "an idle pool uses no CPU time", idle_costs_nothing},
    {"lifecycle", "creating and destroying without a run", created_and_destroyed},
    {"sizes", "sizes out of range are refused with a message", bad_sizes_are_refused},
};

int main(int argc, char **argv) {
    return harness_main("thread_pool", tests, sizeof tests / sizeof tests[0], argc, argv);
}
