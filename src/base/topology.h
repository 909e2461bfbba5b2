// SPDX-License-Identifier: Apache-2.0
// The CPUs that this process may use, which of them share a core and which share a memory (a NUMA
// node), and where the threads of a pool belong on them.
#ifndef XL_BASE_TOPOLOGY_H
#define XL_BASE_TOPOLOGY_H

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TOPOLOGY_CPUS_MAX = 8192 };

struct topology_cpu {
    int cpu;  // the operating system's number
    int core; // 0 .. n_cores-1
    int node; // 0 .. n_nodes-1: memories that are near any of these CPUs
};

struct topology {
    struct topology_cpu *cpus; // [n_cpus], ordered by node, then core, then number
    int n_cpus, n_cores, n_nodes;
};

// What cannot be read is taken as one core a CPU and one node. The CPUs are those of the calling
// thread's affinity mask; at least one. STATUS_NO_MEMORY.
enum status topology_read(struct topology *topology, struct error *err);
// The same with /sys under another directory and given CPUs (for tests: a machine that is not
// there). cpus NULL: the affinity mask.
enum status topology_read_under(struct topology *topology, const char *root, const int *cpus,
                                int n_cpus, struct error *err);
void topology_deinit(struct topology *topology);

// The CPUs of one thread: entries [begin, end) of topology->cpus; none if it is not bound.
struct thread_place {
    int begin, end;
    int node; // where its data belongs
};

// Thread t of n. Threads follow the CPUs in order, so that each node has one contiguous run of
// them, as many as it has of the CPUs. As many threads as cores or as CPUs: each has its own. Fewer
// are bound to their node only, because several such processes may share a machine and would
// otherwise crowd on the same cores; more are not bound at all.
struct thread_place topology_place(const struct topology *topology, int t, int n_threads);

#ifdef __cplusplus
}
#endif
#endif
