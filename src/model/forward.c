// SPDX-License-Identifier: Apache-2.0
// The forward pass: one run of the thread pool a chunk, phases separated by barriers. It reads the
// configuration and which weights are present, never a family. Every number depends only on its own
// token and the cache, and every reduction has a fixed order, so chunking and the number of threads
// change no bit.
#include "model/forward.h"

#include "numeric/blocks.h"

#include <math.h>

struct share share_of(int n, int thread_index, int n_threads) {
    struct share share = {(int)((int64_t)n * thread_index / n_threads),
                          (int)((int64_t)n * (thread_index + 1) / n_threads)};
    return share;
}

struct share share_of_groups(int n, int group, int thread_index, int n_threads) {
    struct share share = share_of((n + group - 1) / group, thread_index, n_threads);
    share.begin *= group;
    share.end *= group;
    if (share.begin > n) share.begin = n;
    if (share.end > n) share.end = n;
    return share;
}

bool forward_wants_quantized(const struct forward_pass *pass, const struct weight *weight) {
    return pass->kernels->matmul[weight->dtype].act == ACT_Q8;
}

void forward_quantize(const struct forward_pass *pass, const float *x, int token, int begin,
                      int end) {
    struct act_chunk_q8 *row =
        pass->workspace->quantized + (size_t)token * pass->workspace->quantized_chunks;
    pass->kernels->quantize_act(x + begin, row + begin / ACT_CHUNK, end - begin);
}

void forward_multiply(const struct forward_pass *pass, const struct weight *weight, const float *x,
                      struct share rows, int first_token, float *y, size_t y_stride) {
    if (rows.begin >= rows.end || first_token >= pass->n_tokens) return;
    const struct matmul_op *op = &pass->kernels->matmul[weight->dtype];
    struct matmul_args args = {
        .weights = weight->data + (size_t)rows.begin * weight->row_bytes,
        .row_bytes = weight->row_bytes,
        .y = y + (size_t)first_token * y_stride + rows.begin,
        .y_stride = y_stride,
        .n_rows = rows.end - rows.begin,
        .n_tokens = pass->n_tokens - first_token,
        .k = weight->n_columns,
    };
    if (op->act == ACT_Q8) {
        size_t chunks = pass->workspace->quantized_chunks;
        args.act_bytes = chunks * sizeof(struct act_chunk_q8);
        args.activations = pass->workspace->quantized + (size_t)first_token * chunks;
    } else {
        args.act_bytes = (size_t)weight->n_columns * sizeof(float);
        args.activations = x + (size_t)first_token * (size_t)weight->n_columns;
    }
    op->run(&args);
}

static void embed(const struct forward_pass *pass, struct share tokens) {
    const struct weight *embedding = &pass->model->weights.embedding;
    int n_embd = embedding->n_columns;
    float scale = pass->model->config.embedding_scale;
    for (int t = tokens.begin; t < tokens.end; t++) {
        float *x = pass->workspace->x + (size_t)t * n_embd;
        size_t row = (size_t)pass->tokens[t];
        dequantize_row(embedding->dtype, embedding->data + row * embedding->row_bytes, x,
                       (size_t)n_embd);
        if (scale != 1.0f) pass->kernels->scale(x, scale, n_embd);
    }
}

static void fill_rope(const struct forward_pass *pass, struct share tokens) {
    const struct rope_table *rope = &pass->model->rope;
    const struct forward_workspace *workspace = pass->workspace;
    int n_sets = pass->model->config.sliding_window > 0 ? 2 : 1;
    for (int t = tokens.begin; t < tokens.end; t++) {
        size_t offset = (size_t)t * (size_t)rope->n_pairs;
        for (int set = 0; set < n_sets; set++)
            rope_table_fill(rope, set == 1, pass->first_position + t,
                            workspace->cosine[set] + offset, workspace->sine[set] + offset);
    }
}

// normed = norm(x), and its quantized form too if one of its readers wants that.
static void norm_token(const struct forward_pass *pass, int token, const float *norm,
                       bool quantize) {
    const struct model_config *config = &pass->model->config;
    size_t offset = (size_t)token * (size_t)config->n_embd;
    float *normed = pass->workspace->normed + offset;
    pass->kernels->rmsnorm(pass->workspace->x + offset, norm, normed, config->n_embd,
                           config->norm_eps);
    if (quantize) forward_quantize(pass, normed, token, 0, config->n_embd);
}

// x += post_norm(projected + bias): the end of a block for one token.
static void finish_block(const struct forward_pass *pass, int token, const float *bias,
                         const float *post_norm) {
    const struct model_config *config = &pass->model->config;
    size_t offset = (size_t)token * (size_t)config->n_embd;
    float *projected = pass->workspace->projected + offset;
    if (bias) pass->kernels->add(projected, bias, config->n_embd);
    if (post_norm)
        pass->kernels->rmsnorm(projected, post_norm, projected, config->n_embd, config->norm_eps);
    pass->kernels->add(pass->workspace->x + offset, projected, config->n_embd);
}

