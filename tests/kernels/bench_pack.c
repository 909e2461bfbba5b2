// SPDX-License-Identifier: Apache-2.0
// How fast rows become panels: what loading a model costs. GB/s of stored rows, from memory to
// memory, all threads.
#include "bench_team.h"
#include "checks.h"
#include "random_data.h"

#include "numeric/packed.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { K = 4096, SOURCE_BYTES = 48 << 20 };

struct pack_job {
    enum dtype dtype;
    size_t row_bytes, panel_bytes;
    int n_panels;
    const uint8_t *rows;
    uint8_t *panels;
};

static void pack_share(void *argument, int index, int n_threads) {
    const struct pack_job *job = argument;
    const int first = (int)((long)job->n_panels * index / n_threads);
    const int end = (int)((long)job->n_panels * (index + 1) / n_threads);
    for (int i = first; i < end; i++)
        pack_panel(job->dtype, job->rows + (size_t)i * PANEL_ROWS * job->row_bytes, job->row_bytes,
                   PANEL_ROWS, K, job->panels + (size_t)i * job->panel_bytes);
}

void bench_pack(const char *pattern, int n_threads) {
    uint8_t *rows = malloc(SOURCE_BYTES);
    if (!rows) exit(1);
    for (size_t i = 0; i < SOURCE_BYTES; i += 4) {
        const uint32_t bits = random_bits();
        memcpy(rows + i, &bits, sizeof bits);
    }
    for (int d = 0; d < DTYPE_COUNT; d++) {
        const struct dtype_info *info = dtype_info((uint32_t)d);
        char name[64];
        if (!info->is_weight) continue;
        snprintf(name, sizeof name, "pack.%s", info->name);
        if (pattern && fnmatch(pattern, name, 0) != 0) continue;
        struct pack_job job = {.dtype = (enum dtype)d, .rows = rows, .panels = bench_memory()};
        job.row_bytes = (size_t)(K / info->block_elements) * (size_t)info->block_bytes;
        job.panel_bytes = packed_panel_bytes((enum dtype)d, K);
        job.n_panels = (int)(SOURCE_BYTES / (job.row_bytes * PANEL_ROWS));
        struct bench_timing timing = bench_team_measure(pack_share, NULL, &job, 0.1, 3);
        const double gigabytes = 1e-9 * (double)job.row_bytes * PANEL_ROWS * job.n_panels;
        printf("bench %s: %d threads: %.2f GB/s (median %.2f)\n", name, n_threads,
               gigabytes / timing.best, gigabytes / timing.median);
    }
    free(rows);
}
