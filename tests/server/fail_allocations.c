// SPDX-License-Identifier: Apache-2.0
// Preloaded into a server: makes one allocation fail, the one whose number is in a shared file
// ($XINGLIN_FAIL_FILE: two numbers of 64 bits, allocations so far and the one that fails; 0: none).
// Knows nothing of who allocates.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct plan {
    _Atomic long count, fail_at;
};

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static _Atomic(struct plan *) plan;

__attribute__((constructor)) static void open_plan(void) {
    const char *path = getenv("XINGLIN_FAIL_FILE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) atomic_store(&plan, mapped);
}

static bool must_fail(void) {
    struct plan *now = atomic_load_explicit(&plan, memory_order_relaxed);
    if (!now) return false;
    long fail_at = atomic_load_explicit(&now->fail_at, memory_order_relaxed);
    if (fail_at == 0 || atomic_fetch_add(&now->count, 1) + 1 != fail_at) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    return must_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    return must_fail() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
    return must_fail() ? NULL : __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
    return must_fail() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    void *memory = memalign(alignment, size);
    if (memory) *out = memory;
    return memory ? 0 : ENOMEM;
}
