// SPDX-License-Identifier: Apache-2.0
// See allocation_limit.h. __real_* are the C library's (or the sanitizer's) functions.
#include "allocation_limit.h"

#include <jansson.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *old);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static bool counting, limit_hit;
static size_t live_bytes, peak_bytes_seen, live_bytes_max;

static long allocations_left; // until one fails; 0: none does
static bool did_fail;

static bool fits(size_t size) {
    if (!counting) return true;
    if (size > live_bytes_max || live_bytes > live_bytes_max - size) {
        limit_hit = true;
        return false;
    }
    return true;
}

static bool admit(size_t size) {
    if (counting && allocations_left > 0 && --allocations_left == 0) {
        did_fail = true;
        return false;
    }
    return fits(size);
}

static void *note(void *block) {
    if (counting && block) live_bytes += malloc_usable_size(block);
    if (live_bytes > peak_bytes_seen) peak_bytes_seen = live_bytes;
    return block;
}

static void forget(void *block) {
    size_t size = counting && block ? malloc_usable_size(block) : 0;
    live_bytes -= size < live_bytes ? size : live_bytes;
}

void *__wrap_malloc(size_t size) {
    return admit(size) ? note(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(n, size, &total)) total = SIZE_MAX;
    return admit(total) ? note(__real_calloc(n, size)) : NULL;
}

void *__wrap_realloc(void *old, size_t size) {
    if (!admit(size)) return NULL;
    size_t before = live_bytes;
    forget(old);
    void *block = __real_realloc(old, size);
    if (!block) {
        live_bytes = before;
        return NULL;
    }
    return note(block);
}

void __wrap_free(void *old) {
    forget(old);
    __real_free(old);
}

char *__wrap_strndup(const char *text, size_t size) {
    size_t length = strnlen(text, size);
    char *copy = __wrap_malloc(length + 1);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *__wrap_strdup(const char *text) {
    return __wrap_strndup(text, strlen(text));
}

// jansson does not always tell a failed allocation from a syntax error: it is counted, not starved.
static void *jansson_malloc(size_t size) {
    return fits(size) ? note(__real_malloc(size)) : NULL;
}

void allocation_limit_begin(size_t maximum) {
    json_set_alloc_funcs(jansson_malloc, __wrap_free);
    live_bytes = peak_bytes_seen = 0;
    live_bytes_max = maximum;
    limit_hit = did_fail = false;
    allocations_left = 0;
    counting = true;
}

void allocation_limit_fail_at(long n) {
    allocations_left = n;
}

bool allocation_limit_did_fail(void) {
    return did_fail;
}

bool allocation_limit_end(size_t *peak_bytes, size_t *left_bytes) {
    counting = false;
    *peak_bytes = peak_bytes_seen;
    *left_bytes = live_bytes;
    return !limit_hit && live_bytes == 0;
}
