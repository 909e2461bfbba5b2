// SPDX-License-Identifier: Apache-2.0
// Every allocation fails once while several requests run: one of them ends with XL_NO_MEMORY or is
// refused, or nobody notices; the others get what they get alone. The linker sends the library's
// allocations here (--wrap).
#include "harness.h"

#include "request_wish.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { N_MIX = 5 };

static atomic_long allocations_left = -1; // < 0: never fail

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool fails_now(void) {
    if (atomic_load(&allocations_left) < 0) return false;
    return atomic_fetch_sub(&allocations_left, 1) == 0;
}

void *__wrap_malloc(size_t size) {
    return fails_now() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *memory, size_t size) {
    return fails_now() ? NULL : __real_realloc(memory, size);
}
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}

// One round with allocation n failing; *n_failed: requests that noticed.
static bool run_round(xl_worker *worker, struct wish *wishes, long n, int *n_failed,
                      bool *reached) {
    bool ok = true, submitted[N_MIX];
    *n_failed = 0;
    atomic_store(&allocations_left, n);
    for (int i = 0; i < N_MIX; i++) {
        xl_error error;
        wish_forget(&wishes[i]);
        xl_status status =
            xl_request_submit(worker, &wishes[i].options, &wishes[i].worker.request, &error);
        submitted[i] = status == XL_OK;
        if (status == XL_NO_MEMORY && error.message[0] && !wishes[i].worker.request)
            ++*n_failed;
        else if (status != XL_OK)
            ok = false;
    }
    for (int i = 0; i < N_MIX; i++) {
        if (!submitted[i]) continue;
        request_log_wait(&wishes[i].worker);
        if (wishes[i].worker.last.status == XL_NO_MEMORY) {
            ++*n_failed;
            ok = ok && wishes[i].worker.n_ends == 1 && wishes[i].worker.message[0] &&
                 request_log_begins(&wishes[i].alone, &wishes[i].worker);
        } else
            ok = ok && wish_judge(&wishes[i]);
        xl_request_release(wishes[i].worker.request);
    }
    *reached = atomic_exchange(&allocations_left, -1) < 0;
    return ok;
}

static enum test_result test_each(void) {
    static struct wish wishes[N_MIX];
    xl_engine *engine = wish_open_engine();
    xl_worker *worker = NULL;
    int n_noticed = 0;
    CHECK(engine && xl_worker_open(engine, NULL, &worker, NULL) == XL_OK);
    wish_seed(3);
    for (int i = 0; i < N_MIX; i++) {
        wish_make(&wishes[i], i);
        if (wishes[i].generate.max_tokens < 0) wishes[i].generate.max_tokens = 20;
        CHECK(request_log_alone(&wishes[i].alone, engine, &wishes[i].options));
    }
    for (long n = 0;; n++) {
        int n_failed;
        bool reached;
        CHECK_MESSAGE(run_round(worker, wishes, n, &n_failed, &reached), "allocation %ld", n);
        CHECK_MESSAGE(n_failed <= 1, "%d requests failed with allocation %ld", n_failed, n);
        n_noticed += n_failed;
        if (reached) continue;
        CHECK(n > 20 && n_noticed > 20 && n_failed == 0);
        printf("    each of %ld allocations failed once, %d requests noticed\n", n, n_noticed);
        break;
    }
    xl_worker_stats stats = {.size = sizeof stats};
    do
        xl_worker_describe(worker, &stats);
    while (stats.running + stats.waiting > 0);
    xl_worker_close(worker);
    xl_engine_close(engine);
    return TEST_PASS;
}

// Opening a worker fails cleanly at each allocation.
static enum test_result test_open(void) {
    xl_engine *engine = wish_open_engine();
    CHECK(engine);
    for (long n = 0; n < 1000; n++) {
        xl_worker *worker = NULL;
        xl_error error = {0};
        atomic_store(&allocations_left, n);
        xl_status status = xl_worker_open(engine, NULL, &worker, &error);
        xl_worker_close(worker);
        bool reached = atomic_exchange(&allocations_left, -1) < 0;
        CHECK_MESSAGE(status == XL_OK || (status == XL_NO_MEMORY && !worker && error.message[0]),
                      "allocation %ld: %s", n, error.message);
        if (reached) continue;
        CHECK(status == XL_OK && n > 5);
        xl_engine_close(engine);
        return TEST_PASS;
    }
    return TEST_FAIL;
}

static const struct test tests[] = {
    {"each", "an allocation that fails harms one request at most", test_each},
    {"open", "a worker that cannot be opened leaves nothing", test_open},
};

int main(int argc, char **argv) {
    return harness_main("worker_failures", tests, sizeof tests / sizeof *tests, argc, argv);
}
