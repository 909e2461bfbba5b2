// SPDX-License-Identifier: Apache-2.0
// The forward pass: one run of the thread pool a chunk, phases separated by barriers. It reads the
// configuration and which weights are present, never a family. Every number depends only on its own
// token and the cache, and every reduction has a fixed order, so chunking and the number of threads
// change no bit.
//
// A layer of a narrow pass has five barriers, one behind each of: query, key and value rows;
// attention; output rows; gate and up rows with their activation; down rows. A wide pass has two
// more, behind its norms.
#include "model/forward.h"

#include "base/clock.h"
#include "model/attention.h"
#include "model/block_deal.h"
#include "numeric/packed.h"

#include <math.h>
#include <string.h>

void forward_convert(const struct forward_pass *pass, const struct weight *weight, const float *x,
                     int token, int begin, int end) {
    input_rows_convert(&pass->workspace->attended_rows, pass->kernels, forward_form(pass, weight),
                       token, x + begin, begin, end);
}

// ---- Norms: a narrow pass does all tokens on every thread, a wide pass deals them --------------

static struct share norm_tokens(const struct forward_pass *pass, int first_token,
                                int thread_index) {
    struct share tokens = {0, pass->n_tokens};
    if (!pass->is_narrow) tokens = share_of(pass->n_tokens, thread_index, pass->n_threads);
    if (tokens.begin < first_token) tokens.begin = first_token;
    return tokens;
}

static const struct token_stream *stream_of(const struct forward_pass *pass, int thread_index) {
    struct forward_workspace *workspace = pass->workspace;
    return pass->is_narrow ? &workspace->members[thread_index].stream : &workspace->stream;
}

static void norm_barrier(const struct forward_pass *pass) {
    if (!pass->is_narrow) thread_pool_barrier(pass->pool);
}

static void norm_token(const struct forward_pass *pass, int token, const float *norm,
                       unsigned forms, int thread_index) {
    const struct model_config *config = &pass->model->config;
    const struct token_stream *stream = stream_of(pass, thread_index);
    float *normed = pass->workspace->members[thread_index].row;
    if (forms & 1u << ACT_F32) normed = (float *)(void *)input_row(&stream->normed, ACT_F32, token);
    pass->kernels->rmsnorm(stream->x + (size_t)token * (size_t)config->n_embd, norm, normed,
                           config->n_embd, config->norm_eps);
    input_rows_convert(&stream->normed, pass->kernels, forms, token, normed, 0, config->n_embd);
}

// x += post_norm(projected + bias): the end of a block for one token. `projected` is everybody's
// and stays as it is.
static void finish_token(const struct forward_pass *pass, int token, const float *bias,
                         const float *post_norm, int thread_index) {
    const struct model_config *config = &pass->model->config;
    int n_embd = config->n_embd;
    size_t offset = (size_t)token * (size_t)n_embd;
    const float *y = pass->workspace->projected + offset;
    float *row = pass->workspace->members[thread_index].row;
    if (bias) {
        memcpy(row, y, (size_t)n_embd * sizeof *row);
        pass->kernels->add(row, bias, n_embd);
        y = row;
    }
    if (post_norm) {
        pass->kernels->rmsnorm(y, post_norm, row, n_embd, config->norm_eps);
        y = row;
    }
    pass->kernels->add(stream_of(pass, thread_index)->x + offset, y, n_embd);
}

static void embed_tokens(const struct forward_pass *pass, int thread_index) {
    const struct embedding *embedding = &pass->model->weights.embedding;
    const struct token_stream *stream = stream_of(pass, thread_index);
    struct share tokens = norm_tokens(pass, 0, thread_index);
    float scale = pass->model->config.embedding_scale;
    int n_embd = pass->model->config.n_embd;
    for (int t = tokens.begin; t < tokens.end; t++) {
        float *x = stream->x + (size_t)t * (size_t)n_embd;
        embedding_row(embedding, pass->tokens[t], x);
        if (scale != 1.0f) pass->kernels->scale(x, scale, n_embd);
    }
}

