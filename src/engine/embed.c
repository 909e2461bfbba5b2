// SPDX-License-Identifier: Apache-2.0
// Embeddings: the hidden states of a text's tokens, pooled to one vector. An encoder takes many
// texts at once (model/encoder.h). A causal model is fed one text after the other, in chunks, on a
// cache that lives as long as the call. Sums run over tokens in their order and in double
// precision, so that neither chunks nor neighbours change a bit.
#include "engine/engine.h"

#include "model/encoder.h"
#include "model/family.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// What one call was asked for; checked.
struct embedding_job {
    struct xl_engine *engine;
    const int32_t *const *tokens;
    const size_t *n_tokens;
    size_t n_texts, n_tokens_max; // the longest text
    xl_pooling pooling;           // not XL_POOLING_AUTO
    bool normalize;
    float *embeddings; // [n_texts][n_embd], or a row a token
};

// What feeding a causal model takes.
struct causal_feed {
    struct kv_cache cache;
    struct forward_workspace *workspace;
    int chunk;
    float *states; // [chunk][n_embd]
    double *sums;  // [n_embd]
    size_t n_embd;
};

static enum status check_text(const struct embedding_job *job, size_t text, struct error *err) {
    const int32_t *tokens = job->tokens[text];
    size_t n = job->n_tokens[text];
    if (n == 0 || !tokens)
        return error_set(err, STATUS_USAGE, "text %zu of %zu has no tokens", text, job->n_texts);
    const struct model_config *config = model_configuration(job->engine->model);
    if (config->family->is_encoder && n > (size_t)config->n_context_train)
        return error_set(err, STATUS_CONTEXT_FULL,
                         "text %zu of %zu has %zu tokens, but the model has learned only %d "
                         "positions; cut or split the text",
                         text, job->n_texts, n, config->n_context_train);
    if (!config->family->is_encoder && n > (size_t)job->engine->context)
        return error_set(err, STATUS_CONTEXT_FULL,
                         "text %zu of %zu has %zu tokens, but the context holds %d; raise the "
                         "context or split the text",
                         text, job->n_texts, n, job->engine->context);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= config->n_vocab)
            return error_set(err, STATUS_USAGE,
                             "token %zu of text %zu is %d; the model knows 0 to %d", i, text,
                             tokens[i], config->n_vocab - 1);
    return STATUS_OK;
}

static enum status choose_pooling(struct embedding_job *job, struct error *err) {
    static const xl_pooling poolings[] = {[MODEL_POOLING_UNKNOWN] = XL_POOLING_MEAN,
                                          [MODEL_POOLING_MEAN] = XL_POOLING_MEAN,
                                          [MODEL_POOLING_CLS] = XL_POOLING_CLS,
                                          [MODEL_POOLING_LAST] = XL_POOLING_LAST};
    enum model_pooling own = model_configuration(job->engine->model)->pooling;
    if (own == MODEL_POOLING_OTHER)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s makes its vectors in a way that is not supported (modules.json); ask "
                         "for mean, cls or last pooling",
                         engine_path(job->engine));
    job->pooling = poolings[own];
    return STATUS_OK;
}

static enum status check_job(struct embedding_job *job, struct error *err) {
    if (!job->engine) return error_set(err, STATUS_USAGE, "no engine to embed with");
    TRY(engine_require_model(job->engine, err));
    if (job->pooling < XL_POOLING_AUTO || job->pooling > XL_POOLING_NONE)
        return error_set(err, STATUS_USAGE, "unknown pooling %d", (int)job->pooling);
    if (job->pooling == XL_POOLING_AUTO) TRY(choose_pooling(job, err));
    if (job->n_texts == 0) return STATUS_OK;
    if (!job->tokens || !job->n_tokens || !job->embeddings)
        return error_set(err, STATUS_USAGE, "no texts to embed, or nowhere to put the vectors");
    for (size_t i = 0; i < job->n_texts; i++) {
        TRY(check_text(job, i, err));
        if (job->n_tokens[i] > job->n_tokens_max) job->n_tokens_max = job->n_tokens[i];
    }
    return STATUS_OK;
}

