// SPDX-License-Identifier: Apache-2.0
// See vocabulary_gguf.h. Where a file is silent, the values that GGUF readers agree on.
#include "model/vocabulary_gguf.h"

#include "tokenizer/pre_names.h"

#include <string.h>

static const char *const model_names[] = {
    [VOCABULARY_LLAMA] = "llama",
    [VOCABULARY_GPT2] = "gpt2",
    [VOCABULARY_BERT] = "bert",
    [VOCABULARY_UNIGRAM] = "t5",
};

static enum status read_model(struct vocabulary *vocabulary, const struct gguf *gguf,
                              struct error *err) {
    struct gguf_string name;
    if (!gguf_get_string(gguf, "tokenizer.ggml.model", &name))
        return error_set(err, STATUS_NOT_FOUND, "%s: has no tokenizer (tokenizer.ggml.model)",
                         gguf_path(gguf));
    if (name.size_bytes == 6 && memcmp(name.data, "gemma4", 6) == 0) {
        memcpy(vocabulary->pre, "gemma4", 7); // BPE by rank with space marks: a scheme of its own
        vocabulary->model = VOCABULARY_GPT2;
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof model_names / sizeof *model_names; i++)
        if (strlen(model_names[i]) == name.size_bytes &&
            memcmp(model_names[i], name.data, name.size_bytes) == 0) {
            vocabulary->model = (enum vocabulary_model)i;
            return STATUS_OK;
        }
    return error_set(err, STATUS_UNSUPPORTED,
                     "%s: tokenizer.ggml.model \"%.*s\" is not supported (llama, gpt2, bert, t5)",
                     gguf_path(gguf), (int)(name.size_bytes < 32 ? name.size_bytes : 32),
                     name.data);
}

// The array `key` of `type` with n_items items (0: any number), or NULL if it is absent.
static enum status find_array(const struct gguf *gguf, const char *key, enum gguf_type type,
                              uint64_t n_items, const struct gguf_value **array,
                              struct error *err) {
    *array = gguf_find(gguf, key);
    if (!*array) return STATUS_OK;
    if ((*array)->type != GGUF_ARRAY || (*array)->item_type != type)
        return error_set(err, STATUS_BAD_INPUT, "%s: %s is no array of the right type",
                         gguf_path(gguf), key);
    if (n_items != 0 && (*array)->n_items != n_items)
        return error_set(err, STATUS_BAD_INPUT, "%s: %s has %llu items, expected %llu",
                         gguf_path(gguf), key, (unsigned long long)(*array)->n_items,
                         (unsigned long long)n_items);
    return STATUS_OK;
}

static enum status copy_texts(struct vocabulary *vocabulary, const struct gguf_value *array,
                              struct vocabulary_text **texts, struct error *err) {
    *texts = vocabulary_allocate(vocabulary, array->n_items, sizeof **texts);
    if (!*texts) return error_no_memory(err, "a vocabulary", array->n_items * sizeof **texts);
    for (uint64_t i = 0; i < array->n_items; i++) {
        const struct gguf_string *string = &array->strings[i];
        uint32_t size = string->size_bytes < UINT32_MAX ? (uint32_t)string->size_bytes : UINT32_MAX;
        (*texts)[i] = (struct vocabulary_text){string->data, size}; // the check refuses long ones
    }
    return STATUS_OK;
}

// Numbers in the file may be unaligned: they are copied. *items stays NULL if the key is absent.
static enum status copy_words(struct vocabulary *vocabulary, const struct gguf *gguf,
                              const char *key, enum gguf_type type, void **items,
                              struct error *err) {
    const struct gguf_value *array;
    TRY(find_array(gguf, key, type, (uint64_t)vocabulary->n_tokens, &array, err));
    if (!array) return STATUS_OK;
    *items = vocabulary_allocate(vocabulary, array->n_items, 4);
    if (!*items) return error_no_memory(err, key, array->n_items * 4);
    memcpy(*items, array->data, array->n_items * 4);
    return STATUS_OK;
}

