// SPDX-License-Identifier: Apache-2.0
#include "server/settings.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

void settings_default(struct server_settings *settings) {
    *settings = (struct server_settings){
        .parallel = 32,
        .queue = 256,
        .prefix_disk_mib = 4096,
        .host = "127.0.0.1",
        .port = 8080,
        .connections = 11000,
        .connections_per_address = 1000,
        .body_kib = 4096,
        .n_max = 16,
        .header_seconds = 20,
        .body_seconds = 30,
        .idle_seconds = 75,
        .write_seconds = 30,
        .drain_seconds = 30,
        .queued_kib = 256,
        .temperature = 1,
        .top_p = 1,
        .repetition_penalty = 1,
        .access_log = "-",
        .clinic_session_minutes = 30,
    };
}

bool settings_is_loopback(const char *host) {
    struct in_addr four;
    struct in6_addr six;
    if (strcmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool refuse(char *message, size_t message_bytes, const char *why) {
    snprintf(message, message_bytes, "%s", why);
    return false;
}

static bool is_address(const char *host) {
    unsigned char bytes[sizeof(struct in6_addr)];
    return strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, bytes) == 1 ||
           inet_pton(AF_INET6, host, bytes) == 1;
}

static bool is_url(const char *url) {
    const char *name = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : "";
    return *name && strlen(name) <= 256 && !strpbrk(name, "/?#@\\ \"'<>\r\n\t");
}

bool settings_check(const struct server_settings *s, char *message, size_t message_bytes) {
    if (s->model && !*s->model) return refuse(message, message_bytes, "--model is empty");
    if (!s->model && !s->clinic)
        return refuse(message, message_bytes, "no model is given; say -m MODEL");
    if (!s->clinic &&
        (s->clinic_demo || s->clinic_templates || s->clinic_url || s->clinic_cds_clients))
        return refuse(message, message_bytes,
                      "--clinic-demo, --clinic-templates, --clinic-url and --clinic-cds-clients "
                      "belong to --clinic STORE");
    if (s->clinic_url && !is_url(s->clinic_url))
        return refuse(message, message_bytes,
                      "--clinic-url is https://NAME or http://NAME, with a port if need be, and "
                      "nothing behind it");
    if (s->clinic_cds_clients && !s->clinic_url)
        return refuse(message, message_bytes,
                      "--clinic-cds-clients needs --clinic-url: tokens name the address that they "
                      "are for");
    if (!is_address(s->host))
        return refuse(message, message_bytes,
                      "--host takes an IPv4 or IPv6 address, or localhost; no name is looked up");
    if (!settings_is_loopback(s->host) && !s->api_key_file)
        return refuse(message, message_bytes,
                      "an address that others can reach needs keys; say --api-key-file FILE and "
                      "make a key with xinglin serve --new-key NAME --api-key-file FILE");
    if (!settings_is_loopback(s->host) && s->clinic && !s->tls_cert)
        return refuse(
            message, message_bytes,
            "a clinic on an address that others can reach needs --tls-cert and --tls-key: "
            "passwords and records would cross the network readable by anybody");
    if (!settings_is_loopback(s->host) && s->clinic_demo)
        return refuse(
            message, message_bytes,
            "--clinic-demo gives everybody a doctor's launch token, so it serves loopback "
            "only");
    if (!s->tls_cert != !s->tls_key)
        return refuse(message, message_bytes, "--tls-cert and --tls-key belong together");
    if (!s->prefix_dir != !s->prefix_key)
        return refuse(message, message_bytes,
                      "--prefix-dir and --prefix-key belong together: prefixes hold patient text "
                      "and are kept encrypted only");
    return true;
}
