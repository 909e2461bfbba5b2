// SPDX-License-Identifier: Apache-2.0
// The one thread that owns all sockets: an epoll loop around libmicrohttpd, deadlines for slow
// clients, disconnects, signals and the orderly end. It never computes and never waits for whom
// computes: what takes long is a job (job_pool.h) or the engine's worker.
#ifndef XL_SERVER_HTTP_SERVER_H
#define XL_SERVER_HTTP_SERVER_H

#include "server/settings.h"

#include <stdbool.h>
#include <stddef.h>

struct access_log;
struct api_keys;
struct audit_log;
struct exchange;
struct job_pool;
struct metrics;
struct model_host;
struct serving_parts;
struct server_extension;

// What routes reach through exchange->server.
struct http_server {
    const struct server_settings *settings;
    struct model_host *host;
    struct api_keys *keys; // NULL: none are in use
    struct metrics *metrics;
    struct access_log *access_log; // NULL: none
    struct audit_log *audit_log;   // NULL: none
    struct job_pool *prepare, *embed;
    struct serving_parts *parts;
    const struct server_extension *extension; // NULL: none
    struct io_loop *loop;
};

// Binds and listens. On failure says why in message.
bool http_server_open(struct http_server *server, char *message, size_t message_bytes);
int http_server_port(const struct http_server *server);
// settings->connections, or as many as the system allows open files for.
int http_server_connections_max(const struct http_server *server);
// Serves until SIGTERM or SIGINT and the end of what runs then; both must be blocked in all
// threads. True if it ended in order, false if a second signal or a failed model ended it.
bool http_server_run(struct http_server *server);
void http_server_close(struct http_server *server);

// From any thread: look at the exchange; look at the state of the model.
void http_server_wake(struct http_server *server, struct exchange *exchange);
void http_server_nudge(struct http_server *server);

bool http_server_is_draining(const struct http_server *server);
size_t http_server_connections(const struct http_server *server);
size_t http_server_active(const struct http_server *server); // exchanges between body and end

#endif
