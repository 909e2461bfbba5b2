// SPDX-License-Identifier: Apache-2.0
// The forward pass: one call of the thread pool a chunk or a set of them, phases separated by
// barriers. It reads the configuration and which weights are present, never a family. Every number
// depends only on its own token and the cache, and every reduction has a fixed order, so chunking
// and the number of threads change no bit.
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
                     int row, int begin, int end) {
    input_rows_convert(&pass->workspace->attended_rows, pass->kernels, forward_form(pass, weight),
                       row, x + begin, begin, end);
}

// What the last layer makes of tokens without an output is used by nobody but the cache.
static bool is_last(const struct forward_pass *pass, int layer) {
    return layer + 1 == pass->model->weights.n_layers;
}

static int n_rows_behind_attention(const struct forward_pass *pass, int layer) {
    return is_last(pass, layer) ? pass->n_wanted : pass->n_tokens;
}

static int token_of_row(const struct forward_pass *pass, int layer, int row) {
    return is_last(pass, layer) ? pass->workspace->wanted[row] : row;
}

// ---- Norms: a narrow pass does all rows on every thread, a wide pass deals them ----------------

static struct share norm_rows(const struct forward_pass *pass, int n_rows, int thread_index) {
    if (pass->is_narrow) return (struct share){0, n_rows};
    return share_of(n_rows, thread_index, pass->n_threads);
}

static const struct token_stream *stream_of(const struct forward_pass *pass, int thread_index) {
    struct forward_workspace *workspace = pass->workspace;
    return pass->is_narrow ? &workspace->members[thread_index].stream : &workspace->stream;
}

static void norm_barrier(const struct forward_pass *pass) {
    if (!pass->is_narrow) thread_pool_barrier(pass->pool);
}

// A token's norm into a row of the next product's input.
static void norm_token(const struct forward_pass *pass, int token, int row, const float *norm,
                       unsigned forms, int thread_index) {
    const struct model_config *config = &pass->model->config;
    const struct token_stream *stream = stream_of(pass, thread_index);
    float *normed = pass->workspace->members[thread_index].row;
    if (forms & 1u << ACT_F32) normed = (float *)(void *)input_row(&stream->normed, ACT_F32, row);
    pass->kernels->rmsnorm(stream->x + (size_t)token * (size_t)config->n_embd, norm, normed,
                           config->n_embd, config->norm_eps);
    input_rows_convert(&stream->normed, pass->kernels, forms, row, normed, 0, config->n_embd);
}

// x += post_norm(projected + bias): the end of a block for one token. `projected` is everybody's
// and stays as it is.
static void finish_token(const struct forward_pass *pass, int token, int row, const float *bias,
                         const float *post_norm, int thread_index) {
    const struct model_config *config = &pass->model->config;
    int n_embd = config->n_embd;
    const float *y = pass->workspace->projected + (size_t)row * (size_t)n_embd;
    float *own = pass->workspace->members[thread_index].row;
    if (bias) {
        memcpy(own, y, (size_t)n_embd * sizeof *own);
        pass->kernels->add(own, bias, n_embd);
        y = own;
    }
    if (post_norm) {
        pass->kernels->rmsnorm(y, post_norm, own, n_embd, config->norm_eps);
        y = own;
    }
    pass->kernels->add(stream_of(pass, thread_index)->x + (size_t)token * (size_t)n_embd, y,
                       n_embd);
}

