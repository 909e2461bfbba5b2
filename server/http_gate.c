// SPDX-License-Identifier: Apache-2.0
// What happens to a request before its route sees it, in this order: Host, Origin, path, method,
// key, scope, state of the server, limits, body. Everything is refused unless a row of the route
// table allows it.
#include "server/http_gate.h"

#include "server/access_log.h"
#include "server/api_keys.h"
#include "server/audit_log.h"
#include "server/clock_seconds.h"
#include "server/host_check.h"
#include "server/io_loop.h"
#include "server/metrics.h"
#include "server/model_host.h"
#include "server/route_table.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DISCARD_BYTES_MAX = 16 << 20, SLOWEST_BYTES_A_SECOND = 16 << 10, STATUS_CLIENT_GONE = 499 };

static bool check_origin(struct exchange *exchange) {
    const struct server_settings *settings = exchange->server->settings;
    const char *host = exchange_header(exchange, "Host"),
               *origin = exchange_header(exchange, "Origin");
    if (!host_check_host(settings, host))
        return openai_error_set(&exchange->error, 403, "host_not_allowed", NULL,
                                "this server does not answer under the name in the Host header; "
                                "allow it with --allowed-hosts");
    if (!origin) return true;
    if (host_check_origin(settings, origin)) {
        exchange->origin = origin;
        return true;
    }
    return host_check_same(origin, host) ||
           openai_error_set(&exchange->error, 403, "origin_not_allowed", NULL,
                            "pages of other origins may not use this server; allow one with "
                            "--allowed-origins");
}

const char *http_gate_secret(struct exchange *exchange) {
    const char *value = exchange_header(exchange, "Authorization");
    if (value && strncasecmp(value, "Bearer ", 7) == 0) return value + 7 + strspn(value + 7, " ");
    return exchange_header(exchange, "X-API-Key");
}

bool http_gate_check_key(struct exchange *exchange, enum key_scope scope) {
    struct api_keys *keys = exchange->server->keys;
    const char *secret = http_gate_secret(exchange);
    exchange->key = keys && secret ? api_keys_find(keys, secret) : NULL;
    if (!exchange->key)
        return openai_error_set(&exchange->error, 401, "invalid_api_key", NULL, "%s",
                                secret
                                    ? "the API key is not one of this server's"
                                    : "an API key is needed: send it as Authorization: Bearer KEY");
    return api_key_has_scope(exchange->key, scope) ||
           openai_error_set(&exchange->error, 403, "insufficient_scope", NULL,
                            "this API key is not for this route");
}

bool http_gate_admit(struct exchange *exchange) {
    exchange->admitted = api_key_admit(exchange->key, clock_seconds(), &exchange->error);
    return exchange->admitted;
}

static bool check_key(struct exchange *exchange) {
    if (!exchange->server->keys || exchange->route->is_public) return true;
    return http_gate_check_key(exchange, exchange->route->scope);
}

static bool check_state(struct exchange *exchange) {
    struct http_server *server = exchange->server;
    if (!exchange->route->needs_model) return true;
    if (http_server_is_draining(server))
        return openai_error_set(&exchange->error, 503, "shutting_down", NULL,
                                "the server is shutting down");
    if (model_host_state(server->host) == MODEL_OFF)
        return openai_error_set(&exchange->error, 503, "no_model", NULL,
                                "this server runs without a model (it was started without -m)");
    if (model_host_state(server->host) != MODEL_READY)
        return openai_error_set(&exchange->error, 503, "model_loading", NULL,
                                "the model is being loaded");
    if (server->audit_log && !audit_log_is_well(server->audit_log))
        return openai_error_set(&exchange->error, 503, "audit_unavailable", NULL,
                                "the server cannot write its audit log, so it takes no work");
    return !exchange->key || http_gate_admit(exchange);
}

static bool is_type(const char *type, const char *wanted) {
    size_t length = strlen(wanted);
    return strncasecmp(type, wanted, length) == 0 && (!type[length] || strchr("; ", type[length]));
}

// Whoever takes any object takes FHIR, too.
static bool is_json(const struct route *route, const char *type) {
    return type && (is_type(type, "application/json") ||
                    (*route->n_tables == 0 && is_type(type, "application/fhir+json")));
}

