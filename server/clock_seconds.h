// SPDX-License-Identifier: Apache-2.0
// Seconds that only go forward, for deadlines and durations.
#ifndef XL_SERVER_CLOCK_SECONDS_H
#define XL_SERVER_CLOCK_SECONDS_H

#include <time.h>

static inline double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
