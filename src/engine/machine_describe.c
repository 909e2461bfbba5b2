// SPDX-License-Identifier: Apache-2.0
// What this machine offers: CPU, kernel levels and why one is missing, threads, memory.
#include "engine/engine.h"

#include "base/cpu_budget.h"
#include "base/topology.h"
#include "engine/json_text.h"

#include <stdio.h>
#include <string.h>

struct named_flag {
    const char *name;
    bool has;
};

// The first thing that keeps a level from running here; "" if nothing does.
static const char *missing_for(enum isa isa, const struct cpu_features *f) {
    const struct named_flag avx2[] = {
        {"the CPU has no AVX2", f->avx2},
        {"the CPU has no FMA", f->fma},
        {"the CPU has no F16C", f->f16c},
        {"the operating system does not save AVX registers", f->os_avx},
        {"", false}};
    const struct named_flag avx512[] = {
        {"the CPU has no AVX-512 F", f->avx512f},
        {"the CPU has no AVX-512 BW", f->avx512bw},
        {"the CPU has no AVX-512 VL", f->avx512vl},
        {"the CPU has no AVX-512 DQ", f->avx512dq},
        {"the CPU has no AVX-512 VNNI", f->avx512vnni},
        {"the operating system does not save AVX-512 registers", f->os_avx512},
        {"", false}};
    const struct named_flag amx[] = {{"the CPU has no AMX tiles", f->amx_tile},
                                     {"the CPU has no AMX int8", f->amx_int8},
                                     {"the CPU has no AMX bf16", f->amx_bf16},
                                     {"the operating system does not save AMX tiles", f->os_amx},
                                     {"", false}};
    const struct named_flag none[] = {{"", false}};
    const struct named_flag *wanted = isa == ISA_AVX2     ? avx2
                                      : isa == ISA_AVX512 ? avx512
                                      : isa == ISA_AMX    ? amx
                                                          : none;
    while (wanted->has)
        wanted++;
    return wanted->name;
}

static json_t *describe_levels(const struct cpu_features *features) {
    json_t *levels = json_array();
    for (int i = 0; i < ISA_COUNT; i++) {
        enum isa isa = (enum isa)i;
        const char *reason = missing_for(isa, features);
        bool available = isa_available(isa);
        if (!available && !reason[0]) reason = "this build has no such kernels";
        json_array_append_new(levels,
                              json_pack("{s:s, s:b, s:s*}", "name", isa_name(isa), "available",
                                        (int)available, "reason", available ? NULL : reason));
    }
    return levels;
}

static json_t *describe_features(const struct cpu_features *f) {
    const struct named_flag flags[] = {
        {"avx2", f->avx2},
        {"fma", f->fma},
        {"f16c", f->f16c},
        {"avx512f", f->avx512f},
        {"avx512bw", f->avx512bw},
        {"avx512vl", f->avx512vl},
        {"avx512dq", f->avx512dq},
        {"avx512vnni", f->avx512vnni},
        {"avx512bf16", f->avx512bf16},
        {"amx_tile", f->amx_tile},
        {"amx_int8", f->amx_int8},
        {"amx_bf16", f->amx_bf16},
    };
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].has) json_array_append_new(names, json_string(flags[i].name));
    return names;
}

// A "Name:  123 kB" line of /proc/meminfo, in bytes; 0 if unknown.
static json_int_t memory_bytes(const char *name) {
    FILE *file = fopen("/proc/meminfo", "r");
    char line[128];
    unsigned long long kilobytes = 0;
    size_t length = strlen(name);
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            sscanf(line + length + 1, "%llu", &kilobytes);
            break;
        }
    fclose(file);
    return (json_int_t)kilobytes * 1024;
}

// Where each thread of a pool of the usual size goes.
static json_t *describe_places(const struct cpu_budget *budget) {
    struct topology topology;
    struct error err;
    json_t *places = json_array();
    enum status status = topology_read(&topology, &err);
    for (int t = 0; status == STATUS_OK && t < budget->n_threads; t++) {
        struct thread_place place = topology_place(&topology, t, budget->n_threads);
        char text[96], cpus[48] = "any cpu";
        const struct topology_cpu *first = &topology.cpus[place.begin];
        int n = place.end - place.begin;
        if (n == 1) snprintf(cpus, sizeof cpus, "cpu %d", first->cpu);
        if (n == 2) snprintf(cpus, sizeof cpus, "cpu %d,%d", first->cpu, first[1].cpu);
        if (n > 2) snprintf(cpus, sizeof cpus, "any of %d cpus", n);
        snprintf(text, sizeof text, "%d: %s node %d%s", t, cpus, place.node,
                 t + 1 < budget->n_threads ? ";" : "");
        json_array_append_new(places, json_string(text));
    }
    topology_deinit(&topology);
    return places;
}

xl_status xl_machine_describe(char **json, xl_error *error) {
    struct error err = {0};
    struct cpu_features features;
    struct cpu_budget budget;
    if (!json)
        return engine_report(error, error_set(&err, STATUS_USAGE, "nowhere to put JSON"), &err);
    cpu_features_read(&features);
    cpu_budget_read(&budget);
    json_t *root =
        json_pack("{s:s, s:o, s:s, s:o, s:{s:i, s:i, s:i, s:f, s:i}, s:o, s:{s:I, s:I}}", "cpu",
                  features.brand, "features", describe_features(&features), "best",
                  isa_name(isa_best()), "levels", describe_levels(&features), "threads", "affinity",
                  budget.n_affinity, "physical_cores", budget.n_physical_cores, "nodes",
                  budget.n_nodes, "quota_cpus", budget.quota_cpus, "used", budget.n_threads,
                  "placement", describe_places(&budget), "memory", "total_bytes",
                  memory_bytes("MemTotal"), "available_bytes", memory_bytes("MemAvailable"));
    return engine_report(error, json_text_finish(root, json, &err), &err);
}
