// SPDX-License-Identifier: Apache-2.0
// Tests and benchmarks every operation of every ISA level. The list below is checked against
// struct kernels: each operation slot must be named by exactly one check, and every weight type
// must have a product, so an operation without a check makes this program fail.
//
//   kernels [--function PATTERN] [--isa NAME] [--seed N] [--bench] [--threads N] [--trials MAX]
#include "bench_team.h"
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include <fnmatch.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct check checks[] = {
    {"quantize_act", offsetof(struct kernels, quantize_act), check_quantize_act},
    {"rmsnorm", offsetof(struct kernels, rmsnorm), check_rmsnorm},
    {"layernorm", offsetof(struct kernels, layernorm), check_layernorm},
    {"rope", offsetof(struct kernels, rope), check_rope},
    {"silu_mul", offsetof(struct kernels, silu_mul), check_silu_mul},
    {"gelu_mul", offsetof(struct kernels, gelu_mul), check_gelu_mul},
    {"gelu_erf", offsetof(struct kernels, gelu_erf), check_gelu_erf},
    {"add", offsetof(struct kernels, add), check_add},
    {"scale", offsetof(struct kernels, scale), check_scale},
    {"softmax", offsetof(struct kernels, softmax), check_softmax},
    {"attend", offsetof(struct kernels, attend), check_attend},
    {"attend_merge", offsetof(struct kernels, attend_merge), check_attend_merge},
    {"kv_store", offsetof(struct kernels, kv_store), check_kv_store},
    {"to_f16", offsetof(struct kernels, to_f16), check_to_f16},
    {"from_f16", offsetof(struct kernels, from_f16), check_from_f16},
    {"to_bf16", offsetof(struct kernels, to_bf16), check_to_bf16},
    {"from_bf16", offsetof(struct kernels, from_bf16), check_from_bf16},
};

enum { N_CHECKS = sizeof checks / sizeof checks[0] };

struct options {
    const char *pattern; // of names, shell style; NULL: all
    const char *isa;     // NULL: all
    uint64_t seed;
    int n_threads;
    int trials_max;
    bool bench;
};

struct counts {
    int n_passed, n_failed, n_skipped;
};

static char failure[512];
static char running[96]; // the check that runs, for a crash's last words

// A guard page was touched (or worse): say in which check, with calls that are safe here.
static void die_in_check(int signal_number) {
    static const char begin[] = "FAIL ", end[] = ": touched memory outside its buffers\n";
    (void)signal_number;
    ssize_t ignored = write(STDOUT_FILENO, begin, sizeof begin - 1);
    ignored += write(STDOUT_FILENO, running, strlen(running));
    ignored += write(STDOUT_FILENO, end, sizeof end - 1);
    _exit(ignored < 0 ? 2 : 1);
}

bool check_failed(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(failure, sizeof failure, format, args);
    va_end(args);
    return false;
}

bool check_close(double got, double expected, double bound) {
    if (isnan(expected)) return isnan(got);
    // what does not fit a float may come out as its infinity
    if (fabs(expected) > 3.4028235e38) return got == (expected > 0 ? INFINITY : -INFINITY);
    return fabs(got - expected) <= bound;
}

// Every pointer from the first single operation to the end of the struct has one check.
static bool list_is_complete(void) {
    size_t first = offsetof(struct kernels, quantize_act), slot = sizeof(void (*)(void));
    bool complete = true;
    for (size_t offset = first; offset < sizeof(struct kernels); offset += slot) {
        int n_found = 0;
        for (int i = 0; i < N_CHECKS; i++)
            n_found += checks[i].offset_bytes == offset;
        if (n_found == 1) continue;
        printf("FAIL list: %d checks for the operation at byte %zu of struct kernels\n", n_found,
               offset);
        complete = false;
    }
    return complete;
}

static bool matches(const struct options *options, const char *name) {
    return !options->pattern || fnmatch(options->pattern, name, 0) == 0;
}

