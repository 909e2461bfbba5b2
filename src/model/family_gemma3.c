// SPDX-License-Identifier: Apache-2.0
// gemma 3, text part: norms before and after both blocks whose Hugging Face weights lack a "+ 1",
// query and key norms, five sliding layers to one global layer with rotary bases of their own, the
// embedding scaled by sqrt(n_embd), tanh-GELU. The weights also come inside a multimodal model.
#include "model/config_hf.h"
#include "model/family.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct layer_weights, member)

enum { DEFAULT_PATTERN = 6 };

static const struct weight_slot slots[] = {
    {"input_layernorm.weight", "attn_norm.weight", AT(attn_norm), SIZE_EMBD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_ADD_ONE},
    {"self_attn.q_proj.weight", "attn_q.weight", AT(q), SIZE_Q, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.k_proj.weight", "attn_k.weight", AT(k), SIZE_KV, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.v_proj.weight", "attn_v.weight", AT(v), SIZE_KV, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.o_proj.weight", "attn_output.weight", AT(o), SIZE_EMBD, SIZE_Q, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.q_norm.weight", "attn_q_norm.weight", AT(q_norm), SIZE_HEAD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_ADD_ONE},
    {"self_attn.k_norm.weight", "attn_k_norm.weight", AT(k_norm), SIZE_HEAD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_ADD_ONE},
    {"post_attention_layernorm.weight", "post_attention_norm.weight", AT(attn_post_norm), SIZE_EMBD,
     SIZE_ONE, PRESENT_ALWAYS, EXPORT_ADD_ONE},
    {"pre_feedforward_layernorm.weight", "ffn_norm.weight", AT(ffn_norm), SIZE_EMBD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_ADD_ONE},
    {"mlp.gate_proj.weight", "ffn_gate.weight", AT(gate), SIZE_FF, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"mlp.up_proj.weight", "ffn_up.weight", AT(up), SIZE_FF, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"mlp.down_proj.weight", "ffn_down.weight", AT(down), SIZE_EMBD, SIZE_FF, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"post_feedforward_layernorm.weight", "post_ffw_norm.weight", AT(ffn_post_norm), SIZE_EMBD,
     SIZE_ONE, PRESENT_ALWAYS, EXPORT_ADD_ONE},
};

static void set_defaults(struct model_config *config) {
    config->n_vocab = 262208;
    config->n_embd = 2304;
    config->n_ff = 9216;
    config->n_layers = 26;
    config->n_heads = 8;
    config->n_kv_heads = 4;
    config->head_dim = 256;
    config->n_context_train = 131072;
    config->norm_eps = 1e-6f;
    config->activation = ACTIVATION_GELU_TANH;
    config->tied_embeddings = true;
    config->rope_base = 1e6f;
    config->rope_base_local = 1e4f;
    config->sliding_window = 4096;
}

static void set_pattern(struct model_config *config, int pattern) {
    for (int layer = 0; layer < config->n_layers; layer++)
        config->layer_slides[layer] =
            config->sliding_window > 0 && (pattern == 0 || (layer + 1) % pattern != 0);
}

static enum status read_local_rope(struct model_config *config, const json_t *json,
                                   struct error *err) {
    double base;
    if (json_get_f64(json, "rope_local_base_freq", &base)) config->rope_base_local = (float)base;
    const json_t *local =
        json_object_get(json_object_get(json, "rope_parameters"), "sliding_attention");
    if (json_get_f64(local, "rope_theta", &base)) config->rope_base_local = (float)base;
    const char *type = json_get_text(local, "rope_type");
    if (type && strcmp(type, "default") != 0)
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: rope_type \"%s\" on sliding layers is not supported", type);
    return STATUS_OK;
}

static enum status read_hf(struct model_config *config, const json_t *json, struct error *err) {
    bool bidirectional = false;
    if (json_get_bool(json, "use_bidirectional_attention", &bidirectional) && bidirectional)
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: use_bidirectional_attention is not supported");
    if (config->attention_bias)
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: attention_bias is not supported for gemma3");
    TRY(config_hf_window(config, json, err));
    uint64_t pattern = DEFAULT_PATTERN;
    if (!json_get_u64(json, "sliding_window_pattern", &pattern))
        json_get_u64(json, "_sliding_window_pattern", &pattern);
    if (pattern > MODEL_LAYERS_MAX) pattern = 0;
    set_pattern(config, (int)pattern);
    TRY(config_hf_layer_types(config, json, err));
    TRY(read_local_rope(config, json, err));
    double scalar = 256.0, softcap;
    json_get_f64(json, "query_pre_attn_scalar", &scalar);
    if (!(scalar > 0 && scalar < 1e9))
        return error_set(err, STATUS_BAD_INPUT,
                         "config.json: query_pre_attn_scalar %g must be positive", scalar);
    config->attention_scale = (float)(1.0 / sqrt(scalar));
    // attn_logit_softcapping stands in configurations, but the model does not use it.
    if (json_get_f64(json, "final_logit_softcapping", &softcap))
        config->logit_softcap = (float)softcap;
    // transformers rounds this to the type it computes in; like its float32 run, we do not round.
    config->embedding_scale = sqrtf((float)config->n_embd);
    return STATUS_OK;
}

static enum status read_gguf(struct model_config *config, const struct gguf *gguf,
                             struct error *err) {
    (void)err;
    double base = 1e4;
    gguf_get_f64(gguf, "gemma3.rope.freq_base_swa", &base);
    config->rope_base_local = (float)base;
    // The 27B model divides by sqrt(n_embd / n_heads); its files do not say so.
    double scale = config->n_layers == 62 ? 1.0 / sqrt(config->n_embd / config->n_heads)
                                          : 1.0 / sqrt(config->head_dim);
    gguf_get_f64(gguf, "gemma3.attention.scale", &scale);
    config->attention_scale = (float)scale;
    config->embedding_scale = sqrtf((float)config->n_embd);
    config->activation = ACTIVATION_GELU_TANH;
    return STATUS_OK;
}

static void write_gguf(const struct model_config *config, struct gguf_writer *writer) {
    if (config->rope_base_local > 0)
        gguf_writer_f32(writer, "gemma3.rope.freq_base_swa", config->rope_base_local);
}

static const char *const model_types[] = {"gemma3_text", "gemma3", NULL};

const struct family family_gemma3 = {
    .name = "gemma3",
    .gguf_architecture = "gemma3",
    .hf_model_types = model_types,
    .hf_prefix = "model.",
    .hf_layers = "layers.",
    .slots = slots,
    .n_slots = sizeof slots / sizeof slots[0],
    .norm_transform = EXPORT_ADD_ONE,
    .gguf_window_pattern = DEFAULT_PATTERN,
    .gguf_rope_halves = true,
    .set_defaults = set_defaults,
    .read_hf = read_hf,
    .read_gguf = read_gguf,
    .write_gguf = write_gguf,
};
