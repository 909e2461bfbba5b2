// SPDX-License-Identifier: Apache-2.0
// bert: an encoder. Learned positions, LayerNorm behind every block instead of before it, GELU by
// the error function, biases everywhere. It was trained to give states, from which sentence models
// (bge, MiniLM, …) make one vector; what they do for that is in the folder's small files or in
// GGUF's pooling_type.
#include "format/hf_config.h"
#include "model/config_hf.h"
#include "model/family.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct layer_weights, member)
#define AT_MODEL(member) offsetof(struct model_weights, member)

// GGUF's numbers of poolings.
enum { GGUF_POOLING_MEAN = 1, GGUF_POOLING_CLS = 2, GGUF_POOLING_LAST = 3 };

static const struct weight_slot globals[] = {
    {"embeddings.word_embeddings.weight", "token_embd.weight", AT_MODEL(embedding), SIZE_VOCAB,
     SIZE_EMBD, PRESENT_ALWAYS, EXPORT_NONE},
    {"embeddings.position_embeddings.weight", "position_embd.weight", AT_MODEL(positions),
     SIZE_POSITIONS, SIZE_EMBD, PRESENT_ALWAYS, EXPORT_NONE},
    {"embeddings.token_type_embeddings.weight", "token_types.weight", AT_MODEL(token_types),
     SIZE_TOKEN_TYPES, SIZE_EMBD, PRESENT_ALWAYS, EXPORT_NONE},
    {"embeddings.LayerNorm.weight", "token_embd_norm.weight", AT_MODEL(embedding_norm), SIZE_EMBD,
     SIZE_ONE, PRESENT_ALWAYS, EXPORT_NONE},
    {"embeddings.LayerNorm.bias", "token_embd_norm.bias", AT_MODEL(embedding_norm_bias), SIZE_EMBD,
     SIZE_ONE, PRESENT_ALWAYS, EXPORT_NONE},
};

static const struct weight_slot slots[] = {
    {"attention.self.query.weight", "attn_q.weight", AT(q), SIZE_Q, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"attention.self.query.bias", "attn_q.bias", AT(q_bias), SIZE_Q, SIZE_ONE, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"attention.self.key.weight", "attn_k.weight", AT(k), SIZE_KV, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"attention.self.key.bias", "attn_k.bias", AT(k_bias), SIZE_KV, SIZE_ONE, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"attention.self.value.weight", "attn_v.weight", AT(v), SIZE_KV, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"attention.self.value.bias", "attn_v.bias", AT(v_bias), SIZE_KV, SIZE_ONE, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"attention.output.dense.weight", "attn_output.weight", AT(o), SIZE_EMBD, SIZE_Q,
     PRESENT_ALWAYS, EXPORT_NONE},
    {"attention.output.dense.bias", "attn_output.bias", AT(o_bias), SIZE_EMBD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_NONE},
    {"attention.output.LayerNorm.weight", "attn_output_norm.weight", AT(attn_post_norm), SIZE_EMBD,
     SIZE_ONE, PRESENT_ALWAYS, EXPORT_NONE},
    {"attention.output.LayerNorm.bias", "attn_output_norm.bias", AT(attn_post_norm_bias), SIZE_EMBD,
     SIZE_ONE, PRESENT_ALWAYS, EXPORT_NONE},
    {"intermediate.dense.weight", "ffn_up.weight", AT(up), SIZE_FF, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"intermediate.dense.bias", "ffn_up.bias", AT(up_bias), SIZE_FF, SIZE_ONE, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"output.dense.weight", "ffn_down.weight", AT(down), SIZE_EMBD, SIZE_FF, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"output.dense.bias", "ffn_down.bias", AT(down_bias), SIZE_EMBD, SIZE_ONE, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"output.LayerNorm.weight", "layer_output_norm.weight", AT(ffn_post_norm), SIZE_EMBD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_NONE},
    {"output.LayerNorm.bias", "layer_output_norm.bias", AT(ffn_post_norm_bias), SIZE_EMBD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_NONE},
};

// General keys are read into what is set here.
static void set_defaults(struct model_config *config) {
    config->n_vocab = 30522;
    config->n_embd = 768;
    config->n_ff = 3072;
    config->n_layers = 12;
    config->n_heads = 12;
    config->n_context_train = 512;
    config->norm_eps = 1e-12f;
    config->activation = ACTIVATION_GELU_ERF;
    config->rope_base = 10000.0f; // of no use, but checked for all families
    config->n_token_types = 2;
}

