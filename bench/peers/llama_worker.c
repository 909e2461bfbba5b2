// SPDX-License-Identifier: Apache-2.0
// llama.cpp's side of the comparison through its public C API: a loaded model that obeys one
// command a line, as bench_worker.c does for us. Built at run time against the fetched headers and
// the prebuilt libraries of scripts/fetch-inputs (bench/peers/build-llama-worker); the library
// that knows the wanted instructions is chosen by $LLAMA_WORKER_BACKENDS: a folder (the best of
// this CPU) or one ggml CPU library. Settings are llama.cpp's own defaults.
#include "ggml-backend.h"
#include "llama.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 2048, MICRO_BATCH = 512, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct worker {
    struct llama_model *model;
    struct llama_context *context;
    llama_token *tokens;
    int n_context, held;
};

static void keep_errors(enum ggml_log_level level, const char *text, void *user) {
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

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

static bool rewind_to(struct worker *worker, int position) {
    llama_memory_t memory = llama_get_memory(worker->context);
    worker->held = position;
    if (position == 0) {
        llama_memory_clear(memory, false);
        return true;
    }
    return llama_memory_seq_rm(memory, 0, position, -1);
}

// Processes tokens at .. at+n-1; over when the most likely next one is known.
static bool feed(struct worker *worker, int at, int n) {
    for (int done = 0; done < n; done += BATCH) {
        int count = n - done < BATCH ? n - done : BATCH;
        struct llama_batch batch = llama_batch_get_one(worker->tokens + at + done, count);
        if (llama_decode(worker->context, batch) != 0) return false;
    }
    const float *logits = llama_get_logits_ith(worker->context, -1);
    int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(worker->model)), best = 0;
    for (int i = 1; logits && i < n_vocab; i++)
        if (logits[i] > logits[best]) best = i;
    worker->held = at + n;
    return logits != NULL;
}

static bool prefill(struct worker *worker, int n) {
    if (n > worker->n_context || !rewind_to(worker, 0)) return false;
    double start = now_s();
    if (!feed(worker, 0, n)) return false;
    printf("{\"seconds\": %.9f}\n", now_s() - start);
    return true;
}

static bool decode(struct worker *worker, int depth, int n) {
    int held = worker->held;
    if (depth + n > worker->n_context || !rewind_to(worker, held < depth ? held : depth))
        return false;
    if (worker->held < depth && !feed(worker, worker->held, depth - worker->held)) return false;
    printf("{\"seconds\": [");
    for (int i = 0; i < n; i++) {
        double start = now_s();
        if (!feed(worker, depth + i, 1)) return false;
        printf("%s%.9f", i ? ", " : "", now_s() - start);
    }
    printf("]}\n");
    return rewind_to(worker, depth);
}

static bool obey(struct worker *worker, const char *line) {
    int depth = 0, n = 0;
    if (sscanf(line, "prefill %d", &n) == 1 && n > 0) return prefill(worker, n);
    if (sscanf(line, "decode %d %d", &depth, &n) == 2 && depth >= 0 && n > 0)
        return decode(worker, depth, n);
    return strcmp(line, "resident\n") == 0 && printf("{\"bytes\": %.0f}\n", resident_bytes()) > 0;
}

static bool open_model(struct worker *worker, const char *path, int n_context, int n_threads) {
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)n_context;
    params.n_batch = BATCH;
    params.n_ubatch = MICRO_BATCH;
    params.n_threads = params.n_threads_batch = n_threads;
    worker->n_context = n_context;
    worker->model = llama_model_load_from_file(path, llama_model_default_params());
    if (!worker->model) return false;
    worker->context = llama_init_from_model(worker->model, params);
    worker->tokens = malloc((size_t)n_context * sizeof *worker->tokens);
    if (!worker->context || !worker->tokens) return false;
    int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(worker->model));
    uint64_t state = 20260101;
    for (int i = 0; i < n_context; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        worker->tokens[i] = (llama_token)((state >> 33) % (uint64_t)n_vocab);
    }
    return feed(worker, 0, 1);
}

// Which of the CPU libraries is mapped.
static void library_name(char *name, size_t name_bytes) {
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "r");
    snprintf(name, name_bytes, "none");
    while (maps && fgets(line, sizeof line, maps)) {
        char *found = strstr(line, "libggml-cpu-");
        if (!found) continue;
        found[strcspn(found, "\n")] = '\0';
        snprintf(name, name_bytes, "%.60s", found);
    }
    if (maps) fclose(maps);
}

int main(int argc, char **argv) {
    struct worker worker = {0};
    const char *backends = getenv("LLAMA_WORKER_BACKENDS");
    if (argc != 4 || !backends) {
        fputs("usage: LLAMA_WORKER_BACKENDS=FOLDER|LIBRARY llama_worker MODEL CONTEXT THREADS\n",
              stderr);
        return EXIT_USAGE;
    }
    llama_log_set(keep_errors, NULL);
    if (strstr(backends, ".so"))
        ggml_backend_load(backends);
    else
        ggml_backend_load_all_from_path(backends);
    llama_backend_init();
    double start = now_s();
    if (!open_model(&worker, argv[1], (int)strtol(argv[2], NULL, 10),
                    (int)strtol(argv[3], NULL, 10))) {
        fprintf(stderr, "llama_worker: cannot open %s\n", argv[1]);
        return EXIT_FAILED;
    }
    char library[64], line[128];
    library_name(library, sizeof library);
    printf("{\"ready\": true, \"load_s\": %.6f, \"version\": \"llama.cpp %s\", \"system\": \"%s\", "
           "\"kv_type\": \"f16\"}\n",
           now_s() - start, llama_version(), library);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
        if (!obey(&worker, line)) printf("{\"error\": \"refused: %.40s\"}\n", line);
        fflush(stdout);
    }
    llama_free(worker.context);
    llama_model_free(worker.model);
    free(worker.tokens);
    return 0;
}
