// SPDX-License-Identifier: Apache-2.0
// A loaded model: weights bound to a family's blueprint, and its forward pass. Immutable after
// model_open; all mutable state is in a kv_cache and a forward_workspace, one of each a session.
#ifndef XL_MODEL_MODEL_H
#define XL_MODEL_MODEL_H

#include "base/status.h"
#include "base/thread_pool.h"
#include "cache/kv_cache.h"
#include "format/checkpoint.h"
#include "kernels/kernels.h"
#include "model/model_config.h"

#ifdef __cplusplus
extern "C" {
#endif

struct model;

struct model_load {
    // NULL or "auto" takes what the checkpoint says; another name that does not fit is STATUS_USAGE
    // and names the right one.
    const char *family;
    struct thread_pool *pool; // whose threads pack the weights; NULL: the caller's
    // Where packed weights of at least cache_min_bytes are kept (packed_file.h); NULL: nowhere.
    const char *cache_directory;
    uint64_t cache_min_bytes;
    bool copy_cached; // each thread copies its share instead of mapping: for several memories
};

enum weights_origin {
    WEIGHTS_PACKED, // from the checkpoint, in memory only
    WEIGHTS_KEPT,   // from the checkpoint, into a new cache file
    WEIGHTS_MAPPED, // from a cache file
    WEIGHTS_COPIED
};

// Binds every weight, checking shapes and types against the configuration, and packs them. `load`
// NULL: all defaults. The checkpoint must outlive the model (embeddings stay in its mapping).
enum status model_open(struct model **model, const struct checkpoint *checkpoint,
                       const struct model_load *load, struct error *err);
void model_close(struct model *model); // NULL is allowed
const struct model_config *model_configuration(const struct model *model);
uint64_t model_weight_bytes(const struct model *model); // that one decoded token reads
enum weights_origin model_weights_origin(const struct model *model, double *seconds);
// Most common type among the weight matrices, for people ("q4_0").
enum dtype model_main_dtype(const struct model *model);

// Scratch memory of forward passes of up to n_tokens_max tokens, all runs together; no run may
// reach beyond n_positions_max.
struct forward_workspace;
enum status forward_workspace_create(struct forward_workspace **workspace,
                                     const struct model *model, const struct kernels *kernels,
                                     struct thread_pool *pool, int n_tokens_max,
                                     int n_positions_max, struct error *err);
void forward_workspace_destroy(struct forward_workspace *workspace); // wipes it
// How many of the pool's threads run a pass of a few tokens and one of many; all until told.
void forward_workspace_set_threads(struct forward_workspace *workspace, int n_narrow, int n_wide);
// A pass that finds *cancel not 0 (read atomically, once a layer) ends with STATUS_CANCELLED.
void forward_workspace_set_cancel(struct forward_workspace *workspace, const int *cancel);

// Feeds tokens at positions cache->n_used …, appending to the cache. n_tokens <= n_tokens_max.
// Logits [n_vocab] of the last token go to `logits` (may be NULL); if `all_logits`, logits is
// [n_tokens][n_vocab]. Errors: STATUS_CONTEXT_FULL, STATUS_BAD_INPUT (token out of range),
// STATUS_CANCELLED; the cache then holds what it held before.
enum status model_forward(const struct model *model, struct kv_cache *cache,
                          struct forward_workspace *workspace, const int32_t *tokens, int n_tokens,
                          bool all_logits, float *logits, struct error *err);
// The same, but gives the hidden states [n_tokens][n_embd] behind the final norm instead of logits.
enum status model_hidden_states(const struct model *model, struct kv_cache *cache,
                                struct forward_workspace *workspace, const int32_t *tokens,
                                int n_tokens, float *states, struct error *err);

// One timeline's part of a pass: tokens at positions cache->n_used ….
struct forward_run {
    struct kv_cache *cache; // no two runs of a pass have the same
    const int32_t *tokens;  // [n_tokens]
    int n_tokens;           // at least 1
    int n_outputs;          // logits of the last n_outputs tokens are wanted; 0: none
    float *logits;          // [n_outputs][n_vocab]
    const int *cancel;      // not 0: its result is not wanted any more (read atomically, once a
                            // layer); may be NULL
    bool cancelled;         // out: it was; the cache holds what it held before
};

// Feeds several timelines at once. Together they have at most the workspace's n_tokens_max tokens;
// all go through each matrix together. The bytes of a run's logits are those it would get alone.
// Runs that are cancelled at the end of the list are dropped on the way, others ride along; if all
// are, the pass ends with STATUS_CANCELLED, as it does for the workspace's own cancel. Any other
// failure leaves all caches as they were; it is found before anything is computed.
enum status model_forward_runs(const struct model *model, struct forward_workspace *workspace,
                               struct forward_run *runs, int n_runs, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
