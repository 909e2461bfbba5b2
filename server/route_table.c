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

const struct route *route_at(const struct server_extension *extension, size_t number) {
    if (number < n_routes) return &route_table[number];
    if (!extension || number - n_routes >= extension->n_routes) return NULL;
    return &extension->routes[number - n_routes];
}

size_t route_number(const struct server_extension *extension, const struct route *route) {
    size_t number = 0;
    while (route_at(extension, number) && route_at(extension, number) != route)
        number++;
    return number;
}

// Where in both the next {…} begins; false if they differ before it or there is none.
static bool go_to_part(const char **pattern, const char **path) {
    while (**pattern && **pattern != '{' && **pattern == **path)
        (*pattern)++, (*path)++;
    return **pattern == '{';
}

static bool path_matches(const char *pattern, const char *path) {
    while (go_to_part(&pattern, &path)) {
        size_t length = strcspn(path, "/");
        if (length == 0) return false;
        pattern += strcspn(pattern, "}") + 1;
        path += length;
    }
    if (strcmp(pattern, "*") == 0) return *path != '\0';
    return !*pattern && !*path;
}

const struct route *route_find(const struct server_extension *extension, const char *method,
                               const char *path, const char **allowed) {
    bool has_get = false, has_post = false;
    const struct route *route, *found = NULL;
    for (size_t i = 0; !found && (route = route_at(extension, i)); i++) {
        if (!path_matches(route->path, path)) continue;
        bool is_get = strcmp(route->method, "GET") == 0;
        has_get = has_get || is_get;
        has_post = has_post || !is_get;
        if (strcmp(route->method, method) == 0 || (is_get && strcmp(method, "HEAD") == 0))
            found = route;
    }
    *allowed = has_get && has_post ? "GET, HEAD, POST"
               : has_get           ? "GET, HEAD"
               : has_post          ? "POST"
                                   : NULL;
    return found;
}

const char *route_rest(const struct route *route, const char *path) {
    size_t length = strlen(route->path);
    return route->path[length - 1] == '*' ? path + length - 1 : "";
}

bool route_part(const struct route *route, const char *path, int which, char *part,
                size_t part_bytes) {
    const char *pattern = route->path;
    while (go_to_part(&pattern, &path)) {
        size_t length = strcspn(path, "/");
        if (which-- == 0) {
            if (length >= part_bytes) return false;
            memcpy(part, path, length);
            part[length] = '\0';
            return true;
        }
        pattern += strcspn(pattern, "}") + 1;
        path += length;
    }
    return false;
}
