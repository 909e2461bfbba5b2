// SPDX-License-Identifier: Apache-2.0
// Everything about a server that its operator can choose, with defaults and the checks that need no
// model. Knows nothing of where the values come from (flags, environment, a file).
#ifndef XL_SERVER_SETTINGS_H
#define XL_SERVER_SETTINGS_H

#include "xinglin/xinglin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SETTINGS_LIST_MAX = 32 };

struct settings_list {
    const char *items[SETTINGS_LIST_MAX];
    int n_items;
};

struct server_settings {
    // The model and the engine.
    const char *model, *model_alias;            // model NULL: off; alias NULL: the file's stem
    const char *isa;                            // NULL: automatic
    const char *kv_type;                        // NULL: automatic; "f32", "f16", "bf16", "i8"
    int threads, threads_batch, context, chunk; // 0: automatic
    int parallel, queue;                        // requests computed together, and waiting
    int kv_memory_mib;                          // 0: half of what is available
    const char *prefix_dir, *prefix_key;
    int prefix_disk_mib;
    // Where it listens.
    const char *host;
    int port; // 0: any free one
    const char *tls_cert, *tls_key;
    struct settings_list allowed_hosts, allowed_origins;
    // Who may ask, and how much.
    const char *api_key_file;
    // Of one address: 0 for no limit, and loopback has none. Fewer in all if the system allows
    // fewer open files.
    int connections, connections_per_address;
    int body_kib, n_max, tokens_max; // tokens_max 0: what the context holds
    int header_seconds, body_seconds, idle_seconds, write_seconds, drain_seconds;
    int queued_kib; // answer bytes kept for a client that reads slowly
    int any_model;  // accepts every model name in requests
    // How it chooses where a request says nothing.
    float temperature, top_p, min_p, repetition_penalty;
    int top_k;
    // What it writes down.
    const char *access_log, *audit_log, *audit_key; // "-": standard error
    int no_metrics, no_page;
    // The clinic; `clinic` NULL: there is none.
    const char *clinic, *clinic_templates; // folders
    const char *clinic_url, *clinic_cds_clients;
    int clinic_demo, clinic_session_minutes;
};

void settings_default(struct server_settings *settings);
// True if they fit together; else says in message why not.
bool settings_check(const struct server_settings *settings, char *message, size_t message_bytes);
// True for 127.0.0.0/8, ::1 and "localhost".
bool settings_is_loopback(const char *host);

#endif
