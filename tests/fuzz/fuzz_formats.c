// SPDX-License-Identifier: Apache-2.0
// Structural mutants of the golden files: each must be refused with an error that says what is
// wrong where, or load and be readable to the last byte; within time and memory. Then, for every
// seed, each allocation fails in turn.
//   fuzz_formats [--format NAME] [--mutants N] [--seed S] [--only MUTANT]
#include "allocation_limit.h"
#include "format_probe.h"
#include "harness.h"
#include "seed_map.h"

#include "base/clock.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SEEDS_MAX = 4,
    LIVE_BYTES_MAX = 8 << 20, // documents have 64 KiB at most; deflate may unpack to much more
    MUTANT_SECONDS_MAX = 10,
    HANG_SECONDS = 60
};

static const char label[] = "mutant";

struct format {
    const char *name;
    format_probe probe;
    void (*map)(struct document *document); // NULL: pickles inside archives
    const char *seeds[SEEDS_MAX];
};

static void map_json(struct document *document) {
    seed_map_json(document, 0, document->size);
}

static const struct format formats[] = {
    {"gguf", probe_gguf, seed_map_gguf, {"types.gguf", "split-00003-of-00003.gguf"}},
    {"safetensors",
     probe_safetensors,
     seed_map_safetensors,
     {"single.safetensors", "hf-safetensors/model-00001-of-00002.safetensors"}},
    {"torch-zip",
     probe_torch,
     seed_map_zip,
     {"zip.pth", "deflated.pth", "training.pt", "zip64.pth"}},
    {"torch-pickle", probe_torch, NULL, {"zip.pth", "training.pt", "protocol4.pt", "protocol5.pt"}},
    {"torch-legacy", probe_torch, seed_map_torch_legacy, {"legacy.pth", "training-legacy.pt"}},
    {"json",
     probe_json,
     map_json,
     {"hf-safetensors/model.safetensors.index.json", "hf-torch/config.json"}},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

struct run {
    const struct format *format;
    uint64_t seed;
    struct document seeds[SEEDS_MAX], mutant, pickle;
    struct zip_seed archives[SEEDS_MAX];
    size_t n_seeds;
    long n_loaded, n_refused, n_failed;
    size_t peak_bytes;
    double slowest_s;
};

// What a dying process should say; the sanitizer calls it too.
static char current[160];

static void say_current(void) {
    ssize_t ignored = write(STDERR_FILENO, current, strlen(current));
    (void)ignored;
}

static void on_alarm(int signal_number) {
    (void)signal_number;
    say_current();
    _exit(1);
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static bool load_seed(const char *name, struct document *document) {
    char relative[256], path[1024];
    snprintf(relative, sizeof relative, "tests/golden/formats/%s", name);
    FILE *file = harness_repo_path(relative, path, sizeof path) ? fopen(path, "rb") : NULL;
    if (!file) return false;
    document_clear(document);
    document->size = fread(document->bytes, 1, DOCUMENT_BYTES_MAX, file);
    fclose(file);
    return document->size > 0;
}

static bool prepare(struct run *run) {
    bool ready = document_init(&run->mutant) && document_init(&run->pickle);
    for (int i = 0; ready && i < SEEDS_MAX && run->format->seeds[i]; i++) {
        struct document *seed = &run->seeds[run->n_seeds++];
        ready = document_init(seed) && load_seed(run->format->seeds[i], seed);
        if (ready && run->format->map)
            run->format->map(seed);
        else if (ready)
            ready = seed_open_zip(&run->archives[i], seed);
    }
    return ready;
}

static void finish(struct run *run) {
    for (size_t i = 0; i < run->n_seeds; i++)
        document_deinit(&run->seeds[i]);
    document_deinit(&run->mutant);
    document_deinit(&run->pickle);
}

// A damaged pickle in a fresh archive whose entries are sometimes dropped, doubled or damaged too.
static void mutate_archive(struct run *run, struct mutator *mutator, size_t which) {
    struct zip_seed *seed = &run->archives[which];
    struct document *pickle = &run->pickle;
    size_t order[ZIP_ENTRIES_MAX], n_order = seed->n_entries;
    document_clear(pickle);
    document_put(pickle, seed->archive->bytes + seed->entries[seed->pickle].data,
                 seed->entries[seed->pickle].data_bytes);
    seed_map_pickle(pickle, 0, pickle->size);
    mutator_damage(mutator, pickle);
    for (size_t i = 0; i < n_order; i++)
        order[i] = i;
    if (mutator_below(mutator, 8) == 0)
        order[mutator_below(mutator, n_order)] = mutator_below(mutator, seed->n_entries);
    if (mutator_below(mutator, 16) == 0) n_order = mutator_below(mutator, n_order + 1);
    seed_build_zip(&run->mutant, seed, pickle->bytes, pickle->size, order, n_order);
    if (mutator_below(mutator, 8) == 0) mutator_damage(mutator, &run->mutant);
}

static void make_mutant(struct run *run, long number) {
    struct mutator mutator = {.state = run->seed ^ ((uint64_t)number << 20)};
    mutator_random(&mutator);
    size_t which = mutator_below(&mutator, run->n_seeds);
    if (!run->format->map) {
        mutate_archive(run, &mutator, which);
        return;
    }
    mutator.donor = &run->seeds[mutator_below(&mutator, run->n_seeds)];
    document_copy(&run->mutant, &run->seeds[which]);
    size_t size = run->mutant.size;
    mutator_damage(&mutator, &run->mutant);
    // A header that grew or shrank is found out at once by its length; mostly keep that true.
    if (run->format->probe == probe_safetensors && run->mutant.size != size && number % 8 != 0) {
        uint64_t header_bytes;
        memcpy(&header_bytes, run->mutant.bytes, 8);
        header_bytes += run->mutant.size - size;
        memcpy(run->mutant.bytes, &header_bytes, 8);
    }
}

// "mutant: at byte N: …", or a message that names a field, an entry or a tensor.
static bool error_says_where(const struct error *err) {
    static const char *const words[] = {"at byte ", "split.",  "data.pkl",   "data/",
                                        "storage",  "tensor ", "TorchScript"};
    size_t n = strlen(label);
    if (strncmp(err->message, label, n) != 0 || err->message[n] != ':') return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(err->message, words[i])) return true;
    return false;
}

static const char *judge(struct run *run, enum status status, const struct error *err,
                         bool within_limit, double seconds) {
    if (!within_limit) return "allocates too much or leaks";
    if (seconds > MUTANT_SECONDS_MAX) return "takes too long";
    if (status == STATUS_OK) {
        run->n_loaded++;
        return NULL;
    }
    run->n_refused++;
    if (status != STATUS_BAD_INPUT && status != STATUS_UNSUPPORTED && status != STATUS_USAGE)
        return "is refused with the wrong status";
    return error_says_where(err) ? NULL : "is refused without saying where";
}

static void keep(const struct run *run, long number) {
    char path[256];
    snprintf(path, sizeof path, "fuzz-failure-%s-%ld.bin", run->format->name, number);
    FILE *file = fopen(path, "wb");
    if (!file) return;
    fwrite(run->mutant.bytes, 1, run->mutant.size, file);
    fclose(file);
    printf("    kept as %s\n", path);
}

static void try_mutant(struct run *run, long number) {
    struct error err = {0};
    size_t peak, left;
    snprintf(current, sizeof current, "fuzz_formats --format %s --seed %llu --only %ld\n",
             run->format->name, (unsigned long long)run->seed, number);
    make_mutant(run, number);
    uint8_t *exact = malloc(run->mutant.size ? run->mutant.size : 1); // a sanitizer sees the end
    if (!exact) return;
    memcpy(exact, run->mutant.bytes, run->mutant.size);
    alarm(HANG_SECONDS);
    double start = clock_seconds();
    allocation_limit_begin(LIVE_BYTES_MAX);
    enum status status = run->format->probe(label, exact, run->mutant.size, &err);
    bool within_limit = allocation_limit_end(&peak, &left);
    double seconds = clock_seconds() - start;
    alarm(0);
    free(exact);
    if (peak > run->peak_bytes) run->peak_bytes = peak;
    if (seconds > run->slowest_s) run->slowest_s = seconds;
    const char *complaint = judge(run, status, &err, within_limit, seconds);
    if (!complaint) return;
    run->n_failed++;
    printf("    %.*s: %s (%s; peak %zu, left %zu, %.1f s): %s\n", (int)strcspn(current, "\n"),
           current, complaint, status_name(status), peak, left, seconds, err.message);
    keep(run, number);
}

// Opens one seed again and again while the first, second, third … allocation fails.
static void starve(struct run *run, const struct document *seed) {
    bool failed = true;
    for (long n = 1; failed; n++) {
        struct error err = {0};
        size_t peak, left;
        snprintf(current, sizeof current, "%s: allocation %ld fails\n", run->format->name, n);
        allocation_limit_begin(LIVE_BYTES_MAX);
        allocation_limit_fail_at(n);
        enum status status = run->format->probe(label, seed->bytes, seed->size, &err);
        failed = allocation_limit_did_fail();
        bool clean = allocation_limit_end(&peak, &left);
        if (clean && (!failed || status == STATUS_NO_MEMORY)) continue;
        run->n_failed++;
        printf("    allocation %ld fails: %s, %zu bytes left: %s\n", n, status_name(status), left,
               err.message);
    }
}

static bool run_format(const struct format *format, uint64_t seed, long n_mutants, long only) {
    static struct run run;
    memset(&run, 0, sizeof run);
    run.format = format;
    run.seed = seed;
    bool ready = prepare(&run);
    if (!ready) printf("    %s: the golden files are missing\n", format->name);
    for (long i = only >= 0 ? only : 0; ready && i < (only >= 0 ? only + 1 : n_mutants); i++)
        try_mutant(&run, i);
    for (size_t i = 0; ready && i < run.n_seeds && only < 0; i++)
        starve(&run, &run.seeds[i]);
    finish(&run);
    bool good = ready && run.n_failed == 0;
    printf("%s fuzz.%s: %ld refused, %ld loaded, %ld failed; peak %zu bytes, slowest %.3f s\n",
           good ? "ok  " : "FAIL", format->name, run.n_refused, run.n_loaded, run.n_failed,
           run.peak_bytes, run.slowest_s);
    return good;
}

int main(int argc, char **argv) {
    const char *only_format = NULL;
    long n_mutants = 50000, only = -1;
    uint64_t seed = 20260101;
    int passed = 0, failed = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--format") == 0) only_format = argv[i + 1];
        if (strcmp(argv[i], "--mutants") == 0) n_mutants = strtol(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--only") == 0) only = strtol(argv[i + 1], NULL, 10);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, on_alarm);
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(say_current);
    printf("seed %llu, %ld mutants a format\n", (unsigned long long)seed, n_mutants);
    for (int i = 0; i < N_FORMATS; i++) {
        if (only_format && strcmp(only_format, formats[i].name) != 0) continue;
        bool good = run_format(&formats[i], seed, n_mutants, only);
        passed += good, failed += !good;
    }
    printf("fuzz: %d passed, %d failed, 0 skipped\n", passed, failed);
    return failed || passed == 0;
}
