// SPDX-License-Identifier: Apache-2.0
// Which family a checkpoint belongs to, and whether its numbers make sense together. Where the
// numbers come from is config_hf.c's and config_gguf.c's business.
#include "model/model_config.h"

#include "model/config_gguf.h"
#include "model/config_hf.h"
#include "model/family.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool wants_auto(const char *family) {
    return !family || !*family || strcmp(family, "auto") == 0;
}

// `requested` is what the caller asked for, `found` what the checkpoint is.
static enum status check_request(const char *requested, const struct family *found,
                                 const struct checkpoint *checkpoint, struct error *err) {
    if (wants_auto(requested) || strcmp(requested, found->name) == 0) return STATUS_OK;
    const struct family *other = family_by_name(requested);
    if (!other)
        return error_set(err, STATUS_USAGE, "family \"%.64s\" is not supported; supported are %s",
                         requested, family_names());
    // GGUF files do not tell llama from mistral.
    if (checkpoint_gguf(checkpoint) &&
        strcmp(other->gguf_architecture, found->gguf_architecture) == 0)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "%s is of family %s, not %s", checkpoint_path(checkpoint),
                     found->name, requested);
}

static enum status unsupported(const struct checkpoint *checkpoint, const char *what,
                               const char *name, size_t name_bytes, struct error *err) {
    return error_set(err, STATUS_UNSUPPORTED, "%s: %s \"%.*s\" is not supported; supported are %s",
                     checkpoint_path(checkpoint), what, (int)(name_bytes < 64 ? name_bytes : 64),
                     name, family_names());
}

static void copy_name(struct model_config *config, const char *name, size_t name_bytes) {
    while (name_bytes > 1 && name[name_bytes - 1] == '/')
        name_bytes--;
    for (size_t i = name_bytes; i-- > 0;) {
        if (name[i] != '/' || i + 1 == name_bytes) continue;
        name += i + 1;
        name_bytes -= i + 1;
        break;
    }
    snprintf(config->name, sizeof config->name, "%.*s",
             (int)(name_bytes < sizeof config->name ? name_bytes : sizeof config->name - 1), name);
}

// Names come from files and are shown to people.
static void make_printable(char *name) {
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == 0x7f) *name = '?';
}

static enum status read_gguf(struct model_config *config, const struct checkpoint *checkpoint,
                             const char *requested, struct error *err) {
    const struct gguf *gguf = checkpoint_gguf(checkpoint);
    struct gguf_string text;
    if (!gguf_get_string(gguf, "general.architecture", &text))
        return error_set(err, STATUS_BAD_INPUT, "%s: key general.architecture is missing",
                         checkpoint_path(checkpoint));
    const struct family *family = family_by_gguf_architecture(text);
    if (!family) return unsupported(checkpoint, "architecture", text.data, text.size_bytes, err);
    TRY(check_request(requested, family, checkpoint, err));
    config->family = wants_auto(requested) ? family : family_by_name(requested);
    if (gguf_get_string(gguf, "general.name", &text))
        snprintf(config->name, sizeof config->name, "%.*s",
                 (int)(text.size_bytes < sizeof config->name ? text.size_bytes : 127), text.data);
    if (config->name[0] == '\0')
        copy_name(config, checkpoint_path(checkpoint), strlen(checkpoint_path(checkpoint)));
    config->norm_eps = 1e-6f;
    TRY(config_gguf_read(config, checkpoint, err));
    if (family->read_gguf) TRY(family->read_gguf(config, gguf, err));
    return STATUS_OK;
}

// model_type, or what the architecture's name says where there is no model_type.
static const char *model_type_of(const json_t *json) {
    static const char *const by_class[][2] = {{"LlamaForCausalLM", "llama"},
                                              {"LLaMAForCausalLM", "llama"},
                                              {"MistralForCausalLM", "mistral"},
                                              {"Qwen2ForCausalLM", "qwen2"},
                                              {"Qwen3ForCausalLM", "qwen3"},
                                              {"Gemma3ForCausalLM", "gemma3_text"},
                                              {"Gemma3ForConditionalGeneration", "gemma3"},
                                              {"BertModel", "bert"},
                                              {"BertForMaskedLM", "bert"}};
    const char *type = json_get_text(json, "model_type");
    if (type && *type) return type;
    const char *class_name =
        json_string_value(json_array_get(json_object_get(json, "architectures"), 0));
    for (size_t i = 0; class_name && i < sizeof by_class / sizeof by_class[0]; i++)
        if (strcmp(by_class[i][0], class_name) == 0) return by_class[i][1];
    return class_name;
}

