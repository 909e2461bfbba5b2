// SPDX-License-Identifier: Apache-2.0
#include "server/route_table.h"

#include "server/chat_route.h"
#include "server/completion_route.h"
#include "server/embedding_route.h"
#include "server/page_route.h"
#include "server/responses_route.h"
#include "server/state_routes.h"
#include "server/token_routes.h"

#include <string.h>

#define JSON "application/json"
#define OPEN true, SCOPE_INFERENCE
#define USER false, SCOPE_INFERENCE

const struct route route_table[] = {
    {"GET", "/health", OPEN, false, health_route_handle, NULL, NULL, "the process lives", JSON},
    {"GET", "/ready", OPEN, false, ready_route_handle, NULL, NULL,
     "the model is loaded and the server takes work; else 503", JSON},
    {"GET", "/metrics", false, SCOPE_METRICS, false, metrics_route_handle, NULL, NULL,
     "counters for Prometheus", "text/plain"},
    {"GET", "/openapi.json", USER, false, openapi_route_handle, NULL, NULL, "this document", JSON},
    {"GET", "/", OPEN, false, page_route_handle, NULL, NULL, "the built-in page", "text/html"},
    {"GET", "/page/*", OPEN, false, page_route_handle, NULL, NULL, "its files", NULL},
    {"GET", "/v1/models", USER, false, models_route_handle, NULL, NULL, "the model", JSON},
    {"GET", "/v1/models/*", USER, false, model_route_handle, NULL, NULL, "the model", JSON},
    {"POST", "/v1/chat/completions", USER, true, chat_route_handle, chat_route_tables,
     &chat_route_n_tables, "the next message of a conversation", JSON},
    {"POST", "/v1/completions", USER, true, completion_route_handle, completion_route_tables,
     &completion_route_n_tables, "the continuation of a text", JSON},
    {"POST", "/v1/responses", USER, true, responses_route_handle, responses_route_tables,
     &responses_route_n_tables, "as chat, in the form of the Responses API; nothing is stored",
     JSON},
    {"POST", "/v1/embeddings", USER, true, embedding_route_handle, embedding_route_tables,
     &embedding_route_n_tables, "a vector for each text", JSON},
    {"POST", "/rerank", USER, true, rerank_route_handle, rerank_route_tables,
     &rerank_route_n_tables, "documents by their likeness to a query", JSON},
    {"POST", "/v1/rerank", USER, true, rerank_route_handle, rerank_route_tables,
     &rerank_route_n_tables, "documents by their likeness to a query", JSON},
    {"POST", "/tokenize", USER, true, tokenize_route_handle, tokenize_route_tables,
     &tokenize_route_n_tables, "a text's tokens", JSON},
    {"POST", "/detokenize", USER, true, detokenize_route_handle, detokenize_route_tables,
     &detokenize_route_n_tables, "the text of tokens", JSON},
    {"POST", "/apply-template", USER, true, apply_template_route_handle, chat_route_tables,
     &chat_route_n_tables, "the prompt that messages become", JSON},
};

#undef USER
#undef OPEN
#undef JSON

const size_t n_routes = sizeof route_table / sizeof route_table[0];

static bool path_matches(const char *pattern, const char *path) {
    size_t length = strlen(pattern);
    if (pattern[length - 1] != '*') return strcmp(pattern, path) == 0;
    return strncmp(pattern, path, length - 1) == 0 && path[length - 1];
}

const struct route *route_find(const char *method, const char *path, const char **allowed) {
    *allowed = NULL;
    for (size_t i = 0; i < n_routes; i++) {
        if (!path_matches(route_table[i].path, path)) continue;
        bool is_get = strcmp(route_table[i].method, "GET") == 0;
        *allowed = is_get ? "GET, HEAD" : "POST";
        if (strcmp(route_table[i].method, method) == 0 || (is_get && strcmp(method, "HEAD") == 0))
            return &route_table[i];
    }
    return NULL;
}

const char *route_rest(const struct route *route, const char *path) {
    size_t length = strlen(route->path);
    return route->path[length - 1] == '*' ? path + length - 1 : "";
}
