// SPDX-License-Identifier: Apache-2.0
#include "server/page_route.h"

#include "server/exchange.h"
#include "server/http_server.h"
#include "server/io_loop.h"
#include "server/page_files.h"
#include "server/route_table.h"

#include <stdio.h>
#include <string.h>

void page_route_handle(struct exchange *exchange) {
    char path[160];
    bool is_root = strcmp(exchange->route->path, "/") == 0;
    snprintf(path, sizeof path, "%s%s", is_root ? "/" : "/page/", exchange->path_end);
    const struct page_file *file =
        exchange->server->settings->no_page ? NULL : page_file_find(path);
    if (!file) {
        openai_error_set(&exchange->error, 404, "not_found", NULL, "there is no such page");
        exchange_fail(exchange);
        return;
    }
    const char *known =
        MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "If-None-Match");
    exchange->etag = file->etag;
    exchange->security_policy = PAGE_SECURITY_POLICY;
    if (known && strcmp(known, file->etag) == 0) {
        exchange_reply(exchange, 304, NULL);
        return;
    }
    put_raw(&exchange->out, (const char *)file->data, file->size_bytes);
    exchange_reply(exchange, 200, file->content_type);
}
