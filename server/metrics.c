// SPDX-License-Identifier: Apache-2.0
#include "server/metrics.h"

#include "server/api_keys.h"
#include "server/exchange.h"
#include "server/http_server.h"
#include "server/job_pool.h"
#include "server/model_host.h"
#include "server/route_table.h"

#include <stdlib.h>
#include <time.h>

enum { ROUTES_MAX = 128, STATUSES = 20 };

static const int statuses[STATUSES] = {200, 201, 204, 304, 400, 401, 403, 404, 405, 409,
                                       413, 415, 422, 429, 431, 499, 500, 501, 503};
static const double duration_bounds[HISTOGRAM_BUCKETS_MAX] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

struct metrics {
    uint64_t requests[ROUTES_MAX + 1][STATUSES + 1]; // the last: others
    struct histogram duration, first_token, next_token, queued;
    uint64_t overflows;
    time_t started;
};

struct metrics *metrics_create(void) {
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics) metrics->started = time(NULL);
    return metrics;
}

void metrics_destroy(struct metrics *metrics) {
    free(metrics);
}

static void observe(struct histogram *histogram, double seconds) {
    int i = 0;
    while (i < HISTOGRAM_BUCKETS_MAX && seconds > duration_bounds[i])
        i++;
    histogram->counts[i]++;
    histogram->sum += seconds;
}

void metrics_count_request(struct metrics *metrics, const struct exchange *exchange,
                           double seconds) {
    size_t route =
        exchange->route ? route_number(exchange->server->extension, exchange->route) : ROUTES_MAX;
    int status = 0;
    while (status < STATUSES && statuses[status] != exchange->http_status)
        status++;
    metrics->requests[route < ROUTES_MAX ? route : ROUTES_MAX][status]++;
    if (exchange->route && exchange->route->needs_model) observe(&metrics->duration, seconds);
}

void metrics_first_token(struct metrics *metrics, double seconds) {
    observe(&metrics->first_token, seconds);
}

void metrics_next_token(struct metrics *metrics, double seconds) {
    observe(&metrics->next_token, seconds);
}

void metrics_queued(struct metrics *metrics, double seconds) {
    observe(&metrics->queued, seconds);
}

void metrics_count_overflow(struct metrics *metrics) {
    metrics->overflows++;
}

static void head(struct json_writer *w, const char *name, const char *type, const char *help) {
    put_format(w, "# HELP xinglin_%s %s\n# TYPE xinglin_%s %s\n", name, help, name, type);
}

static void one(struct json_writer *w, const char *name, const char *type, const char *help,
                double value) {
    head(w, name, type, help);
    put_format(w, "xinglin_%s %.15g\n", name, value);
}

