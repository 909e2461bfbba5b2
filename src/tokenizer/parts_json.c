// SPDX-License-Identifier: Apache-2.0
// Assembles a tokenizer from a tokenizer.json: normalizer, model options, post-processor (reduced
// to the tokens around a text), decoder and added tokens. Pre-tokenizers are read in pre_json.c.
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/tokenizer_parts.h"

#include "tokenizer/json_access.h"

#include <stdlib.h>
#include <string.h>

enum { NESTING_MAX = 8, CHARSMAP_BYTES_MAX = 1 << 24 };

static enum status add_normalizers(struct tokenizer *tokenizer, const json_t *object, int depth,
                                   struct error *err);

static char *copy_json_text(const json_t *text, size_t *size_bytes) {
    *size_bytes = json_string_length(text);
    char *copy = malloc(*size_bytes + 1);
    if (copy != NULL) memcpy(copy, json_string_value(text), *size_bytes + 1);
    return copy;
}

static enum status read_replace(struct normalizer_step *step, const json_t *object,
                                struct error *err) {
    const json_t *pattern = json_object_get(object, "pattern");
    const json_t *literal = json_object_get(pattern, "String");
    const json_t *regex = json_object_get(pattern, "Regex");
    const json_t *content = json_object_get(object, "content");
    if (!json_is_string(content) || !(json_is_string(literal) || json_is_string(regex)))
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: Replace without pattern");
    step->content = copy_json_text(content, &step->content_bytes);
    if (json_is_string(literal)) {
        step->pattern = copy_json_text(literal, &step->pattern_bytes);
        if (step->pattern == NULL) return error_no_memory(err, "normalizer", 1);
    } else {
        TRY(split_regex_compile(&step->regex, json_string_value(regex), json_string_length(regex),
                                false, err));
    }
    return step->content == NULL ? error_no_memory(err, "normalizer", 1) : STATUS_OK;
}

static enum status read_charsmap(struct normalizer_step *step, const json_t *object,
                                 struct error *err) {
    const json_t *text = json_object_get(object, "precompiled_charsmap");
    size_t text_bytes = json_string_length(text), n_bytes = 0;
    if (!json_is_string(text) || text_bytes > CHARSMAP_BYTES_MAX)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: bad precompiled_charsmap");
    step->charsmap_data = malloc(text_bytes / 4 * 3 + 3);
    if (step->charsmap_data == NULL) return error_no_memory(err, "charsmap", text_bytes);
    if (!base64_decode(json_string_value(text), text_bytes, step->charsmap_data, &n_bytes))
        return error_set(err, STATUS_BAD_INPUT,
                         "tokenizer.json: precompiled_charsmap is not base64");
    return charsmap_open(&step->charsmap, step->charsmap_data, n_bytes, err);
}

static enum status read_prepend(struct normalizer_step *step, const json_t *object,
                                struct error *err) {
    const json_t *text = json_object_get(object, "prepend");
    if (!json_is_string(text))
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: Prepend without text");
    step->content = copy_json_text(text, &step->content_bytes);
    return step->content == NULL ? error_no_memory(err, "normalizer", 1) : STATUS_OK;
}

static void read_bert(struct normalizer_step *step, const json_t *object) {
    step->clean_text = json_bool_or(object, "clean_text", true);
    step->chinese_chars = json_bool_or(object, "handle_chinese_chars", true);
    step->lowercase = json_bool_or(object, "lowercase", true);
    step->strip_accents = json_bool_or(object, "strip_accents", step->lowercase);
}

static enum status read_normalizer(struct normalizer_step *step, const json_t *object,
                                   struct error *err) {
    static const struct {
        const char *type;
        enum normalizer_kind kind;
    } kinds[] = {{"NFC", NORMALIZER_NFC},
                 {"NFD", NORMALIZER_NFD},
                 {"NFKC", NORMALIZER_NFKC},
                 {"NFKD", NORMALIZER_NFKD},
                 {"Lowercase", NORMALIZER_LOWERCASE},
                 {"StripAccents", NORMALIZER_STRIP_ACCENTS},
                 {"Strip", NORMALIZER_STRIP},
                 {"Prepend", NORMALIZER_PREPEND},
                 {"Replace", NORMALIZER_REPLACE},
                 {"BertNormalizer", NORMALIZER_BERT},
                 {"Nmt", NORMALIZER_NMT},
                 {"Precompiled", NORMALIZER_PRECOMPILED}};
    const char *type = json_text_or(object, "type", "");
    size_t i = 0, n = sizeof kinds / sizeof kinds[0];
    while (i < n && strcmp(kinds[i].type, type) != 0)
        i++;
    if (i == n)
        return error_set(err, STATUS_UNSUPPORTED, "tokenizer.json: normalizer \"%.40s\"", type);
    step->kind = kinds[i].kind;
    step->left = json_bool_or(object, "strip_left", true);
    step->right = json_bool_or(object, "strip_right", true);
    if (step->kind == NORMALIZER_BERT) read_bert(step, object);
    if (step->kind == NORMALIZER_PREPEND) return read_prepend(step, object, err);
    if (step->kind == NORMALIZER_REPLACE) return read_replace(step, object, err);
    if (step->kind == NORMALIZER_PRECOMPILED) return read_charsmap(step, object, err);
    return STATUS_OK;
}

