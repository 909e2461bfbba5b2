// SPDX-License-Identifier: Apache-2.0
// What Prometheus reads at /metrics. Counted and written by the I/O thread only, so there are no
// locks. Labels come from the route table and the key file: their number is bounded.
#ifndef XL_SERVER_METRICS_H
#define XL_SERVER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct http_server;
struct json_writer;

enum { HISTOGRAM_BUCKETS_MAX = 16 };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS_MAX + 1]; // the last: beyond all bounds
    double sum;
};

struct metrics;

struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);
void metrics_count_request(struct metrics *metrics, const struct exchange *exchange,
                           double seconds);
void metrics_first_token(struct metrics *metrics, double seconds);
void metrics_next_token(struct metrics *metrics, double seconds);
void metrics_queued(struct metrics *metrics, double seconds); // waited in the engine's queue
void metrics_count_overflow(struct metrics *metrics);         // a client that read too slowly
void metrics_write(const struct metrics *metrics, struct http_server *server,
                   struct json_writer *writer);

#endif
