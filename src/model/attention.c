// SPDX-License-Identifier: Apache-2.0
// The attention phases of a layer. Work is dealt by (token, head): each is computed by one thread
// from first to last position, so the result depends on no split.
#include "model/forward.h"

#include <string.h>

static void store(const struct kernels *kernels, enum dtype dtype, const float *x, void *slot,
                  int n) {
    if (dtype == DTYPE_F16)
        kernels->to_f16(x, slot, n);
    else
        memcpy(slot, x, (size_t)n * sizeof *x);
}

static void *cache_slot(const struct kv_cache *cache, void *head, int position) {
    return (uint8_t *)head + (size_t)position * kv_cache_stride_bytes(cache);
}

static void rotate(const struct forward_pass *pass, int layer, int token, float *head) {
    const struct model_config *config = &pass->model->config;
    const struct forward_workspace *workspace = pass->workspace;
    int set = model_config_layer_slides(config, layer) ? 1 : 0;
    size_t offset = (size_t)token * (size_t)(config->n_rot / 2);
    pass->kernels->rope(head, workspace->cosine[set] + offset, workspace->sine[set] + offset, 1,
                        config->head_dim, config->n_rot, config->rope_halves);
}

static void prepare_query(const struct forward_pass *pass, int layer, int token, int head) {
    const struct model_config *config = &pass->model->config;
    const struct layer_weights *weights = &pass->model->weights.layers[layer];
    int dim = config->head_dim;
    float *q = pass->workspace->q + ((size_t)token * config->n_heads + head) * dim;
    if (weights->q_bias) pass->kernels->add(q, weights->q_bias + (size_t)head * dim, dim);
    if (weights->q_norm) pass->kernels->rmsnorm(q, weights->q_norm, q, dim, config->norm_eps);
    rotate(pass, layer, token, q);
}

static void prepare_key(const struct forward_pass *pass, int layer, int token, int head) {
    const struct model_config *config = &pass->model->config;
    const struct layer_weights *weights = &pass->model->weights.layers[layer];
    int dim = config->head_dim;
    float *k = pass->workspace->k + ((size_t)token * config->n_kv_heads + head) * dim;
    if (weights->k_bias) pass->kernels->add(k, weights->k_bias + (size_t)head * dim, dim);
    if (weights->k_norm) pass->kernels->rmsnorm(k, weights->k_norm, k, dim, config->norm_eps);
    rotate(pass, layer, token, k);
    void *keys = kv_cache_keys(pass->cache, layer, head);
    store(pass->kernels, pass->cache->dtype, k,
          cache_slot(pass->cache, keys, pass->first_position + token), dim);
}

static void prepare_value(const struct forward_pass *pass, int layer, int token, int head) {
    const struct model_config *config = &pass->model->config;
    const struct layer_weights *weights = &pass->model->weights.layers[layer];
    int dim = config->head_dim;
    float *v = pass->workspace->v + ((size_t)token * config->n_kv_heads + head) * dim;
    if (weights->v_bias) pass->kernels->add(v, weights->v_bias + (size_t)head * dim, dim);
    void *values = kv_cache_values(pass->cache, layer, head);
    store(pass->kernels, pass->cache->dtype, v,
          cache_slot(pass->cache, values, pass->first_position + token), dim);
}

void attention_prepare(const struct forward_pass *pass, int layer, int thread_index) {
    const struct model_config *config = &pass->model->config;
    int n_heads = config->n_heads, n_kv_heads = config->n_kv_heads;
    int per_token = n_heads + 2 * n_kv_heads;
    struct share tokens =
        share_of(pass->n_tokens * per_token, thread_index, pass->workspace->n_threads);
    for (int item = tokens.begin; item < tokens.end; item++) {
        int token = item / per_token, head = item % per_token;
        if (head < n_heads)
            prepare_query(pass, layer, token, head);
        else if (head < n_heads + n_kv_heads)
            prepare_key(pass, layer, token, head - n_heads);
        else
            prepare_value(pass, layer, token, head - n_heads - n_kv_heads);
    }
}

static void attend_head(const struct forward_pass *pass, int layer, int token, int head,
                        float *scores) {
    const struct model_config *config = &pass->model->config;
    const struct kv_cache *cache = pass->cache;
    int position = pass->first_position + token, first = 0;
    if (model_config_layer_slides(config, layer) && position >= config->sliding_window)
        first = position - config->sliding_window + 1;
    int kv_head = head / (config->n_heads / config->n_kv_heads);
    size_t offset = ((size_t)token * config->n_heads + head) * config->head_dim;
    struct attend_args args = {
        .q = pass->workspace->q + offset,
        .keys = cache_slot(cache, kv_cache_keys(cache, layer, kv_head), first),
        .values = cache_slot(cache, kv_cache_values(cache, layer, kv_head), first),
        .kv_dtype = cache->dtype,
        .stride_bytes = kv_cache_stride_bytes(cache),
        .scores = scores,
        .out = pass->workspace->attended + offset,
        .scale = config->attention_scale,
        .softcap = config->attention_softcap,
        .n_positions = position - first + 1,
        .head_dim = config->head_dim,
    };
    pass->kernels->attend(&args);
}

void attention_run(const struct forward_pass *pass, int layer, int first_token, int thread_index) {
    const struct model_config *config = &pass->model->config;
    const struct forward_workspace *workspace = pass->workspace;
    float *scores = workspace->scores + (size_t)thread_index * (size_t)workspace->n_positions_max;
    int n_items = (pass->n_tokens - first_token) * config->n_heads;
    // Later tokens see more positions, so items are dealt in turn rather than in runs.
    for (int item = thread_index; item < n_items; item += workspace->n_threads) {
        int token = first_token + item / config->n_heads, head = item % config->n_heads;
        attend_head(pass, layer, token, head, scores);
    }
}
