// SPDX-License-Identifier: Apache-2.0
#include "server/host_check.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

// Without the port and the brackets; false if it is no host at all.
static bool cut_port(const char *host, char *name, size_t name_bytes) {
    size_t length;
    const char *rest;
    if (*host == '[') {
        host++;
        length = strcspn(host, "]");
        if (host[length] != ']') return false;
        rest = host + length + 1;
    } else {
        length = strcspn(host, ":");
        rest = host + length;
    }
    if (*rest && (*rest != ':' || rest[1 + strspn(rest + 1, "0123456789")])) return false;
    if (length == 0 || length >= name_bytes) return false;
    memcpy(name, host, length);
    name[length] = '\0';
    return true;
}

static bool is_listed(const struct settings_list *list, const char *text) {
    for (int i = 0; i < list->n_items; i++)
        if (strcasecmp(list->items[i], text) == 0) return true;
    return false;
}

bool host_check_host(const struct server_settings *settings, const char *host) {
    char name[256];
    unsigned char address[sizeof(struct in6_addr)];
    if (!host) return true;
    if (!cut_port(host, name, sizeof name)) return false;
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1 ||
           inet_pton(AF_INET6, name, address) == 1 || is_listed(&settings->allowed_hosts, name);
}

bool host_check_origin(const struct server_settings *settings, const char *origin) {
    return is_listed(&settings->allowed_origins, origin);
}

// A proxy in front may speak TLS for us, so the scheme does not count.
bool host_check_same(const char *origin, const char *host) {
    const char *end = strstr(origin, "://");
    bool is_http =
        strncasecmp(origin, "http://", 7) == 0 || strncasecmp(origin, "https://", 8) == 0;
    return host && end && is_http && strcasecmp(end + 3, host) == 0;
}
