// SPDX-License-Identifier: Apache-2.0
// One request: what was asked, copied; the tokens so far; how far it is. Owned by its caller and by
// its worker, freed when both have let go; what it held is wiped when it ends. After submission
// everything but `cancel` belongs to the worker's thread.
#ifndef XL_ENGINE_REQUEST_H
#define XL_ENGINE_REQUEST_H

#include "base/status.h"
#include "cache/kv_cache.h"
#include "engine/chooser.h"
#include "engine/logprobs.h"
#include "engine/prompt_lookup.h"
#include "engine/turn_order.h"
#include "engine/worker_disk.h"
#include "xinglin/xinglin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xl_request {
    xl_worker *worker;
    struct xl_request *next; // in the worker's list of new ones
    int n_holders;           // atomic: the caller, the worker
    int cancel;              // atomic: not 0: end it

    // What was asked.
    xl_generate_options generate; // its pointers lead into `copies`
    void *copies;
    size_t copies_bytes;
    struct turn turn; // .user is in `copies`; "" for the nameless
    int n_logprobs;
    bool no_prefix;
    void (*on_event)(void *user_data, const xl_request_event *event);
    void *user_data;

    // The prompt, then what was chosen: [n_tokens_max], the last of which is beyond the context at
    // most. The cache holds the first cache.n_used of them; the others are still to be fed.
    int32_t *tokens;
    int n_prompt, n_tokens, n_tokens_max;
    struct kv_cache cache; // on the worker's pool
    int node, n_nodes;     // the cache's first n_nodes pages are the way to this node of the tree
    bool has_cache, has_chooser;
    struct disk_errand errand; // while it is out, the request keeps its pages
    bool is_saved;             // or needs not be
    bool has_ended;            // only the errand is waited for, then this is told:
    enum status end_status;
    struct error end_err;
    struct chooser chooser;
    struct prompt_lookup lookup;
    uint64_t last_read; // when a chunk of it was last read, counted in chunks; 0: never
    bool keeps_place;   // a background request that was preferred to interactive ones
    int n_preempted;    // how often it had to give its memory back
    bool is_in_step;
    int n_guesses; // tried in this step
    float *row;    // logits of this step: [1 + n_guesses][n_vocab]; NULL: none
    int memory_tokens, disk_tokens, drafted_tokens, accepted_tokens;
    xl_finish finish;
    double submitted_s, started_s, first_token_s; // by clock_seconds(); 0: not yet
};

static inline bool request_cancelled(const struct xl_request *request) {
    return __atomic_load_n(&request->cancel, __ATOMIC_RELAXED) != 0;
}

// Is there nothing to compute for it just now?
static inline bool request_is_away(const struct xl_request *request) {
    return request->has_ended || (disk_errand_is_out(&request->errand) && !request->errand.is_save);
}

// Is the next thing to feed the one token that was chosen last?
static inline bool request_is_decoding(const struct xl_request *request) {
    return request->chooser.n_generated > 0 && request->cache.n_used == request->n_tokens - 1;
}

// Positions of the cache that the request needs at most.
static inline int request_positions_max(const struct xl_request *request) {
    return request->n_tokens_max > request->n_prompt ? request->n_tokens_max - 1
                                                     : request->n_prompt;
}

// What the model itself thought of a token, as far as the caller asked for it.
struct token_odds {
    float logprob;
    int n_best;
    xl_token_logprob best[LOGPROBS_MAX];
};

// From the logits [n_vocab] that the token was chosen from.
void request_find_odds(const struct xl_request *request, int32_t token, const float *logits,
                       struct token_odds *odds);
// Tells the caller about one chosen token and what chooser.shown holds, and drops that.
void request_tell_token(struct xl_request *request, int32_t token, const struct token_odds *odds);
// Tells the end, with what was still held back; nothing may be told after it. Wipes text and
// tokens.
void request_tell_end(struct xl_request *request, enum status status, const struct error *err);
// One holder lets go.
void request_drop(struct xl_request *request);

#ifdef __cplusplus
}
#endif
#endif
