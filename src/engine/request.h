// SPDX-License-Identifier: Apache-2.0
// One request: what was asked, copied; the tokens so far; how far it is. Owned by its caller and by
// its worker, freed when both have let go, wiped then. What is behind the worker's lock is said
// there (worker.h); everything else but `cancel` belongs to the worker's thread.
#ifndef XL_ENGINE_REQUEST_H
#define XL_ENGINE_REQUEST_H

#include "base/status.h"
#include "engine/chooser.h"
#include "xinglin/xinglin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xl_request {
    xl_worker *worker;
    struct xl_request *next; // in one of the worker's lists
    int n_holders;           // atomic: the caller, the worker
    int cancel;              // atomic: not 0: end it

    // What was asked.
    xl_generate_options generate; // its pointers lead into `copies`
    void *copies;
    size_t copies_bytes;
    const char *user; // in `copies`; "" for the nameless
    xl_priority priority;
    int n_logprobs;
    bool no_prefix, save_prefix;
    void (*on_event)(void *user_data, const xl_request_event *event);
    void *user_data;

    int32_t *tokens;                      // [n_tokens_max] the prompt, then what was chosen
    int n_prompt, n_tokens, n_tokens_max; // n_tokens_max: the last chosen one may be beyond the
                                          // context
    struct chooser chooser;
    int memory_tokens, disk_tokens, drafted_tokens, accepted_tokens;
    xl_finish finish;
    double submitted_s, started_s, first_token_s; // by clock_seconds(); 0: not yet
};

static inline bool request_cancelled(const struct xl_request *request) {
    return __atomic_load_n(&request->cancel, __ATOMIC_RELAXED) != 0;
}

// Positions of the cache that the request needs at most.
static inline int request_positions_max(const struct xl_request *request) {
    return request->n_tokens_max > request->n_prompt ? request->n_tokens_max - 1
                                                     : request->n_prompt;
}

// Tells the caller about one chosen token and what chooser.shown holds, and drops that.
// Logits [n_vocab] are those that the token was chosen from.
void request_tell_token(struct xl_request *request, int32_t token, const float *logits);
// Tells the end, with what was still held back; nothing may be told after it.
void request_tell_end(struct xl_request *request, enum status status, const struct error *err);
// One holder lets go.
void request_drop(struct xl_request *request);

#ifdef __cplusplus
}
#endif
#endif