static enum status read_tokens(struct vocabulary *vocabulary, const struct gguf *gguf,
                               struct error *err) {
    const struct gguf_value *array;
    TRY(find_array(gguf, "tokenizer.ggml.tokens", GGUF_STRING, 0, &array, err));
    if (!array || array->n_items < 1 || array->n_items > VOCABULARY_TOKENS_MAX)
        return error_set(err, STATUS_BAD_INPUT, "%s: tokenizer.ggml.tokens has no plausible tokens",
                         gguf_path(gguf));
    vocabulary->n_tokens = (int32_t)array->n_items;
    TRY(copy_texts(vocabulary, array, &vocabulary->texts, err));
    void *scores = NULL, *types = NULL;
    TRY(copy_words(vocabulary, gguf, "tokenizer.ggml.scores", GGUF_F32, &scores, err));
    TRY(copy_words(vocabulary, gguf, "tokenizer.ggml.token_type", GGUF_I32, &types, err));
    vocabulary->scores = scores;
    vocabulary->types = types;
    if (!types) {
        types = vocabulary->types =
            vocabulary_allocate(vocabulary, array->n_items, sizeof *vocabulary->types);
        if (!types) return error_no_memory(err, "token types", array->n_items * 4);
        for (int32_t i = 0; i < vocabulary->n_tokens; i++)
            vocabulary->types[i] = TOKEN_NORMAL;
    }
    TRY(find_array(gguf, "tokenizer.ggml.merges", GGUF_STRING, 0, &array, err));
    if (!array || vocabulary->model != VOCABULARY_GPT2) return STATUS_OK;
    if (array->n_items > UINT32_MAX)
        return error_set(err, STATUS_BAD_INPUT, "%s: tokenizer.ggml.merges is too long",
                         gguf_path(gguf));
    vocabulary->n_merges = (uint32_t)array->n_items;
    return copy_texts(vocabulary, array, &vocabulary->merges, err);
}

static enum status read_ids(struct vocabulary *vocabulary, const struct gguf *gguf,
                            struct error *err) {
    const struct {
        const char *key;
        token_id *id;
    } ids[] = {
        {"tokenizer.ggml.cls_token_id", &vocabulary->bos}, // an older name; the next one wins
        {"tokenizer.ggml.bos_token_id", &vocabulary->bos},
        {"tokenizer.ggml.eos_token_id", &vocabulary->eos},
        {"tokenizer.ggml.eot_token_id", &vocabulary->eot},
        {"tokenizer.ggml.eom_token_id", &vocabulary->eom},
        {"tokenizer.ggml.unknown_token_id", &vocabulary->unk},
        {"tokenizer.ggml.separator_token_id", &vocabulary->sep},
        {"tokenizer.ggml.seperator_token_id", &vocabulary->sep}, // the specification's spelling
        {"tokenizer.ggml.padding_token_id", &vocabulary->pad},
        {"tokenizer.ggml.mask_token_id", &vocabulary->mask},
    };
    if (vocabulary->model == VOCABULARY_LLAMA) {
        vocabulary->unk = 0;
        vocabulary->bos = vocabulary->n_tokens > 1 ? 1 : -1;
        vocabulary->eos = vocabulary->n_tokens > 2 ? 2 : -1;
    }
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        uint64_t id;
        if (!gguf_find(gguf, ids[i].key)) continue;
        if (!gguf_get_u64(gguf, ids[i].key, &id) || id >= (uint64_t)vocabulary->n_tokens) {
            int64_t none = -1; // some writers say "none" with all bits set
            if (gguf_get_u64(gguf, ids[i].key, &id) && (id == UINT32_MAX || id == (uint64_t)none))
                continue;
            return error_set(err, STATUS_BAD_INPUT, "%s: %s is no token of %d", gguf_path(gguf),
                             ids[i].key, vocabulary->n_tokens);
        }
        *ids[i].id = (token_id)id;
    }
    return STATUS_OK;
}

