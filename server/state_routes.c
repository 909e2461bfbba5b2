// SPDX-License-Identifier: Apache-2.0
#include "server/state_routes.h"

#include "server/audit_log.h"
#include "server/exchange.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/model_host.h"

#include <string.h>

void health_route_handle(struct exchange *exchange) {
    put_open(&exchange->out, '{');
    put_key_text(&exchange->out, "status", "ok");
    put_close(&exchange->out, '}');
    exchange_reply(exchange, 200, "application/json");
}

void ready_route_handle(struct exchange *exchange) {
    struct http_server *server = exchange->server;
    const char *why = NULL;
    if (http_server_is_draining(server))
        why = "shutting down";
    else if (model_host_state(server->host) == MODEL_LOADING)
        why = "loading the model";
    else if (server->audit_log && !audit_log_is_well(server->audit_log))
        why = "the audit log cannot be written";
    put_open(&exchange->out, '{');
    put_key_text(&exchange->out, "status", why ? why : "ready");
    put_close(&exchange->out, '}');
    exchange->error.retry_after = 1;
    exchange_reply(exchange, why ? 503 : 200, "application/json");
}

void metrics_route_handle(struct exchange *exchange) {
    if (exchange->server->settings->no_metrics) {
        openai_error_set(&exchange->error, 404, "not_found", NULL, "metrics are turned off");
        exchange_fail(exchange);
        return;
    }
    metrics_write(exchange->server->metrics, exchange->server, &exchange->out);
    exchange_reply(exchange, 200, "text/plain; version=0.0.4; charset=utf-8");
}

static void put_model(struct exchange *exchange) {
    const struct model_host *host = exchange->server->host;
    struct json_writer *w = &exchange->out;
    put_open(w, '{');
    put_key_text(w, "id", host->name);
    put_key_text(w, "object", "model");
    put_key_int(w, "created", host->created);
    put_key_text(w, "owned_by", "local");
    if (model_host_state(host) == MODEL_READY) {
        put_key(w, "meta");
        put_open(w, '{');
        put_key_text(w, "family", host->info.family);
        put_key_text(w, "weight_type", host->info.weight_type);
        put_key_text(w, "kv_type", host->info.kv_type);
        put_key_text(w, "isa", host->info.isa);
        put_key_int(w, "threads", host->info.threads);
        put_key_int(w, "context", host->info.context);
        put_key_int(w, "context_train", host->info.context_train);
        put_key_int(w, "n_vocab", host->info.n_vocab);
        put_key_int(w, "n_embd", host->info.n_embd);
        put_key_int(w, "weight_bytes", (int64_t)host->info.weight_bytes);
        put_key_bool(w, "has_chat_template", host->chat_template != NULL);
        put_key_bool(w, "makes_text", !host->is_encoder);
        put_close(w, '}');
    }
    put_close(w, '}');
}

void models_route_handle(struct exchange *exchange) {
    struct json_writer *w = &exchange->out;
    put_open(w, '{');
    put_key_text(w, "object", "list");
    put_key(w, "data");
    put_open(w, '[');
    if (model_host_state(exchange->server->host) != MODEL_OFF) put_model(exchange);
    put_close(w, ']');
    put_close(w, '}');
    exchange_reply(exchange, 200, "application/json");
}

void model_route_handle(struct exchange *exchange) {
    const struct model_host *host = exchange->server->host;
    if (model_host_state(host) == MODEL_OFF) {
        openai_error_set(&exchange->error, 404, "model_not_found", "model",
                         "this server runs without a model");
        exchange_fail(exchange);
        return;
    }
    if (strcmp(exchange->path_end, host->name) != 0) {
        openai_error_set(&exchange->error, 404, "model_not_found", "model",
                         "this server has the model \"%s\" and no other", host->name);
        exchange_fail(exchange);
        return;
    }
    put_model(exchange);
    exchange_reply(exchange, 200, "application/json");
}