static void write_histogram(struct json_writer *w, const char *name, const char *help,
                            const struct histogram *histogram) {
    uint64_t all = 0;
    head(w, name, "histogram", help);
    for (int i = 0; i < HISTOGRAM_BUCKETS_MAX; i++) {
        all += histogram->counts[i];
        put_format(w, "xinglin_%s_bucket{le=\"%g\"} %llu\n", name, duration_bounds[i],
                   (unsigned long long)all);
    }
    all += histogram->counts[HISTOGRAM_BUCKETS_MAX];
    put_format(w, "xinglin_%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)all);
    put_format(w, "xinglin_%s_sum %.9g\nxinglin_%s_count %llu\n", name, histogram->sum, name,
               (unsigned long long)all);
}

static void write_requests(struct json_writer *w, const struct metrics *metrics,
                           const struct server_extension *extension) {
    head(w, "http_requests_total", "counter", "Requests by route and status.");
    for (size_t r = 0; r <= ROUTES_MAX; r++)
        for (int s = 0; s <= STATUSES; s++) {
            if (metrics->requests[r][s] == 0) continue;
            const struct route *route = r < ROUTES_MAX ? route_at(extension, r) : NULL;
            put_format(
                w, "xinglin_http_requests_total{method=\"%s\",route=\"%s\",status=\"%d\"} %llu\n",
                route ? route->method : "-", route ? route->path : "-",
                s < STATUSES ? statuses[s] : 0, (unsigned long long)metrics->requests[r][s]);
        }
}

static void write_key_counts(struct json_writer *w, const struct api_keys *keys, const char *name,
                             const char *help, size_t offset) {
    head(w, name, "counter", help);
    for (size_t i = 0; i < keys->n_keys; i++)
        put_format(w, "xinglin_%s{key=\"%s\"} %llu\n", name, keys->keys[i].name,
                   (unsigned long long)*(const uint64_t *)((const char *)&keys->keys[i] + offset));
}

static void write_keys(struct json_writer *w, const struct api_keys *keys) {
    write_key_counts(w, keys, "key_requests_total", "Requests admitted, by key.",
                     offsetof(struct api_key, n_requests));
    write_key_counts(w, keys, "key_refused_total", "Requests over a limit, by key.",
                     offsetof(struct api_key, n_refused));
    write_key_counts(w, keys, "key_prompt_tokens_total", "Prompt tokens, by key.",
                     offsetof(struct api_key, prompt_tokens));
    write_key_counts(w, keys, "key_generated_tokens_total", "Generated tokens, by key.",
                     offsetof(struct api_key, generated_tokens));
}

static void write_worker(struct json_writer *w, const xl_worker_stats *s) {
    const char *c = "counter", *g = "gauge";
    one(w, "requests_running", g, "Sequences that are computed now.", s->running);
    one(w, "requests_waiting", g, "Sequences that wait for a place.", s->waiting);
    one(w, "kv_bytes", g, "Memory for keys and values.", (double)s->kv_bytes);
    one(w, "kv_used_bytes", g, "Of it, used by running sequences.", (double)s->kv_used_bytes);
    one(w, "kv_kept_bytes", g, "Of it, kept for known beginnings.", (double)s->kv_kept_bytes);
    one(w, "sequences_total", c, "Sequences submitted.", (double)s->requests);
    one(w, "sequences_refused_total", c, "Of them, refused.", (double)s->refused);
    one(w, "sequences_cancelled_total", c, "Of them, cancelled.", (double)s->cancelled);
    one(w, "sequences_failed_total", c, "Of them, failed.", (double)s->failed);
    one(w, "prompt_tokens_total", c, "Prompt tokens.", (double)s->prompt_tokens);
    one(w, "prefix_memory_tokens_total", c, "Prompt tokens found in memory.",
        (double)s->memory_tokens);
    one(w, "prefix_disk_tokens_total", c, "Prompt tokens found on disk.", (double)s->disk_tokens);
    one(w, "generated_tokens_total", c, "Generated tokens.", (double)s->generated_tokens);
    one(w, "drafted_tokens_total", c, "Tokens guessed ahead.", (double)s->drafted_tokens);
    one(w, "accepted_tokens_total", c, "Guessed tokens that were right.",
        (double)s->accepted_tokens);
    one(w, "steps_total", c, "Passes over the weights.", (double)s->steps);
    one(w, "step_tokens_total", c, "Tokens in all passes.", (double)s->step_tokens);
    one(w, "busy_seconds_total", c, "Seconds spent computing.", s->busy_s);
    one(w, "prefix_files", g, "Prefixes on disk.", (double)s->prefix_files);
    one(w, "prefix_file_bytes", g, "Their bytes.", (double)s->prefix_file_bytes);
    one(w, "prefix_ignored_total", c, "Prefix files that were damaged, foreign or old.",
        (double)s->prefix_ignored);
}

void metrics_write(const struct metrics *metrics, struct http_server *server,
                   struct json_writer *w) {
    bool is_ready = model_host_state(server->host) == MODEL_READY;
    head(w, "build_info", "gauge", "Version.");
    put_format(w, "xinglin_build_info{version=\"%s\"} 1\n", xl_version());
    one(w, "start_time_seconds", "gauge", "When the server started, seconds since 1970.",
        (double)metrics->started);
    one(w, "ready", "gauge", "1: the model is loaded and the server takes work.",
        is_ready && !http_server_is_draining(server));
    one(w, "connections", "gauge", "Open connections.", (double)http_server_connections(server));
    one(w, "exchanges_active", "gauge", "Requests being answered.",
        (double)http_server_active(server));
    one(w, "jobs_waiting", "gauge", "Requests that wait to be read.",
        (double)(job_pool_waiting(server->prepare) + job_pool_waiting(server->embed)));
    one(w, "slow_clients_total", "counter", "Answers cancelled because nobody read them.",
        (double)metrics->overflows);
    write_requests(w, metrics, server->extension);
    write_histogram(w, "request_seconds", "From the headers to the last byte.", &metrics->duration);
    write_histogram(w, "first_token_seconds", "From submission to the first token.",
                    &metrics->first_token);
    write_histogram(w, "next_token_seconds", "Between tokens, the mean of each sequence.",
                    &metrics->next_token);
    write_histogram(w, "queue_seconds", "Waiting for a place.", &metrics->queued);
    if (server->keys) write_keys(w, server->keys);
    if (!is_ready || !server->host->worker) return;
    xl_worker_stats stats = {.size = sizeof stats};
    xl_worker_describe(server->host->worker, &stats);
    write_worker(w, &stats);
}