static void fill_rope(const struct forward_pass *pass, int thread_index) {
    const struct rope_table *rope = &pass->model->rope;
    const struct forward_workspace *workspace = pass->workspace;
    struct share tokens = share_of(pass->n_tokens, thread_index, pass->n_threads);
    int n_sets = pass->model->config.sliding_window > 0 ? 2 : 1;
    for (int t = tokens.begin; t < tokens.end; t++) {
        size_t offset = (size_t)t * (size_t)rope->n_pairs;
        for (int set = 0; set < n_sets; set++)
            rope_table_fill(rope, set == 1, pass->first_position + t,
                            workspace->cosine[set] + offset, workspace->sine[set] + offset);
    }
}

// ---- Products ----------------------------------------------------------------------------------

struct product {
    const struct weight *weight;
    const struct input_rows *input;
    float *y; // [T][weight->n_rows]
};

static int padded_rows(const struct weight *weight) {
    return (weight->n_rows + PANEL_ROWS - 1) / PANEL_ROWS * PANEL_ROWS;
}

static void multiply_block(const struct forward_pass *pass, const struct product *product,
                           struct work_block block) {
    size_t stride = (size_t)product->weight->n_rows;
    float *y = product->y + (size_t)block.tokens.begin * stride + block.rows.begin;
    weight_multiply(pass->kernels, product->weight, product->input, block.rows, block.tokens, y,
                    stride);
}

static void compute_product(const struct forward_pass *pass, const void *context,
                            struct work_block block, int thread_index) {
    (void)thread_index;
    multiply_block(pass, context, block);
}

static void deal_product(const struct forward_pass *pass, enum deal_phase phase,
                         const struct product *product, int first_token, int thread_index) {
    struct block_job job = {.phase = phase,
                            .n_rows = product->weight->n_rows,
                            .group = PANEL_ROWS,
                            .first_token = first_token,
                            .compute = compute_product,
                            .context = product};
    block_deal(pass, &job, thread_index);
}

// Query, key and value rows are dealt as if they were one matrix, each beginning at a whole panel.
static void compute_qkv(const struct forward_pass *pass, const void *context,
                        struct work_block block, int thread_index) {
    const struct layer_weights *layer = context;
    const struct forward_workspace *workspace = pass->workspace;
    const struct input_rows *input = &stream_of(pass, thread_index)->normed;
    const struct product products[3] = {{&layer->q, input, workspace->q},
                                        {&layer->k, input, workspace->k},
                                        {&layer->v, input, workspace->v}};
    int base = 0;
    for (int i = 0; i < 3; i++) {
        int n_rows = products[i].weight->n_rows;
        struct work_block part = {{block.rows.begin - base, block.rows.end - base}, block.tokens};
        if (part.rows.begin < 0) part.rows.begin = 0;
        if (part.rows.end > n_rows) part.rows.end = n_rows;
        multiply_block(pass, &products[i], part);
        base += padded_rows(products[i].weight);
    }
}

// gate = activation(gate + bias) * (up + bias) for rows of one token, into the down projection's
// input.
static void activate(const struct forward_pass *pass, const struct layer_weights *layer,
                     float *gate, float *up, int token, struct share rows) {
    const struct kernels *kernels = pass->kernels;
    int n = rows.end - rows.begin;
    if (layer->gate_bias) kernels->add(gate, layer->gate_bias + rows.begin, n);
    if (layer->up_bias) kernels->add(up, layer->up_bias + rows.begin, n);
    if (pass->model->config.activation == ACTIVATION_SILU)
        kernels->silu_mul(gate, up, n);
    else
        kernels->gelu_mul(gate, up, n);
    input_rows_convert(&pass->workspace->fed_rows, kernels, forward_form(pass, &layer->down), token,
                       gate, rows.begin, rows.end);
}

