// SPDX-License-Identifier: Apache-2.0
// config.json to a model_config: the keys that Hugging Face's transformers library uses, in the
// spelling before version 5 (rope_scaling, "type") and since (rope_parameters, "rope_type").
// What a key's value implies beyond one family is decided here; quirks are in family_*.c.
#include "model/config_hf.h"

#include "model/family.h"

#include <math.h>
#include <string.h>

enum { INTEGER_MAX = 1 << 30 };

// Absent or null keeps *field; a value that is no positive integer is an error.
static enum status read_size(const json_t *json, const char *key, int *field, struct error *err) {
    const json_t *value = json_object_get(json, key);
    if (!value || json_is_null(value)) {
        if (*field > 0) return STATUS_OK;
        return error_set(err, STATUS_BAD_INPUT, "config.json: \"%s\" is missing", key);
    }
    uint64_t number;
    if (!json_get_u64(json, key, &number) || number < 1 || number > INTEGER_MAX)
        return error_set(err, STATUS_BAD_INPUT, "config.json: \"%s\" must be an integer of 1..%d",
                         key, INTEGER_MAX);
    *field = (int)number;
    return STATUS_OK;
}

static enum status read_float(const json_t *json, const char *key, float *field,
                              struct error *err) {
    const json_t *value = json_object_get(json, key);
    if (!value || json_is_null(value)) return STATUS_OK;
    double number;
    if (!json_get_f64(json, key, &number) || !isfinite((float)number))
        return error_set(err, STATUS_BAD_INPUT, "config.json: \"%s\" must be a number", key);
    *field = (float)number;
    return STATUS_OK;
}

static enum status read_sizes(struct model_config *config, const json_t *json, struct error *err) {
    TRY(read_size(json, "vocab_size", &config->n_vocab, err));
    TRY(read_size(json, "hidden_size", &config->n_embd, err));
    TRY(read_size(json, "intermediate_size", &config->n_ff, err));
    TRY(read_size(json, "num_hidden_layers", &config->n_layers, err));
    TRY(read_size(json, "num_attention_heads", &config->n_heads, err));
    TRY(read_size(json, "max_position_embeddings", &config->n_context_train, err));
    const json_t *kv_heads = json_object_get(json, "num_key_value_heads");
    if (json_is_null(kv_heads) || config->n_kv_heads == 0) config->n_kv_heads = config->n_heads;
    TRY(read_size(json, "num_key_value_heads", &config->n_kv_heads, err));
    const json_t *head_dim = json_object_get(json, "head_dim");
    if (json_is_null(head_dim) || config->head_dim == 0)
        config->head_dim = config->n_embd / config->n_heads;
    return read_size(json, "head_dim", &config->head_dim, err);
}

static enum status read_activation(struct model_config *config, const json_t *json,
                                   struct error *err) {
    const char *name = json_get_text(json, "hidden_activation");
    if (!name) name = json_get_text(json, "hidden_act");
    if (!name) return STATUS_OK;
    if (strcmp(name, "silu") == 0 || strcmp(name, "swish") == 0)
        config->activation = ACTIVATION_SILU;
    else if (strcmp(name, "gelu_pytorch_tanh") == 0 || strcmp(name, "gelu_new") == 0)
        config->activation = ACTIVATION_GELU_TANH;
    else if (strcmp(name, "gelu") == 0 && config->family->is_encoder)
        config->activation = ACTIVATION_GELU_ERF;
    else
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: activation \"%s\" is not supported (silu, "
                         "gelu_pytorch_tanh are)",
                         name);
    return STATUS_OK;
}

// yarn: the factor on cos and sin, as its paper and transformers compute it.
static enum status read_yarn(struct model_config *config, const json_t *rope, struct error *err) {
    config->rope_beta_fast = 32.0f;
    config->rope_beta_slow = 1.0f;
    TRY(read_float(rope, "beta_fast", &config->rope_beta_fast, err));
    TRY(read_float(rope, "beta_slow", &config->rope_beta_slow, err));
    bool truncate = true;
    if (json_get_bool(rope, "truncate", &truncate) && !truncate)
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: yarn with \"truncate\": false is not supported");
    double factor = config->rope_factor, mscale = 0, mscale_all = 0;
    double log_factor = factor > 1 ? 0.1 * log(factor) : 0;
    json_get_f64(rope, "mscale", &mscale);
    json_get_f64(rope, "mscale_all_dim", &mscale_all);
    if (mscale != 0 && mscale_all != 0)
        config->rope_attention_factor =
            (float)((mscale * log_factor + 1) / (mscale_all * log_factor + 1));
    else
        config->rope_attention_factor = (float)(log_factor + 1);
    return read_float(rope, "attention_factor", &config->rope_attention_factor, err);
}

