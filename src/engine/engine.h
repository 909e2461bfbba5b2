// SPDX-License-Identifier: Apache-2.0
// What xinglin.h's objects are made of, for the files of this folder and their tests.
#ifndef XL_ENGINE_ENGINE_H
#define XL_ENGINE_ENGINE_H

#include "base/fair_lock.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "cache/kv_cache.h"
#include "format/checkpoint.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"
#include "xinglin/xinglin.h"

// Immutable after xl_engine_open, but for the turn: sessions run one forward pass at a time,
// because there is one pool of threads.
struct xl_engine {
    struct checkpoint *checkpoint; // NULL: a tokenizer from a directory without weights
    struct hf_config *files;       // that directory's; else NULL
    struct model *model;           // NULL: opened for its tokenizer only
    struct tokenizer *tokenizer;   // NULL: the checkpoint has no tokenizer
    struct kernels kernels;
    struct thread_pool *pool;
    struct fair_lock turn;
    bool has_turn;                  // the lock was initialised
    struct grammar_shelf *grammars; // NULL until the first grammar (engine/grammar.h)
    int context, chunk;
    int n_threads, n_threads_batch; // of the pool, for next tokens and for prompts
    enum dtype kv_dtype;
    double load_s;
    char weights_from[80]; // for people: "mapped from the cache in 0.05 s"
};

struct xl_session {
    struct xl_engine *engine;
    struct kv_cache cache; // cache.n_used is the position
    struct forward_workspace *workspace;
    int32_t *tokens; // [context] the ids fed so far
    float *logits;   // [n_vocab] after the last fed token
    bool has_logits;
    bool is_broken; // a forward pass failed half-way
    int32_t unfed;  // last chosen token of a generation that may go on; -1: none
    int cancel;     // atomic, see session_cancelled
};

// Copies a failure to the caller's xl_error (which may be NULL) and returns its status.
xl_status engine_report(xl_error *error, enum status status, const struct error *err);
// The tokenizer, or STATUS_UNSUPPORTED if the model came without one.
enum status engine_tokenizer(const struct xl_engine *engine, const struct tokenizer **tokenizer,
                             struct error *err);
// What the engine was opened from, for messages.
const char *engine_path(const struct xl_engine *engine);
// STATUS_UNSUPPORTED if it was opened for its tokenizer only.
enum status engine_require_model(const struct xl_engine *engine, struct error *err);
// Identifies weights and everything else that decides what a KV cache holds; of the weights it
// reads a sample, or all: what stays on disk may meet a model that differs in a few rows.
uint64_t engine_fingerprint(const struct xl_engine *engine);
enum status engine_fingerprint_whole(const struct xl_engine *engine, uint64_t *fingerprint,
                                     struct error *err);

// The request to stop, the one thing that another thread may set.
static inline bool session_cancelled(const struct xl_session *session) {
    return __atomic_load_n(&session->cancel, __ATOMIC_RELAXED) != 0;
}

static inline void session_set_cancel(struct xl_session *session, bool cancel) {
    __atomic_store_n(&session->cancel, cancel, __ATOMIC_RELAXED);
}

// Feeds in chunks. A request to cancel (STATUS_CANCELLED) leaves the chunks that are complete. If
// all_logits, every token's logits go there: [n_tokens][n_vocab].
enum status session_feed(struct xl_session *session, const int32_t *tokens, size_t n_tokens,
                         float *all_logits, struct error *err);

#endif
