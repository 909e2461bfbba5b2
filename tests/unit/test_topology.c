// SPDX-License-Identifier: Apache-2.0
// Machines that are not there: their files under a temporary directory, and where the threads of a
// pool go on them.
#include "base/topology.h"

#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CPUS = 8 };

struct machine {
    char root[64];
    struct topology topology;
};

static bool write_text(const char *root, const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    if (!file) return false;
    bool good = fputs(text, file) >= 0;
    return fclose(file) == 0 && good;
}

static bool make_root(char *root, size_t size) {
    snprintf(root, size, "/tmp/xl_topology_XXXXXX");
    return mkdtemp(root) != NULL;
}

static void remove_root(const char *root) {
    static const char *const files[] = {"node/online", "node/node0/cpulist", "node/node1/cpulist",
                                        "node/node0",  "node/node1",         "node"};
    char path[512];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/sys/devices/system/%s", root, files[i]);
        remove(path);
    }
    static const char *const of_cpu[] = {"/topology/thread_siblings_list", "/topology", ""};
    for (int cpu = 0; cpu < CPUS; cpu++)
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d%s", root, cpu, of_cpu[i]);
            remove(path);
        }
    static const char *const above[] = {"/sys/devices/system/cpu", "/sys/devices/system",
                                        "/sys/devices", "/sys", ""};
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s%s", root, above[i]);
        rmdir(path);
    }
}

// Two nodes; siblings[cpu] is the list of CPUs on its core.
static bool open_machine(struct machine *machine, const char *node0, const char *node1,
                         const char *const *siblings, const int *cpus, int n_cpus) {
    if (!make_root(machine->root, sizeof machine->root)) return false;
    const char *root = machine->root;
    bool good = write_text(root, "/sys/devices/system/node/online", "0-1\n") &&
                write_text(root, "/sys/devices/system/node/node0/cpulist", node0) &&
                write_text(root, "/sys/devices/system/node/node1/cpulist", node1);
    for (int cpu = 0; good && siblings && cpu < CPUS; cpu++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 cpu);
        good = write_text(root, path, siblings[cpu]);
    }
    return good && topology_read_under(&machine->topology, root, cpus, n_cpus, NULL) == STATUS_OK;
}

static void close_machine(struct machine *machine) {
    topology_deinit(&machine->topology);
    remove_root(machine->root);
}

static bool is_place(struct thread_place place, int begin, int end, int node) {
    return place.begin == begin && place.end == end && place.node == node;
}

// Nodes of 2 cores whose CPUs are numbered in turn: 0 and 2 here, 1 and 3 there.
static enum test_result two_nodes(void) {
    static const int cpus[] = {0, 1, 2, 3}, order[] = {0, 2, 1, 3}, nodes[] = {0, 0, 1, 1};
    struct machine machine;
    CHECK(open_machine(&machine, "0,2\n", "1,3\n", NULL, cpus, 4));
    const struct topology *t = &machine.topology;
    CHECK(t->n_cpus == 4 && t->n_cores == 4 && t->n_nodes == 2);
    for (int i = 0; i < 4; i++) {
        CHECK(t->cpus[i].cpu == order[i] && t->cpus[i].node == nodes[i] && t->cpus[i].core == i);
        CHECK(is_place(topology_place(t, i, 4), i, i + 1, nodes[i]));
    }
    // Fewer threads than cores: each on its node, half of them on either.
    CHECK(is_place(topology_place(t, 0, 2), 0, 2, 0));
    CHECK(is_place(topology_place(t, 1, 2), 2, 4, 1));
    CHECK(topology_place(t, 1, 3).node <= topology_place(t, 2, 3).node);
    // More than CPUs: not bound, but dealt to nodes in runs all the same.
    for (int i = 0; i < 8; i++)
        CHECK(is_place(topology_place(t, i, 8), 0, 0, i / 4));
    close_machine(&machine);
    return TEST_PASS;
}

