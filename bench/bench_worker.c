// SPDX-License-Identifier: Apache-2.0
// Xinglin's side of the comparison: a loaded model that obeys one command a line and answers with
// one JSON object a line. The workers of the other engines speak the same (bench/README.md).
// `bench_worker --roof THREADS` and `--read THREADS` say instead what the machine can do (roof.h).
//   prefill N         forget everything, then process N tokens; {"seconds": s}
//   decode DEPTH N    with DEPTH tokens held, process N more one by one; {"seconds": [s, …]}
//   resident          {"bytes": n} resident now
//   quit
#include "roof.h"
#include "xinglin/xinglin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct worker {
    xl_engine *engine;
    xl_session *session;
    xl_engine_info info;
    int32_t *tokens; // [context], the same in every run and engine
    xl_error error;
};

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long total = 0, resident = 0;
    if (file && fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
    if (file) fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

// One greedy choice, so that a step ends with a token as it does for a user.
static int best_token(const struct worker *worker) {
    const float *logits = xl_session_logits(worker->session);
    int best = 0;
    for (int i = 1; logits && i < worker->info.n_vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

static bool feed(struct worker *worker, int at, int n) {
    if (xl_session_feed(worker->session, worker->tokens + at, (size_t)n, &worker->error) != XL_OK)
        return false;
    return best_token(worker) >= 0;
}

static bool rewind_to(struct worker *worker, int position) {
    return xl_session_rewind(worker->session, position, &worker->error) == XL_OK;
}

static bool prefill(struct worker *worker, int n) {
    if (n > worker->info.context || !rewind_to(worker, 0)) return false;
    double start = now_s();
    if (!feed(worker, 0, n)) return false;
    printf("{\"seconds\": %.9f}\n", now_s() - start);
    return true;
}

static bool decode(struct worker *worker, int depth, int n) {
    if (depth + n > worker->info.context) return false;
    int held = xl_session_position(worker->session);
    if (!rewind_to(worker, held < depth ? held : depth)) return false;
    if (held < depth && !feed(worker, held, depth - held)) return false;
    printf("{\"seconds\": [");
    for (int i = 0; i < n; i++) {
        double start = now_s();
        if (!feed(worker, depth + i, 1)) return false;
        printf("%s%.9f", i ? ", " : "", now_s() - start);
    }
    printf("]}\n");
    return rewind_to(worker, depth);
}

static bool print_roof(int n_threads, bool only_read) {
    struct roof_figure figures[ROOF_FIGURES_MAX];
    int n = roof_measure(figures, n_threads, only_read);
    printf("{");
    for (int i = 0; i < n; i++)
        printf("%s\"%s\": {\"unit\": \"%s\", \"best\": %.6g, \"median\": %.6g}", i ? ", " : "",
               figures[i].name, figures[i].unit, figures[i].best, figures[i].median);
    printf("}\n");
    return n > 0;
}

static bool obey(struct worker *worker, const char *line) {
    int depth = 0, n = 0;
    if (sscanf(line, "prefill %d", &n) == 1 && n > 0) return prefill(worker, n);
    if (sscanf(line, "decode %d %d", &depth, &n) == 2 && depth >= 0 && n > 0)
        return decode(worker, depth, n);
    if (strcmp(line, "resident\n") == 0) return printf("{\"bytes\": %.0f}\n", resident_bytes()) > 0;
    snprintf(worker->error.message, sizeof worker->error.message, "no such command: %.80s", line);
    return false;
}

static bool open_model(struct worker *worker, const char *path, int context, int threads) {
    xl_engine_options options = xl_engine_options_default();
    options.context = context;
    options.threads = threads;
    if (xl_engine_open(path, &options, &worker->engine, &worker->error) != XL_OK ||
        xl_session_open(worker->engine, &worker->session, &worker->error) != XL_OK)
        return false;
    worker->info.size = sizeof worker->info;
    xl_engine_describe(worker->engine, &worker->info);
    worker->tokens = malloc((size_t)context * sizeof *worker->tokens);
    uint64_t state = 20260101;
    for (int i = 0; worker->tokens && i < context; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        worker->tokens[i] = (int32_t)((state >> 33) % (uint64_t)worker->info.n_vocab);
    }
    return worker->tokens && feed(worker, 0, 1);
}

static int serve(struct worker *worker) {
    char line[128];
    while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
        if (!obey(worker, line)) printf("{\"error\": \"refused: %.60s\"}\n", worker->error.message);
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv) {
    struct worker worker = {.error.message = ""};
    bool only_read = argc == 3 && strcmp(argv[1], "--read") == 0;
    if (only_read || (argc == 3 && strcmp(argv[1], "--roof") == 0))
        return print_roof((int)strtol(argv[2], NULL, 10), only_read) ? 0 : EXIT_FAILED;
    if (argc != 4) {
        fputs("usage: bench_worker MODEL CONTEXT THREADS | "
              "bench_worker --roof|--read THREADS\n",
              stderr);
        return EXIT_USAGE;
    }
    double start = now_s();
    if (!open_model(&worker, argv[1], (int)strtol(argv[2], NULL, 10),
                    (int)strtol(argv[3], NULL, 10))) {
        fprintf(stderr, "bench_worker: %s\n", worker.error.message);
        return EXIT_FAILED;
    }
    // load_s: until the first token of a one-token prompt is known.
    printf("{\"ready\": true, \"load_s\": %.6f, \"version\": \"xinglin %s\", \"kernels\": \"%s\", "
           "\"weight_type\": \"%s\", \"kv_type\": \"%s\", \"weight_bytes\": %.0f, \"kv_bytes\": "
           "%.0f}\n",
           now_s() - start, xl_version(), worker.info.isa, worker.info.weight_type,
           worker.info.kv_type, (double)worker.info.weight_bytes, (double)worker.info.kv_bytes);
    fflush(stdout);
    int status = serve(&worker);
    xl_session_close(worker.session);
    xl_engine_close(worker.engine);
    free(worker.tokens);
    return status;
}
