// SPDX-License-Identifier: Apache-2.0
// The state of one forward pass, shared by the files that carry it out. All members of the thread
// pool run the same phases; a barrier stands between a phase that writes and one that reads.
//
// A pass has the tokens of one or more runs (timelines), one run after the other. Each is a row of
// every product, until the last layer has stored keys and values: from there on only tokens that
// have an output are rows, without gaps.
//
// A pass of few tokens ("narrow": decoding) and one of many differ in who does what between the
// products. Narrow: every thread keeps its own copy of the residual stream and does norms and
// conversions by itself, into memory of its own; that costs less than a barrier. Wide: tokens are
// dealt over the threads. Per token the operations and their order are the same, so are the bytes.
#ifndef XL_MODEL_FORWARD_H
#define XL_MODEL_FORWARD_H

#include "cache/kv_cache.h"
#include "model/attention_items.h"
#include "model/loaded_model.h"
#include "model/thread_tuner.h"
#include "model/weight_multiply.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    NARROW_TOKENS_MAX = 4, // a pass of at most this many tokens is narrow
    // A wide pass computes blocks of at most this many rows and tokens. The kernels' tiles of 6,
    // 12, 16 or 32 tokens fill 96 without a rest.
    BLOCK_ROWS = 128,
    BLOCK_TOKENS = 96,
    FEED_GROUP = 32 // gate and up rows are dealt in groups of this many: a block of q8
};

// The residual stream of some tokens, and its norm as the next product reads it.
struct token_stream {
    float *x; // [tokens][n_embd]
    struct input_rows normed;
};

// What belongs to one thread, on pages of its own.
struct forward_member {
    struct token_stream stream; // [NARROW_TOKENS_MAX] of a narrow pass
    float *row;                 // [n_embd]
    float *gate, *up;           // [BLOCK_TOKENS * BLOCK_ROWS]
};

// Products of a layer, each with a counter of blocks taken from each thread's list (block_deal.h).
enum deal_phase {
    DEAL_QKV,
    DEAL_ATTENTION, // items times KV heads, not blocks
    DEAL_O,
    DEAL_FEED,
    DEAL_DOWN,
    DEAL_LOGITS,
    DEAL_PHASES
};

// One cache line. Counters are read and written atomically.
struct block_list {
    int n_taken[DEAL_PHASES];
    int unused[16 - DEAL_PHASES];
};

// One run's part of a pass. Behind the last one stands one without tokens.
struct pass_run {
    struct kv_cache *cache;
    const int32_t *tokens;
    int first_token, n_tokens; // of the pass
    int first_position;        // of first_token
    int first_row, n_wanted;   // rows of its last n_wanted tokens, of those with an output
    float *logits;             // [n_wanted][n_vocab]
    const int *cancel;         // atomic; may be NULL
};

// n_tokens_max = T tokens at most in one chunk.
struct forward_workspace {
    const struct model *model;
    const struct kernels *kernels;
    struct thread_pool *pool;
    int n_tokens_max, n_positions_max;
    int n_threads;                   // of the pool
    int n_threads_narrow;            // of them, how many run a narrow pass,
    int n_threads_wide;              // and a wide one
    struct thread_tuner tuner;       // of n_threads_narrow, how many just now
    const int *cancel;               // not 0: stop soon (read atomically); may be NULL
    struct token_stream stream;      // [T] of a wide pass
    float *q;                        // [T][n_heads * head_dim]
    float *k, *v;                    // [T][n_kv_heads * head_dim]
    float *attended;                 // [T][n_heads * head_dim]
    float *projected;                // [T][n_embd] output of a block
    struct input_rows attended_rows; // [T] input of the output projection; floats: `attended`
    struct input_rows fed_rows;      // [T] input of the down projection
    float *cosine[2], *sine[2];      // [T][n_rot/2]; index 1: of sliding layers
    void *attention;                 // attention_memory_bytes()
    struct attention_items items;
    struct pass_run *runs;          // [T + 1]
    int *run_of;                    // [T] each token's run
    int *wanted;                    // [T] tokens with an output
    struct forward_member *members; // [n_threads]
    struct block_list *lists;       // [n_threads]
    void *memory;                   // all that the forward pass writes
    size_t memory_bytes;
};

struct forward_pass {
    const struct model *model;
    struct forward_workspace *workspace;
    const struct kernels *kernels;
    struct thread_pool *pool;
    const struct pass_run *runs;    // [n_runs + 1]
    int n_runs, n_tokens, n_wanted; // fewer where runs at the end are dropped
    int n_threads;                  // that run this pass
    bool is_narrow;
    float *states; // [n_tokens][n_embd]: wanted instead of logits; else NULL
    int *n_kept;   // atomic: runs that go on; set by member 0 in a layer, read by all behind the
                   // next barrier
};

static inline const struct pass_run *forward_run_of(const struct forward_pass *pass, int token) {
    return &pass->runs[pass->workspace->run_of[token]];
}

static inline int forward_position(const struct forward_pass *pass, int token) {
    const struct pass_run *run = forward_run_of(pass, token);
    return run->first_position + token - run->first_token;
}

// The form in which this weight's kernel reads its input, as a mask.
static inline unsigned forward_form(const struct forward_pass *pass, const struct weight *weight) {
    return 1u << pass->kernels->matmul[weight->dtype].act;
}

// Numbers [begin, end) of an attended row x into the form that the output projection `weight`
// reads; begin is a multiple of 32, and end too unless it is the row's.
void forward_convert(const struct forward_pass *pass, const struct weight *weight, const float *x,
                     int row, int begin, int end);

#ifdef __cplusplus
}
#endif
#endif
