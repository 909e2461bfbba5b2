// SPDX-License-Identifier: Apache-2.0
// What this machine can do at best, by the instructions that engines live on: bytes read from
// memory per second, and multiply-adds per second of each kind. Measured beside the engines, in
// the same minute, because a shared machine's limits move.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct roof_figure {
    const char *name; // "read", "avx512_int8", … ; static
    const char *unit; // "B/s" or "op/s" (a multiply-add is two operations)
    double best, median;
};

enum { ROOF_FIGURES_MAX = 8 };

// Measures with n_threads threads, one pinned to each CPU this process may use, for about half a
// second in all; only_read: just the first figure. Returns the number of figures, 0 if threads or
// memory cannot be had.
int roof_measure(struct roof_figure *figures, int n_threads, bool only_read);
