// SPDX-License-Identifier: Apache-2.0
// How much more a worker does for many streams than for one, and what that costs each of them.
//   streams MODEL [STREAMS [PROMPT [TOKENS [SHARED]]]]     16, 64, 64, 0
// Runs one stream, then STREAMS at once: PROMPT tokens each, of which SHARED are the same for all,
// TOKENS generated, without guesses. Prints one JSON object a line: tokens a second from the moment
// that all streams generate until the first one ends, times to the first token, times between
// tokens.
#include "xinglin/xinglin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, STREAMS_MAX = 256, TOKENS_MAX = 4096 };

struct stream {
    xl_request *request;
    double *times_s; // [n_tokens] of each token
    int n_tokens;
    double submitted_s;
    bool has_ended;
    xl_status status;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void keep(void *user_data, const xl_request_event *event) {
    struct stream *stream = user_data;
    pthread_mutex_lock(&lock);
    if (!event->is_last)
        stream->times_s[stream->n_tokens++] = now_s();
    else {
        stream->has_ended = true;
        stream->status = event->status;
        pthread_cond_signal(&ended);
    }
    pthread_mutex_unlock(&lock);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, int n, double part) {
    if (n == 0) return 0;
    qsort(values, (size_t)n, sizeof *values, compare);
    int index = (int)(part * n);
    return values[index < n ? index : n - 1];
}

static void report(const struct stream *streams, int n_streams, int n_tokens) {
    double begin = 0, end = 1e30, firsts[STREAMS_MAX];
    double *gaps = calloc((size_t)n_streams * (size_t)n_tokens, sizeof *gaps);
    int n_gaps = 0, n_counted = 0;
    if (!gaps) exit(EXIT_FAILED);
    for (int i = 0; i < n_streams; i++) {
        const struct stream *stream = &streams[i];
        firsts[i] = stream->times_s[0] - stream->submitted_s;
        if (stream->times_s[0] > begin) begin = stream->times_s[0];
        if (stream->times_s[stream->n_tokens - 1] < end)
            end = stream->times_s[stream->n_tokens - 1];
    }
    for (int i = 0; i < n_streams; i++)
        for (int t = 1; t < streams[i].n_tokens; t++) {
            const double *times = streams[i].times_s;
            gaps[n_gaps++] = times[t] - times[t - 1];
            n_counted += times[t] > begin && times[t] <= end;
        }
    printf("{\"streams\": %d, \"tokens_per_s\": %.2f, ", n_streams, n_counted / (end - begin));
    printf("\"first_p50_s\": %.4f, \"first_p99_s\": %.4f, ", quantile(firsts, n_streams, 0.5),
           quantile(firsts, n_streams, 0.99));
    printf("\"gap_p50_s\": %.4f, \"gap_p99_s\": %.4f}\n", quantile(gaps, n_gaps, 0.5),
           quantile(gaps, n_gaps, 0.99));
    fflush(stdout);
    free(gaps);
}

static bool run(xl_worker *worker, int n_vocab, int n_streams, int n_prompt, int n_tokens,
                int n_shared) {
    static struct stream streams[STREAMS_MAX];
    static int32_t prompt[TOKENS_MAX];
    xl_error error;
    xl_generate_options generate = xl_generate_options_default();
    xl_request_options options = xl_request_options_default();
    bool ok = true;
    generate.max_tokens = n_tokens;
    generate.ignore_end = true;
    generate.draft_max = 0;
    options.prompt = prompt;
    options.n_prompt = (size_t)n_prompt;
    options.generate = &generate;
    options.on_event = keep;
    for (int i = 0; i < n_streams; i++) {
        struct stream *stream = &streams[i];
        *stream = (struct stream){.submitted_s = now_s()};
        stream->times_s = calloc((size_t)n_tokens, sizeof *stream->times_s);
        if (!stream->times_s) return false;
        for (int t = 0; t < n_prompt; t++)
            prompt[t] = (t * 7919 + (t < n_shared ? 0 : 104729 * (i + 1) + n_streams)) % n_vocab;
        options.user_data = stream;
        if (xl_request_submit(worker, &options, &stream->request, &error) != XL_OK) {
            fprintf(stderr, "%s\n", error.message);
            return false;
        }
    }
    pthread_mutex_lock(&lock);
    for (int i = 0; i < n_streams; i++) {
        while (!streams[i].has_ended)
            pthread_cond_wait(&ended, &lock);
        ok = ok && streams[i].status == XL_OK && streams[i].n_tokens > 1;
    }
    pthread_mutex_unlock(&lock);
    if (ok) report(streams, n_streams, n_tokens);
    for (int i = 0; i < n_streams; i++) {
        xl_request_release(streams[i].request);
        free(streams[i].times_s);
    }
    return ok;
}

static int argument(char **argv, int argc, int index, int usual, int most) {
    long value = argc > index ? strtol(argv[index], NULL, 10) : usual;
    if (value >= 0 && value <= most) return (int)value;
    fprintf(stderr, "streams: argument %d must be from 0 to %d\n", index, most);
    exit(EXIT_USAGE);
}

int main(int argc, char **argv) {
    xl_engine_options options = xl_engine_options_default();
    xl_engine_info info = {.size = sizeof info};
    xl_engine *engine = NULL;
    xl_worker *worker = NULL;
    xl_error error;
    if (argc < 2) {
        fprintf(stderr, "usage: streams MODEL [STREAMS [PROMPT [TOKENS [SHARED]]]]\n");
        return EXIT_USAGE;
    }
    int n_streams = argument(argv, argc, 2, 16, STREAMS_MAX);
    int n_prompt = argument(argv, argc, 3, 64, TOKENS_MAX);
    int n_tokens = argument(argv, argc, 4, 64, TOKENS_MAX);
    int n_shared = argument(argv, argc, 5, 0, TOKENS_MAX);
    if (xl_engine_open(argv[1], &options, &engine, &error) != XL_OK ||
        xl_worker_open(engine, NULL, &worker, &error) != XL_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILED;
    }
    xl_engine_describe(engine, &info);
    bool ok = run(worker, info.n_vocab, 1, n_prompt, n_tokens, n_shared) &&
              run(worker, info.n_vocab, n_streams, n_prompt, n_tokens, n_shared);
    xl_worker_stats stats = {.size = sizeof stats};
    xl_worker_describe(worker, &stats);
    printf("{\"steps\": %llu, \"tokens_a_step\": %.2f, \"seconds_a_step\": %.4f}\n",
           (unsigned long long)stats.steps, (double)stats.step_tokens / (double)stats.steps,
           stats.busy_s / (double)stats.steps);
    xl_worker_close(worker);
    xl_engine_close(engine);
    return ok ? 0 : EXIT_FAILED;
}
