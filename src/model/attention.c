// SPDX-License-Identifier: Apache-2.0
// The attention steps of a layer. What is computed for a (token, head) depends on no split, so the
// three ways of dealing the work differ only in who waits for whom (see the header).
#include "model/attention.h"

#include "base/thread_pool.h"
#include "cache/kv_cache.h"
#include "model/block_deal.h"

#include <string.h>

enum { ALIGNMENT_BYTES = 64, HEAD_DIM_CENTERED_MAX = 512 };

// What every thread comes to know of a layer.
struct plan {
    const struct forward_pass *pass;
    const struct model_config *config;
    const struct layer_weights *weights;
    int layer, n_group, window;
    bool is_last;  // only tokens with an output are attended; their rows have no gaps
    int n_rows;    // that are attended
    bool converts; // heads convert what they attended
};

// The tokens of a run that are attended, and the row of `attended` of the first. Narrow and split:
// the segments of the cache that they see, or, if there are none, that the run's tokens fall into.
struct span {
    const struct pass_run *run;
    struct share tokens;
    int first_row;
    int first_segment, n_segments;
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

static struct plan make_plan(const struct forward_pass *pass, int layer) {
    const struct model_config *config = &pass->model->config;
    struct plan plan = {
        .pass = pass,
        .config = config,
        .weights = &pass->model->weights.layers[layer],
        .layer = layer,
        .n_group = config->n_heads / config->n_kv_heads,
        .window = model_config_layer_slides(config, layer) ? config->sliding_window : 0,
        .is_last = layer + 1 == config->n_layers,
    };
    plan.n_rows = plan.is_last ? pass->n_wanted : pass->n_tokens;
    plan.converts = forward_form(pass, &plan.weights->o) != 1u << ACT_F32;
    return plan;
}

static int row_of(const struct plan *plan, const struct pass_run *run, int token) {
    return plan->is_last
               ? token - (run->first_token + run->n_tokens - run->n_wanted) + run->first_row
               : token;
}

static struct span span_of(const struct plan *plan, int index) {
    const struct pass_run *run = &plan->pass->runs[index];
    int end = run->first_token + run->n_tokens;
    struct span span = {.run = run,
                        .tokens = {plan->is_last ? end - run->n_wanted : run->first_token, end}};
    span.first_row = row_of(plan, run, span.tokens.begin);
    int begin_position = run->first_position, end_position = begin_position + run->n_tokens;
    if (span.tokens.begin < span.tokens.end) {
        int first = begin_position + span.tokens.begin - run->first_token;
        begin_position = plan->window > 0 ? greater(0, first + 1 - plan->window) : 0;
    }
    span.first_segment = begin_position / KV_SEGMENT;
    span.n_segments = (end_position + KV_SEGMENT - 1) / KV_SEGMENT - span.first_segment;
    return span;
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
static void center_key(const struct plan *plan, int kv_head, enum dtype dtype, float *k) {
    const struct model_config *config = plan->config;
    const struct rope_table *rope = &plan->pass->model->rope;
    const struct kernels *kernels = plan->pass->kernels;
    const float *bias = plan->weights->k_bias;
    int set = model_config_layer_slides(config, plan->layer) ? 1 : 0, dim = config->head_dim;
    float common[HEAD_DIM_CENTERED_MAX];

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
    const struct kv_cache *cache = forward_run_of(pass, token)->cache;
    int dim = plan->config->head_dim;
    size_t offset = head_offset(plan, token, kv_head, plan->config->n_kv_heads);
    float *k = pass->workspace->k + offset, *v = pass->workspace->v + offset;
    prepare(plan, token, kv_head, plan->weights->k_bias, plan->weights->k_norm, k);
    center_key(plan, kv_head, cache->layout.dtype, k);
    if (plan->weights->v_bias)
        pass->kernels->add(v, plan->weights->v_bias + (size_t)kv_head * (size_t)dim, dim);
    struct kv_store_args args = {.kv = kv_cache_head(cache, plan->layer, kv_head),
                                 .keys = k,
                                 .values = v,
                                 .position = forward_position(pass, token),
                                 .head_dim = dim};
    pass->kernels->kv_store(&args);
}

// Tokens of one run.
static struct attend_args attend_args_of(const struct plan *plan, int kv_head, struct share tokens,
                                         int thread_index) {
    const struct forward_pass *pass = plan->pass;
    const struct model_config *config = plan->config;
    const struct pass_run *run = forward_run_of(pass, tokens.begin);
    int head = kv_head * plan->n_group, row = row_of(plan, run, tokens.begin);
    size_t stride = (size_t)config->n_heads * (size_t)config->head_dim;
    return (struct attend_args){
        .q = pass->workspace->q + head_offset(plan, tokens.begin, head, config->n_heads),
        .out = pass->workspace->attended + head_offset(plan, row, head, config->n_heads),
        .q_stride = stride,
        .out_stride = stride,
        .kv = kv_cache_head(run->cache, plan->layer, kv_head),
        .n_tokens = tokens.end - tokens.begin,
        .n_group = plan->n_group,
        .head_dim = config->head_dim,
        .first_position = forward_position(pass, tokens.begin),
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

// What a KV head's query heads attended for tokens of one run, in the form that the output
// projection reads.
static void convert(const struct plan *plan, int kv_head, struct share tokens) {
    int group_dim = plan->n_group * plan->config->head_dim, begin = kv_head * group_dim;
    if (!heads_convert(plan)) return;
    int row = row_of(plan, forward_run_of(plan->pass, tokens.begin), tokens.begin);
    for (int i = 0; i < tokens.end - tokens.begin; i++)
        forward_convert(plan->pass, &plan->weights->o,
                        plan->pass->workspace->attended +
                            head_offset(plan, row + i, 0, plan->config->n_heads),
                        row + i, begin, begin + group_dim);
}

// Whole rows, where heads could not.
static void convert_rows(const struct plan *plan, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    int n = plan->weights->o.n_columns;
    if (!plan->converts || heads_convert(plan)) return;
    thread_pool_barrier(pass->pool);
    struct share rows = share_of(plan->n_rows, thread_index, pass->n_threads);
    for (int row = rows.begin; row < rows.end; row++)
        forward_convert(pass, &plan->weights->o,
                        pass->workspace->attended + (size_t)row * (size_t)n, row, 0, n);
}

static void attend(const struct plan *plan, int kv_head, struct share tokens, int thread_index) {
    struct attend_args args = attend_args_of(plan, kv_head, tokens, thread_index);
    plan->pass->kernels->attend(&args);
    convert(plan, kv_head, tokens);
}

static void merge(const struct plan *plan, int kv_head, struct share tokens, struct share segments,
                  float *partial, int thread_index) {
    struct attend_args args = attend_args_of(plan, kv_head, tokens, thread_index);
    args.partial = partial;
    args.segment_begin = segments.begin;
    args.segment_end = segments.end;
    plan->pass->kernels->attend_merge(&args);
    convert(plan, kv_head, tokens);
}

// ---- Few tokens, KV heads dealt whole -----------------------------------------------------------

static void run_heads(const struct plan *plan, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    int n_heads = plan->config->n_heads;
    struct share heads = share_of(plan->config->n_kv_heads, thread_index, pass->n_threads);
    for (int kv_head = heads.begin; kv_head < heads.end; kv_head++) {
        for (int token = 0; token < pass->n_tokens; token++)
            prepare_key_and_value(plan, token, kv_head);
        for (int index = 0; index < pass->n_runs; index++) {
            struct span span = span_of(plan, index);
            if (span.tokens.begin == span.tokens.end) continue;
            for (int token = span.tokens.begin; token < span.tokens.end; token++)
                for (int i = 0; i < plan->n_group; i++) {
                    int head = kv_head * plan->n_group + i;
                    prepare_query(plan, token, head,
                                  pass->workspace->q + head_offset(plan, token, head, n_heads));
                }
            attend(plan, kv_head, span.tokens, thread_index);
        }
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

// Where the states of a span's segments begin: room for all segments of the tokens before it.
static float *span_states(const struct plan *plan, const struct span *span, int kv_head) {
    uint64_t n_segments =
        ((uint64_t)plan->pass->workspace->n_positions_max + KV_SEGMENT - 1) / KV_SEGMENT;
    return partial_states(plan, kv_head) + n_segments * (uint64_t)span->tokens.begin *
                                               (uint64_t)plan->n_group *
                                               (2 + (uint64_t)plan->config->head_dim);
}

// Segments [begin, end) of one KV head, counted from the span's first. The thread that has a
// segment stores the new positions that fall into it.
static void run_segments(const struct plan *plan, const struct span *span, int kv_head, int begin,
                         int end, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    const struct pass_run *run = span->run;
    struct share segments = {span->first_segment + begin, span->first_segment + end};
    for (int token = run->first_token; token < run->first_token + run->n_tokens; token++) {
        int segment = forward_position(pass, token) / KV_SEGMENT;
        // What lies before the first segment (a window moved on) belongs to who has the first.
        if (segment < segments.end && (segment >= segments.begin || begin == 0))
            prepare_key_and_value(plan, token, kv_head);
    }
    if (span->tokens.begin == span->tokens.end) return;
    struct attend_args args = attend_args_of(plan, kv_head, span->tokens, thread_index);
    float *queries = member_queries(plan, thread_index);
    copy_queries(plan, kv_head, span->tokens, queries);
    args.q = queries;
    args.q_stride = (size_t)plan->n_group * (size_t)plan->config->head_dim;
    args.partial = span_states(plan, span, kv_head);
    args.segment_begin = segments.begin;
    args.segment_end = segments.end;
    pass->kernels->attend(&args);
}

static void merge_span(const struct plan *plan, const struct span *span, int kv_head,
                       int thread_index) {
    struct share segments = {span->first_segment, span->first_segment + span->n_segments};
    if (span->tokens.begin < span->tokens.end)
        merge(plan, kv_head, span->tokens, segments, span_states(plan, span, kv_head),
              thread_index);
}

// Units are segments of a run under a KV head, in this order of counting.
static void run_split(const struct plan *plan, const struct span *spans, int n_segments,
                      int thread_index) {
    const struct forward_pass *pass = plan->pass;
    int n_kv_heads = plan->config->n_kv_heads, first_unit = 0;
    struct share units = share_of(n_kv_heads * n_segments, thread_index, pass->n_threads);
    for (int kv_head = 0; kv_head < n_kv_heads; kv_head++)
        for (int i = 0; i < pass->n_runs; i++) {
            int begin = greater(units.begin - first_unit, 0);
            int end = lesser(units.end - first_unit, spans[i].n_segments);
            if (begin < end) run_segments(plan, &spans[i], kv_head, begin, end, thread_index);
            first_unit += spans[i].n_segments;
        }
    thread_pool_barrier(pass->pool);
    struct share heads = share_of(n_kv_heads, thread_index, pass->n_threads);
    for (int kv_head = heads.begin; kv_head < heads.end; kv_head++)
        for (int i = 0; i < pass->n_runs; i++)
            merge_span(plan, &spans[i], kv_head, thread_index);
}

static void run_narrow(const struct plan *plan, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    struct span spans[NARROW_TOKENS_MAX];
    int n_segments = 0;
    for (int i = 0; i < pass->n_runs; i++) {
        spans[i] = span_of(plan, i);
        n_segments += spans[i].n_segments;
    }
    if (plan->n_rows > 0 && n_segments > pass->n_runs &&
        plan->config->n_kv_heads % pass->n_threads != 0)
        run_split(plan, spans, n_segments, thread_index);
    else
        run_heads(plan, thread_index);
}

// ---- Many tokens --------------------------------------------------------------------------------

// Heads of neighbouring tokens, so that a thread fills whole tiles of the cache.
static void prepare_all(const struct plan *plan, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    int n_heads = plan->config->n_heads, n_kv_heads = plan->config->n_kv_heads;
    struct share tokens = share_of(pass->n_tokens, thread_index, pass->n_threads);
    for (int token = tokens.begin; token < tokens.end; token++) {
        const struct pass_run *run = forward_run_of(pass, token);
        for (int kv_head = 0; kv_head < n_kv_heads; kv_head++)
            prepare_key_and_value(plan, token, kv_head);
        if (plan->is_last && token < run->first_token + run->n_tokens - run->n_wanted) continue;
        for (int head = 0; head < n_heads; head++)
            prepare_query(plan, token, head,
                          pass->workspace->q + head_offset(plan, token, head, n_heads));
    }
}

static enum attention_kind kind_of(const struct plan *plan) {
    if (plan->is_last) return ATTENTION_LAST;
    return plan->window > 0 ? ATTENTION_SLIDING : ATTENTION_WHOLE;
}

static const struct attention_item *item_of(const struct plan *plan, int index) {
    return &plan->pass->workspace->items.items[kind_of(plan)][index];
}

static void attend_item(const void *context, int unit, int thread_index) {
    const struct plan *plan = context;
    int kv_head = unit % plan->config->n_kv_heads;
    const struct attention_item *item = item_of(plan, unit / plan->config->n_kv_heads);
    if (item->tokens.begin >= plan->pass->n_tokens) return; // its run was dropped
    if (item->segments.begin == item->segments.end) {
        attend(plan, kv_head, item->tokens, thread_index);
        return;
    }
    struct attend_args args = attend_args_of(plan, kv_head, item->tokens, thread_index);
    args.partial = partial_states(plan, kv_head) + item->partial_offset;
    args.segment_begin = item->segments.begin;
    args.segment_end = item->segments.end;
    plan->pass->kernels->attend(&args);
}

static void merge_items(const struct plan *plan, int thread_index) {
    const struct forward_pass *pass = plan->pass;
    int n_items = pass->workspace->items.n_items[kind_of(plan)], unit = 0;
    for (int i = 0; i < n_items; i++) {
        const struct attention_item *item = item_of(plan, i);
        if (item->merged.begin == item->merged.end || item->tokens.begin >= pass->n_tokens)
            continue;
        for (int kv_head = 0; kv_head < plan->config->n_kv_heads; kv_head++, unit++)
            if (unit % pass->n_threads == thread_index)
                merge(plan, kv_head, item->tokens, item->merged,
                      partial_states(plan, kv_head) + item->partial_offset, thread_index);
    }
}

static void run_wide(const struct plan *plan, int thread_index) {
    const struct attention_items *items = &plan->pass->workspace->items;
    prepare_all(plan, thread_index);
    thread_pool_barrier(plan->pass->pool);
    unit_deal(plan->pass, DEAL_ATTENTION, items->n_items[kind_of(plan)] * plan->config->n_kv_heads,
              attend_item, plan, thread_index);
    if (!items->has_pieces[kind_of(plan)]) return;
    thread_pool_barrier(plan->pass->pool);
    merge_items(plan, thread_index);
}

void attention_prepare(const struct forward_pass *pass) {
    attention_items_make(pass,
                         partial_floats(&pass->model->config, pass->workspace->n_positions_max));
}

void attention_run(const struct forward_pass *pass, int layer, int thread_index) {
    struct plan plan = make_plan(pass, layer);
    if (pass->is_narrow)
        run_narrow(&plan, thread_index);
    else
        run_wide(&plan, thread_index);
    convert_rows(&plan, thread_index);
}