// Gate, up, activation and conversion of a block, in pieces that fit the thread's own buffers.
static void compute_feed(const struct forward_pass *pass, const void *context,
                         struct work_block block, int thread_index) {
    const struct layer_weights *layer = context;
    const struct input_rows *input = &stream_of(pass, thread_index)->normed;
    const struct forward_member *member = &pass->workspace->members[thread_index];
    int n_tokens = block.tokens.end - block.tokens.begin;
    int piece = BLOCK_TOKENS * BLOCK_ROWS / n_tokens / FEED_GROUP * FEED_GROUP;
    for (int begin = block.rows.begin; begin < block.rows.end; begin += piece) {
        struct share rows = {begin,
                             begin + piece < block.rows.end ? begin + piece : block.rows.end};
        size_t n = (size_t)(rows.end - rows.begin);
        weight_multiply(pass->kernels, &layer->gate, input, rows, block.tokens, member->gate, n);
        weight_multiply(pass->kernels, &layer->up, input, rows, block.tokens, member->up, n);
        for (int t = 0; t < n_tokens; t++)
            activate(pass, layer, member->gate + (size_t)t * n, member->up + (size_t)t * n,
                     block.tokens.begin + t, rows);
    }
}

// ---- A layer -----------------------------------------------------------------------------------

static void attention_block(const struct forward_pass *pass, int index, int first_token,
                            int thread_index) {
    const struct layer_weights *layer = &pass->model->weights.layers[index];
    struct forward_workspace *workspace = pass->workspace;
    int n_rows = padded_rows(&layer->q) + padded_rows(&layer->k) + padded_rows(&layer->v);
    struct block_job qkv = {.phase = DEAL_QKV,
                            .n_rows = n_rows,
                            .group = PANEL_ROWS,
                            .compute = compute_qkv,
                            .context = layer};
    block_deal(pass, &qkv, thread_index);
    thread_pool_barrier(pass->pool);
    attention_run(pass, index, first_token, thread_index);
    thread_pool_barrier(pass->pool);
    struct product o = {&layer->o, &workspace->attended_rows, workspace->projected};
    deal_product(pass, DEAL_O, &o, first_token, thread_index);
    thread_pool_barrier(pass->pool);
}

static void feed_forward_block(const struct forward_pass *pass, const struct layer_weights *layer,
                               int first_token, int thread_index) {
    struct forward_workspace *workspace = pass->workspace;
    struct block_job feed = {.phase = DEAL_FEED,
                             .n_rows = layer->gate.n_rows,
                             .group = FEED_GROUP,
                             .first_token = first_token,
                             .compute = compute_feed,
                             .context = layer};
    block_deal(pass, &feed, thread_index);
    thread_pool_barrier(pass->pool);
    struct product down = {&layer->down, &workspace->fed_rows, workspace->projected};
    deal_product(pass, DEAL_DOWN, &down, first_token, thread_index);
    if (thread_index == 0 && workspace->cancel &&
        __atomic_load_n(workspace->cancel, __ATOMIC_RELAXED) != 0)
        __atomic_store_n(pass->stop, 1, __ATOMIC_RELAXED);
    thread_pool_barrier(pass->pool);
}

static void run_layer(const struct forward_pass *pass, int index, int thread_index) {
    const struct model *model = pass->model;
    const struct layer_weights *layer = &model->weights.layers[index];
    // What the last layer makes of tokens without logits is used by nobody but the cache.
    int first_token = index + 1 == model->weights.n_layers ? pass->first_output : 0;
    struct share tokens = norm_tokens(pass, 0, thread_index);
    unsigned forms = forward_form(pass, &layer->q) | forward_form(pass, &layer->k) |
                     forward_form(pass, &layer->v);
    for (int t = tokens.begin; t < tokens.end; t++)
        norm_token(pass, t, layer->attn_norm, forms, thread_index);
    norm_barrier(pass);
    attention_block(pass, index, first_token, thread_index);
    tokens = norm_tokens(pass, first_token, thread_index);
    forms = forward_form(pass, &layer->gate) | forward_form(pass, &layer->up);
    for (int t = tokens.begin; t < tokens.end; t++) {
        finish_token(pass, t, layer->o_bias, layer->attn_post_norm, thread_index);
        norm_token(pass, t, layer->ffn_norm, forms, thread_index);
    }
    norm_barrier(pass);
    feed_forward_block(pass, layer, first_token, thread_index);
    for (int t = tokens.begin; t < tokens.end; t++)
        finish_token(pass, t, layer->down_bias, layer->ffn_post_norm, thread_index);
}

