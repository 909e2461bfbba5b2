// SPDX-License-Identifier: Apache-2.0
// GGUF metadata to a model_config and back, under the key names that GGUF readers share:
// "<architecture>.<key>". What is silent in a file takes the value that those readers assume.
#include "model/config_gguf.h"

#include "model/family.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 96, INTEGER_MAX = 1 << 30 };

struct key {
    char text[KEY_MAX];
};

static struct key key_of(const struct model_config *config, const char *suffix) {
    struct key key;
    snprintf(key.text, sizeof key.text, "%s.%s", config->family->gguf_architecture, suffix);
    return key;
}

// A positive integer. Absent: keeps *field if that is set, else an error.
static enum status read_size(const struct model_config *config, const struct gguf *gguf,
                             const char *suffix, int *field, struct error *err) {
    struct key key = key_of(config, suffix);
    const struct gguf_value *value = gguf_find(gguf, key.text);
    if (!value) {
        if (*field > 0) return STATUS_OK;
        return error_set(err, STATUS_BAD_INPUT, "%s: key %s is missing", gguf_path(gguf), key.text);
    }
    uint64_t number;
    if (value->type == GGUF_ARRAY)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: key %s differs between layers, which is not supported",
                         gguf_path(gguf), key.text);
    if (!gguf_get_u64(gguf, key.text, &number) || number < 1 || number > INTEGER_MAX)
        return error_set(err, STATUS_BAD_INPUT, "%s: key %s must be an integer of 1..%d",
                         gguf_path(gguf), key.text, INTEGER_MAX);
    *field = (int)number;
    return STATUS_OK;
}

static enum status read_float(const struct model_config *config, const struct gguf *gguf,
                              const char *suffix, float *field, struct error *err) {
    struct key key = key_of(config, suffix);
    if (!gguf_find(gguf, key.text)) return STATUS_OK;
    double number;
    if (!gguf_get_f64(gguf, key.text, &number) || !isfinite((float)number))
        return error_set(err, STATUS_BAD_INPUT, "%s: key %s must be a finite number",
                         gguf_path(gguf), key.text);
    *field = (float)number;
    return STATUS_OK;
}

// The embedding matrix is the truth about the vocabulary; a contradicting vocab_size is refused.
static enum status read_vocabulary_size(struct model_config *config,
                                        const struct checkpoint *checkpoint, struct error *err) {
    const struct gguf *gguf = checkpoint_gguf(checkpoint);
    const struct checkpoint_tensor *embedding = checkpoint_find(checkpoint, "token_embd.weight");
    if (!embedding)
        return error_set(err, STATUS_BAD_INPUT, "%s: tensor token_embd.weight is missing",
                         gguf_path(gguf));
    if (embedding->n_dims != 2 || embedding->shape[0] < 1 || embedding->shape[0] > INTEGER_MAX)
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: tensor token_embd.weight is no matrix of plausible size",
                         gguf_path(gguf));
    config->n_vocab = (int)embedding->shape[0];
    int declared = config->n_vocab;
    TRY(read_size(config, gguf, "vocab_size", &declared, err));
    if (declared != config->n_vocab)
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: vocab_size is %d but token_embd.weight has %d rows", gguf_path(gguf),
                         declared, config->n_vocab);
    return STATUS_OK;
}

static enum status read_sizes(struct model_config *config, const struct checkpoint *checkpoint,
                              struct error *err) {
    const struct gguf *gguf = checkpoint_gguf(checkpoint);
    TRY(read_vocabulary_size(config, checkpoint, err));
    config->n_layers = config->n_embd = config->n_ff = config->n_heads = config->n_kv_heads = 0;
    TRY(read_size(config, gguf, "block_count", &config->n_layers, err));
    if (config->n_layers > MODEL_LAYERS_MAX)
        return error_set(err, STATUS_BAD_INPUT, "%s: block_count is %d, at most %d are plausible",
                         gguf_path(gguf), config->n_layers, MODEL_LAYERS_MAX);
    TRY(read_size(config, gguf, "embedding_length", &config->n_embd, err));
    TRY(read_size(config, gguf, "feed_forward_length", &config->n_ff, err));
    TRY(read_size(config, gguf, "attention.head_count", &config->n_heads, err));
    config->n_kv_heads = config->n_heads;
    TRY(read_size(config, gguf, "attention.head_count_kv", &config->n_kv_heads, err));
    config->head_dim = config->n_embd / config->n_heads;
    TRY(read_size(config, gguf, "attention.key_length", &config->head_dim, err));
    int value_length = config->head_dim;
    TRY(read_size(config, gguf, "attention.value_length", &value_length, err));
    if (value_length != config->head_dim)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: keys of %d and values of %d numbers are not supported",
                         gguf_path(gguf), config->head_dim, value_length);
    uint64_t n_experts = 0;
    struct key key = key_of(config, "expert_count");
    if (gguf_get_u64(gguf, key.text, &n_experts) && n_experts > 0)
        return error_set(err, STATUS_UNSUPPORTED, "%s: mixtures of experts are not supported",
                         gguf_path(gguf));
    return read_size(config, gguf, "context_length", &config->n_context_train, err);
}

