// SPDX-License-Identifier: Apache-2.0
// See cpu_budget.h. All best effort: what cannot be read does not limit. The files are read under a
// root directory ("" = the real one), so that tests can show any machine.
#include "base/cpu_budget.h"

#include "base/system_file.h"
#include "base/topology.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void count_cpus(const char *root, struct cpu_budget *budget) {
    struct topology topology;
    struct error err;
    budget->n_affinity = budget->n_physical_cores = budget->n_nodes = 1;
    if (topology_read_under(&topology, root, NULL, 0, &err) == STATUS_OK) {
        budget->n_affinity = topology.n_cpus;
        budget->n_physical_cores = topology.n_cores;
        budget->n_nodes = topology.n_nodes;
    }
    topology_deinit(&topology);
}

static void limit(double *quota_cpus, double quota, double period) {
    if (quota <= 0 || period <= 0) return;
    if (*quota_cpus == 0 || quota / period < *quota_cpus) *quota_cpus = quota / period;
}

static bool read_number(const char *root, const char *directory, const char *name, double *value) {
    char path[SYSTEM_PATH_SIZE], text[64], *end;
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (n < 0 || (size_t)n >= sizeof path || !system_file_read(root, path, text, sizeof text))
        return false;
    *value = strtod(text, &end);
    return end != text;
}

// One cgroup directory: v2 has "QUOTA PERIOD" or "max PERIOD" in cpu.max, v1 has two files.
static void limit_by_directory(const char *root, const char *directory, double *quota_cpus) {
    char path[SYSTEM_PATH_SIZE], text[64];
    int n = snprintf(path, sizeof path, "%s/cpu.max", directory);
    if (n > 0 && (size_t)n < sizeof path && system_file_read(root, path, text, sizeof text)) {
        char *end;
        double quota = strtod(text, &end);
        if (end != text) limit(quota_cpus, quota, strtod(end, NULL));
    }
    double quota, period;
    if (read_number(root, directory, "cpu.cfs_quota_us", &quota) &&
        read_number(root, directory, "cpu.cfs_period_us", &period))
        limit(quota_cpus, quota, period);
}

// From the group up to the top of the mount: every level limits. In a container the group's path
// may not exist below the mount; then the mount itself is the container's group.
static void limit_by_path(const char *root, const char *mount, const char *group,
                          double *quota_cpus) {
    char directory[SYSTEM_PATH_SIZE];
    int n = snprintf(directory, sizeof directory, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof directory) return;
    size_t mount_length = strlen(mount);
    for (;;) {
        limit_by_directory(root, directory, quota_cpus);
        char *slash = strrchr(directory + mount_length, '/');
        if (!slash) return;
        *slash = '\0';
    }
}

// A line of /proc/self/cgroup is "ID:CONTROLLERS:PATH"; v2 has no controllers ("0::/path").
static void limit_by_line(const char *root, char *line, double *quota_cpus) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return;
    *group++ = '\0';
    controllers++;
    if (strcmp(controllers, "") == 0) {
        limit_by_path(root, "/sys/fs/cgroup", group, quota_cpus);
        limit_by_path(root, "/sys/fs/cgroup/unified", group, quota_cpus);
    } else if (strcmp(controllers, "cpu") == 0 || strncmp(controllers, "cpu,", 4) == 0 ||
               strstr(controllers, ",cpu,") ||
               (strlen(controllers) > 4 &&
                strcmp(controllers + strlen(controllers) - 4, ",cpu") == 0)) {
        limit_by_path(root, "/sys/fs/cgroup/cpu", group, quota_cpus);
        limit_by_path(root, "/sys/fs/cgroup/cpu,cpuacct", group, quota_cpus);
    }
}

static double read_quota(const char *root) {
    char text[SYSTEM_TEXT_MAX];
    double quota_cpus = 0;
    if (!system_file_read(root, "/proc/self/cgroup", text, sizeof text)) return 0;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")) != NULL)
        limit_by_line(root, line, &quota_cpus);
    return quota_cpus;
}

void cpu_budget_read_under(struct cpu_budget *budget, const char *root) {
    memset(budget, 0, sizeof *budget);
    count_cpus(root, budget);
    budget->quota_cpus = read_quota(root);
    budget->n_threads = budget->n_physical_cores;
    if (budget->quota_cpus > 0 && budget->quota_cpus < budget->n_threads)
        budget->n_threads = budget->quota_cpus < 1 ? 1 : (int)budget->quota_cpus;
    budget->n_at_once = budget->n_affinity;
    if (budget->quota_cpus > 0 && budget->quota_cpus < budget->n_at_once)
        budget->n_at_once = (int)ceil(budget->quota_cpus);
}

void cpu_budget_read(struct cpu_budget *budget) {
    cpu_budget_read_under(budget, "");
}