static bool any_wants_quantized(const struct forward_pass *pass, const struct weight *a,
                                const struct weight *b, const struct weight *c) {
    return forward_wants_quantized(pass, a) || forward_wants_quantized(pass, b) ||
           forward_wants_quantized(pass, c);
}

// Query, key and value rows are dealt as if they were one matrix.
static void multiply_qkv(const struct forward_pass *pass, const struct layer_weights *layer,
                         int thread_index) {
    const struct forward_workspace *workspace = pass->workspace;
    const struct weight *weights[3] = {&layer->q, &layer->k, &layer->v};
    float *outputs[3] = {workspace->q, workspace->k, workspace->v};
    int total = layer->q.n_rows + layer->k.n_rows + layer->v.n_rows, base = 0;
    struct share all = share_of_groups(total, ROW_GROUP, thread_index, workspace->n_threads);
    for (int i = 0; i < 3; i++) {
        int n_rows = weights[i]->n_rows;
        struct share rows = {all.begin - base, all.end - base};
        if (rows.begin < 0) rows.begin = 0;
        if (rows.end > n_rows) rows.end = n_rows;
        forward_multiply(pass, weights[i], workspace->normed, rows, 0, outputs[i], (size_t)n_rows);
        base += n_rows;
    }
}

// Heads finish on different threads, so their common row is quantized after a barrier.
static void quantize_attended(const struct forward_pass *pass, int n, int first_token,
                              int thread_index) {
    struct share tokens =
        share_of(pass->n_tokens - first_token, thread_index, pass->workspace->n_threads);
    for (int t = first_token + tokens.begin; t < first_token + tokens.end; t++)
        forward_quantize(pass, pass->workspace->attended + (size_t)t * (size_t)n, t, 0, n);
    thread_pool_barrier(pass->pool);
}

static void attention_block(const struct forward_pass *pass, int index, int first_token,
                            int thread_index) {
    const struct layer_weights *layer = &pass->model->weights.layers[index];
    struct forward_workspace *workspace = pass->workspace;
    multiply_qkv(pass, layer, thread_index);
    thread_pool_barrier(pass->pool);
    attention_prepare(pass, index, thread_index);
    thread_pool_barrier(pass->pool);
    attention_run(pass, index, first_token, thread_index);
    thread_pool_barrier(pass->pool);
    if (forward_wants_quantized(pass, &layer->o))
        quantize_attended(pass, layer->o.n_columns, first_token, thread_index);
    struct share rows =
        share_of_groups(layer->o.n_rows, ROW_GROUP, thread_index, workspace->n_threads);
    forward_multiply(pass, &layer->o, workspace->attended, rows, first_token, workspace->projected,
                     (size_t)layer->o.n_rows);
    thread_pool_barrier(pass->pool);
}

// gate = activation(gate + bias) * (up + bias) for some columns of one token, and its quantized
// form if the down projection reads that.
static void activate(const struct forward_pass *pass, const struct layer_weights *layer, int token,
                     int begin, int end) {
    const struct kernels *kernels = pass->kernels;
    size_t row = (size_t)token * (size_t)layer->gate.n_rows;
    float *gate = pass->workspace->gate + row + begin, *up = pass->workspace->up + row + begin;
    int n = end - begin;
    if (layer->gate_bias) kernels->add(gate, layer->gate_bias + begin, n);
    if (layer->up_bias) kernels->add(up, layer->up_bias + begin, n);
    if (pass->model->config.activation == ACTIVATION_SILU)
        kernels->silu_mul(gate, up, n);
    else
        kernels->gelu_mul(gate, up, n);
    if (forward_wants_quantized(pass, &layer->down))
        forward_quantize(pass, pass->workspace->gate + row, token, begin, end);
}

static void activate_share(const struct forward_pass *pass, const struct layer_weights *layer,
                           int first_token, int thread_index) {
    int n_ff = layer->gate.n_rows, n_chunks = (n_ff + ACT_CHUNK - 1) / ACT_CHUNK;
    struct share items = share_of((pass->n_tokens - first_token) * n_chunks, thread_index,
                                  pass->workspace->n_threads);
    for (int item = items.begin; item < items.end; item++) {
        int begin = item % n_chunks * ACT_CHUNK, end = begin + ACT_CHUNK;
        activate(pass, layer, first_token + item / n_chunks, begin, end < n_ff ? end : n_ff);
    }
}