static enum status check(struct model_config *config, const char *where, struct error *err) {
    config->tied_embeddings = false;
    if (config->n_kv_heads != config->n_heads ||
        config->n_heads * config->head_dim != config->n_embd)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: %d heads of %d with %d key-value heads do not make bert's %d numbers",
                         where, config->n_heads, config->head_dim, config->n_kv_heads,
                         config->n_embd);
    return STATUS_OK;
}

static enum status read_hf(struct model_config *config, const json_t *json, struct error *err) {
    const char *positions = json_get_text(json, "position_embedding_type");
    if (positions && strcmp(positions, "absolute") != 0)
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: position_embedding_type \"%.64s\" is not supported "
                         "(absolute is)",
                         positions);
    if (config->activation != ACTIVATION_GELU_ERF)
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: bert with another activation than \"gelu\" is not "
                         "supported");
    bool is_decoder = false;
    if (json_get_bool(json, "is_decoder", &is_decoder) && is_decoder)
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: bert as a decoder is not supported");
    double eps = (double)config->norm_eps;
    uint64_t n_types = (uint64_t)config->n_token_types;
    json_get_f64(json, "layer_norm_eps", &eps);
    json_get_u64(json, "type_vocab_size", &n_types);
    if (n_types < 1 || n_types > 1 << 16)
        return error_set(err, STATUS_BAD_INPUT, "config.json: type_vocab_size must be 1..65536");
    config->norm_eps = (float)eps;
    config->n_token_types = (int)n_types;
    return check(config, "config.json", err);
}

static enum status read_gguf(struct model_config *config, const struct gguf *gguf,
                             struct error *err) {
    double eps = 1e-12;
    uint64_t n_types = 2, pooling = 0;
    bool causal = false;
    gguf_get_f64(gguf, "bert.attention.layer_norm_epsilon", &eps);
    gguf_get_u64(gguf, "tokenizer.ggml.token_type_count", &n_types);
    gguf_get_u64(gguf, "bert.pooling_type", &pooling);
    if (gguf_get_bool(gguf, "bert.attention.causal", &causal) && causal)
        return error_set(err, STATUS_UNSUPPORTED, "%s: bert with causal attention is not supported",
                         gguf_path(gguf));
    if (n_types < 1 || n_types > 1 << 16)
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: tokenizer.ggml.token_type_count must be "
                         "1..65536",
                         gguf_path(gguf));
    config->norm_eps = (float)eps;
    config->n_token_types = (int)n_types;
    config->activation = ACTIVATION_GELU_ERF;
    config->pooling = pooling == GGUF_POOLING_MEAN   ? MODEL_POOLING_MEAN
                      : pooling == GGUF_POOLING_CLS  ? MODEL_POOLING_CLS
                      : pooling == GGUF_POOLING_LAST ? MODEL_POOLING_LAST
                                                     : MODEL_POOLING_UNKNOWN;
    return check(config, gguf_path(gguf), err);
}

static void write_gguf(const struct model_config *config, struct gguf_writer *writer) {
    static const uint32_t poolings[] = {[MODEL_POOLING_MEAN] = GGUF_POOLING_MEAN,
                                        [MODEL_POOLING_CLS] = GGUF_POOLING_CLS,
                                        [MODEL_POOLING_LAST] = GGUF_POOLING_LAST};
    gguf_writer_bool(writer, "bert.attention.causal", false);
    gguf_writer_u32(writer, "tokenizer.ggml.token_type_count", (uint32_t)config->n_token_types);
    if (config->pooling != MODEL_POOLING_UNKNOWN && config->pooling != MODEL_POOLING_OTHER)
        gguf_writer_u32(writer, "bert.pooling_type", poolings[config->pooling]);
}

static const char *const model_types[] = {"bert", NULL};

const struct family family_bert = {
    .name = "bert",
    .gguf_architecture = "bert",
    .hf_model_types = model_types,
    .slots = slots,
    .n_slots = sizeof slots / sizeof slots[0],
    .hf_prefix = "bert.",
    .hf_layers = "encoder.layer.",
    .is_encoder = true,
    .globals = globals,
    .n_globals = sizeof globals / sizeof globals[0],
    .set_defaults = set_defaults,
    .read_hf = read_hf,
    .read_gguf = read_gguf,
    .write_gguf = write_gguf,
};
