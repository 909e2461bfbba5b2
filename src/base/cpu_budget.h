// SPDX-License-Identifier: Apache-2.0
// How many threads this process may really use: affinity, cgroup quota and physical cores.
// Asking for more than the quota makes every barrier wait for a throttled thread.
#ifndef XL_BASE_CPU_BUDGET_H
#define XL_BASE_CPU_BUDGET_H

#ifdef __cplusplus
extern "C" {
#endif

struct cpu_budget {
    int n_affinity;       // logical CPUs in the affinity mask
    int n_physical_cores; // distinct cores among them
    int n_nodes;          // memories (NUMA nodes) near them
    double quota_cpus;    // cgroup v1/v2 quota in CPUs; 0 if there is none
    int n_threads;        // what to use: min of cores and quota, at least 1
    int n_at_once; // more threads than this never run at the same time: min of affinity and the
                   // quota rounded up
};

void cpu_budget_read(struct cpu_budget *budget);
// The same with /proc and /sys under another directory (for tests: a fake machine). Affinity is
// always this process's own.
void cpu_budget_read_under(struct cpu_budget *budget, const char *root);

#ifdef __cplusplus
}
#endif
#endif