static enum status add_normalizers(struct tokenizer *tokenizer, const json_t *object, int depth,
                                   struct error *err) {
    if (!json_is_object(object)) return STATUS_OK;
    if (depth > NESTING_MAX)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: normalizer nested too deep");
    if (json_type_is(object, "Sequence")) {
        size_t index;
        json_t *item;
        json_array_foreach(json_object_get(object, "normalizers"), index, item)
            TRY(add_normalizers(tokenizer, item, depth + 1, err));
        return STATUS_OK;
    }
    struct normalizer_step step = {.kind = NORMALIZER_NFC};
    enum status status = read_normalizer(&step, object, err);
    if (status != STATUS_OK) {
        normalizer_step_deinit(&step);
        return status;
    }
    return normalizer_add(&tokenizer->normalizer, &step, err);
}

static enum status add_frame_token(struct frame *frame, const struct vocabulary *vocabulary,
                                   json_int_t id, struct error *err) {
    if (id < 0 || id >= vocabulary->n_tokens || frame->n_tokens == FRAME_TOKENS_MAX)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: post_processor: bad token id %lld",
                         (long long)id);
    frame->ids[frame->n_tokens++] = (token_id)id;
    return STATUS_OK;
}

// TemplateProcessing: special tokens before and after sequence A.
static enum status read_template(struct tokenizer *tokenizer, const json_t *object,
                                 struct error *err) {
    const json_t *table = json_object_get(object, "special_tokens");
    struct frame *frame = &tokenizer->prefix;
    size_t index, k;
    json_t *item, *id;
    json_array_foreach(json_object_get(object, "single"), index, item) {
        const json_t *special = json_object_get(item, "SpecialToken");
        if (special == NULL) {
            frame = &tokenizer->suffix;
            continue;
        }
        const json_t *entry = json_object_get(table, json_text_or(special, "id", ""));
        json_array_foreach(json_object_get(entry, "ids"), k, id)
            TRY(add_frame_token(frame, &tokenizer->vocabulary, json_integer_value(id), err));
    }
    return STATUS_OK;
}

static enum status read_post_processor(struct tokenizer *tokenizer, const json_t *object, int depth,
                                       struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    if (!json_is_object(object) || depth > NESTING_MAX) return STATUS_OK;
    if (json_type_is(object, "TemplateProcessing")) return read_template(tokenizer, object, err);
    if (json_type_is(object, "BertProcessing") || json_type_is(object, "RobertaProcessing")) {
        const json_t *cls = json_array_get(json_object_get(object, "cls"), 1);
        const json_t *sep = json_array_get(json_object_get(object, "sep"), 1);
        TRY(add_frame_token(&tokenizer->prefix, vocabulary, json_integer_value(cls), err));
        return add_frame_token(&tokenizer->suffix, vocabulary, json_integer_value(sep), err);
    }
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(object, "processors"), index, item)
        TRY(read_post_processor(tokenizer, item, depth + 1, err));
    return STATUS_OK;
}

static void read_decoder(struct tokenizer *tokenizer, const json_t *object, int depth) {
    if (!json_is_object(object) || depth > NESTING_MAX) return;
    if (json_type_is(object, "ByteLevel")) tokenizer->decoder = DECODER_BYTE_LEVEL;
    if (json_type_is(object, "WordPiece")) {
        tokenizer->decoder = DECODER_WORDPIECE;
        tokenizer->strip_leading_space = true;
    }
    if (json_type_is(object, "Metaspace")) {
        tokenizer->decoder = DECODER_SPACE_MARK;
        const char *scheme =
            json_text_or(object, "prepend_scheme",
                         json_bool_or(object, "add_prefix_space", true) ? "always" : "never");
        tokenizer->strip_leading_space = strcmp(scheme, "never") != 0;
    }
    if (json_type_is(object, "Replace") || json_type_is(object, "ByteFallback"))
        tokenizer->decoder = DECODER_SPACE_MARK;
    if (json_type_is(object, "Strip") && json_integer_value(json_object_get(object, "start")) > 0)
        tokenizer->strip_leading_space = true;
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(object, "decoders"), index, item)
        read_decoder(tokenizer, item, depth + 1);
}