// A vector of length 1; one of zeros stays as it is.
static void normalize_row(float *row, size_t n) {
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)row[i] * (double)row[i];
    if (!(squares > 0)) return;
    double scale = 1 / sqrt(squares);
    for (size_t i = 0; i < n; i++)
        row[i] = (float)((double)row[i] * scale);
}

static enum status causal_feed_init(struct causal_feed *feed, const struct embedding_job *job,
                                    struct error *err) {
    struct xl_engine *engine = job->engine;
    const struct model_config *config = model_configuration(engine->model);
    int n_positions = (int)job->n_tokens_max; // at most the context
    *feed = (struct causal_feed){.chunk = engine->chunk < n_positions ? engine->chunk : n_positions,
                                 .n_embd = (size_t)config->n_embd};
    size_t state_bytes = (size_t)feed->chunk * feed->n_embd * sizeof *feed->states;
    feed->states = malloc(state_bytes);
    if (!feed->states) return error_no_memory(err, "hidden states", state_bytes);
    feed->sums = malloc(feed->n_embd * sizeof *feed->sums);
    if (!feed->sums) return error_no_memory(err, "sums", feed->n_embd * sizeof *feed->sums);
    TRY(kv_cache_init(&feed->cache, engine->kv_dtype, config->n_layers, config->n_kv_heads,
                      config->head_dim, n_positions, err));
    TRY(forward_workspace_create(&feed->workspace, engine->model, &engine->kernels, engine->pool,
                                 feed->chunk, n_positions, err));
    forward_workspace_set_threads(feed->workspace, engine->n_threads, engine->n_threads_batch);
    return STATUS_OK;
}

static void causal_feed_deinit(struct causal_feed *feed) {
    size_t n_embd = feed->n_embd;
    if (feed->states)
        explicit_bzero(feed->states, (size_t)feed->chunk * n_embd * sizeof *feed->states);
    if (feed->sums) explicit_bzero(feed->sums, n_embd * sizeof *feed->sums);
    free(feed->states);
    free(feed->sums);
    forward_workspace_destroy(feed->workspace);
    kv_cache_deinit(&feed->cache);
}

// Rows that a text gets.
static size_t rows_of(const struct embedding_job *job, size_t text) {
    return job->pooling == XL_POOLING_NONE ? job->n_tokens[text] : 1;
}

// Adds what states [n] at positions first … of a text of n_total tokens give to its vector.
static void pool_states(struct causal_feed *feed, xl_pooling pooling, size_t first, size_t n,
                        size_t n_total) {
    size_t begin = 0, end = n;
    if (pooling == XL_POOLING_CLS) end = first == 0 ? 1 : 0;
    if (pooling == XL_POOLING_LAST) begin = first + n == n_total ? n - 1 : n;
    for (size_t t = begin; t < end; t++) {
        const float *state = feed->states + t * feed->n_embd;
        for (size_t i = 0; i < feed->n_embd; i++)
            feed->sums[i] += (double)state[i];
    }
}

// rows: [rows_of(text)][n_embd] results.
static enum status embed_text(struct causal_feed *feed, const struct embedding_job *job,
                              size_t text, float *rows, struct error *err) {
    struct xl_engine *engine = job->engine;
    size_t n_total = job->n_tokens[text], chunk = (size_t)feed->chunk;
    kv_cache_rewind(&feed->cache, 0);
    for (size_t i = 0; i < feed->n_embd; i++)
        feed->sums[i] = 0;
    for (size_t done = 0; done < n_total;) {
        size_t n = n_total - done < chunk ? n_total - done : chunk;
        fair_lock_take(&engine->turn);
        enum status status =
            model_hidden_states(engine->model, &feed->cache, feed->workspace,
                                job->tokens[text] + done, (int)n, feed->states, err);
        fair_lock_give(&engine->turn);
        TRY(status);
        if (job->pooling == XL_POOLING_NONE)
            memcpy(rows + done * feed->n_embd, feed->states, n * feed->n_embd * sizeof *rows);
        else
            pool_states(feed, job->pooling, done, n, n_total);
        done += n;
    }
    if (job->pooling == XL_POOLING_NONE) return STATUS_OK;
    double divisor = job->pooling == XL_POOLING_MEAN ? (double)n_total : 1;
    for (size_t i = 0; i < feed->n_embd; i++)
        rows[i] = (float)(feed->sums[i] / divisor);
    return STATUS_OK;
}