// Two nodes of two cores of two threads each, of which CPU 7 is not ours.
static enum test_result cores_of_two_threads(void) {
    static const char *const siblings[CPUS] = {"0,4\n", "1,5\n", "2,6\n", "3,7\n",
                                               "0,4\n", "1,5\n", "2,6\n", "3,7\n"};
    static const int cpus[] = {0, 1, 2, 3, 4, 5, 6}, order[] = {0, 4, 1, 5, 2, 6, 3};
    struct machine machine;
    CHECK(open_machine(&machine, "0-1,4-5\n", "2-3,6-7\n", siblings, cpus, 7));
    const struct topology *t = &machine.topology;
    CHECK(t->n_cpus == 7 && t->n_cores == 4 && t->n_nodes == 2);
    for (int i = 0; i < 7; i++)
        CHECK(t->cpus[i].cpu == order[i]);
    CHECK(is_place(topology_place(t, 0, 4), 0, 2, 0));
    CHECK(is_place(topology_place(t, 1, 4), 2, 4, 0));
    CHECK(is_place(topology_place(t, 2, 4), 4, 6, 1));
    CHECK(is_place(topology_place(t, 3, 4), 6, 7, 1));
    CHECK(is_place(topology_place(t, 6, 7), 6, 7, 1));
    close_machine(&machine);
    return TEST_PASS;
}

// Whatever the counts, nodes get contiguous runs of threads and no place is outside the machine.
static enum test_result any_number_of_threads(void) {
    static const int cpus[] = {0, 1, 2, 3, 4, 5};
    struct machine machine;
    CHECK(open_machine(&machine, "0-3\n", "4-7\n", NULL, cpus, 6));
    for (int n = 1; n <= 20; n++) {
        int last_node = 0, n_first = 0;
        for (int i = 0; i < n; i++) {
            struct thread_place place = topology_place(&machine.topology, i, n);
            CHECK(place.node >= last_node && place.node < 2);
            CHECK(place.begin >= 0 && place.begin <= place.end && place.end <= 6);
            n_first += place.node == 0;
            last_node = place.node;
        }
        CHECK_MESSAGE(abs(3 * n_first - 2 * n) <= 3, "%d of %d threads on the larger node", n_first,
                      n);
    }
    close_machine(&machine);
    return TEST_PASS;
}

// Nothing to read, or nonsense: one node, one core a CPU, unbound if there are fewer threads.
static enum test_result unknown_machine(void) {
    static const int cpus[] = {3, 5, 1};
    static const char *const nonsense[] = {"", "-", "x", "9-1", "0-", ",,"};
    struct topology topology;
    CHECK(topology_read_under(&topology, "/nonexistent", cpus, 3, NULL) == STATUS_OK);
    CHECK(topology.n_cpus == 3 && topology.n_cores == 3 && topology.n_nodes == 1);
    CHECK(topology.cpus[0].cpu == 1 && topology.cpus[2].cpu == 5);
    CHECK(is_place(topology_place(&topology, 1, 2), 0, 0, 0));
    CHECK(is_place(topology_place(&topology, 0, 1), 0, 0, 0));
    topology_deinit(&topology);
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        struct machine machine;
        CHECK(open_machine(&machine, nonsense[i], nonsense[i], NULL, cpus, 3));
        CHECK(machine.topology.n_cpus == 3 && machine.topology.n_nodes >= 1);
        close_machine(&machine);
    }
    CHECK(topology_read_under(&topology, "", cpus, 0, NULL) == STATUS_USAGE);
    CHECK(topology_read(&topology, NULL) == STATUS_OK && topology.n_cpus >= 1);
    topology_deinit(&topology);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"two_nodes", "two nodes of two cores: who goes where", two_nodes},
    {"siblings", "cores of two threads, one of them not ours", cores_of_two_threads},
    {"any_number", "1 to 20 threads on nodes of 4 and 2 CPUs", any_number_of_threads},
    {"unknown", "unreadable or senseless files mean one node", unknown_machine},
};

int main(int argc, char **argv) {
    return harness_main("topology", tests, sizeof tests / sizeof tests[0], argc, argv);
}