static void compute_logits(const struct forward_pass *pass, const void *context,
                           struct work_block block, int thread_index) {
    const struct product *product = context;
    (void)thread_index;
    multiply_block(pass, product, block);
    float cap = pass->model->config.logit_softcap;
    if (!(cap > 0)) return;
    for (int t = block.tokens.begin; t < block.tokens.end; t++)
        for (int r = block.rows.begin; r < block.rows.end; r++) {
            float *logit = product->y + (size_t)t * (size_t)product->weight->n_rows + r;
            *logit = cap * tanhf(*logit / cap);
        }
}

static void write_states(const struct forward_pass *pass, int thread_index) {
    const struct model_config *config = &pass->model->config;
    const float *x = stream_of(pass, thread_index)->x;
    struct share tokens = share_of(pass->n_tokens, thread_index, pass->n_threads);
    for (int t = tokens.begin; t < tokens.end; t++) {
        size_t offset = (size_t)t * (size_t)config->n_embd;
        pass->kernels->rmsnorm(x + offset, pass->model->weights.output_norm, pass->states + offset,
                               config->n_embd, config->norm_eps);
    }
}

static void run_output(const struct forward_pass *pass, int thread_index) {
    const struct model_weights *weights = &pass->model->weights;
    const struct weight *output = &weights->output;
    struct share tokens = norm_tokens(pass, pass->first_output, thread_index);
    for (int t = tokens.begin; t < tokens.end; t++)
        norm_token(pass, t, weights->output_norm, forward_form(pass, output), thread_index);
    norm_barrier(pass);
    struct product product = {output, &stream_of(pass, thread_index)->normed,
                              pass->logits - (size_t)pass->first_output * (size_t)output->n_rows};
    struct block_job job = {.phase = DEAL_LOGITS,
                            .n_rows = output->n_rows,
                            .group = PANEL_ROWS,
                            .first_token = pass->first_output,
                            .compute = compute_logits,
                            .context = &product};
    block_deal(pass, &job, thread_index);
}

static void run(void *argument, int thread_index, int n_threads) {
    const struct forward_pass *pass = argument;
    (void)n_threads;
    block_deal_reset(pass, thread_index);
    embed_tokens(pass, thread_index);
    fill_rope(pass, thread_index);
    for (int layer = 0; layer < pass->model->weights.n_layers; layer++) {
        run_layer(pass, layer, thread_index);
        if (__atomic_load_n(pass->stop, __ATOMIC_RELAXED)) return;
    }
    if (pass->states)
        write_states(pass, thread_index);
    else if (pass->first_output < pass->n_tokens)
        run_output(pass, thread_index);
}

static enum status check(const struct model *model, const struct kv_cache *cache,
                         const struct forward_workspace *workspace, const int32_t *tokens,
                         int n_tokens, struct error *err) {
    const struct model_config *config = &model->config;
    if (workspace->model != model || cache->layout.n_layers != config->n_layers ||
        cache->layout.n_kv_heads != config->n_kv_heads ||
        cache->layout.head_dim != config->head_dim)
        return error_set(err, STATUS_USAGE, "the cache or workspace belongs to another model");
    if (n_tokens < 1 || n_tokens > workspace->n_tokens_max)
        return error_set(err, STATUS_USAGE, "a chunk of %d tokens; the workspace takes 1..%d",
                         n_tokens, workspace->n_tokens_max);
    int n_positions_max = cache->n_positions_max < workspace->n_positions_max
                              ? cache->n_positions_max
                              : workspace->n_positions_max;
    if (n_tokens > n_positions_max - cache->n_used)
        return error_set(err, STATUS_CONTEXT_FULL,
                         "%d tokens do not fit: %d of the context's %d positions are used",
                         n_tokens, cache->n_used, n_positions_max);
    for (int t = 0; t < n_tokens; t++)
        if (tokens[t] < 0 || tokens[t] >= config->n_vocab)
            return error_set(err, STATUS_BAD_INPUT,
                             "token %d of the chunk is outside the vocabulary of %d", t,
                             config->n_vocab);
    return STATUS_OK;
}

