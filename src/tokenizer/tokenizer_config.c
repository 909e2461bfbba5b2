// SPDX-License-Identifier: Apache-2.0
// What tokenizer_config.json adds to a vocabulary: which tokens are BOS, EOS and so on, whether
// they are added, further tokens, the chat template. The file is optional.
#include "tokenizer/json_access.h"
#include "tokenizer/tokenizer_json.h"

#include <stdlib.h>

token_id vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t text_bytes) {
    for (token_id id = 0; id < vocabulary->n_tokens; id++)
        if (vocabulary->texts[id].size_bytes == text_bytes && text_bytes > 0 &&
            memcmp(vocabulary->texts[id].data, text, text_bytes) == 0)
            return id;
    return -1;
}

static void apply_token(const struct vocabulary *vocabulary, const json_t *root, const char *key,
                        token_id *id) {
    const json_t *text = json_token_content(json_object_get(root, key));
    if (text == NULL) return;
    token_id found = vocabulary_find(vocabulary, json_string_value(text), json_string_length(text));
    if (found >= 0) *id = found;
}

static token_id find_first(const struct vocabulary *vocabulary, const char *const *names) {
    for (; *names != NULL; names++) {
        token_id id = vocabulary_find(vocabulary, *names, strlen(*names));
        if (id >= 0 && vocabulary->types[id] == TOKEN_CONTROL) return id;
    }
    return -1;
}

void tokenizer_config_well_known(struct vocabulary *vocabulary) {
    static const char *const eot[] = {
        "<|eot_id|>",    "<|im_end|>",    "<|end|>", "<end_of_turn>", "<|END_OF_TURN_TOKEN|>",
        "<|endofturn|>", "<|endoftext|>", NULL};
    static const char *const eom[] = {"<|eom_id|>", "<|eom|>", NULL};
    static const char *const glm_eot[] = {"<|user|>", NULL};
    static const char *const glm_eom[] = {"<|observation|>", NULL};
    bool is_glm =
        strcmp(vocabulary->pre, "chatglm-bpe") == 0 || strcmp(vocabulary->pre, "glm4") == 0;
    if (vocabulary->eot < 0) vocabulary->eot = find_first(vocabulary, is_glm ? glm_eot : eot);
    if (vocabulary->eom < 0) vocabulary->eom = find_first(vocabulary, is_glm ? glm_eom : eom);
}

// A string, or a list of {name, template} of which "default" counts.
static enum status apply_chat_template(struct vocabulary *vocabulary, const json_t *value,
                                       struct error *err) {
    size_t index;
    json_t *item;
    json_array_foreach(value, index, item) {
        if (strcmp(json_text_or(item, "name", ""), "default") != 0) continue;
        value = json_object_get(item, "template");
        break;
    }
    if (!json_is_string(value)) return STATUS_OK;
    vocabulary->chat_template =
        vocabulary_copy(vocabulary, json_string_value(value), json_string_length(value));
    if (vocabulary->chat_template == NULL) return error_no_memory(err, "chat template", 1);
    return STATUS_OK;
}

// Classes whose Python code builds the surroundings of a text from these two members alone.
static bool class_decides(const char *name) {
    return strncmp(name, "Llama", 5) == 0 || strncmp(name, "CodeLlama", 9) == 0 ||
           strncmp(name, "Gemma", 5) == 0 || strncmp(name, "Cohere", 6) == 0 ||
           strncmp(name, "Baichuan", 8) == 0 || strncmp(name, "InternLM", 8) == 0;
}

static void apply_frame(struct vocabulary *vocabulary, const json_t *root) {
    bool decides = class_decides(json_text_or(root, "tokenizer_class", ""));
    bool add_bos = json_bool_or(root, "add_bos_token", vocabulary->add_bos);
    bool add_eos = json_bool_or(root, "add_eos_token", vocabulary->add_eos);
    vocabulary->add_bos = add_bos || (vocabulary->add_bos && !decides);
    vocabulary->add_eos = add_eos || (vocabulary->add_eos && !decides);
}

