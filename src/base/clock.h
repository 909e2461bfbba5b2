// SPDX-License-Identifier: Apache-2.0
// Monotonic time for measurements.
#ifndef XL_BASE_CLOCK_H
#define XL_BASE_CLOCK_H

#ifdef __cplusplus
extern "C" {
#endif

double clock_seconds(void);        // since some fixed moment; never goes back
double clock_thread_seconds(void); // that the calling thread has run

#ifdef __cplusplus
}
#endif
#endif