static void feed_forward_block(const struct forward_pass *pass, const struct layer_weights *layer,
                               int first_token, int thread_index) {
    struct forward_workspace *workspace = pass->workspace;
    int n_ff = layer->gate.n_rows, n_threads = workspace->n_threads;
    struct share rows = share_of_groups(n_ff, ROW_GROUP, thread_index, n_threads);
    forward_multiply(pass, &layer->gate, workspace->normed, rows, first_token, workspace->gate,
                     (size_t)n_ff);
    forward_multiply(pass, &layer->up, workspace->normed, rows, first_token, workspace->up,
                     (size_t)n_ff);
    thread_pool_barrier(pass->pool);
    activate_share(pass, layer, first_token, thread_index);
    thread_pool_barrier(pass->pool);
    rows = share_of_groups(layer->down.n_rows, ROW_GROUP, thread_index, n_threads);
    forward_multiply(pass, &layer->down, workspace->gate, rows, first_token, workspace->projected,
                     (size_t)layer->down.n_rows);
    thread_pool_barrier(pass->pool);
}

static void run_layer(const struct forward_pass *pass, int index, int thread_index) {
    const struct model *model = pass->model;
    const struct layer_weights *layer = &model->weights.layers[index];
    bool is_last = index + 1 == model->weights.n_layers;
    // What the last layer makes of tokens without logits is used by nobody but the cache.
    int first_token = is_last ? pass->first_output : 0;
    struct share tokens = share_of(pass->n_tokens, thread_index, pass->workspace->n_threads);
    bool quantize = any_wants_quantized(pass, &layer->q, &layer->k, &layer->v);
    for (int t = tokens.begin; t < tokens.end; t++)
        norm_token(pass, t, layer->attn_norm, quantize);
    thread_pool_barrier(pass->pool);
    attention_block(pass, index, first_token, thread_index);
    quantize = any_wants_quantized(pass, &layer->gate, &layer->up, &layer->up);
    for (int t = tokens.begin; t < tokens.end; t++) {
        if (t < first_token) continue;
        finish_block(pass, t, layer->o_bias, layer->attn_post_norm);
        norm_token(pass, t, layer->ffn_norm, quantize);
    }
    thread_pool_barrier(pass->pool);
    feed_forward_block(pass, layer, first_token, thread_index);
    for (int t = tokens.begin; t < tokens.end; t++)
        if (t >= first_token) finish_block(pass, t, layer->down_bias, layer->ffn_post_norm);
}

static void compute_logits(const struct forward_pass *pass, int thread_index) {
    const struct model *model = pass->model;
    const struct weight *output = &model->weights.output;
    int n_threads = pass->workspace->n_threads, n_vocab = output->n_rows;
    struct share tokens = share_of(pass->n_tokens, thread_index, n_threads);
    for (int t = tokens.begin; t < tokens.end; t++)
        if (t >= pass->first_output)
            norm_token(pass, t, model->weights.output_norm, forward_wants_quantized(pass, output));
    thread_pool_barrier(pass->pool);
    struct share rows = share_of_groups(n_vocab, ROW_GROUP, thread_index, n_threads);
    float *y = pass->logits - (size_t)pass->first_output * (size_t)n_vocab;
    forward_multiply(pass, output, pass->workspace->normed, rows, pass->first_output, y,
                     (size_t)n_vocab);
    float cap = model->config.logit_softcap;
    if (!(cap > 0)) return;
    for (int t = pass->first_output; t < pass->n_tokens; t++)
        for (int r = rows.begin; r < rows.end; r++) {
            float *logit = y + (size_t)t * (size_t)n_vocab + r;
            *logit = cap * tanhf(*logit / cap);
        }
}

static void run(void *argument, int thread_index, int n_threads) {
    const struct forward_pass *pass = argument;
    struct share tokens = share_of(pass->n_tokens, thread_index, n_threads);
    embed(pass, tokens);
    fill_rope(pass, tokens);
    for (int layer = 0; layer < pass->model->weights.n_layers; layer++)
        run_layer(pass, layer, thread_index);
    if (pass->first_output < pass->n_tokens) compute_logits(pass, thread_index);
}

enum status model_forward(const struct model *model, struct kv_cache *cache,
                          struct forward_workspace *workspace, const int32_t *tokens, int n_tokens,
                          bool all_logits, float *logits, struct error *err) {
    const struct model_config *config = &model->config;
    if (workspace->model != model || cache->n_layers != config->n_layers ||
        cache->n_kv_heads != config->n_kv_heads || cache->head_dim != config->head_dim)
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
    struct forward_pass pass = {
        .model = model,
        .workspace = workspace,
        .kernels = workspace->kernels,
        .pool = workspace->pool,
        .cache = cache,
        .tokens = tokens,
        .n_tokens = n_tokens,
        .first_position = cache->n_used,
        .first_output = !logits      ? n_tokens
                        : all_logits ? 0
                                     : n_tokens - 1,
        .logits = logits,
    };
    if (cache->n_used + n_tokens > cache->n_written) cache->n_written = cache->n_used + n_tokens;
    thread_pool_run(workspace->pool, run, &pass);
    cache->n_used += n_tokens;
    return STATUS_OK;
}