static enum status apply_root(struct vocabulary *vocabulary, const json_t *root,
                              struct error *err) {
    apply_token(vocabulary, root, "bos_token", &vocabulary->bos);
    apply_token(vocabulary, root, "eos_token", &vocabulary->eos);
    apply_token(vocabulary, root, "unk_token", &vocabulary->unk);
    apply_token(vocabulary, root, "sep_token", &vocabulary->sep);
    apply_token(vocabulary, root, "pad_token", &vocabulary->pad);
    apply_token(vocabulary, root, "mask_token", &vocabulary->mask);
    if (vocabulary->model == VOCABULARY_BERT && vocabulary->bos < 0)
        apply_token(vocabulary, root, "cls_token", &vocabulary->bos);
    apply_frame(vocabulary, root);
    return apply_chat_template(vocabulary, json_object_get(root, "chat_template"), err);
}

// Without a file: the names that the end of a text usually has.
static void guess_ends(struct vocabulary *vocabulary) {
    static const char *const names[] = {
        "<|endoftext|>",
        "</s>",
        "<|end_of_text|>",
        "<eos>",
        "<\357\275\234end\342\226\201of\342\226\201sentence\357\275\234>",
        NULL};
    if (vocabulary->eos < 0) vocabulary->eos = find_first(vocabulary, names);
}

enum status tokenizer_config_apply(struct vocabulary *vocabulary, const char *json,
                                   size_t json_bytes, struct error *err) {
    if (json != NULL) {
        json_t *root = NULL;
        TRY(tokenizer_json_parse(&root, json, json_bytes, "tokenizer_config.json", err));
        enum status status = apply_root(vocabulary, root, err);
        json_decref(root);
        TRY(status);
    }
    guess_ends(vocabulary);
    tokenizer_config_well_known(vocabulary);
    return STATUS_OK;
}

static enum status set_token(struct vocabulary *vocabulary, token_id id, const json_t *object,
                             struct error *err) {
    const json_t *text = json_token_content(object);
    if (text == NULL) return STATUS_OK;
    char *copy = vocabulary_copy(vocabulary, json_string_value(text), json_string_length(text));
    if (copy == NULL) return error_no_memory(err, "added tokens", 1);
    vocabulary->texts[id] = (struct vocabulary_text){copy, (uint32_t)json_string_length(text)};
    vocabulary->types[id] =
        json_bool_or(object, "special", true) ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
    if (vocabulary->scores != NULL) vocabulary->scores[id] = -1000.0f;
    return STATUS_OK;
}

static enum status add_tokens(struct vocabulary *vocabulary, const json_t *root,
                              struct error *err) {
    const char *key;
    json_t *item, *table = json_object_get(root, "added_tokens_decoder");
    int32_t n_before = vocabulary->n_tokens;
    long highest = n_before - 1, limit = n_before + 65536;
    json_object_foreach(table, key, item) {
        long id = strtol(key, NULL, 10);
        if (id > highest) highest = id;
    }
    if (highest >= limit)
        return error_set(err, STATUS_BAD_INPUT,
                         "tokenizer_config.json: added token id %ld is too high", highest);
    TRY(vocabulary_pad(vocabulary, (int32_t)highest + 1, err));
    json_object_foreach(table, key, item) {
        long id = strtol(key, NULL, 10);
        if (id >= n_before && id <= highest) TRY(set_token(vocabulary, (token_id)id, item, err));
    }
    return STATUS_OK;
}

enum status tokenizer_config_add_tokens(struct vocabulary *vocabulary, const char *json,
                                        size_t json_bytes, struct error *err) {
    if (json == NULL) return STATUS_OK;
    json_t *root = NULL;
    TRY(tokenizer_json_parse(&root, json, json_bytes, "tokenizer_config.json", err));
    enum status status = add_tokens(vocabulary, root, err);
    json_decref(root);
    return status;
}
