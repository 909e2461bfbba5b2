// SPDX-License-Identifier: Apache-2.0
// What is in a model file or directory, as JSON for people and scripts. Long values are cut, so the
// answer stays readable whatever the file holds; a model that cannot be run is still described.
#include "engine/engine.h"

#include "engine/json_text.h"
#include "engine/vocabulary_source.h"
#include "model/family.h"

#include <string.h>

enum { TEXT_BYTES_MAX = 400, ITEMS_MAX = 8, ITEM_BYTES_MAX = 60 };

static json_t *describe_number(enum gguf_type type, const struct gguf_value *value, uint64_t i) {
    uint64_t whole;
    double number;
    if (type == GGUF_BOOL) return json_boolean(value->data[i] != 0);
    if (type != GGUF_F32 && type != GGUF_F64 && gguf_item_u64(value, i, &whole))
        return json_integer((json_int_t)whole);
    if (!gguf_item_f64(value, i, &number)) return json_null();
    if (type != GGUF_F32 && type != GGUF_F64) return json_integer((json_int_t)number);
    json_t *real = json_real(number);
    return real ? real : json_null(); // JSON knows neither NaN nor infinity
}

static json_t *describe_array(const struct gguf_value *value) {
    static const char *const names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                        "bool", "string", "array", "u64", "i64", "f64"};
    json_t *first = json_array();
    for (uint64_t i = 0; i < value->n_items && i < ITEMS_MAX; i++) {
        json_t *item = NULL;
        if (value->item_type == GGUF_STRING)
            item = json_text_create(value->strings[i].data, value->strings[i].size_bytes,
                                    ITEM_BYTES_MAX);
        else if (value->item_type != GGUF_ARRAY)
            item = describe_number(value->item_type, value, i);
        json_array_append_new(first, item ? item : json_null());
    }
    return json_pack("{s:s, s:I, s:o}", "array_of", names[value->item_type], "items",
                     (json_int_t)value->n_items, "first", first);
}

static json_t *describe_value(const struct gguf *gguf, const struct gguf_value *value) {
    char key[256];
    struct gguf_string text;
    uint64_t whole;
    double number;
    bool truth;
    if (value->type == GGUF_ARRAY) return describe_array(value);
    if (value->key.size_bytes >= sizeof key) return json_null();
    memcpy(key, value->key.data, value->key.size_bytes);
    key[value->key.size_bytes] = '\0';
    if (value->type == GGUF_STRING && gguf_get_string(gguf, key, &text))
        return json_text_create(text.data, text.size_bytes, TEXT_BYTES_MAX);
    if (value->type == GGUF_BOOL && gguf_get_bool(gguf, key, &truth)) return json_boolean(truth);
    bool real = value->type == GGUF_F32 || value->type == GGUF_F64;
    if (!real && gguf_get_u64(gguf, key, &whole)) return json_integer((json_int_t)whole);
    if (!gguf_get_f64(gguf, key, &number)) return json_null();
    return real ? json_real(number) : json_integer((json_int_t)number);
}

static void set_text_key(json_t *object, const char *key, size_t key_bytes, json_t *value) {
    json_t *name = json_text_create(key, key_bytes, 200);
    if (!value) value = json_null();
    if (name)
        json_object_set_new(object, json_string_value(name), value);
    else
        json_decref(value);
    json_decref(name);
}

static json_t *describe_metadata(const struct checkpoint *checkpoint) {
    const struct gguf *gguf = checkpoint_gguf(checkpoint);
    const struct hf_config *hf = checkpoint_hf(checkpoint);
    json_t *metadata = json_object();
    for (size_t i = 0; gguf && i < gguf_n_values(gguf); i++) {
        const struct gguf_value *value = gguf_value_at(gguf, i);
        set_text_key(metadata, value->key.data, value->key.size_bytes, describe_value(gguf, value));
    }
    if (hf && hf->config) json_object_update(metadata, hf->config);
    return metadata;
}

static json_t *describe_tensors(const struct checkpoint *checkpoint, uint64_t *n_parameters,
                                uint64_t *n_bytes) {
    json_t *tensors = json_array();
    for (size_t i = 0; i < checkpoint_n_tensors(checkpoint); i++) {
        const struct checkpoint_tensor *tensor = checkpoint_tensor_at(checkpoint, i);
        json_t *shape = json_array();
        for (int d = 0; d < tensor->n_dims; d++)
            json_array_append_new(shape, json_integer((json_int_t)tensor->shape[d]));
        const char *type = dtype_info((uint32_t)tensor->dtype)->name;
        json_array_append_new(tensors,
                              json_pack("{s:o, s:s, s:o, s:I}", "name",
                                        json_text_create(tensor->name, strlen(tensor->name), 200),
                                        "type", type ? type : "unknown", "shape", shape, "bytes",
                                        (json_int_t)tensor->size_bytes));
        *n_parameters += tensor->n_elements;
        *n_bytes += tensor->size_bytes;
    }
    return tensors;
}

