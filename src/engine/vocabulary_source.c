// SPDX-License-Identifier: Apache-2.0
// See vocabulary_source.h. What the small JSON files beside a Hugging Face tokenizer add (template,
// BOS, several end tokens) is put into the vocabulary's own fields, so that nobody else needs them.
#include "engine/vocabulary_source.h"

#include "model/vocabulary_gguf.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// The regex of a tiktoken vocabulary is in its model's Python code; these are the known owners.
static const char *tiktoken_pre(const struct hf_config *hf) {
    const char *type = json_get_text(hf->config, "model_type");
    if (type && strcmp(type, "chatglm") == 0) return "chatglm-bpe";
    return "qwen2";
}

static enum status read_files(struct vocabulary *vocabulary, const struct hf_config *hf,
                              const char *config, size_t config_bytes, struct error *err) {
    if (hf->tokenizer_json.data)
        return vocabulary_from_tokenizer_json(vocabulary, hf->tokenizer_json.data,
                                              hf->tokenizer_json.size_bytes, config, config_bytes,
                                              err);
    if (hf->sentencepiece.data)
        return vocabulary_from_sentencepiece(vocabulary, hf->sentencepiece.data,
                                             hf->sentencepiece.size_bytes, config, config_bytes,
                                             err);
    if (hf->tiktoken.data)
        return vocabulary_from_tiktoken(vocabulary, hf->tiktoken.data, hf->tiktoken.size_bytes,
                                        tiktoken_pre(hf), config, config_bytes, err);
    if (hf->bert_vocabulary.data)
        return vocabulary_from_vocab_txt(vocabulary, hf->bert_vocabulary.data,
                                         hf->bert_vocabulary.size_bytes, config, config_bytes, err);
    return error_set(
        err, STATUS_NOT_FOUND,
        "%s: no tokenizer.json, tokenizer.model, tiktoken file or vocab.txt beside the "
        "model",
        hf->directory);
}

static void add_end_token(struct vocabulary *vocabulary, const json_t *id) {
    if (!json_is_integer(id)) return;
    json_int_t value = json_integer_value(id);
    if (value < 0 || value >= vocabulary->n_tokens) return;
    token_id token = (token_id)value;
    token_id *places[] = {&vocabulary->eos, &vocabulary->eot, &vocabulary->eom};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (*places[i] == token) return;
        if (*places[i] < 0) {
            *places[i] = token;
            return;
        }
    }
}

// eos_token_id is a number or a list of numbers.
static void add_end_tokens(struct vocabulary *vocabulary, const json_t *config) {
    const json_t *ids = json_object_get(config, "eos_token_id");
    add_end_token(vocabulary, ids);
    for (size_t i = 0; json_is_array(ids) && i < json_array_size(ids); i++)
        add_end_token(vocabulary, json_array_get(ids, i));
}

static enum status add_config(struct vocabulary *vocabulary, const struct hf_config *hf,
                              struct error *err) {
    uint64_t bos;
    if (vocabulary->bos < 0 && json_get_u64(hf->config, "bos_token_id", &bos) &&
        bos < (uint64_t)vocabulary->n_tokens)
        vocabulary->bos = (token_id)bos;
    add_end_tokens(vocabulary, hf->generation);
    add_end_tokens(vocabulary, hf->config);
    if (!hf->chat_template.data) return STATUS_OK;
    vocabulary->chat_template =
        vocabulary_copy(vocabulary, hf->chat_template.data, hf->chat_template.size_bytes);
    if (!vocabulary->chat_template)
        return error_no_memory(err, "the chat template", hf->chat_template.size_bytes);
    return STATUS_OK;
}

enum status vocabulary_from_hugging_face(struct vocabulary *vocabulary, const struct hf_config *hf,
                                         struct error *err) {
    vocabulary_init(vocabulary);
    char *config = hf->tokenizer_config ? json_dumps(hf->tokenizer_config, JSON_COMPACT) : NULL;
    if (hf->tokenizer_config && !config) return error_no_memory(err, "tokenizer_config.json", 0);
    enum status status = read_files(vocabulary, hf, config, config ? strlen(config) : 0, err);
    free(config);
    if (status == STATUS_OK) {
        status = add_config(vocabulary, hf, err);
        if (status != STATUS_OK) vocabulary_deinit(vocabulary);
    }
    return status;
}

enum status vocabulary_from_checkpoint(struct vocabulary *vocabulary,
                                       const struct checkpoint *checkpoint, struct error *err) {
    const struct gguf *gguf = checkpoint_gguf(checkpoint);
    const struct hf_config *hf = checkpoint_hf(checkpoint);
    vocabulary_init(vocabulary);
    if (gguf) {
        struct gguf_string model;
        if (!gguf_get_string(gguf, "tokenizer.ggml.model", &model) ||
            (model.size_bytes == 4 && memcmp(model.data, "none", 4) == 0))
            return error_set(err, STATUS_NOT_FOUND, "%s: has no tokenizer (tokenizer.ggml.model)",
                             checkpoint_path(checkpoint));
        return vocabulary_from_gguf(vocabulary, gguf, err);
    }
    if (hf) return vocabulary_from_hugging_face(vocabulary, hf, err);
    return error_set(err, STATUS_NOT_FOUND, "%s: no tokenizer files beside it",
                     checkpoint_path(checkpoint));
}