static bool check_body(struct exchange *exchange) {
    const char *type = exchange_header(exchange, "Content-Type"),
               *length = exchange_header(exchange, "Content-Length");
    if (!exchange->route->tables) {
        exchange->body.max = 0;
        return true;
    }
    exchange->body.max = (size_t)exchange->server->settings->body_kib << 10;
    if (length && strtoull(length, NULL, 10) > exchange->body.max)
        return openai_error_set(&exchange->error, 413, "body_too_large", NULL,
                                "the body is longer than %zu bytes", exchange->body.max);
    if (!is_json(exchange->route, type))
        return openai_error_set(&exchange->error, 415, "unsupported_media_type", NULL,
                                "the body must be sent as Content-Type: application/json");
    return true;
}

static bool check_route(struct exchange *exchange, const char *method, const char *path) {
    const struct server_extension *extension = exchange->server->extension;
    exchange->route = route_find(extension, method, path, &exchange->allowed_methods);
    if (exchange->route) {
        for (int i = 0; i < PATH_PARTS_MAX; i++)
            if (!route_part(exchange->route, path, i, exchange->path_parts[i], PATH_PART_BYTES))
                exchange->path_parts[i][0] = '\0';
        const char *rest = route_rest(exchange->route, path);
        snprintf(exchange->path_end, sizeof exchange->path_end, "%s", rest);
        return true;
    }
    if (!exchange->allowed_methods)
        return openai_error_set(&exchange->error, 404, "not_found", NULL,
                                "there is no such path; /openapi.json lists all");
    return openai_error_set(&exchange->error, 405, "method_not_allowed", NULL, "this path takes %s",
                            exchange->allowed_methods);
}

// A browser's question whether it may ask; answered for listed origins only.
static bool is_preflight(const struct exchange *exchange, const char *method) {
    return exchange->origin && strcmp(method, "OPTIONS") == 0;
}

static bool pass(struct exchange *exchange, const char *method, const char *path) {
    if (!check_origin(exchange)) return false;
    if (is_preflight(exchange, method)) return true;
    return check_route(exchange, method, path) && check_key(exchange) && check_state(exchange) &&
           check_body(exchange);
}

static void name_client(struct exchange *exchange) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr) return;
    socklen_t size = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                              : sizeof(struct sockaddr_in);
    if (getnameinfo(info->client_addr, size, exchange->address, sizeof exchange->address, NULL, 0,
                    NI_NUMERICHOST) != 0)
        exchange->address[0] = '\0';
}

static const char *known_method(const char *method) {
    static const char *const names[] = {"GET",    "POST",  "HEAD",  "OPTIONS", "PUT",
                                        "DELETE", "PATCH", "TRACE", "CONNECT", NULL};
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], method) == 0) return names[i];
    return "OTHER";
}

static bool has_body(struct exchange *exchange) {
    const char *length = exchange_header(exchange, "Content-Length");
    return exchange_header(exchange, "Transfer-Encoding") ||
           (length && strtoull(length, NULL, 10) > 0);
}

// The answer can be given before the body: the client waits for leave to send it, or it is long.
static bool answers_early(struct exchange *exchange) {
    const char *length = exchange_header(exchange, "Content-Length");
    if (!has_body(exchange)) return false;
    return exchange_header(exchange, "Expect") ||
           (length && strtoull(length, NULL, 10) > DISCARD_BYTES_MAX);
}

static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *connection,
                             const char *method, const char *path, void **place) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection_state *socket = info ? info->socket_context : NULL;
    struct exchange *exchange = socket ? exchange_create(server) : NULL;
    if (!exchange) return MHD_NO;
    *place = exchange;
    exchange->connection = connection;
    exchange->socket = socket;
    exchange->method = known_method(method);
    socket->exchange = exchange;
    name_client(exchange);
    exchange->refuses_body = !pass(exchange, method, path);
    const char *length = exchange_header(exchange, "Content-Length");
    double bytes = length ? strtod(length, NULL) : exchange->server->settings->body_kib * 1024.0;
    if (exchange->refuses_body) bytes = 0;
    io_loop_enter(socket, CONNECTION_BODY,
                  server->settings->body_seconds + bytes / SLOWEST_BYTES_A_SECOND);
    if (!exchange->refuses_body || !answers_early(exchange)) return MHD_YES;
    exchange_fail(exchange);
    return http_reply_proceed(exchange);
}