static bool is_text(struct gguf_string text, const char *expected) {
    return text.size_bytes == strlen(expected) && memcmp(text.data, expected, text.size_bytes) == 0;
}

static enum status read_yarn(struct model_config *config, const struct gguf *gguf,
                             struct error *err) {
    config->rope_scaling = ROPE_YARN;
    config->rope_beta_fast = 32.0f;
    config->rope_beta_slow = 1.0f;
    TRY(read_float(config, gguf, "rope.scaling.yarn_beta_fast", &config->rope_beta_fast, err));
    TRY(read_float(config, gguf, "rope.scaling.yarn_beta_slow", &config->rope_beta_slow, err));
    float factor = 1.0f;
    TRY(read_float(config, gguf, "rope.scaling.attn_factor", &factor, err));
    double own = config->rope_factor > 1 ? 0.1 * log(config->rope_factor) + 1 : 1;
    config->rope_attention_factor = (float)(own * factor);
    return STATUS_OK;
}

static enum status read_rope(struct model_config *config, const struct gguf *gguf,
                             struct error *err) {
    config->rope_base = 10000.0f;
    TRY(read_float(config, gguf, "rope.freq_base", &config->rope_base, err));
    config->n_rot = config->head_dim;
    TRY(read_size(config, gguf, "rope.dimension_count", &config->n_rot, err));
    float factor = 0.0f;
    TRY(read_float(config, gguf, "rope.scale_linear", &factor, err));
    TRY(read_float(config, gguf, "rope.scaling.factor", &factor, err));
    config->rope_context_original = config->n_context_train;
    TRY(read_size(config, gguf, "rope.scaling.original_context_length",
                  &config->rope_context_original, err));
    struct gguf_string type = {"linear", 6};
    gguf_get_string(gguf, key_of(config, "rope.scaling.type").text, &type);
    bool is_linear = is_text(type, "linear"), is_yarn = is_text(type, "yarn");
    if (is_text(type, "none")) return STATUS_OK;
    if (!is_linear && !is_yarn)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: rope scaling \"%.*s\" is not supported (none, linear and yarn are)",
                         gguf_path(gguf), (int)(type.size_bytes < 32 ? type.size_bytes : 32),
                         type.data);
    if (factor == 0.0f) return STATUS_OK;
    config->rope_factor = factor;
    if (is_yarn) return read_yarn(config, gguf, err);
    if (factor != 1.0f) config->rope_scaling = ROPE_LINEAR;
    return STATUS_OK;
}

// A number n (every n-th layer sees everything, 0: none does) or an array with one truth a layer.
static void read_window(struct model_config *config, const struct gguf *gguf) {
    uint64_t window = 0, pattern = (uint64_t)config->family->gguf_window_pattern;
    gguf_get_u64(gguf, key_of(config, "attention.sliding_window").text, &window);
    config->sliding_window = window > INTEGER_MAX ? 0 : (int)window;
    struct key key = key_of(config, "attention.sliding_window_pattern");
    const struct gguf_value *value = gguf_find(gguf, key.text);
    bool is_array = value && value->type == GGUF_ARRAY;
    if (!is_array) gguf_get_u64(gguf, key.text, &pattern);
    for (int layer = 0; layer < config->n_layers; layer++) {
        uint64_t slides = pattern == 0 || ((uint64_t)layer + 1) % pattern != 0;
        if (is_array) {
            slides = 0;
            if (value->item_type == GGUF_BOOL)
                slides = (uint64_t)layer < value->n_items && value->data[layer] != 0;
            else
                gguf_item_u64(value, (uint64_t)layer, &slides);
        }
        config->layer_slides[layer] = config->sliding_window > 0 && slides != 0;
    }
}

