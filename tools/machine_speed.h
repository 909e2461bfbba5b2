// SPDX-License-Identifier: Apache-2.0
// What this machine could do at best, measured in the same run as the models: how fast all threads
// together read memory, and how many float multiply-adds they do from registers.
#ifndef XL_TOOLS_MACHINE_SPEED_H
#define XL_TOOLS_MACHINE_SPEED_H

#include <stdbool.h>

struct machine_speed {
    double read_bytes_per_s; // 0: could not be measured
    double float_ops_per_s;  // a multiply-add counts as two
};

// Takes about a second. False if there was no memory or no thread.
bool machine_speed_measure(struct machine_speed *speed, int n_threads);

#endif
