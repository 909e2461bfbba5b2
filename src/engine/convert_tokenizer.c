// SPDX-License-Identifier: Apache-2.0
// Vocabulary to GGUF keys. Where the source is GGUF too, its keys are copied as they are: they may
// say more than a struct vocabulary keeps.
#include "engine/convert_tokenizer.h"

#include "engine/vocabulary_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *model_name(enum vocabulary_model model) {
    switch (model) {
    case VOCABULARY_LLAMA:
        return "llama";
    case VOCABULARY_BERT:
        return "bert";
    case VOCABULARY_UNIGRAM:
        return "t5";
    default:
        return "gpt2";
    }
}

static enum status write_texts(struct gguf_writer *writer, const char *key,
                               const struct vocabulary_text *texts, uint64_t n_texts,
                               struct error *err) {
    struct gguf_string *items = calloc(n_texts ? n_texts : 1, sizeof *items);
    if (!items) return error_no_memory(err, key, n_texts * sizeof *items);
    for (uint64_t i = 0; i < n_texts; i++)
        items[i] = (struct gguf_string){texts[i].data, texts[i].size_bytes};
    gguf_writer_strings(writer, key, items, n_texts); // copies
    free(items);
    return STATUS_OK;
}

static void write_ids(struct gguf_writer *writer, const struct vocabulary *vocabulary) {
    const struct {
        const char *key;
        token_id id;
    } ids[] = {
        {"tokenizer.ggml.bos_token_id", vocabulary->bos},
        {"tokenizer.ggml.eos_token_id", vocabulary->eos},
        {"tokenizer.ggml.eot_token_id", vocabulary->eot},
        {"tokenizer.ggml.eom_token_id", vocabulary->eom},
        {"tokenizer.ggml.unknown_token_id", vocabulary->unk},
        {"tokenizer.ggml.seperator_token_id", vocabulary->sep}, // the specification's spelling
        {"tokenizer.ggml.padding_token_id", vocabulary->pad},
        {"tokenizer.ggml.mask_token_id", vocabulary->mask},
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        if (ids[i].id >= 0) gguf_writer_u32(writer, ids[i].key, (uint32_t)ids[i].id);
    }
}

// A name says how a vocabulary normalises and splits text. Without one only the tokenizer.json
// does.
static bool needs_json(const struct vocabulary *vocabulary) {
    return vocabulary->huggingface_json && !vocabulary->pre[0];
}

static enum status write_vocabulary(struct gguf_writer *writer, const struct vocabulary *vocabulary,
                                    struct error *err) {
    bool is_gpt2 = vocabulary->model == VOCABULARY_GPT2;
    const uint64_t n_tokens = (uint64_t)vocabulary->n_tokens;
    gguf_writer_text(writer, "tokenizer.ggml.model", model_name(vocabulary->model));
    if (vocabulary->pre[0] || !(is_gpt2 || needs_json(vocabulary)))
        gguf_writer_text(writer, "tokenizer.ggml.pre",
                         vocabulary->pre[0] ? vocabulary->pre : "default");
    TRY(write_texts(writer, "tokenizer.ggml.tokens", vocabulary->texts, n_tokens, err));
    if (vocabulary->scores)
        gguf_writer_array(writer, "tokenizer.ggml.scores", GGUF_F32, vocabulary->scores, n_tokens);
    gguf_writer_array(writer, "tokenizer.ggml.token_type", GGUF_I32, vocabulary->types, n_tokens);
    if (is_gpt2)
        TRY(write_texts(writer, "tokenizer.ggml.merges", vocabulary->merges, vocabulary->n_merges,
                        err));
    write_ids(writer, vocabulary);
    gguf_writer_bool(writer, "tokenizer.ggml.add_bos_token", vocabulary->add_bos);
    gguf_writer_bool(writer, "tokenizer.ggml.add_eos_token", vocabulary->add_eos);
    if (vocabulary->add_sep) gguf_writer_bool(writer, "tokenizer.ggml.add_sep_token", true);
    gguf_writer_bool(writer, "tokenizer.ggml.add_space_prefix", vocabulary->add_space_prefix);
    if (vocabulary->remove_extra_whitespaces)
        gguf_writer_bool(writer, "tokenizer.ggml.remove_extra_whitespaces", true);
    if (vocabulary->charsmap)
        gguf_writer_array(writer, "tokenizer.ggml.precompiled_charsmap", GGUF_U8,
                          vocabulary->charsmap, vocabulary->charsmap_bytes);
    if (vocabulary->chat_template)
        gguf_writer_text(writer, "tokenizer.chat_template", vocabulary->chat_template);
    if (needs_json(vocabulary))
        gguf_writer_bytes(writer, "tokenizer.huggingface.json", vocabulary->huggingface_json,
                          vocabulary->huggingface_json_bytes);
    return STATUS_OK;
}

