// SPDX-License-Identifier: Apache-2.0
// The one model of a server: opened in a thread of its own while the server already answers
// /health, then shared and unchanging. Knows its names, its chat template and what the template
// can do.
#ifndef XL_SERVER_MODEL_HOST_H
#define XL_SERVER_MODEL_HOST_H

#include "server/settings.h"
#include "xinglin/xinglin.h"

#include <stdbool.h>
#include <stdint.h>

struct special_guard;

enum model_state { MODEL_LOADING, MODEL_READY, MODEL_FAILED, MODEL_OFF /* none is to be loaded */ };

struct model_host {
    const struct server_settings *settings;
    xl_engine *engine;
    xl_worker *worker; // NULL: the model makes no text (an encoder)
    xl_engine_info info;
    char *chat_template;         // NULL: none
    char *bos, *eos, *unk, *pad; // spelled; NULL: none
    struct special_guard *guard;
    bool template_tools, template_thinks;   // knows <tool_call>; knows </think>
    bool is_encoder;                        // texts to vectors is all it does
    char name[128];                         // what /v1/models lists
    char fingerprint[24], model_sha256[65]; // of version, file and kernels; of the file
    size_t text_bytes_max;                  // a longer text cannot fit into the context
    int64_t created;                        // seconds since 1970 when it was opened
    xl_error error;                         // if it failed
    int state;                              // enum model_state, atomic
    void (*on_change)(void *);
    void *on_change_argument;
    struct load_thread *thread;
};

// Starts loading, if the settings name a model; on_change is called in the loader's thread when it
// has ended. False: no thread.
bool model_host_open(struct model_host *host, const struct server_settings *settings,
                     void (*on_change)(void *), void *on_change_argument);
// Waits for the loader. All exchanges must have ended.
void model_host_close(struct model_host *host);

static inline enum model_state model_host_state(const struct model_host *host) {
    return (enum model_state)__atomic_load_n(&host->state, __ATOMIC_ACQUIRE);
}

// True for the names under which the model may be asked for.
bool model_host_is_named(const struct model_host *host, const char *name);

#endif
