// SPDX-License-Identifier: Apache-2.0
// The choice of threads on made-up machines, where a pass takes as long as a formula says.
#include "model/thread_tuner.h"

#include "harness.h"

// A machine of n_cores of which n_taken are half a neighbour's: whoever runs there needs twice as
// long and everybody waits. Members take free cores first.
struct machine {
    int n_cores, n_taken;
    double pass_s; // of one thread alone
};

static double pass(const struct machine *machine, struct thread_tuner *tuner) {
    int n = thread_tuner_threads(tuner);
    bool is_displaced = n > machine->n_cores - machine->n_taken;
    double wall_s = machine->pass_s / n * (is_displaced ? 2 : 1);
    thread_tuner_report(tuner, wall_s, is_displaced ? wall_s / 2 : 0);
    return wall_s;
}

// Seconds of n_passes.
static double run(const struct machine *machine, struct thread_tuner *tuner, int n_passes) {
    double sum = 0;
    for (int i = 0; i < n_passes; i++)
        sum += pass(machine, tuner);
    return sum;
}

static enum test_result quiet_machine(void) {
    for (int n = 1; n <= 64; n *= 2) {
        struct machine machine = {n, 0, 0.004};
        struct thread_tuner tuner;
        thread_tuner_init(&tuner, n);
        for (int i = 0; i < 2000; i++) {
            pass(&machine, &tuner);
            CHECK(thread_tuner_threads(&tuner) == n);
        }
    }
    return TEST_PASS;
}

static enum test_result gives_way(void) {
    for (int n = 4; n <= 64; n *= 2) {
        struct machine machine = {n, 1, 0.02};
        struct thread_tuner tuner;
        thread_tuner_init(&tuner, n);
        run(&machine, &tuner, 2000);
        double seconds = run(&machine, &tuner, 20000);
        double best = 20000 * machine.pass_s / (n - 1);
        CHECK_MESSAGE(seconds < 1.2 * best, "%d cores: %.3f s, best %.3f s", n, seconds, best);
        CHECK(thread_tuner_threads(&tuner) < n);
    }
    return TEST_PASS;
}

static enum test_result comes_back(void) {
    struct machine machine = {8, 2, 0.02};
    struct thread_tuner tuner;
    thread_tuner_init(&tuner, 8);
    run(&machine, &tuner, 20000);
    CHECK(thread_tuner_threads(&tuner) < 8);
    machine.n_taken = 0;
    run(&machine, &tuner, 20000);
    CHECK(thread_tuner_threads(&tuner) == 8);
    return TEST_PASS;
}

// Every core is taken: fewer threads do not help, and trying does not cost much.
static enum test_result no_way_out(void) {
    struct machine machine = {8, 8, 0.02};
    struct thread_tuner tuner;
    thread_tuner_init(&tuner, 8);
    double seconds = run(&machine, &tuner, 40000);
    CHECK_MESSAGE(seconds < 1.05 * 40000 * machine.pass_s / 8 * 2, "%.3f s", seconds);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"quiet", "nothing in the way: all threads, always", quiet_machine},
    {"gives_way", "a neighbour on one core: one thread less or so", gives_way},
    {"comes_back", "the neighbour has gone: all threads again", comes_back},
    {"no_way_out", "neighbours everywhere: as many as ever", no_way_out},
};

int main(int argc, char **argv) {
    return harness_main("thread_tuner", tests, sizeof tests / sizeof tests[0], argc, argv);
}