static void run_check(const struct options *options, const struct check_context *context,
                      const char *name, bool (*check)(const struct check_context *),
                      struct counts *counts) {
    const char *isa = isa_name(context->tested.isa);
    if (!matches(options, name)) return;
    snprintf(running, sizeof running, "%s/%s (--seed %llu)", name, isa,
             (unsigned long long)options->seed);
    random_seed(options->seed); // each check alone repeats what it did in the whole run
    if (check(context)) {
        printf("ok   %s/%s\n", name, isa);
        counts->n_passed++;
    } else {
        printf("FAIL %s: %s\n", running, failure);
        counts->n_failed++;
    }
}

// The product of one weight type; false if it does not exist though it should.
static bool run_product(const struct options *options, struct check_context *context, int dtype,
                        struct counts *counts) {
    char name[64];
    const struct dtype_info *info = dtype_info((uint32_t)dtype);
    bool exists = context->tested.matmul[dtype].run != NULL;
    if (!exists) return !info->name || !info->is_weight;
    snprintf(name, sizeof name, "matmul.%s", info->name);
    context->dtype = (enum dtype)dtype;
    if (!options->bench)
        run_check(options, context, name, check_matmul, counts);
    else if (matches(options, name))
        bench_matmul(context);
    return true;
}

static void run_level(const struct options *options, enum isa isa, struct counts *counts) {
    struct check_context context = {.n_threads = options->n_threads,
                                    .trials_max = options->trials_max};
    kernels_select(&context.scalar, ISA_SCALAR);
    kernels_select(&context.tested, isa);
    if (options->bench) {
        bench_team_start(options->n_threads);
        bench_roof(&context);
    }
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (run_product(options, &context, dtype, counts)) continue;
        printf("FAIL %s: the weight type %s has no product\n", isa_name(isa),
               dtype_info((uint32_t)dtype)->name);
        counts->n_failed++;
    }
    if (options->bench) {
        if (matches(options, "attend")) bench_attend(&context);
        if (matches(options, "vectors")) bench_vectors(&context);
        bench_team_stop();
        return;
    }
    for (int i = 0; i < N_CHECKS; i++)
        run_check(options, &context, checks[i].name, checks[i].run, counts);
}

static int usage(void) {
    fprintf(stderr, "usage: kernels [--function PATTERN] [--isa NAME] [--seed N] [--bench] "
                    "[--threads N] [--trials MAX]\n");
    return 2;
}

static bool read_options(struct options *options, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0) {
            options->bench = true;
            continue;
        }
        if (i + 1 == argc) return false;
        const char *name = argv[i], *value = argv[++i];
        if (strcmp(name, "--function") == 0)
            options->pattern = value;
        else if (strcmp(name, "--isa") == 0)
            options->isa = value;
        else if (strcmp(name, "--seed") == 0)
            options->seed = strtoull(value, NULL, 10);
        else if (strcmp(name, "--threads") == 0)
            options->n_threads = (int)strtol(value, NULL, 10);
        else if (strcmp(name, "--trials") == 0)
            options->trials_max = (int)strtol(value, NULL, 10);
        else
            return false;
    }
    enum isa isa;
    return !options->isa || isa_from_name(options->isa, &isa);
}

int main(int argc, char **argv) {
    struct options options = {.seed = (uint64_t)time(NULL), .n_threads = 1, .trials_max = INT_MAX};
    struct counts counts = {0, 0, 0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_options(&options, argc, argv)) return usage();
    signal(SIGSEGV, die_in_check);
    signal(SIGBUS, die_in_check);
    printf("kernels: seed %llu\n", (unsigned long long)options.seed);
    if (!list_is_complete()) counts.n_failed++;
    if (options.bench) {
        bench_team_start(options.n_threads);
        bench_pack(options.pattern, options.n_threads);
        bench_team_stop();
    }
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        if (options.isa && strcmp(options.isa, isa_name((enum isa)isa)) != 0) continue;
        const char *reason = isa_missing_reason((enum isa)isa);
        if (reason) {
            printf("skip %s (%s)\n", isa_name((enum isa)isa), reason);
            counts.n_skipped++;
            continue;
        }
        run_level(&options, (enum isa)isa, &counts);
    }
    printf("kernels: %d passed, %d failed, %d skipped\n", counts.n_passed, counts.n_failed,
           counts.n_skipped);
    if (counts.n_failed) return 1;
    return counts.n_passed == 0 && counts.n_skipped ? 77 : 0;
}