// Narrow passes give way to neighbours; in a wide one threads take over each other's blocks.
static void run_tuned(struct forward_pass *pass) {
    struct forward_workspace *workspace = pass->workspace;
    struct thread_tuner *tuner = &workspace->tuner;
    if (tuner->n_max != workspace->n_threads_narrow)
        thread_tuner_init(tuner, workspace->n_threads_narrow);
    pass->n_threads = thread_tuner_threads(tuner);
    double start_s = clock_seconds(), start_run_s = clock_thread_seconds();
    thread_pool_run_some(pass->pool, pass->n_threads, run, pass);
    double wall_s = clock_seconds() - start_s, run_s = clock_thread_seconds() - start_run_s;
    thread_tuner_report(tuner, wall_s, wall_s - run_s);
}

// Runs a pass of which the caller has filled in model, workspace, cache, tokens and what to
// compute.
static enum status run_pass(struct forward_pass *pass, struct error *err) {
    struct forward_workspace *workspace = pass->workspace;
    struct kv_cache *cache = pass->cache;
    int n_tokens = pass->n_tokens;
    TRY(check(pass->model, cache, workspace, pass->tokens, n_tokens, err));
    int stop = 0;
    pass->kernels = workspace->kernels;
    pass->pool = workspace->pool;
    pass->first_position = cache->n_used;
    pass->is_narrow = n_tokens <= NARROW_TOKENS_MAX;
    pass->n_threads = workspace->n_threads_wide;
    pass->stop = &stop;
    TRY(kv_cache_reserve(cache, n_tokens, err));
    if (pass->is_narrow)
        run_tuned(pass);
    else
        thread_pool_run_some(workspace->pool, pass->n_threads, run, pass);
    if (stop)
        return error_set(err, STATUS_CANCELLED, "cancelled within a chunk of %d tokens", n_tokens);
    cache->n_used += n_tokens;
    return STATUS_OK;
}

enum status model_forward(const struct model *model, struct kv_cache *cache,
                          struct forward_workspace *workspace, const int32_t *tokens, int n_tokens,
                          bool all_logits, float *logits, struct error *err) {
    struct forward_pass pass = {
        .model = model,
        .workspace = workspace,
        .cache = cache,
        .tokens = tokens,
        .n_tokens = n_tokens,
        .first_output = !logits      ? n_tokens
                        : all_logits ? 0
                                     : n_tokens - 1,
        .logits = logits,
    };
    return run_pass(&pass, err);
}

enum status model_hidden_states(const struct model *model, struct kv_cache *cache,
                                struct forward_workspace *workspace, const int32_t *tokens,
                                int n_tokens, float *states, struct error *err) {
    struct forward_pass pass = {
        .model = model,
        .workspace = workspace,
        .cache = cache,
        .tokens = tokens,
        .n_tokens = n_tokens,
        .states = states,
    };
    return run_pass(&pass, err);
}

enum status model_forward_runs(const struct model *model, struct forward_workspace *workspace,
                               struct forward_run *runs, int n_runs, struct error *err) {
    for (int i = 0; i < n_runs; i++) {
        struct forward_run *run = &runs[i];
        int first_output = run->n_tokens - run->n_outputs;
        size_t n_vocab = (size_t)model->config.n_vocab;
        run->cancelled = run->cancel && __atomic_load_n(run->cancel, __ATOMIC_RELAXED) != 0;
        if (run->cancelled) continue;
        if (first_output > 0)
            TRY(model_forward(model, run->cache, workspace, run->tokens, first_output, false, NULL,
                              err));
        for (int t = first_output; t < run->n_tokens; t++)
            TRY(model_forward(model, run->cache, workspace, run->tokens + t, 1, false,
                              run->logits + (size_t)(t - first_output) * n_vocab, err));
    }
    return STATUS_OK;
}
