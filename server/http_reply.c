// SPDX-License-Identifier: Apache-2.0
// From an exchange's state to libmicrohttpd's responses.
#include "server/clock_seconds.h"
#include "server/io_loop.h"
#include "server/route_table.h"

#include <stdio.h>
#include <string.h>

enum { STREAM_BLOCK_BYTES = 4096, SLOWEST_BYTES_A_SECOND = 16 << 10 };

static void add(struct MHD_Response *response, const char *name, const char *value) {
    MHD_add_response_header(response, name, value);
}

static void add_headers(struct exchange *exchange, struct MHD_Response *response) {
    char seconds[16];
    int status = exchange->http_status;
    if (exchange->content_type) add(response, "Content-Type", exchange->content_type);
    add(response, "Cache-Control", exchange->etag ? "no-cache" : "no-store");
    if (exchange->etag) add(response, "ETag", exchange->etag);
    if (exchange->security_policy) {
        add(response, "Content-Security-Policy", exchange->security_policy);
        if (!exchange->is_frameable) add(response, "X-Frame-Options", "DENY");
        add(response, "Referrer-Policy", "no-referrer");
    }
    if (exchange->location) add(response, "Location", exchange->location);
    if (exchange->set_cookie[0]) add(response, "Set-Cookie", exchange->set_cookie);
    add(response, "X-Content-Type-Options", "nosniff");
    add(response, "X-Request-Id", exchange->id);
    if (status == 401) add(response, "WWW-Authenticate", "Bearer");
    if (status == 405) add(response, "Allow", exchange->allowed_methods);
    if ((status == 429 || status == 503) && exchange->error.retry_after > 0) {
        snprintf(seconds, sizeof seconds, "%d", exchange->error.retry_after);
        add(response, "Retry-After", seconds);
    }
    if (http_server_is_draining(exchange->server)) add(response, "Connection", "close");
    if (!exchange->origin) return;
    add(response, "Access-Control-Allow-Origin", exchange->origin);
    add(response, "Vary", "Origin");
    if (status != 204) return;
    add(response, "Access-Control-Allow-Methods", "GET, POST");
    add(response, "Access-Control-Allow-Headers", "authorization, content-type, x-api-key");
    add(response, "Access-Control-Max-Age", "600");
}

static enum MHD_Result queue(struct exchange *exchange, struct MHD_Response *response) {
    if (!response) return MHD_NO;
    add_headers(exchange, response);
    enum MHD_Result result =
        MHD_queue_response(exchange->connection, (unsigned)exchange->http_status, response);
    MHD_destroy_response(response);
    return result;
}

static void free_reply(void *argument) {
    exchange_release(argument);
}

static ssize_t read_reply(void *argument, uint64_t position, char *buffer, size_t n_max) {
    struct exchange *exchange = argument;
    size_t n = exchange->out.size - (size_t)position;
    if (n > n_max) n = n_max;
    memcpy(buffer, exchange->out.data + position, n);
    return (ssize_t)n;
}

static enum MHD_Result send_reply(struct exchange *exchange) {
    static char nothing[1];
    size_t size = exchange->out.size;
    exchange->sent_bytes = size;
    io_loop_enter(exchange->socket, CONNECTION_SENDING,
                  exchange->server->settings->write_seconds +
                      (double)size / SLOWEST_BYTES_A_SECOND);
    if (size == 0)
        return queue(exchange, MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT));
    exchange_acquire(exchange);
    struct MHD_Response *response = MHD_create_response_from_callback(
        size, STREAM_BLOCK_BYTES, read_reply, exchange, free_reply);
    if (!response) exchange_release(exchange);
    return queue(exchange, response);
}

// Moves what is new from the work into `out`; false at the stream's end.
static bool fetch(struct exchange *exchange) {
    writer_clear(&exchange->out);
    exchange->sent = 0;
    if (exchange->stream_ended) return false;
    exchange->stream_ended = !exchange->work_kind->more(exchange->work);
    if (exchange->stream_ended)
        io_loop_enter(exchange->socket, CONNECTION_SENDING,
                      exchange->server->settings->write_seconds);
    return exchange->out.size > 0 || exchange->out.failed || !exchange->stream_ended;
}

static ssize_t read_stream(void *argument, uint64_t position, char *buffer, size_t n_max) {
    struct exchange *exchange = argument;
    (void)position;
    exchange->touched_s = clock_seconds();
    if (exchange_is_gone(exchange)) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (exchange->sent == exchange->out.size && !fetch(exchange))
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (exchange->out.failed) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (exchange->owes_comment && exchange->out.size == 0)
        put_raw(&exchange->out, ": still at work\n\n", 17);
    exchange->owes_comment = false;
    size_t n = exchange->out.size - exchange->sent;
    if (n == 0) {
        io_loop_suspend(exchange);
        return 0;
    }
    if (n > n_max) n = n_max;
    memcpy(buffer, exchange->out.data + exchange->sent, n);
    exchange->sent += n;
    exchange->sent_bytes += n;
    return (ssize_t)n;
}

static enum MHD_Result send_stream(struct exchange *exchange) {
    exchange_acquire(exchange);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream, exchange, free_reply);
    if (!response) {
        exchange_release(exchange);
        return MHD_NO;
    }
    add(response, "X-Accel-Buffering", "no");
    return queue(exchange, response);
}

enum MHD_Result http_reply_proceed(struct exchange *exchange) {
    if (exchange_get_state(exchange) == EXCHANGE_FOLLOWING)
        exchange->work_kind->more(exchange->work);
    switch (exchange_get_state(exchange)) {
    case EXCHANGE_REPLYING:
        return send_reply(exchange);
    case EXCHANGE_STREAMING:
        return send_stream(exchange);
    case EXCHANGE_READING:
        return MHD_NO; // no route leaves it so
    default:
        io_loop_suspend(exchange);
        return MHD_YES;
    }
}
