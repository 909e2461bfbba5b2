// SPDX-License-Identifier: Apache-2.0
// /openapi.json (OpenAPI 3.1), written from the route table and the field tables, so that it cannot
// say anything else than what the server does.
#include "server/exchange.h"
#include "server/http_server.h"
#include "server/route_table.h"
#include "server/state_routes.h"

#include <stdio.h>
#include <string.h>

static void put_plain(struct json_writer *w, const char *json) {
    put_json(w, json, strlen(json));
}

static void put_kind(struct json_writer *w, const struct json_field *field) {
    switch (field->kind) {
    case FIELD_BOOL:
        put_key_text(w, "type", "boolean");
        break;
    case FIELD_INT:
    case FIELD_NUMBER:
        put_key_text(w, "type", field->kind == FIELD_INT ? "integer" : "number");
        put_key_number(w, "minimum", field->min);
        put_key_number(w, "maximum", field->max);
        break;
    case FIELD_TEXT:
        put_key_text(w, "type", "string");
        break;
    case FIELD_ONLY:
        put_key(w, "const");
        put_plain(w, field->only);
        break;
    default:
        break;
    }
}

static void put_field(struct json_writer *w, const struct json_field *field) {
    put_key(w, field->name);
    if (field->shape && field->shape[0] == '{' && field->shape[1] != '}') {
        // The description goes into the shape.
        put_open(w, '{');
        put_key_text(w, "description", field->help);
        put_raw(w, ",", 1);
        put_raw(w, field->shape + 1, strlen(field->shape) - 1);
        w->comma = true;
        return;
    }
    put_open(w, '{');
    put_key_text(w, "description", field->help);
    put_kind(w, field);
    put_close(w, '}');
}

static void put_body(struct json_writer *w, const struct route *route) {
    put_key(w, "requestBody");
    put_open(w, '{');
    put_key_bool(w, "required", true);
    put_key(w, "content");
    put_open(w, '{');
    put_key(w, "application/json");
    put_open(w, '{');
    put_key(w, "schema");
    put_open(w, '{');
    put_key_text(w, "type", "object");
    put_key_bool(w, "additionalProperties", *route->n_tables == 0);
    put_key(w, "properties");
    put_open(w, '{');
    for (size_t t = 0; t < *route->n_tables; t++)
        for (size_t i = 0; i < route->tables[t].n_fields; i++) {
            const struct json_field *field = &route->tables[t].fields[i];
            bool is_repeated = false; // an earlier table's row wins
            for (size_t s = 0; s < t; s++)
                for (size_t j = 0; j < route->tables[s].n_fields; j++)
                    is_repeated =
                        is_repeated || strcmp(route->tables[s].fields[j].name, field->name) == 0;
            if (!is_repeated) put_field(w, field);
        }
    for (int i = 0; i < 5; i++)
        put_close(w, '}');
}

static void put_response(struct json_writer *w, const char *status, const char *description,
                         const char *content_type) {
    put_key(w, status);
    put_open(w, '{');
    put_key_text(w, "description", description);
    if (content_type) {
        put_key(w, "content");
        put_open(w, '{');
        put_key(w, content_type);
        put_plain(w, "{}");
        put_close(w, '}');
    }
    put_close(w, '}');
}

static void put_parameter(struct json_writer *w, const char *name, size_t n_name) {
    put_open(w, '{');
    put_key_string(w, "name", name, n_name);
    put_key_text(w, "in", "path");
    put_key_bool(w, "required", true);
    put_key(w, "schema");
    put_plain(w, "{\"type\":\"string\"}");
    put_close(w, '}');
}

static void put_parameters(struct json_writer *w, const char *path) {
    put_key(w, "parameters");
    put_open(w, '[');
    for (const char *at = strchr(path, '{'); at; at = strchr(at + 1, '{'))
        put_parameter(w, at + 1, strcspn(at + 1, "}"));
    if (strchr(path, '*')) put_parameter(w, "name", 4);
    put_close(w, ']');
}

static void put_operation(struct json_writer *w, const struct route *route) {
    bool is_get = strcmp(route->method, "GET") == 0;
    put_key(w, is_get ? "get" : "post");
    put_open(w, '{');
    put_key_text(w, "summary", route->summary);
    put_key(w, "security");
    put_open(w, '[');
    if (!route->is_public) put_plain(w, "{\"key\":[]}");
    put_close(w, ']');
    put_key_text(w, "x-scope",
                 route->is_public                ? "public"
                 : route->scope == SCOPE_METRICS ? "metrics"
                 : route->scope == SCOPE_CLINIC  ? "clinic"
                                                 : "inference");
    put_key_bool(w, "x-needs-model", route->needs_model);
    if (strpbrk(route->path, "*{")) put_parameters(w, route->path);
    if (route->tables) put_body(w, route);
    put_key(w, "responses");
    put_open(w, '{');
    put_response(w, "200", "done", route->content_type);
    put_response(w, "default", "an error in OpenAI's shape", "application/json");
    put_close(w, '}');
    put_close(w, '}');
}

// One path can have a row for each method.
static bool is_first(const struct server_extension *extension, size_t number) {
    for (size_t i = 0; i < number; i++)
        if (strcmp(route_at(extension, i)->path, route_at(extension, number)->path) == 0)
            return false;
    return true;
}

static void put_path(struct json_writer *w, const struct server_extension *extension,
                     size_t number) {
    char path[128];
    const char *pattern = route_at(extension, number)->path;
    size_t length = strcspn(pattern, "*");
    snprintf(path, sizeof path, "%.*s%s", (int)length, pattern, pattern[length] ? "{name}" : "");
    put_key(w, path);
    put_open(w, '{');
    const struct route *route;
    for (size_t i = number; (route = route_at(extension, i)); i++)
        if (strcmp(route->path, pattern) == 0) put_operation(w, route);
    put_close(w, '}');
}

void openapi_route_handle(struct exchange *exchange) {
    struct json_writer *w = &exchange->out;
    put_open(w, '{');
    put_key_text(w, "openapi", "3.1.0");
    put_key(w, "info");
    put_open(w, '{');
    put_key_text(w, "title", "Xinglin");
    put_key_text(w, "version", xl_version());
    put_close(w, '}');
    put_key(w, "components");
    put_plain(w, "{\"securitySchemes\":{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}}}");
    put_key(w, "paths");
    put_open(w, '{');
    const struct server_extension *extension = exchange->server->extension;
    for (size_t i = 0; route_at(extension, i); i++)
        if (is_first(extension, i)) put_path(w, extension, i);
    put_close(w, '}');
    put_close(w, '}');
    exchange_reply(exchange, 200, "application/json");
}
