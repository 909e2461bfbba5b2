// SPDX-License-Identifier: Apache-2.0
// See topology.h. Everything under /sys is best effort.
#define _GNU_SOURCE // sched_getaffinity
#include "base/topology.h"

#include "base/system_file.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 1024 };

// The next range "a" or "a-b" of a list such as "0-3,8,10-11"; false at its end. What does not look
// like numbers ends the list.
static bool next_range(const char **list, long *first, long *last) {
    char *end;
    *first = strtol(*list, &end, 10);
    if (end == *list || *first < 0) return false;
    *last = *first;
    if (*end == '-') {
        *list = end + 1;
        *last = strtol(*list, &end, 10);
        if (end == *list || *last < *first) return false;
    }
    *list = *end == ',' ? end + 1 : end;
    return true;
}

// The lowest CPU that shares cpu's core, which names the core; cpu itself if unknown.
static int core_of(const char *root, int cpu) {
    char path[128], text[256];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    if (!system_file_read(root, path, text, sizeof text)) return cpu;
    const char *list = text;
    long first, last;
    return next_range(&list, &first, &last) && first < TOPOLOGY_CPUS_MAX ? (int)first : cpu;
}

static void set_node(struct topology *topology, int node, long first, long last) {
    for (int i = 0; i < topology->n_cpus; i++)
        if (topology->cpus[i].cpu >= first && topology->cpus[i].cpu <= last)
            topology->cpus[i].node = node;
}

static void read_nodes(struct topology *topology, const char *root) {
    char online[SYSTEM_TEXT_MAX], path[128], cpus[SYSTEM_TEXT_MAX];
    if (!system_file_read(root, "/sys/devices/system/node/online", online, sizeof online)) return;
    const char *nodes = online;
    long first_node, last_node, first, last;
    while (next_range(&nodes, &first_node, &last_node))
        for (long node = first_node; node <= last_node && node < NODES_MAX; node++) {
            snprintf(path, sizeof path, "/sys/devices/system/node/node%ld/cpulist", node);
            if (!system_file_read(root, path, cpus, sizeof cpus)) continue;
            const char *list = cpus;
            while (next_range(&list, &first, &last))
                set_node(topology, (int)node, first, last);
        }
}

static int compare_cpus(const void *a, const void *b) {
    const struct topology_cpu *x = a, *y = b;
    if (x->node != y->node) return x->node < y->node ? -1 : 1;
    if (x->core != y->core) return x->core < y->core ? -1 : 1;
    return (x->cpu > y->cpu) - (x->cpu < y->cpu);
}

// From the system's numbers to 0, 1, … in order.
static void renumber(struct topology *topology) {
    int last_core = -1, last_node = -1;
    for (int i = 0; i < topology->n_cpus; i++) {
        struct topology_cpu *cpu = &topology->cpus[i];
        bool new_node = topology->n_nodes == 0 || cpu->node != last_node;
        if (new_node || cpu->core != last_core) topology->n_cores++;
        if (new_node) topology->n_nodes++;
        last_core = cpu->core;
        last_node = cpu->node;
        cpu->core = topology->n_cores - 1;
        cpu->node = topology->n_nodes - 1;
    }
}

static void take_affinity(struct topology *topology) {
    cpu_set_t *set = CPU_ALLOC(TOPOLOGY_CPUS_MAX);
    size_t size = CPU_ALLOC_SIZE(TOPOLOGY_CPUS_MAX);
    if (set && sched_getaffinity(0, size, set) == 0)
        for (int cpu = 0; cpu < TOPOLOGY_CPUS_MAX; cpu++)
            if (CPU_ISSET_S((size_t)cpu, size, set))
                topology->cpus[topology->n_cpus++] = (struct topology_cpu){.cpu = cpu};
    if (topology->n_cpus == 0) topology->cpus[topology->n_cpus++] = (struct topology_cpu){0};
    if (set) CPU_FREE(set);
}

enum status topology_read_under(struct topology *topology, const char *root, const int *cpus,
                                int n_cpus, struct error *err) {
    memset(topology, 0, sizeof *topology);
    if (cpus && (n_cpus < 1 || n_cpus > TOPOLOGY_CPUS_MAX))
        return error_set(err, STATUS_USAGE, "a machine of %d CPUs", n_cpus);
    size_t n = cpus ? (size_t)n_cpus : TOPOLOGY_CPUS_MAX;
    topology->cpus = calloc(n, sizeof *topology->cpus);
    if (!topology->cpus) return error_no_memory(err, "the list of CPUs", n * sizeof(int));
    if (!cpus) take_affinity(topology);
    for (int i = 0; cpus && i < n_cpus; i++)
        topology->cpus[topology->n_cpus++] = (struct topology_cpu){.cpu = cpus[i]};
    read_nodes(topology, root);
    for (int i = 0; i < topology->n_cpus; i++)
        topology->cpus[i].core = core_of(root, topology->cpus[i].cpu);
    qsort(topology->cpus, (size_t)topology->n_cpus, sizeof *topology->cpus, compare_cpus);
    renumber(topology);
    return STATUS_OK;
}

enum status topology_read(struct topology *topology, struct error *err) {
    return topology_read_under(topology, "", NULL, 0, err);
}

void topology_deinit(struct topology *topology) {
    free(topology->cpus);
    memset(topology, 0, sizeof *topology);
}

struct thread_place topology_place(const struct topology *topology, int t, int n_threads) {
    const struct topology_cpu *cpus = topology->cpus;
    int n_cpus = topology->n_cpus;
    // The middle of thread t's part of the CPUs, so that few threads spread over the nodes.
    int at = n_threads < n_cpus ? (int)(((int64_t)2 * t + 1) * n_cpus / (2 * (int64_t)n_threads))
                                : (int)((int64_t)t * n_cpus / n_threads);
    struct thread_place place = {at, at + 1, cpus[at].node};
    if (n_threads == n_cpus) return place;
    bool own_core = n_threads == topology->n_cores;
    if (n_threads > n_cpus || (!own_core && topology->n_nodes == 1)) {
        place.begin = place.end = 0;
        return place;
    }
    if (own_core) {
        for (at = 0; cpus[at].core != t; at++) {
        }
        place = (struct thread_place){at, at + 1, cpus[at].node};
    }
    // All CPUs of the same core, or else of the same node.
    while (place.begin > 0 && cpus[place.begin - 1].node == place.node &&
           (!own_core || cpus[place.begin - 1].core == cpus[at].core))
        place.begin--;
    while (place.end < n_cpus && cpus[place.end].node == place.node &&
           (!own_core || cpus[place.end].core == cpus[at].core))
        place.end++;
    return place;
}
