// SPDX-License-Identifier: Apache-2.0
#include "server/exchange.h"

#include "server/clock_seconds.h"
#include "server/http_server.h"
#include "server/job_pool.h"
#include "server/json_memory.h"
#include "server/random_id.h"

#include <microhttpd.h>
#include <stdlib.h>

const char *exchange_header(const struct exchange *exchange, const char *name) {
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

const char *exchange_cookie(const struct exchange *exchange, const char *name) {
    return MHD_lookup_connection_value(exchange->connection, MHD_COOKIE_KIND, name);
}

const char *exchange_query(const struct exchange *exchange, const char *name) {
    return MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

struct exchange *exchange_create(struct http_server *server) {
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) return NULL;
    exchange->server = server;
    exchange->references = 1;
    exchange->began_s = exchange->touched_s = clock_seconds();
    random_id_write(exchange->id, sizeof exchange->id, "req_");
    return exchange;
}

void exchange_acquire(struct exchange *exchange) {
    __atomic_add_fetch(&exchange->references, 1, __ATOMIC_RELAXED);
}

void exchange_release(struct exchange *exchange) {
    if (__atomic_sub_fetch(&exchange->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    if (exchange->work) exchange->work_kind->release(exchange->work);
    request_body_free(&exchange->body);
    writer_free(&exchange->out);
    free(exchange);
}

void exchange_fail(struct exchange *exchange) {
    writer_clear(&exchange->out);
    if (json_memory_is_lost()) openai_error_no_memory(&exchange->error); // whatever it led to
    openai_error_write(&exchange->error, &exchange->out);
    exchange_reply(exchange, exchange->error.http_status, "application/json");
}

void exchange_reply(struct exchange *exchange, int http_status, const char *content_type) {
    if (exchange->out.failed) {
        writer_free(&exchange->out);
        http_status = 503;
    }
    exchange->http_status = http_status;
    exchange->content_type = content_type;
    exchange_set_state(exchange, EXCHANGE_REPLYING);
}

void exchange_answer_body(struct exchange *exchange,
                          bool (*fill)(struct exchange *, const json_t *body)) {
    json_t *body = request_body_parse(&exchange->body, &exchange->error);
    if (body && fill(exchange, body))
        exchange_reply(exchange, 200, "application/json");
    else
        exchange_fail(exchange);
    json_decref(body);
}

void exchange_follow(struct exchange *exchange) {
    exchange_set_state(exchange, EXCHANGE_FOLLOWING);
}

void exchange_stream(struct exchange *exchange) {
    exchange->http_status = 200;
    exchange->content_type = "text/event-stream; charset=utf-8";
    exchange_set_state(exchange, EXCHANGE_STREAMING);
}

static void run_job(void *argument) {
    struct exchange *exchange = argument;
    json_memory_begin();
    exchange->job(exchange);
    exchange_wake(exchange);
    exchange_release(exchange);
}

void exchange_start_job(struct exchange *exchange, struct job_pool *pool,
                        void (*job)(struct exchange *)) {
    exchange->job = job;
    exchange_set_state(exchange, EXCHANGE_WORKING);
    exchange_acquire(exchange);
    if (job_pool_add(pool, run_job, exchange)) return;
    exchange_release(exchange);
    openai_error_set(&exchange->error, 503, "overloaded", NULL,
                     "too many requests wait to be read; try again");
    exchange_fail(exchange);
}

void exchange_wake(struct exchange *exchange) {
    http_server_wake(exchange->server, exchange);
}