// One token for each row of the embedding. Rows beyond the tokenizer's get names; tokens beyond the
// rows are dropped if they are additions that the text model never learned (an image placeholder).
static enum status write_fitted(struct gguf_writer *writer, struct vocabulary *vocabulary,
                                int n_vocab, struct error *err) {
    for (int32_t id = n_vocab; id < vocabulary->n_tokens; id++) {
        int32_t type = vocabulary->types[id];
        if (type == TOKEN_CONTROL || type == TOKEN_USER_DEFINED || type == TOKEN_UNUSED) continue;
        return error_set(err, STATUS_BAD_INPUT,
                         "the tokenizer has %d tokens, but the model's embedding has only %d rows: "
                         "they do not belong together",
                         vocabulary->n_tokens, n_vocab);
    }
    if (vocabulary->n_tokens > n_vocab) vocabulary->n_tokens = n_vocab;
    TRY(vocabulary_pad(vocabulary, n_vocab, err));
    TRY(vocabulary_check(vocabulary, err));
    return write_vocabulary(writer, vocabulary, err);
}

static void copy_keys(struct gguf_writer *writer, const struct gguf *gguf) {
    static const char prefix[] = "tokenizer.";
    for (size_t i = 0; i < gguf_n_values(gguf); i++) {
        const struct gguf_value *value = gguf_value_at(gguf, i);
        if (value->key.size_bytes >= sizeof prefix - 1 &&
            memcmp(value->key.data, prefix, sizeof prefix - 1) == 0)
            gguf_writer_copy(writer, value);
    }
}

static enum status from_gguf(struct gguf_writer *writer, const char *path, int n_vocab,
                             struct error *err) {
    struct gguf *gguf;
    TRY(gguf_open(&gguf, path, err));
    enum status status = STATUS_OK;
    const struct gguf_value *tokens = gguf_find(gguf, "tokenizer.ggml.tokens");
    if (!tokens)
        status = error_set(err, STATUS_NOT_FOUND, "%s: has no tokenizer", path);
    else if (tokens->n_items != (uint64_t)n_vocab)
        status = error_set(err, STATUS_BAD_INPUT,
                           "%s: tokenizer.ggml.tokens has %llu tokens, but the model's embedding "
                           "has %d rows",
                           path, (unsigned long long)tokens->n_items, n_vocab);
    else
        copy_keys(writer, gguf); // copies bytes: the file may be closed
    gguf_close(gguf);
    return status;
}

// The directory that `path` is or is in.
static enum status directory_of(const char *path, char **directory, struct error *err) {
    struct stat info;
    if (stat(path, &info) != 0)
        return error_set(err, STATUS_NOT_FOUND, "%s: no such tokenizer file or directory", path);
    *directory = strdup(path);
    if (!*directory) return error_no_memory(err, "a path", strlen(path) + 1);
    if (S_ISDIR(info.st_mode)) return STATUS_OK;
    char *slash = strrchr(*directory, '/');
    if (!slash)
        snprintf(*directory, strlen(path) + 1, ".");
    else
        slash[slash == *directory ? 1 : 0] = '\0';
    return STATUS_OK;
}

static enum status from_directory(struct gguf_writer *writer, const char *path, int n_vocab,
                                  struct error *err) {
    char *directory = NULL;
    TRY(directory_of(path, &directory, err));
    struct hf_config *hf = NULL;
    struct vocabulary vocabulary;
    enum status status = hf_config_open(&hf, directory, err);
    if (status == STATUS_OK) status = vocabulary_from_hugging_face(&vocabulary, hf, err);
    if (status == STATUS_OK) {
        status = write_fitted(writer, &vocabulary, n_vocab, err);
        vocabulary_deinit(&vocabulary);
    }
    hf_config_close(hf);
    free(directory);
    return status;
}

static bool is_gguf_name(const char *path) {
    size_t length = strlen(path);
    return length > 5 && strcmp(path + length - 5, ".gguf") == 0;
}

enum status convert_tokenizer(struct gguf_writer *writer, const struct checkpoint *checkpoint,
                              const char *path, int n_vocab, struct error *err) {
    if (path && strcmp(path, "none") == 0) {
        gguf_writer_text(writer, "tokenizer.ggml.model", "none");
        return STATUS_OK;
    }
    if (path && is_gguf_name(path)) return from_gguf(writer, path, n_vocab, err);
    if (path) return from_directory(writer, path, n_vocab, err);
    if (checkpoint_gguf(checkpoint)) {
        copy_keys(writer, checkpoint_gguf(checkpoint));
        return STATUS_OK;
    }
    struct vocabulary vocabulary;
    TRY(vocabulary_from_checkpoint(&vocabulary, checkpoint, err));
    enum status status = write_fitted(writer, &vocabulary, n_vocab, err);
    vocabulary_deinit(&vocabulary);
    return status;
}
