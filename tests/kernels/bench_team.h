// SPDX-License-Identifier: Apache-2.0
// Threads for benchmarks, each pinned to one processor, that start a piece of work together. The
// caller is member 0. They spin while they wait: a benchmark wants no sleep in its times.
#ifndef XL_TESTS_BENCH_TEAM_H
#define XL_TESTS_BENCH_TEAM_H

enum { BENCH_THREADS_MAX = 256 };

typedef void (*bench_work)(void *argument, int index, int n_threads);

// Ends the program if the threads cannot be had.
void bench_team_start(int n_threads);
void bench_team_stop(void);
// Seconds from the start of the work to the end of its slowest member.
double bench_team_run(bench_work work, void *argument);

struct bench_timing {
    double best, median; // seconds of one run
};

// Runs the work for about `seconds`, at least `runs_min` times; before(argument, i), which may be
// NULL, prepares run i outside the timing.
struct bench_timing bench_team_measure(bench_work work, void (*before)(void *argument, int run),
                                       void *argument, double seconds, int runs_min);

#endif