static enum status read_model(struct tokenizer *tokenizer, const json_t *model, struct error *err) {
    struct token_model *parts = &tokenizer->model;
    const char *type = tokenizer_json_model_type(model);
    parts->unk = tokenizer->vocabulary.unk;
    parts->byte_fallback = json_bool_or(model, "byte_fallback", false);
    parts->fuse_unk = json_bool_or(model, "fuse_unk", false);
    parts->ignore_merges = json_bool_or(model, "ignore_merges", false);
    if (strcmp(type, "BPE") == 0) {
        parts->kind = TOKEN_MODEL_MERGES;
        if (json_text_or(model, "continuing_subword_prefix", "")[0] != '\0' ||
            json_text_or(model, "end_of_word_suffix", "")[0] != '\0')
            return error_set(err, STATUS_UNSUPPORTED,
                             "tokenizer.json: BPE with subword prefix or word suffix");
    } else if (strcmp(type, "Unigram") == 0) {
        parts->kind = TOKEN_MODEL_UNIGRAM;
        parts->fuse_unk = true;
    } else if (strcmp(type, "WordPiece") == 0) {
        const json_t *chars = json_object_get(model, "max_input_chars_per_word");
        parts->kind = TOKEN_MODEL_WORDPIECE;
        json_int_t n_chars = json_integer_value(chars);
        if (n_chars > 0 && n_chars < INT32_MAX) parts->word_chars_max = (int)n_chars;
    } else {
        return error_set(err, STATUS_UNSUPPORTED, "tokenizer.json: model \"%.40s\"", type);
    }
    return STATUS_OK;
}

static enum status add_added_token(struct tokenizer *tokenizer, const json_t *object,
                                   struct error *err) {
    const json_t *content = json_object_get(object, "content");
    json_int_t id = json_integer_value(json_object_get(object, "id"));
    if (!json_is_string(content) || id < 0 || id >= tokenizer->vocabulary.n_tokens)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: bad entry in added_tokens");
    const struct added_token token = {.id = (token_id)id,
                                      .special = json_bool_or(object, "special", false),
                                      .lstrip = json_bool_or(object, "lstrip", false),
                                      .rstrip = json_bool_or(object, "rstrip", false),
                                      .single_word = json_bool_or(object, "single_word", false)};
    const char *text = json_string_value(content);
    size_t text_bytes = json_string_length(content);
    if (!json_bool_or(object, "normalized", true) || tokenizer->normalizer.n_steps == 0)
        return added_tokens_add(&tokenizer->raw, text, text_bytes, &token, err);
    struct buffer normal;
    struct split_scratch *scratch = NULL;
    buffer_init(&normal, 64 * text_bytes + 256);
    enum status status =
        normalizer_run(&tokenizer->normalizer, &scratch, text, text_bytes, &normal, err);
    if (status == STATUS_OK)
        status =
            added_tokens_add(&tokenizer->normalized, normal.data, normal.size_bytes, &token, err);
    split_scratch_destroy(scratch);
    buffer_deinit(&normal);
    return status;
}

static enum status read_parts(struct tokenizer *tokenizer, const json_t *root, struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    TRY(read_model(tokenizer, json_object_get(root, "model"), err));
    TRY(add_normalizers(tokenizer, json_object_get(root, "normalizer"), 0, err));
    TRY(tokenizer_json_pretokenizer(&tokenizer->pretokenizer,
                                    json_object_get(root, "pre_tokenizer"), err));
    if (tokenizer->pretokenizer.byte_level) tokenizer->decoder = DECODER_BYTE_LEVEL;
    read_decoder(tokenizer, json_object_get(root, "decoder"), 0);
    TRY(read_post_processor(tokenizer, json_object_get(root, "post_processor"), 0, err));
    if (tokenizer->prefix.n_tokens == 0 && vocabulary->add_bos && vocabulary->bos >= 0)
        tokenizer->prefix = (struct frame){{vocabulary->bos}, 1};
    if (tokenizer->suffix.n_tokens == 0 && vocabulary->add_eos && vocabulary->eos >= 0)
        tokenizer->suffix = (struct frame){{vocabulary->eos}, 1};
    if (tokenizer->prefix.n_tokens > 0 && !vocabulary->add_bos) tokenizer->prefix.n_tokens = 0;
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(root, "added_tokens"), index, item)
        TRY(add_added_token(tokenizer, item, err));
    return STATUS_OK;
}

enum status parts_from_json(struct tokenizer *tokenizer, struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    json_t *root = NULL;
    TRY(tokenizer_json_parse(&root, vocabulary->huggingface_json,
                             vocabulary->huggingface_json_bytes, "tokenizer.json", err));
    enum status status = read_parts(tokenizer, root, err);
    json_decref(root);
    return status;
}
