// SPDX-License-Identifier: Apache-2.0
// See thread_tuner.h. Hill climbing with patience: a trial that did not pay doubles the time until
// the next one.
#include "model/thread_tuner.h"

enum { PASSES_MIN = 8, WINDOWS_MIN = 8, WINDOWS_MAX = 512 };

static const double window_s = 0.03;  // several time slices of the system
static const double lost_part = 0.25; // of a window: then something is in the way
static const double gain = 0.9;       // a trial must need less than this part of the time

void thread_tuner_init(struct thread_tuner *tuner, int n_max) {
    *tuner = (struct thread_tuner){
        .n_max = n_max, .n = n_max, .n_best = n_max, .step = 1, .n_between_trials = WINDOWS_MIN};
}

static void try_threads(struct thread_tuner *tuner, int n, double pass_s) {
    tuner->is_trial = true;
    tuner->best_pass_s = pass_s;
    tuner->n = n;
}

static void end_trial(struct thread_tuner *tuner, double pass_s) {
    tuner->is_trial = false;
    if (pass_s < gain * tuner->best_pass_s) {
        tuner->n_best = tuner->n;
        tuner->n_between_trials = WINDOWS_MIN;
        tuner->step = 1;
    } else {
        if (tuner->n < tuner->n_best)
            tuner->step = 4 * tuner->step <= tuner->n_best ? 2 * tuner->step : 1;
        tuner->n = tuner->n_best;
        if (tuner->n_between_trials < WINDOWS_MAX) tuner->n_between_trials *= 2;
    }
    tuner->n_until_trial = tuner->n_between_trials;
}

void thread_tuner_report(struct thread_tuner *tuner, double wall_s, double lost_s) {
    tuner->n_passes++;
    tuner->wall_s += wall_s;
    tuner->lost_s += lost_s;
    if (tuner->n_max == 1 || tuner->n_passes < PASSES_MIN || tuner->wall_s < window_s) return;
    double pass_s = tuner->wall_s / tuner->n_passes;
    bool is_disturbed = tuner->lost_s > lost_part * tuner->wall_s;
    tuner->n_passes = 0;
    tuner->wall_s = tuner->lost_s = 0;
    if (tuner->is_trial) {
        end_trial(tuner, pass_s);
        return;
    }
    if (tuner->n_until_trial > 0) {
        tuner->n_until_trial--;
        return;
    }
    if (is_disturbed && tuner->n > tuner->step)
        try_threads(tuner, tuner->n - tuner->step, pass_s);
    else if (tuner->n < tuner->n_max)
        try_threads(tuner, tuner->n_max, pass_s);
}
