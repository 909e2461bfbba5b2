// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/clinic_pages.h"

#include "clinic/http/clinic_context.h"
#include "clinic/http/clinic_files.h"
#include "server/exchange.h"
#include "server/http_server.h"
#include "server/route_table.h"

#include <string.h>

struct named_page {
    const char *path, *file;
    enum clinic_page policy;
};

static const struct named_page pages[] = {
    {"/clinic", "index.html", PAGE_WORKPLACE},
    {"/clinic/embed", "embed.html", PAGE_EMBEDDED},
    {"/clinic/mock-host", "mock-host.html", PAGE_MOCK_HOST},
    {"/clinic/bridge.js", "bridge.js", PAGE_WORKPLACE},
};

static const struct page_file *find_file(const char *name) {
    for (size_t i = 0; i < n_clinic_files; i++)
        if (strcmp(clinic_files[i].path, name) == 0) return &clinic_files[i];
    return NULL;
}

// Pages have one address each: under /clinic/ui/ they would come with another policy.
static bool is_page(const char *name) {
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".html") == 0 && strcmp(name, "index.html") != 0;
}

void clinic_pages_handle(struct exchange *exchange) {
    const struct clinic_context *context = exchange->server->extension->user;
    const char *name = exchange->path_parts[0];
    enum clinic_page policy = PAGE_WORKPLACE;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        if (strcmp(exchange->route->path, pages[i].path) == 0) {
            name = pages[i].file;
            policy = pages[i].policy;
        }
    const struct page_file *file =
        exchange->path_parts[0][0] && is_page(name) ? NULL : find_file(name);
    if (!file) {
        openai_error_set(&exchange->error, 404, "not_found", NULL, "there is no such page");
        exchange_fail(exchange);
        return;
    }
    const char *known = exchange_header(exchange, "If-None-Match");
    exchange->etag = file->etag;
    exchange->security_policy = context->policies.texts[policy];
    exchange->is_frameable = policy == PAGE_EMBEDDED;
    if (known && strcmp(known, file->etag) == 0) {
        exchange_reply(exchange, 304, NULL);
        return;
    }
    put_raw(&exchange->out, (const char *)file->data, file->size_bytes);
    exchange_reply(exchange, 200, file->content_type);
}