void http_gate_refuse_body(struct exchange *exchange) {
    if (exchange_get_state(exchange) != EXCHANGE_READING || exchange->refuses_body ||
        !exchange->route || !exchange->route->needs_model)
        return;
    exchange->refuses_body = true;
    request_body_free(&exchange->body);
    check_state(exchange);
}

// A refused body is thrown away so that the client, which reads only after it has written, sees
// the reason; one that goes on and on is cut.
static enum MHD_Result take(struct exchange *exchange, const char *bytes, size_t *n_bytes) {
    bool is_full;
    size_t n = *n_bytes;
    *n_bytes = 0;
    if (!exchange->refuses_body) {
        if (request_body_add(&exchange->body, bytes, n, &is_full)) return MHD_YES;
        exchange->refuses_body = true;
        request_body_free(&exchange->body);
        if (is_full && exchange->body.max > 0)
            openai_error_set(&exchange->error, 413, "body_too_large", NULL,
                             "the body is longer than %zu bytes", exchange->body.max);
        else if (is_full)
            openai_error_set(&exchange->error, 413, "body_too_large", NULL,
                             "this route takes no body");
        else
            openai_error_no_memory(&exchange->error);
    }
    exchange->body.size += n; // only counted
    bool goes_on = exchange->body.size <= DISCARD_BYTES_MAX;
    return goes_on ? MHD_YES : MHD_NO;
}

static void answer(struct exchange *exchange) {
    if (exchange->refuses_body) {
        exchange->body.size = 0;
        exchange_fail(exchange);
    } else if (!exchange->route) { // a preflight
        exchange_reply(exchange, 204, NULL);
    } else {
        exchange->counted = true;
        exchange->server->loop->n_active++;
        exchange->route->handle(exchange);
    }
}

enum MHD_Result http_gate_access(void *argument, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_bytes, void **place) {
    struct exchange *exchange = *place;
    (void)version;
    if (((const struct http_server *)argument)->loop->is_closing) return MHD_NO;
    if (!exchange) return begin(argument, connection, method, url, place);
    if (exchange_is_gone(exchange)) return MHD_NO;
    if (*upload_bytes > 0) return take(exchange, upload, upload_bytes);
    if (exchange_get_state(exchange) == EXCHANGE_READING) {
        io_loop_enter(exchange->socket, CONNECTION_WORKING, 0);
        answer(exchange);
    }
    return http_reply_proceed(exchange);
}

void http_gate_settle(struct exchange *exchange, bool is_cut) {
    struct http_server *server = exchange->server;
    if (exchange->settled || exchange_get_state(exchange) == EXCHANGE_WORKING) return;
    exchange->settled = true;
    if (is_cut && exchange->http_status == 0) exchange->http_status = STATUS_CLIENT_GONE;
    if (exchange->counted) server->loop->n_active--;
    if (exchange->admitted) {
        api_key_leave(exchange->key);
        api_key_charge(exchange->key, exchange->usage.prompt_tokens,
                       exchange->usage.generated_tokens);
    }
    metrics_count_request(server->metrics, exchange, clock_seconds() - exchange->began_s);
    if (server->access_log) access_log_write(server->access_log, exchange, is_cut);
    if (server->audit_log && exchange->counted && exchange->route->needs_model)
        audit_log_end(server->audit_log, exchange, is_cut);
    if (server->audit_log && exchange->http_status == 401)
        audit_log_refuse(server->audit_log, exchange);
}

void http_gate_completed(void *argument, struct MHD_Connection *connection, void **place,
                         enum MHD_RequestTerminationCode how) {
    struct http_server *server = argument;
    struct exchange *exchange = *place;
    (void)connection;
    if (!exchange) return;
    *place = NULL;
    io_loop_let_go(exchange);
    http_gate_settle(exchange, how != MHD_REQUEST_TERMINATED_COMPLETED_OK);
    io_loop_unwatch(server->loop, exchange->socket);
    exchange->socket->exchange = NULL;
    io_loop_enter(exchange->socket, CONNECTION_IDLE, server->settings->idle_seconds);
    exchange->connection = NULL;
    exchange->socket = NULL;
    exchange_release(exchange);
}