static enum status embed_with_causal_model(const struct embedding_job *job, struct error *err) {
    struct causal_feed feed;
    enum status status = causal_feed_init(&feed, job, err);
    float *rows = job->embeddings;
    for (size_t i = 0; status == STATUS_OK && i < job->n_texts; i++) {
        status = embed_text(&feed, job, i, rows, err);
        rows += rows_of(job, i) * feed.n_embd;
    }
    causal_feed_deinit(&feed);
    return status;
}

// Texts go to the encoder in slices, so that others who wait for the threads get their turn.
static enum status embed_with_encoder(const struct embedding_job *job, struct error *err) {
    enum { SLICE = 1024 };
    static const enum model_pooling poolings[] = {[XL_POOLING_MEAN] = MODEL_POOLING_MEAN,
                                                  [XL_POOLING_CLS] = MODEL_POOLING_CLS,
                                                  [XL_POOLING_LAST] = MODEL_POOLING_LAST,
                                                  [XL_POOLING_NONE] = MODEL_POOLING_NONE};
    struct xl_engine *engine = job->engine;
    size_t n_embd = (size_t)model_configuration(engine->model)->n_embd;
    size_t size = job->n_texts < SLICE ? job->n_texts : SLICE;
    struct encoder_text *texts = malloc(size * sizeof *texts);
    if (!texts) return error_no_memory(err, "a list of texts", size * sizeof *texts);
    enum status status = STATUS_OK;
    float *rows = job->embeddings;
    for (size_t first = 0; status == STATUS_OK && first < job->n_texts; first += size) {
        size_t n = job->n_texts - first < size ? job->n_texts - first : size;
        for (size_t i = 0; i < n; i++) {
            size_t text = first + i;
            texts[i] = (struct encoder_text){job->tokens[text], (int)job->n_tokens[text], rows};
            rows += rows_of(job, text) * n_embd;
        }
        fair_lock_take(&engine->turn);
        status = encoder_embed(engine->model, &engine->kernels, engine->pool,
                               engine->n_threads_batch, texts, n, poolings[job->pooling], err);
        fair_lock_give(&engine->turn);
    }
    free(texts);
    return status;
}

static void normalize_rows(const struct embedding_job *job) {
    size_t n_embd = (size_t)model_configuration(job->engine->model)->n_embd, n_rows = 0;
    for (size_t i = 0; i < job->n_texts; i++)
        n_rows += rows_of(job, i);
    for (size_t i = 0; i < n_rows; i++)
        normalize_row(job->embeddings + i * n_embd, n_embd);
}

xl_status xl_embed(xl_engine *engine, const int32_t *const *tokens, const size_t *n_tokens,
                   size_t n_texts, xl_pooling pooling, bool normalize, float *embeddings,
                   xl_error *error) {
    struct error err = {0};
    struct embedding_job job = {
        .engine = engine,
        .tokens = tokens,
        .n_tokens = n_tokens,
        .n_texts = n_texts,
        .pooling = pooling,
        .normalize = normalize,
        .embeddings = embeddings,
    };
    enum status status = check_job(&job, &err);
    if (status == STATUS_OK && n_texts > 0)
        status = model_configuration(engine->model)->family->is_encoder
                     ? embed_with_encoder(&job, &err)
                     : embed_with_causal_model(&job, &err);
    if (status == STATUS_OK && normalize && n_texts > 0) normalize_rows(&job);
    return engine_report(error, status, &err);
}