static json_t *describe_token(const struct vocabulary *vocabulary, token_id id) {
    if (id < 0 || id >= vocabulary->n_tokens) return json_null();
    struct vocabulary_text text = vocabulary->texts[id];
    return json_pack("{s:i, s:o}", "id", (int)id, "text",
                     json_text_create(text.data, text.size_bytes, ITEM_BYTES_MAX));
}

static json_t *describe_tokenizer(const struct checkpoint *checkpoint) {
    static const char *const models[] = {"llama", "gpt2", "bert", "t5"};
    struct vocabulary vocabulary;
    struct error err = {0};
    enum status status = vocabulary_from_checkpoint(&vocabulary, checkpoint, &err);
    if (status == STATUS_NOT_FOUND) return json_null();
    if (status != STATUS_OK)
        return json_pack("{s:o}", "error", json_text_create(err.message, strlen(err.message), 512));
    json_t *tokenizer = json_pack(
        "{s:s, s:s, s:i, s:I, s:o, s:o, s:o, s:b, s:b, s:b}", "model", models[vocabulary.model],
        "pre", vocabulary.pre, "tokens", (int)vocabulary.n_tokens, "merges",
        (json_int_t)vocabulary.n_merges, "bos", describe_token(&vocabulary, vocabulary.bos), "eos",
        describe_token(&vocabulary, vocabulary.eos), "eot",
        describe_token(&vocabulary, vocabulary.eot), "add_bos", (int)vocabulary.add_bos, "add_eos",
        (int)vocabulary.add_eos, "chat_template", (int)(vocabulary.chat_template != NULL));
    vocabulary_deinit(&vocabulary);
    return tokenizer;
}

static void describe_family(const struct checkpoint *checkpoint, json_t *root) {
    struct model_config config = {0};
    struct error err = {0};
    if (model_config_read(&config, checkpoint, NULL, &err) != STATUS_OK) {
        json_object_set_new(root, "family", json_null());
        json_object_set_new(root, "problem",
                            json_text_create(err.message, strlen(err.message), 512));
        return;
    }
    json_object_set_new(root, "family", json_string(config.family->name));
    json_object_set_new(root, "name", json_text_create(config.name, strlen(config.name), 200));
    json_object_set_new(root, "layers", json_integer(config.n_layers));
    json_object_set_new(root, "embedding", json_integer(config.n_embd));
    json_object_set_new(root, "heads", json_integer(config.n_heads));
    json_object_set_new(root, "kv_heads", json_integer(config.n_kv_heads));
    json_object_set_new(root, "context", json_integer(config.n_context_train));
}

static json_t *describe_checkpoint(const struct checkpoint *checkpoint) {
    static const char *const formats[] = {"unknown", "gguf", "safetensors", "torch"};
    uint64_t n_parameters = 0, n_bytes = 0;
    json_t *root = json_object();
    json_t *tensors = describe_tensors(checkpoint, &n_parameters, &n_bytes);
    const char *path = checkpoint_path(checkpoint);
    json_object_set_new(root, "path", json_text_create(path, strlen(path), 4096));
    json_object_set_new(root, "format", json_string(formats[checkpoint_kind(checkpoint)]));
    describe_family(checkpoint, root);
    json_object_set_new(root, "parameters", json_integer((json_int_t)n_parameters));
    json_object_set_new(root, "tensor_bytes", json_integer((json_int_t)n_bytes));
    json_object_set_new(root, "tokenizer", describe_tokenizer(checkpoint));
    json_object_set_new(root, "metadata", describe_metadata(checkpoint));
    json_object_set_new(root, "tensors", tensors);
    return root;
}

xl_status xl_inspect(const char *path, char **json, xl_error *error) {
    struct error err = {0};
    struct checkpoint *checkpoint;
    if (!path || !json)
        return engine_report(error, error_set(&err, STATUS_USAGE, "no file to inspect"), &err);
    enum status status = checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, &err);
    if (status != STATUS_OK) return engine_report(error, status, &err);
    status = json_text_finish(describe_checkpoint(checkpoint), json, &err);
    checkpoint_close(checkpoint);
    return engine_report(error, status, &err);
}
