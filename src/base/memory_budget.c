// SPDX-License-Identifier: Apache-2.0
// See memory_budget.h. What a group holds of files (mapped weights above all) can be given back, so
// it does not count as taken.
#include "base/memory_budget.h"

#include "base/system_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A number behind a name at the beginning of a line; false: it is not there.
static bool find_number(const char *text, const char *name, uint64_t *value) {
    size_t length = strlen(name);
    for (const char *line = text; line && *line;) {
        if (strncmp(line, name, length) == 0) {
            char *end;
            *value = strtoull(line + length, &end, 10);
            return end != line + length;
        }
        line = strchr(line, '\n');
        if (line) line++;
    }
    return false;
}

static bool read_in(const char *root, const char *directory, const char *name, char *text,
                    size_t text_size) {
    char path[SYSTEM_PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    return n > 0 && (size_t)n < sizeof path && system_file_read(root, path, text, text_size);
}

// "max" and v1's number beyond all memory are no limits.
static void limit_by_directory(const char *root, const char *directory, const char *limit_name,
                               const char *usage_name, const char *file_name, uint64_t *available) {
    char text[SYSTEM_TEXT_MAX];
    uint64_t limit, usage, file_bytes = 0;
    if (!read_in(root, directory, limit_name, text, sizeof text) || !find_number(text, "", &limit))
        return;
    if (!read_in(root, directory, usage_name, text, sizeof text) || !find_number(text, "", &usage))
        return;
    if (read_in(root, directory, "memory.stat", text, sizeof text))
        find_number(text, file_name, &file_bytes);
    usage -= file_bytes < usage ? file_bytes : usage;
    uint64_t left = usage < limit ? limit - usage : 0;
    if (left < *available) *available = left;
}

static void limit_by_path(const char *root, const char *mount, const char *group, bool is_v2,
                          uint64_t *available) {
    char directory[SYSTEM_PATH_SIZE];
    int n = snprintf(directory, sizeof directory, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof directory) return;
    for (;;) {
        if (is_v2)
            limit_by_directory(root, directory, "memory.max", "memory.current", "file ", available);
        else
            limit_by_directory(root, directory, "memory.limit_in_bytes", "memory.usage_in_bytes",
                               "total_cache ", available);
        char *slash = strrchr(directory + strlen(mount), '/');
        if (!slash) return;
        *slash = '\0';
    }
}

// A line of /proc/self/cgroup is "ID:CONTROLLERS:PATH"; v2 has no controllers ("0::/path").
static void limit_by_line(const char *root, char *line, uint64_t *available) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return;
    *group++ = '\0';
    controllers++;
    if (controllers[0] == '\0') {
        limit_by_path(root, "/sys/fs/cgroup", group, true, available);
        limit_by_path(root, "/sys/fs/cgroup/unified", group, true, available);
    } else if (strcmp(controllers, "memory") == 0)
        limit_by_path(root, "/sys/fs/cgroup/memory", group, false, available);
}

uint64_t memory_available_bytes_under(const char *root) {
    char text[SYSTEM_TEXT_MAX];
    uint64_t available;
    if (!system_file_read(root, "/proc/meminfo", text, sizeof text) ||
        !find_number(text, "MemAvailable:", &available) || available > UINT64_MAX / 1024)
        return 0;
    available *= 1024;
    if (!system_file_read(root, "/proc/self/cgroup", text, sizeof text)) return available;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")) != NULL)
        limit_by_line(root, line, &available);
    return available;
}

uint64_t memory_available_bytes(void) {
    return memory_available_bytes_under("");
}