// `json`: config.json, whose text_config says the rest if it is there.
static enum status read_json(struct model_config *config, const json_t *json, struct error *err) {
    const json_t *text = json_object_get(json, "text_config");
    const json_t *source = json_is_object(text) ? text : json;
    config->family->set_defaults(config);
    json_get_bool(json, "tie_word_embeddings", &config->tied_embeddings);
    TRY(config_hf_read(config, source, err));
    if (json_object_get(json, "quantization_config"))
        return error_set(err, STATUS_UNSUPPORTED,
                         "config.json: quantization_config: only float weights are read from "
                         "Hugging Face checkpoints");
    return config->family->read_hf ? config->family->read_hf(config, source, err) : STATUS_OK;
}

// What the modules of a sentence model say. Normalising is left to whoever asks for vectors.
static enum model_pooling read_pooling(const struct hf_config *files) {
    static const char *const known[] = {".Transformer", ".Pooling", ".Normalize"};
    static const struct {
        const char *key;
        enum model_pooling pooling;
    } modes[] = {{"pooling_mode_mean_tokens", MODEL_POOLING_MEAN},
                 {"pooling_mode_cls_token", MODEL_POOLING_CLS},
                 {"pooling_mode_lasttoken", MODEL_POOLING_LAST},
                 {"pooling_mode_max_tokens", MODEL_POOLING_OTHER},
                 {"pooling_mode_mean_sqrt_len_tokens", MODEL_POOLING_OTHER},
                 {"pooling_mode_weightedmean_tokens", MODEL_POOLING_OTHER}};
    for (size_t i = 0; i < json_array_size(files->modules); i++) {
        const char *type = json_get_text(json_array_get(files->modules, i), "type");
        const char *name = type ? strrchr(type, '.') : NULL;
        bool is_known = false;
        for (size_t k = 0; name && k < sizeof known / sizeof known[0]; k++)
            is_known = is_known || strcmp(name, known[k]) == 0;
        if (!is_known) return MODEL_POOLING_OTHER;
    }
    enum model_pooling found = MODEL_POOLING_UNKNOWN;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        bool is_on = false;
        const char *name = json_get_text(files->pooling, "pooling_mode"); // a newer spelling
        is_on = name && strncmp(modes[i].key + strlen("pooling_mode_"), name, strlen(name)) == 0;
        if (!is_on && (!json_get_bool(files->pooling, modes[i].key, &is_on) || !is_on)) continue;
        found = found == MODEL_POOLING_UNKNOWN ? modes[i].pooling : MODEL_POOLING_OTHER;
    }
    return found;
}

static enum status read_hf(struct model_config *config, const struct checkpoint *checkpoint,
                           const char *requested, struct error *err) {
    const struct hf_config *files = checkpoint_hf(checkpoint);
    const json_t *json = files ? files->config : NULL;
    if (!json)
        return error_set(
            err, STATUS_NOT_FOUND,
            "%s: there is no config.json beside the weights; it says what the model is",
            checkpoint_path(checkpoint));
    const char *model_type = model_type_of(json);
    if (!model_type)
        return error_set(err, STATUS_BAD_INPUT, "%s: config.json has no \"model_type\"",
                         checkpoint_path(checkpoint));
    const struct family *family = family_by_hf_model_type(model_type);
    if (!family) return unsupported(checkpoint, "model_type", model_type, strlen(model_type), err);
    TRY(check_request(requested, family, checkpoint, err));
    config->family = family;
    config->pooling = read_pooling(files);
    const char *directory = files->directory ? files->directory : checkpoint_path(checkpoint);
    copy_name(config, directory, strlen(directory));
    enum status status = read_json(config, json, err);
    if (status != STATUS_OK) error_prefix(err, "%s", directory);
    return status;
}

