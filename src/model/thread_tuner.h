// SPDX-License-Identifier: Apache-2.0
// How many threads to decode with while others use the machine too. A thread whose core a neighbour
// has taken holds up all the others at every barrier: one thread less is then faster. Passes are
// watched in windows; when much of the time went by without computing, fewer threads are tried for
// one window and kept if that was faster. From time to time all are tried again. The number of
// threads changes no result.
#ifndef XL_MODEL_THREAD_TUNER_H
#define XL_MODEL_THREAD_TUNER_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct thread_tuner {
    int n_max;
    int n;      // of the present window
    int n_best; // to go back to if a trial was slower
    int step;   // how many fewer to try; doubles when that did not help
    bool is_trial;
    int n_passes; // of the present window
    double wall_s, lost_s;
    double best_pass_s; // seconds a pass with n_best took in the window before the trial
    int n_until_trial, n_between_trials; // windows
};

void thread_tuner_init(struct thread_tuner *tuner, int n_max);
// Threads of the next pass: 1 .. n_max.
static inline int thread_tuner_threads(const struct thread_tuner *tuner) {
    return tuner->n;
}
// What a pass took, and how much of that the calling thread did not run (slept or was displaced).
void thread_tuner_report(struct thread_tuner *tuner, double wall_s, double lost_s);

#ifdef __cplusplus
}
#endif
#endif
