// SPDX-License-Identifier: Apache-2.0
// The attention steps of a layer. What is computed for a (token, head) depends on no split, so the
// three ways of dealing the work differ only in who waits for whom (see the header).
#include "model/attention.h"

#include "base/thread_pool.h"
#include "cache/kv_cache.h"

#include <string.h>

enum { ALIGNMENT_BYTES = 64, HEAD_DIM_CENTERED_MAX = 512 };

// How the work of a layer is dealt; every thread comes to the same plan.
struct plan {
    const struct forward_pass *pass;
    const struct model_config *config;
    const struct layer_weights *weights;
    int layer, first_token, n_tokens; // tokens first_token .. n_tokens - 1 are attended
    int n_group, window;
    int first_segment, n_segments; // of the cache that the attended tokens see
    bool is_split;                 // narrow, in segments
    bool converts;                 // heads convert what they attended
};

static uint64_t round_up(uint64_t n) {
    return (n + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
}

static int lesser(int a, int b) {
    return a < b ? a : b;
}

static int greater(int a, int b) {
    return a > b ? a : b;
}

// Memory of one thread: the kernels' scratch, then queries of its own for a split narrow pass.
static uint64_t member_bytes(const struct model_config *config, int n_tokens_max) {
    int n_group = config->n_heads / config->n_kv_heads;
    uint64_t queries = (uint64_t)NARROW_TOKENS_MAX * (uint64_t)n_group * (uint64_t)config->head_dim;
    return round_up(attend_scratch_bytes(n_tokens_max, n_group, config->head_dim)) +
           round_up(queries * sizeof(float));
}

// Floats of the segments' states of one KV head.
static uint64_t partial_floats(const struct model_config *config, int n_positions_max) {
    uint64_t n_segments = ((uint64_t)n_positions_max + KV_SEGMENT - 1) / KV_SEGMENT;
    uint64_t n_group = (uint64_t)(config->n_heads / config->n_kv_heads);
    return round_up(n_segments * NARROW_TOKENS_MAX * n_group * (2 + (uint64_t)config->head_dim));
}

uint64_t attention_memory_bytes(const struct model_config *config, int n_threads, int n_tokens_max,
                                int n_positions_max) {
    return (uint64_t)n_threads * member_bytes(config, n_tokens_max) +
           (uint64_t)config->n_kv_heads * partial_floats(config, n_positions_max) * sizeof(float);
}

static void *member_scratch(const struct plan *plan, int thread_index) {
    const struct forward_workspace *workspace = plan->pass->workspace;
    return (uint8_t *)workspace->attention +
           (uint64_t)thread_index * member_bytes(plan->config, workspace->n_tokens_max);
}

static float *member_queries(const struct plan *plan, int thread_index) {
    uint64_t scratch_bytes = attend_scratch_bytes(plan->pass->workspace->n_tokens_max,
                                                  plan->n_group, plan->config->head_dim);
    return (float *)(void *)((uint8_t *)member_scratch(plan, thread_index) +
                             round_up(scratch_bytes));
}

static float *partial_states(const struct plan *plan, int kv_head) {
    const struct forward_workspace *workspace = plan->pass->workspace;
    float *states = member_scratch(plan, workspace->n_threads);
    return states + (uint64_t)kv_head * partial_floats(plan->config, workspace->n_positions_max);
}

static struct plan make_plan(const struct forward_pass *pass, int layer, int first_token) {
    const struct model_config *config = &pass->model->config;
    struct plan plan = {
        .pass = pass,
        .config = config,
        .weights = &pass->model->weights.layers[layer],
        .layer = layer,
        .first_token = first_token,
        .n_tokens = pass->n_tokens,
        .n_group = config->n_heads / config->n_kv_heads,
        .window = model_config_layer_slides(config, layer) ? config->sliding_window : 0,
    };
    int end = pass->first_position + pass->n_tokens, begin = 0;
    if (plan.window > 0) begin = greater(0, pass->first_position + first_token + 1 - plan.window);
    plan.first_segment = begin / KV_SEGMENT;
    plan.n_segments = (end + KV_SEGMENT - 1) / KV_SEGMENT - plan.first_segment;
    plan.is_split = pass->is_narrow && first_token < pass->n_tokens && plan.n_segments > 1 &&
                    config->n_kv_heads % pass->n_threads != 0;
    plan.converts = forward_form(pass, &plan.weights->o) != 1u << ACT_F32;
    return plan;
}

static size_t head_offset(const struct plan *plan, int token, int head, int n_heads) {
    return ((size_t)token * (size_t)n_heads + (size_t)head) * (size_t)plan->config->head_dim;
}

// Bias, norm and rotation of one head's vector, in place.
static void prepare(const struct plan *plan, int token, int head, const float *bias,
                    const float *norm, float *x) {
    const struct model_config *config = plan->config;
    const struct forward_workspace *workspace = plan->pass->workspace;
    const struct kernels *kernels = plan->pass->kernels;
    int set = model_config_layer_slides(config, plan->layer) ? 1 : 0, dim = config->head_dim;
    size_t offset = (size_t)token * (size_t)(config->n_rot / 2);
    if (bias) kernels->add(x, bias + (size_t)head * (size_t)dim, dim);
    if (norm) kernels->rmsnorm(x, norm, x, dim, config->norm_eps);
    kernels->rope(x, workspace->cosine[set] + offset, workspace->sine[set] + offset, 1, dim,
                  config->n_rot, config->rope_halves);
}

static void prepare_query(const struct plan *plan, int token, int head, float *q) {
    prepare(plan, token, head, plan->weights->q_bias, plan->weights->q_norm, q);
}

// The bias of the keys is the same at all positions but for the rotation, and in slowly rotating
// elements hardly that. What all keys of a head have in common adds the same to every score of a
// query, so that the softmax does not see it: rounded keys (bf16, i8) are kept without it. The
// biases of some models are far larger than what the text makes of the keys, and would take their
// bits.
static void center_key(const struct plan *plan, int kv_head, float *k) {
    const struct model_config *config = plan->config;
    const struct rope_table *rope = &plan->pass->model->rope;
    const struct kernels *kernels = plan->pass->kernels;
    const float *bias = plan->weights->k_bias;
    int set = model_config_layer_slides(config, plan->layer) ? 1 : 0, dim = config->head_dim;
    float common[HEAD_DIM_CENTERED_MAX];
    enum dtype dtype = plan->pass->cache->layout.dtype;
    if (!bias || plan->weights->k_norm || config->attention_softcap > 0 ||
        dim > HEAD_DIM_CENTERED_MAX || (dtype != DTYPE_BF16 && dtype != DTYPE_I8))
        return;
    memcpy(common, bias + (size_t)kv_head * (size_t)dim, (size_t)dim * sizeof *common);
    kernels->rope(common, rope->mean_cosine[set], rope->mean_sine[set], 1, dim, config->n_rot,
                  config->rope_halves);
    kernels->scale(common, -1.0f, dim);
    kernels->add(k, common, dim);
}

static void prepare_key_and_value(const struct plan *plan, int token, int kv_head) {
    const struct forward_pass *pass = plan->pass;
    int dim = plan->config->head_dim;
    size_t offset = head_offset(plan, token, kv_head, plan->config->n_kv_heads);
    float *k = pass->workspace->k + offset, *v = pass->workspace->v + offset;
    prepare(plan, token, kv_head, plan->weights->k_bias, plan->weights->k_norm, k);
    center_key(plan, kv_head, k);
    if (plan->weights->v_bias)
        pass->kernels->add(v, plan->weights->v_bias + (size_t)kv_head * (size_t)dim, dim);
    struct kv_store_args args = {.kv = kv_cache_head(pass->cache, plan->layer, kv_head),
                                 .keys = k,
                                 .values = v,
                                 .position = pass->first_position + token,
                                 .head_dim = dim};
    pass->kernels->kv_store(&args);
}

static struct attend_args attend_args_of(const struct plan *plan, int kv_head, struct share tokens,
                                         int thread_index) {
    const struct forward_pass *pass = plan->pass;
    const struct model_config *config = plan->config;
    size_t offset = head_offset(plan, tokens.begin, kv_head * plan->n_group, config->n_heads);
    size_t stride = (size_t)config->n_heads * (size_t)config->head_dim;
    return (struct attend_args){
        .q = pass->workspace->q + offset,
        .out = pass->workspace->attended + offset,
        .q_stride = stride,
        .out_stride = stride,
        .kv = kv_cache_head(pass->cache, plan->layer, kv_head),
        .n_tokens = tokens.end - tokens.begin,
        .n_group = plan->n_group,
        .head_dim = config->head_dim,
        .first_position = pass->first_position + tokens.begin,
        .window = plan->window,
        .scale = config->attention_scale,
        .softcap = config->attention_softcap,
        .scratch = member_scratch(plan, thread_index),
    };
}

// Parts of a row that begin inside a block of 32 cannot be converted alone.
static bool heads_convert(const struct plan *plan) {
    return plan->converts && plan->config->head_dim % 32 == 0;
}

// What a KV head's query heads attended, in the form that the output projection reads.
static void convert(const struct plan *plan, int kv_head, struct share tokens) {
    int group_dim = plan->n_group * plan->config->head_dim, begin = kv_head * group_dim;
    if (!heads_convert(plan)) return;
    for (int token = tokens.begin; token < tokens.end; token++)
        forward_convert(plan->pass, &plan->weights->o,
                        plan->pass->workspace->attended +
                            head_offset(plan, token, 0, plan->config->n_heads),
                        token, begin, begin + group_dim);
}

// Whole rows, where heads could not.
static void convert_rows(const struct plan *plan, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    int n = plan->weights->o.n_columns;
    if (!plan->converts || heads_convert(plan)) return;
    thread_pool_barrier(pass->pool);
    struct share tokens =
        share_of(plan->n_tokens - plan->first_token, thread_index, pass->n_threads);
    for (int t = plan->first_token + tokens.begin; t < plan->first_token + tokens.end; t++)
        forward_convert(pass, &plan->weights->o, pass->workspace->attended + (size_t)t * (size_t)n,
                        t, 0, n);
}

// ---- Few tokens, KV heads dealt whole -----------------------------------------------------------

static void run_heads(const struct plan *plan, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    struct share heads = share_of(plan->config->n_kv_heads, thread_index, pass->n_threads);
    struct share tokens = {plan->first_token, plan->n_tokens};
    for (int kv_head = heads.begin; kv_head < heads.end; kv_head++) {
        for (int token = 0; token < plan->n_tokens; token++)
            prepare_key_and_value(plan, token, kv_head);
        if (tokens.begin == tokens.end) continue;
        for (int token = tokens.begin; token < tokens.end; token++)
            for (int i = 0; i < plan->n_group; i++) {
                int head = kv_head * plan->n_group + i;
                size_t offset = head_offset(plan, token, head, plan->config->n_heads);
                prepare_query(plan, token, head, pass->workspace->q + offset);
            }
        struct attend_args args = attend_args_of(plan, kv_head, tokens, thread_index);
        pass->kernels->attend(&args);
        convert(plan, kv_head, tokens);
    }
}

// ---- Few tokens, KV heads cut into segments -----------------------------------------------------

// Copies of a head's queries, prepared: others prepare the same ones for their segments.
static void copy_queries(const struct plan *plan, int kv_head, struct share tokens,
                         float *queries) {
    int dim = plan->config->head_dim;
    for (int token = tokens.begin; token < tokens.end; token++)
        for (int i = 0; i < plan->n_group; i++, queries += dim) {
            int head = kv_head * plan->n_group + i;
            size_t offset = head_offset(plan, token, head, plan->config->n_heads);
            memcpy(queries, plan->pass->workspace->q + offset, (size_t)dim * sizeof *queries);
            prepare_query(plan, token, head, queries);
        }
}

// Segments [begin, end) of one KV head, counted from the plan's first. The thread that has a
// segment stores the new positions that fall into it.
static void run_segments(const struct plan *plan, int kv_head, int begin, int end,
                         int thread_index) {
    const struct forward_pass *pass = plan->pass;
    struct share tokens = {plan->first_token, plan->n_tokens};
    struct attend_args args = attend_args_of(plan, kv_head, tokens, thread_index);
    float *queries = member_queries(plan, thread_index);
    args.segment_begin = plan->first_segment + begin;
    args.segment_end = plan->first_segment + end;
    for (int token = 0; token < plan->n_tokens; token++) {
        int segment = (pass->first_position + token) / KV_SEGMENT;
        // What lies before the first segment (a window moved on) belongs to who has the first.
        if (segment < args.segment_end && (segment >= args.segment_begin || begin == 0))
            prepare_key_and_value(plan, token, kv_head);
    }
    copy_queries(plan, kv_head, tokens, queries);
    args.q = queries;
    args.q_stride = (size_t)plan->n_group * (size_t)plan->config->head_dim;
    args.partial = partial_states(plan, kv_head);
    pass->kernels->attend(&args);
}

static void merge_head(const struct plan *plan, int kv_head, int thread_index) {
    struct share tokens = {plan->first_token, plan->n_tokens};
    struct attend_args args = attend_args_of(plan, kv_head, tokens, thread_index);
    args.partial = partial_states(plan, kv_head);
    args.segment_begin = plan->first_segment;
    args.segment_end = plan->first_segment + plan->n_segments;
    plan->pass->kernels->attend_merge(&args);
    convert(plan, kv_head, tokens);
}

static void run_split(const struct plan *plan, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    int n_kv_heads = plan->config->n_kv_heads, n = plan->n_segments;
    struct share units = share_of(n_kv_heads * n, thread_index, pass->n_threads);
    for (int kv_head = 0; kv_head < n_kv_heads; kv_head++) {
        int begin = greater(units.begin - kv_head * n, 0), end = lesser(units.end - kv_head * n, n);
        if (begin < end) run_segments(plan, kv_head, begin, end, thread_index);
    }
    thread_pool_barrier(pass->pool);
    struct share heads = share_of(n_kv_heads, thread_index, pass->n_threads);
    for (int kv_head = heads.begin; kv_head < heads.end; kv_head++)
        merge_head(plan, kv_head, thread_index);
}

// ---- Many tokens --------------------------------------------------------------------------------

// Heads of neighbouring tokens, so that a thread fills whole tiles of the cache.
static void prepare_all(const struct plan *plan, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    int n_heads = plan->config->n_heads, n_kv_heads = plan->config->n_kv_heads;
    struct share tokens = share_of(plan->n_tokens, thread_index, pass->n_threads);
    for (int token = tokens.begin; token < tokens.end; token++) {
        for (int kv_head = 0; kv_head < n_kv_heads; kv_head++)
            prepare_key_and_value(plan, token, kv_head);
        if (token < plan->first_token) continue;
        for (int head = 0; head < n_heads; head++)
            prepare_query(plan, token, head,
                          pass->workspace->q + head_offset(plan, token, head, n_heads));
    }
}

// Items are (block of tokens, KV head), the last tokens first: they see the most. Dealt forth and
// back, so that nobody always gets the larger of two.
static void run_blocks(const struct plan *plan, int thread_index) {
    int n_threads = plan->pass->n_threads, n_kv_heads = plan->config->n_kv_heads;
    int block = greater(ATTEND_ROWS / plan->n_group, 1);
    int n_blocks = (plan->n_tokens - plan->first_token + block - 1) / block;
    for (int round = 0; round * n_threads < n_blocks * n_kv_heads; round++) {
        int turn = round % 2 ? n_threads - 1 - thread_index : thread_index;
        int item = round * n_threads + turn;
        if (item >= n_blocks * n_kv_heads) continue;
        int kv_head = item % n_kv_heads, index = n_blocks - 1 - item / n_kv_heads;
        int begin = plan->first_token + index * block;
        struct share tokens = {begin, lesser(begin + block, plan->n_tokens)};
        struct attend_args args = attend_args_of(plan, kv_head, tokens, thread_index);
        plan->pass->kernels->attend(&args);
        convert(plan, kv_head, tokens);
    }
}

void attention_run(const struct forward_pass *pass, int layer, int first_token, int thread_index) {
    struct plan plan = make_plan(pass, layer, first_token);
    if (plan.is_split) {
        run_split(&plan, thread_index);
    } else if (pass->is_narrow) {
        run_heads(&plan, thread_index);
    } else {
        prepare_all(&plan, thread_index);
        thread_pool_barrier(pass->pool);
        run_blocks(&plan, thread_index);
    }
    convert_rows(&plan, thread_index);
}