struct limit {
    const char *name;
    int value, max;
};

static enum status check_numbers(const struct model_config *config, const char *path,
                                 struct error *err) {
    const struct limit limits[] = {
        {"number of layers", config->n_layers, MODEL_LAYERS_MAX},
        {"embedding length", config->n_embd, 1 << 17},
        {"number of heads", config->n_heads, 1 << 12},
        {"number of key-value heads", config->n_kv_heads, 1 << 12},
        {"head dimension", config->head_dim, 1 << 12},
        {"feed-forward length", config->n_ff, 1 << 20},
        {"vocabulary size", config->n_vocab, 1 << 22},
        {"context length", config->n_context_train, 1 << 30},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i].value < 1 || limits[i].value > limits[i].max)
            return error_set(err, STATUS_BAD_INPUT, "%s: %s is %d, plausible is 1..%d", path,
                             limits[i].name, limits[i].value, limits[i].max);
    if (config->n_heads % config->n_kv_heads != 0)
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: %d heads cannot share %d key-value heads evenly", path,
                         config->n_heads, config->n_kv_heads);
    if (config->n_rot < 2 || config->n_rot > config->head_dim || config->n_rot % 2 != 0)
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: rotary dimension %d must be even and at most the head dimension %d",
                         path, config->n_rot, config->head_dim);
    return STATUS_OK;
}

static enum status check_floats(const struct model_config *config, const char *path,
                                struct error *err) {
    if (!(config->norm_eps >= 0 && config->norm_eps < 1))
        return error_set(err, STATUS_BAD_INPUT, "%s: norm epsilon %g must be in 0..1", path,
                         (double)config->norm_eps);
    if (!(config->rope_base > 1 && config->rope_base_local >= 0 &&
          isfinite(config->rope_base_local) && config->rope_base < 1e12f))
        return error_set(err, STATUS_BAD_INPUT, "%s: rotary base %g must be above 1", path,
                         (double)config->rope_base);
    if (!(config->rope_factor >= 0) || !(config->rope_attention_factor > 0) ||
        (config->rope_scaling != ROPE_NONE && !(config->rope_factor > 0)))
        return error_set(err, STATUS_BAD_INPUT, "%s: rotary scaling factor %g must be positive",
                         path, (double)config->rope_factor);
    if (config->rope_scaling == ROPE_YARN &&
        !(config->rope_beta_fast > 0 && config->rope_beta_slow > 0))
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: yarn's beta_fast and beta_slow must be positive", path);
    if (config->rope_scaling == ROPE_LLAMA3 &&
        !(config->rope_low_freq_factor > 0 &&
          config->rope_high_freq_factor > config->rope_low_freq_factor))
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: llama3 scaling needs 0 < low_freq_factor < high_freq_factor", path);
    if (!(config->attention_scale > 0) || !(config->attention_softcap >= 0) ||
        !(config->logit_softcap >= 0))
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: attention scale and soft caps must be positive", path);
    return STATUS_OK;
}

enum status model_config_read(struct model_config *config, const struct checkpoint *checkpoint,
                              const char *family, struct error *err) {
    memset(config, 0, sizeof *config);
    config->rope_attention_factor = 1.0f;
    config->embedding_scale = 1.0f;
    if (!wants_auto(family) && !family_by_name(family))
        return error_set(err, STATUS_USAGE, "family \"%.64s\" is not supported; supported are %s",
                         family, family_names());
    if (checkpoint_gguf(checkpoint))
        TRY(read_gguf(config, checkpoint, family, err));
    else
        TRY(read_hf(config, checkpoint, family, err));
    make_printable(config->name);
    // Name the file that says the numbers.
    const struct hf_config *hf = checkpoint_hf(checkpoint);
    char path[ERROR_MESSAGE_MAX];
    if (hf && hf->directory)
        snprintf(path, sizeof path, "%s/config.json", hf->directory);
    else
        snprintf(path, sizeof path, "%s", checkpoint_path(checkpoint));
    TRY(check_numbers(config, path, err));
    return check_floats(config, path, err);
}

bool model_config_layer_slides(const struct model_config *config, int layer) {
    return config->sliding_window > 0 && config->layer_slides[layer];
}