static enum status read_pre(struct vocabulary *vocabulary, const struct gguf *gguf,
                            struct error *err) {
    struct gguf_string pre;
    if (!gguf_get_string(gguf, "tokenizer.ggml.pre", &pre)) return STATUS_OK;
    if (pre.size_bytes >= sizeof vocabulary->pre)
        return error_set(err, STATUS_BAD_INPUT, "%s: tokenizer.ggml.pre is %zu bytes long",
                         gguf_path(gguf), pre.size_bytes);
    memcpy(vocabulary->pre, pre.data, pre.size_bytes);
    vocabulary->pre[pre.size_bytes] = '\0';
    return STATUS_OK;
}

static void read_flags(struct vocabulary *vocabulary, const struct gguf *gguf) {
    const struct pre_scheme *scheme =
        vocabulary->model == VOCABULARY_GPT2 ? pre_scheme_find(vocabulary->pre) : NULL;
    bool is_llama = vocabulary->model == VOCABULARY_LLAMA;
    bool is_bert = vocabulary->model == VOCABULARY_BERT;
    bool is_unigram = vocabulary->model == VOCABULARY_UNIGRAM;
    vocabulary->add_bos = is_llama || is_bert || (scheme && scheme->add_bos);
    vocabulary->add_eos = is_unigram;
    vocabulary->add_sep = is_bert || (scheme && scheme->add_sep);
    vocabulary->add_space_prefix = is_llama || is_unigram;
    vocabulary->escape_whitespaces = is_llama || is_unigram || (scheme && scheme->space_marks);
    vocabulary->remove_extra_whitespaces = is_unigram;
    vocabulary->ignore_merges = scheme && scheme->ignore_merges;
    gguf_get_bool(gguf, "tokenizer.ggml.add_bos_token", &vocabulary->add_bos);
    gguf_get_bool(gguf, "tokenizer.ggml.add_eos_token", &vocabulary->add_eos);
    gguf_get_bool(gguf, "tokenizer.ggml.add_sep_token", &vocabulary->add_sep);
    gguf_get_bool(gguf, "tokenizer.ggml.add_space_prefix", &vocabulary->add_space_prefix);
    gguf_get_bool(gguf, "tokenizer.ggml.remove_extra_whitespaces",
                  &vocabulary->remove_extra_whitespaces);
}

static enum status read_texts(struct vocabulary *vocabulary, const struct gguf *gguf,
                              struct error *err) {
    struct gguf_string text;
    const struct gguf_value *charsmap;
    TRY(find_array(gguf, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, 0, &charsmap, err));
    if (charsmap && charsmap->n_items > 0) {
        vocabulary->charsmap = charsmap->data;
        vocabulary->charsmap_bytes = charsmap->n_items;
    }
    // Fields with a known name come before the file that they were made from.
    bool is_named = vocabulary->pre[0] && pre_scheme_find(vocabulary->pre) != NULL;
    if (!is_named && gguf_get_string(gguf, "tokenizer.huggingface.json", &text)) {
        vocabulary->huggingface_json = text.data;
        vocabulary->huggingface_json_bytes = text.size_bytes;
    }
    if (!gguf_get_string(gguf, "tokenizer.chat_template", &text)) return STATUS_OK;
    vocabulary->chat_template = vocabulary_copy(vocabulary, text.data, text.size_bytes);
    return vocabulary->chat_template ? STATUS_OK
                                     : error_no_memory(err, "the chat template", text.size_bytes);
}

static enum status read_all(struct vocabulary *vocabulary, const struct gguf *gguf,
                            struct error *err) {
    TRY(read_model(vocabulary, gguf, err));
    TRY(read_tokens(vocabulary, gguf, err));
    TRY(read_ids(vocabulary, gguf, err));
    TRY(read_pre(vocabulary, gguf, err));
    read_flags(vocabulary, gguf);
    TRY(read_texts(vocabulary, gguf, err));
    enum status status = vocabulary_check(vocabulary, err);
    if (status != STATUS_OK) error_prefix(err, "%s", gguf_path(gguf));
    return status;
}

enum status vocabulary_from_gguf(struct vocabulary *vocabulary, const struct gguf *gguf,
                                 struct error *err) {
    vocabulary_init(vocabulary);
    enum status status = read_all(vocabulary, gguf, err);
    if (status != STATUS_OK) vocabulary_deinit(vocabulary);
    return status;
}