static void embed_tokens(const struct forward_pass *pass, int thread_index) {
    const struct embedding *embedding = &pass->model->weights.embedding;
    const struct token_stream *stream = stream_of(pass, thread_index);
    struct share tokens = norm_rows(pass, pass->n_tokens, thread_index);
    float scale = pass->model->config.embedding_scale;
    int n_embd = pass->model->config.n_embd;
    for (int t = tokens.begin; t < tokens.end; t++) {
        const struct pass_run *run = forward_run_of(pass, t);
        float *x = stream->x + (size_t)t * (size_t)n_embd;
        embedding_row(embedding, run->tokens[t - run->first_token], x);
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
            rope_table_fill(rope, set == 1, forward_position(pass, t),
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
                         const struct product *product, int n_tokens, int thread_index) {
    struct block_job job = {.phase = phase,
                            .n_rows = product->weight->n_rows,
                            .group = PANEL_ROWS,
                            .n_tokens = n_tokens,
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

static void attention_block(const struct forward_pass *pass, int index, int thread_index) {
    const struct layer_weights *layer = &pass->model->weights.layers[index];
    struct forward_workspace *workspace = pass->workspace;
    int n_rows = padded_rows(&layer->q) + padded_rows(&layer->k) + padded_rows(&layer->v);
    struct block_job qkv = {.phase = DEAL_QKV,
                            .n_rows = n_rows,
                            .group = PANEL_ROWS,
                            .n_tokens = pass->n_tokens,
                            .compute = compute_qkv,
                            .context = layer};
    block_deal(pass, &qkv, thread_index);
    thread_pool_barrier(pass->pool);
    attention_run(pass, index, thread_index);
    thread_pool_barrier(pass->pool);
    struct product o = {&layer->o, &workspace->attended_rows, workspace->projected};
    deal_product(pass, DEAL_O, &o, n_rows_behind_attention(pass, index), thread_index);
    thread_pool_barrier(pass->pool);
}

static bool is_set(const int *flag) {
    return flag && __atomic_load_n(flag, __ATOMIC_RELAXED) != 0;
}

// How many of the first n_runs runs go on: those at the end that nobody wants any more do not.
static int count_kept(const struct forward_workspace *workspace, const struct pass_run *runs,
                      int n_runs) {
    if (is_set(workspace->cancel)) return 0;
    while (n_runs > 0 && is_set(runs[n_runs - 1].cancel))
        n_runs--;
    return n_runs;
}

static void keep_runs(struct forward_pass *pass, int n_runs) {
    pass->n_runs = n_runs;
    pass->n_tokens = pass->runs[n_runs].first_token;
    pass->n_wanted = pass->runs[n_runs].first_row;
}

static void feed_forward_block(struct forward_pass *pass, int index, int thread_index) {
    const struct layer_weights *layer = &pass->model->weights.layers[index];
    struct forward_workspace *workspace = pass->workspace;
    int n_rows = n_rows_behind_attention(pass, index);
    struct block_job feed = {.phase = DEAL_FEED,
                             .n_rows = layer->gate.n_rows,
                             .group = FEED_GROUP,
                             .n_tokens = n_rows,
                             .compute = compute_feed,
                             .context = layer};
    block_deal(pass, &feed, thread_index);
    thread_pool_barrier(pass->pool);
    struct product down = {&layer->down, &workspace->fed_rows, workspace->projected};
    deal_product(pass, DEAL_DOWN, &down, n_rows, thread_index);
    if (thread_index == 0)
        __atomic_store_n(pass->n_kept, count_kept(workspace, pass->runs, pass->n_runs),
                         __ATOMIC_RELAXED);
    thread_pool_barrier(pass->pool);
    // Here, where no thread goes on with a token before its own norm: shares change with n_tokens.
    keep_runs(pass, __atomic_load_n(pass->n_kept, __ATOMIC_RELAXED));
}

static void run_layer(struct forward_pass *pass, int index, int thread_index) {
    const struct layer_weights *layer = &pass->model->weights.layers[index];
    struct share rows = norm_rows(pass, pass->n_tokens, thread_index);
    unsigned forms = forward_form(pass, &layer->q) | forward_form(pass, &layer->k) |
                     forward_form(pass, &layer->v);
    for (int t = rows.begin; t < rows.end; t++)
        norm_token(pass, t, t, layer->attn_norm, forms, thread_index);
    norm_barrier(pass);
    attention_block(pass, index, thread_index);
    rows = norm_rows(pass, n_rows_behind_attention(pass, index), thread_index);
    forms = forward_form(pass, &layer->gate) | forward_form(pass, &layer->up);
    for (int row = rows.begin; row < rows.end; row++) {
        int token = token_of_row(pass, index, row);
        finish_token(pass, token, row, layer->o_bias, layer->attn_post_norm, thread_index);
        norm_token(pass, token, row, layer->ffn_norm, forms, thread_index);
    }
    norm_barrier(pass);
    feed_forward_block(pass, index, thread_index);
    rows = norm_rows(pass, n_rows_behind_attention(pass, index), thread_index);
    for (int row = rows.begin; row < rows.end; row++)
        finish_token(pass, token_of_row(pass, index, row), row, layer->down_bias,
                     layer->ffn_post_norm, thread_index);
}

// ---- Output ------------------------------------------------------------------------------------

static float *logits_of_row(const struct forward_pass *pass, int row) {
    const struct pass_run *run = forward_run_of(pass, pass->workspace->wanted[row]);
    return run->logits + (size_t)(row - run->first_row) * (size_t)pass->model->config.n_vocab;
}

static bool logits_are_contiguous(const struct forward_pass *pass, struct share rows) {
    size_t n_vocab = (size_t)pass->model->config.n_vocab;
    const float *first = logits_of_row(pass, rows.begin);
    for (int row = rows.begin + 1; row < rows.end; row++)
        if (logits_of_row(pass, row) != first + (size_t)(row - rows.begin) * n_vocab) return false;
    return true;
}

static void soften_logits(const struct forward_pass *pass, struct work_block block) {
    float cap = pass->model->config.logit_softcap;
    if (!(cap > 0)) return;
    for (int t = block.tokens.begin; t < block.tokens.end; t++) {
        float *logits = logits_of_row(pass, t);
        for (int r = block.rows.begin; r < block.rows.end; r++)
            logits[r] = cap * tanhf(logits[r] / cap);
    }
}

// Logits of several runs lie apart: they are computed in pieces that fit the thread's own buffer.
static void compute_logits(const struct forward_pass *pass, const void *context,
                           struct work_block block, int thread_index) {
    const struct weight *output = &pass->model->weights.output;
    const struct input_rows *input = context;
    float *own = pass->workspace->members[thread_index].gate;
    int n_tokens = block.tokens.end - block.tokens.begin;
    int piece = BLOCK_TOKENS * BLOCK_ROWS / n_tokens / PANEL_ROWS * PANEL_ROWS;
    if (logits_are_contiguous(pass, block.tokens)) {
        float *y = logits_of_row(pass, block.tokens.begin) + block.rows.begin;
        weight_multiply(pass->kernels, output, input, block.rows, block.tokens, y,
                        (size_t)output->n_rows);
        soften_logits(pass, block);
        return;
    }
    for (int begin = block.rows.begin; begin < block.rows.end; begin += piece) {
        int end = begin + piece < block.rows.end ? begin + piece : block.rows.end;
        size_t n = (size_t)(end - begin);
        weight_multiply(pass->kernels, output, input, (struct share){begin, end}, block.tokens, own,
                        n);
        for (int t = 0; t < n_tokens; t++)
            memcpy(logits_of_row(pass, block.tokens.begin + t) + begin, own + (size_t)t * n,
                   n * sizeof *own);
    }
    soften_logits(pass, block);
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
    struct share rows = norm_rows(pass, pass->n_wanted, thread_index);
    for (int row = rows.begin; row < rows.end; row++)
        norm_token(pass, pass->workspace->wanted[row], row, weights->output_norm,
                   forward_form(pass, output), thread_index);
    norm_barrier(pass);
    struct block_job job = {.phase = DEAL_LOGITS,
                            .n_rows = output->n_rows,
                            .group = PANEL_ROWS,
                            .n_tokens = pass->n_wanted,
                            .compute = compute_logits,
                            .context = &stream_of(pass, thread_index)->normed};
    block_deal(pass, &job, thread_index);
}

static void run(void *argument, int thread_index, int n_threads) {
    struct forward_pass pass = *(const struct forward_pass *)argument;
    (void)n_threads;
    block_deal_reset(&pass, thread_index);
    embed_tokens(&pass, thread_index);
    fill_rope(&pass, thread_index);
    for (int layer = 0; layer < pass.model->weights.n_layers && pass.n_runs > 0; layer++)
        run_layer(&pass, layer, thread_index);
    if (pass.n_runs == 0) return;
    if (pass.states)
        write_states(&pass, thread_index);
    else if (pass.n_wanted > 0)
        run_output(&pass, thread_index);
}

// ---- A pass ------------------------------------------------------------------------------------

static enum status check_run(const struct forward_pass *pass, const struct forward_run *run,
                             struct error *err) {
    const struct model_config *config = &pass->model->config;
    const struct kv_cache *cache = run->cache;
    if (cache->layout.n_layers != config->n_layers ||
        cache->layout.n_kv_heads != config->n_kv_heads ||
        cache->layout.head_dim != config->head_dim)
        return error_set(err, STATUS_USAGE, "the cache or workspace belongs to another model");
    if (run->n_outputs < 0 || run->n_outputs > run->n_tokens)
        return error_set(err, STATUS_USAGE, "outputs of %d of %d tokens", run->n_outputs,
                         run->n_tokens);
    int n_positions_max = cache->n_positions_max < pass->workspace->n_positions_max
                              ? cache->n_positions_max
                              : pass->workspace->n_positions_max;
    if (run->n_tokens > n_positions_max - cache->n_used)
        return error_set(err, STATUS_CONTEXT_FULL,
                         "%d tokens do not fit: %d of the context's %d positions are used",
                         run->n_tokens, cache->n_used, n_positions_max);
    for (int t = 0; t < run->n_tokens; t++)
        if (run->tokens[t] < 0 || run->tokens[t] >= config->n_vocab)
            return error_set(err, STATUS_BAD_INPUT,
                             "token %d of the chunk is outside the vocabulary of %d", t,
                             config->n_vocab);
    return STATUS_OK;
}

static enum status check(const struct forward_pass *pass, const struct forward_run *runs,
                         int n_runs, struct error *err) {
    const struct forward_workspace *workspace = pass->workspace;
    if (workspace->model != pass->model)
        return error_set(err, STATUS_USAGE, "the cache or workspace belongs to another model");
    int n_left = workspace->n_tokens_max;
    for (int i = 0; i < n_runs; i++) {
        if (runs[i].n_tokens < 1 || runs[i].n_tokens > n_left)
            return error_set(err, STATUS_USAGE, "a chunk of %d tokens; the workspace takes 1..%d",
                             runs[i].n_tokens, n_left);
        n_left -= runs[i].n_tokens;
        TRY(check_run(pass, &runs[i], err));
        for (int other = 0; other < i; other++)
            if (runs[other].cache == runs[i].cache)
                return error_set(err, STATUS_USAGE, "two runs of a pass have the same cache");
    }
    if (n_runs < 1) return error_set(err, STATUS_USAGE, "a pass without runs");
    return STATUS_OK;
}

static void fill_runs(struct forward_pass *pass, const struct forward_run *runs, int n_runs) {
    struct forward_workspace *workspace = pass->workspace;
    int n_tokens = 0, n_wanted = 0;
    for (int i = 0; i < n_runs; i++) {
        const struct forward_run *run = &runs[i];
        workspace->runs[i] = (struct pass_run){.cache = run->cache,
                                               .tokens = run->tokens,
                                               .first_token = n_tokens,
                                               .n_tokens = run->n_tokens,
                                               .first_position = run->cache->n_used,
                                               .first_row = n_wanted,
                                               .n_wanted = run->n_outputs,
                                               .logits = run->logits,
                                               .cancel = run->cancel};
        for (int t = 0; t < run->n_tokens; t++, n_tokens++) {
            workspace->run_of[n_tokens] = i;
            if (t >= run->n_tokens - run->n_outputs) workspace->wanted[n_wanted++] = n_tokens;
        }
    }
    workspace->runs[n_runs] = (struct pass_run){.first_token = n_tokens, .first_row = n_wanted};
    pass->runs = workspace->runs;
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

// Caches of runs that nobody cancelled advance.
static enum status end_runs(const struct forward_pass *pass, struct forward_run *runs, int n_runs,
                            struct error *err) {
    int n_kept = *pass->n_kept, n_done = 0;
    for (int i = 0; i < n_runs; i++) {
        runs[i].cancelled = i >= n_kept || is_set(runs[i].cancel);
        if (runs[i].cancelled) continue;
        runs[i].cache->n_used += runs[i].n_tokens;
        n_done++;
    }
    if (n_done == 0)
        return error_set(err, STATUS_CANCELLED, "cancelled within a chunk of %d tokens",
                         pass->runs[n_runs].first_token);
    return STATUS_OK;
}

static enum status run_pass(const struct model *model, struct forward_workspace *workspace,
                            struct forward_run *runs, int n_runs, float *states,
                            struct error *err) {
    int n_kept;
    struct forward_pass pass = {.model = model,
                                .workspace = workspace,
                                .kernels = workspace->kernels,
                                .pool = workspace->pool,
                                .n_threads = workspace->n_threads_wide,
                                .states = states,
                                .n_kept = &n_kept};
    TRY(check(&pass, runs, n_runs, err));
    for (int i = 0; i < n_runs; i++)
        TRY(kv_cache_reserve(runs[i].cache, runs[i].n_tokens, err));
    fill_runs(&pass, runs, n_runs);
    n_kept = count_kept(workspace, pass.runs, n_runs);
    keep_runs(&pass, n_kept);
    pass.is_narrow = pass.n_tokens <= NARROW_TOKENS_MAX;
    if (n_kept > 0 && pass.is_narrow) {
        run_tuned(&pass);
    } else if (n_kept > 0) {
        attention_prepare(&pass);
        thread_pool_run_some(workspace->pool, pass.n_threads, run, &pass);
    }
    return end_runs(&pass, runs, n_runs, err);
}

enum status model_forward_runs(const struct model *model, struct forward_workspace *workspace,
                               struct forward_run *runs, int n_runs, struct error *err) {
    return run_pass(model, workspace, runs, n_runs, NULL, err);
}

enum status model_forward(const struct model *model, struct kv_cache *cache,
                          struct forward_workspace *workspace, const int32_t *tokens, int n_tokens,
                          bool all_logits, float *logits, struct error *err) {
    struct forward_run run = {.cache = cache,
                              .tokens = tokens,
                              .n_tokens = n_tokens,
                              .n_outputs = !logits      ? 0
                                           : all_logits ? n_tokens
                                                        : 1,
                              .logits = logits};
    return run_pass(model, workspace, &run, 1, NULL, err);
}

enum status model_hidden_states(const struct model *model, struct kv_cache *cache,
                                struct forward_workspace *workspace, const int32_t *tokens,
                                int n_tokens, float *states, struct error *err) {
    struct forward_run run = {
        .cache = cache, .tokens = tokens, .n_tokens = n_tokens, .n_outputs = n_tokens};
    return run_pass(model, workspace, &run, 1, states, err);
}
