// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/page_policies.h"

#include "server/settings.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// Only what the operator listed may stand in a header.
static bool is_plain_origin(const char *origin) {
    return !strpbrk(origin, " ;,'\"\r\n\t*");
}

static void write_ancestors(const struct server_settings *settings, char *text, size_t bytes) {
    size_t n = (size_t)snprintf(
        text, bytes, "%s",
        settings->clinic_demo ? " 'self' http://localhost:* http://127.0.0.1:*" : "");
    for (int i = 0; i < settings->allowed_origins.n_items && n < bytes; i++)
        if (is_plain_origin(settings->allowed_origins.items[i]))
            n += (size_t)snprintf(text + n, bytes - n, " %s", settings->allowed_origins.items[i]);
    if (n == 0) snprintf(text, bytes, " 'none'");
}

void page_policies_init(struct page_policies *policies, const struct server_settings *settings) {
    static const char base[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src "
                               "'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                               "require-trusted-types-for 'script'; frame-ancestors";
    char ancestors[POLICY_BYTES - sizeof base];
    write_ancestors(settings, ancestors, sizeof ancestors);
    snprintf(policies->texts[PAGE_WORKPLACE], POLICY_BYTES, "%s 'none'", base);
    snprintf(policies->texts[PAGE_EMBEDDED], POLICY_BYTES, "%s%s", base, ancestors);
    snprintf(policies->texts[PAGE_MOCK_HOST], POLICY_BYTES,
             "%s 'none'; frame-src 'self' http://127.0.0.1:* http://localhost:*", base);
}