enum status config_gguf_read(struct model_config *config, const struct checkpoint *checkpoint,
                             struct error *err) {
    const struct gguf *gguf = checkpoint_gguf(checkpoint);
    TRY(read_sizes(config, checkpoint, err));
    TRY(read_float(config, gguf, "attention.layer_norm_rms_epsilon", &config->norm_eps, err));
    config->tied_embeddings = checkpoint_find(checkpoint, "output.weight") == NULL;
    config->rope_halves = config->family->gguf_rope_halves;
    config->attention_scale = (float)(1.0 / sqrt(config->head_dim));
    TRY(read_float(config, gguf, "attention.scale", &config->attention_scale, err));
    TRY(read_float(config, gguf, "attn_logit_softcapping", &config->attention_softcap, err));
    TRY(read_float(config, gguf, "final_logit_softcapping", &config->logit_softcap, err));
    read_window(config, gguf);
    return read_rope(config, gguf, err);
}

static void write_u32(const struct model_config *config, struct gguf_writer *writer,
                      const char *suffix, int value) {
    gguf_writer_u32(writer, key_of(config, suffix).text, (uint32_t)value);
}

static void write_f32(const struct model_config *config, struct gguf_writer *writer,
                      const char *suffix, float value) {
    gguf_writer_f32(writer, key_of(config, suffix).text, value);
}

// llama3 scaling is not written here: its factors are the tensor rope_freqs.weight.
static void write_rope(const struct model_config *config, struct gguf_writer *writer) {
    write_u32(config, writer, "rope.dimension_count", config->n_rot);
    write_f32(config, writer, "rope.freq_base", config->rope_base);
    struct key type = key_of(config, "rope.scaling.type");
    if (config->rope_scaling == ROPE_LINEAR) {
        gguf_writer_text(writer, type.text, "linear");
        write_f32(config, writer, "rope.scaling.factor", config->rope_factor);
    }
    if (config->rope_scaling != ROPE_YARN) return;
    gguf_writer_text(writer, type.text, "yarn");
    write_f32(config, writer, "rope.scaling.factor", config->rope_factor);
    write_u32(config, writer, "rope.scaling.original_context_length",
              config->rope_context_original);
    write_f32(config, writer, "rope.scaling.yarn_beta_fast", config->rope_beta_fast);
    write_f32(config, writer, "rope.scaling.yarn_beta_slow", config->rope_beta_slow);
    double own = config->rope_factor > 1 ? 0.1 * log(config->rope_factor) + 1 : 1;
    if (fabs(config->rope_attention_factor - own) > 1e-6)
        write_f32(config, writer, "rope.scaling.attn_factor",
                  (float)(config->rope_attention_factor / own));
}

static void write_window(const struct model_config *config, struct gguf_writer *writer) {
    if (config->sliding_window == 0) return;
    write_u32(config, writer, "attention.sliding_window", config->sliding_window);
    // What readers assume of a file that is silent about the pattern need not be written.
    int pattern = config->family->gguf_window_pattern;
    bool usual = true;
    for (int layer = 0; layer < config->n_layers; layer++)
        usual =
            usual && config->layer_slides[layer] == (pattern == 0 || (layer + 1) % pattern != 0);
    if (!usual)
        gguf_writer_array(writer, key_of(config, "attention.sliding_window_pattern").text,
                          GGUF_BOOL, config->layer_slides, (uint64_t)config->n_layers);
}

void config_gguf_write(const struct model_config *config, struct gguf_writer *writer) {
    gguf_writer_text(writer, "general.architecture", config->family->gguf_architecture);
    gguf_writer_text(writer, "general.type", "model");
    gguf_writer_text(writer, "general.name", config->name);
    write_u32(config, writer, "block_count", config->n_layers);
    write_u32(config, writer, "context_length", config->n_context_train);
    write_u32(config, writer, "embedding_length", config->n_embd);
    write_u32(config, writer, "feed_forward_length", config->n_ff);
    write_u32(config, writer, "attention.head_count", config->n_heads);
    write_u32(config, writer, "attention.head_count_kv", config->n_kv_heads);
    write_u32(config, writer, "attention.key_length", config->head_dim);
    write_u32(config, writer, "attention.value_length", config->head_dim);
    bool is_encoder = config->family->is_encoder;
    write_f32(config, writer,
              is_encoder ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
              config->norm_eps);
    write_u32(config, writer, "vocab_size", config->n_vocab);
    float usual_scale = (float)(1.0 / sqrt(config->head_dim));
    if (config->attention_scale != usual_scale)
        write_f32(config, writer, "attention.scale", config->attention_scale);
    write_window(config, writer);
    if (config->attention_softcap > 0)
        write_f32(config, writer, "attn_logit_softcapping", config->attention_softcap);
    if (config->logit_softcap > 0)
        write_f32(config, writer, "final_logit_softcapping", config->logit_softcap);
    if (!is_encoder) write_rope(config, writer);
    if (config->family->write_gguf) config->family->write_gguf(config, writer);
}