static enum status read_rope_type(struct model_config *config, const json_t *rope, const char *type,
                                  struct error *err) {
    if (strcmp(type, "default") == 0 || strcmp(type, "none") == 0) return STATUS_OK;
    if (strcmp(type, "linear") && strcmp(type, "llama3") && strcmp(type, "yarn"))
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: rope scaling \"%.64s\" is not supported (linear, llama3 and "
                         "yarn are)",
                         type);
    config->rope_context_original = config->n_context_train;
    TRY(read_size(rope, "original_max_position_embeddings", &config->rope_context_original, err));
    TRY(read_float(rope, "factor", &config->rope_factor, err));
    if (strcmp(type, "yarn") == 0 && json_is_null(json_object_get(rope, "factor")))
        config->rope_factor = (float)config->n_context_train / (float)config->rope_context_original;
    if (!(config->rope_factor > 0))
        return error_set(err, STATUS_BAD_INPUT,
                         "config.json: rope scaling \"%s\" needs a positive \"factor\"", type);
    if (strcmp(type, "linear") == 0) {
        config->rope_scaling = ROPE_LINEAR;
        return STATUS_OK;
    }
    if (strcmp(type, "llama3") == 0) {
        config->rope_scaling = ROPE_LLAMA3;
        config->rope_low_freq_factor = 1.0f;
        config->rope_high_freq_factor = 4.0f;
        TRY(read_float(rope, "low_freq_factor", &config->rope_low_freq_factor, err));
        return read_float(rope, "high_freq_factor", &config->rope_high_freq_factor, err);
    }
    config->rope_scaling = ROPE_YARN;
    return read_yarn(config, rope, err);
}

static enum status read_rope(struct model_config *config, const json_t *json, struct error *err) {
    const json_t *rope = json_object_get(json, "rope_parameters");
    if (!json_is_object(rope)) rope = json_object_get(json, "rope_scaling");
    const json_t *global = json_object_get(rope, "full_attention");
    if (json_is_object(global)) rope = global;
    TRY(read_float(json, "rope_theta", &config->rope_base, err));
    TRY(read_float(rope, "rope_theta", &config->rope_base, err));
    float partial = 1.0f;
    TRY(read_float(json, "partial_rotary_factor", &partial, err));
    TRY(read_float(rope, "partial_rotary_factor", &partial, err));
    if (partial != 1.0f)
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: partial_rotary_factor %g is not supported for this family",
                         (double)partial);
    config->n_rot = config->head_dim;
    const char *type = json_get_text(rope, "rope_type");
    if (!type) type = json_get_text(rope, "type");
    return type ? read_rope_type(config, rope, type, err) : STATUS_OK;
}

enum status config_hf_read(struct model_config *config, const json_t *json, struct error *err) {
    TRY(read_sizes(config, json, err));
    if (config->n_layers > MODEL_LAYERS_MAX)
        return error_set(err, STATUS_BAD_INPUT,
                         "config.json: num_hidden_layers is %d, at most %d are plausible",
                         config->n_layers, MODEL_LAYERS_MAX);
    TRY(read_float(json, "rms_norm_eps", &config->norm_eps, err));
    TRY(read_activation(config, json, err));
    json_get_bool(json, "tie_word_embeddings", &config->tied_embeddings);
    json_get_bool(json, "attention_bias", &config->attention_bias);
    json_get_bool(json, "mlp_bias", &config->mlp_bias);
    config->rope_halves = true;
    config->attention_scale = (float)(1.0 / sqrt(config->head_dim));
    return read_rope(config, json, err);
}

enum status config_hf_window(struct model_config *config, const json_t *json, struct error *err) {
    const json_t *value = json_object_get(json, "sliding_window");
    if (!value) return STATUS_OK;
    config->sliding_window = 0;
    if (json_is_null(value)) return STATUS_OK;
    if (json_is_integer(value) && json_integer_value(value) == 0) return STATUS_OK;
    return read_size(json, "sliding_window", &config->sliding_window, err);
}

enum status config_hf_layer_types(struct model_config *config, const json_t *json,
                                  struct error *err) {
    const json_t *types = json_object_get(json, "layer_types");
    if (!types || json_is_null(types)) return STATUS_OK;
    if (!json_is_array(types) || json_array_size(types) != (size_t)config->n_layers)
        return error_set(err, STATUS_BAD_INPUT, "config.json: layer_types must list all %d layers",
                         config->n_layers);
    for (int layer = 0; layer < config->n_layers; layer++) {
        const char *type = json_string_value(json_array_get(types, (size_t)layer));
        if (!type || (strcmp(type, "sliding_attention") && strcmp(type, "full_attention")))
            return error_set(err, STATUS_UNSUPPORTED,
                             "config.json: layer_types[%d] is \"%s\"; full_attention and "
                             "sliding_attention are supported",
                             layer, type ? type : "not a text");
        config->layer_slides[layer] =
            config->sliding_window > 0 && strcmp(type, "sliding_attention") == 0;
    }
    return STATUS_OK;
}

enum status config_hf_late_window(struct model_config *config, const json_t *json,
                                  struct error *err) {
    bool use = false;
    json_get_bool(json, "use_sliding_window", &use);
    if (!use) {
        config->sliding_window = 0;
        return STATUS_OK;
    }
    config->sliding_window = 4096;
    TRY(config_hf_window(config, json, err));
    uint64_t first = 28;
    json_get_u64(json, "max_window_layers", &first);
    for (int layer = 0; layer < config->n_layers; layer++)
        config->layer_slides[layer] = config->sliding_window > 0 && (uint64_t)layer >= first;
    return config_hf_layer_types(config, json, err);
}
