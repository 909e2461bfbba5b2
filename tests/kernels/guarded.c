// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE // MAP_ANONYMOUS
#include "guarded.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFERS_MAX = 96, CANARY = 0xa5 };

struct guarded {
    uint8_t *map; // guard page, usable pages, guard page
    size_t map_bytes;
    uint8_t *data;
    size_t size_bytes;
};

static struct guarded buffers[BUFFERS_MAX];
static size_t n_buffers;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

void *guarded_new(size_t size_bytes, bool at_end) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t usable = (size_bytes + page) / page * page; // at least one byte of canary
    if (n_buffers == BUFFERS_MAX) fail("too many buffers in one check");
    struct guarded *buffer = &buffers[n_buffers++];
    buffer->map_bytes = usable + 2 * page;
    buffer->map =
        mmap(NULL, buffer->map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer->map == MAP_FAILED) fail("mmap");
    if (mprotect(buffer->map, page, PROT_NONE) != 0 ||
        mprotect(buffer->map + page + usable, page, PROT_NONE) != 0)
        fail("mprotect");
    memset(buffer->map + page, CANARY, usable);
    buffer->data = buffer->map + page + (at_end ? usable - size_bytes : 0);
    buffer->size_bytes = size_bytes;
    memset(buffer->data, 0, size_bytes);
    return buffer->data;
}

static bool intact(const struct guarded *buffer) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uint8_t *end = buffer->map + buffer->map_bytes - page;
    for (const uint8_t *p = buffer->map + page; p < buffer->data; p++)
        if (*p != CANARY) return false;
    for (const uint8_t *p = buffer->data + buffer->size_bytes; p < end; p++)
        if (*p != CANARY) return false;
    return true;
}

bool guarded_release(void) {
    bool all_intact = true;
    for (size_t i = 0; i < n_buffers; i++) {
        all_intact = all_intact && intact(&buffers[i]);
        munmap(buffers[i].map, buffers[i].map_bytes);
    }
    n_buffers = 0;
    return all_intact;
}
