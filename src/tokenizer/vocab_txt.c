// SPDX-License-Identifier: Apache-2.0
// BERT's vocab.txt: one token a line, the line's number is its id. What else a tokenizer needs is
// the same for all of them but for a few switches, so the file is read by saying what its
// tokenizer.json would be.
#include "tokenizer/json_access.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/vocabulary.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_CHARS_MAX = 100 };

// {token: line number}; of a token that stands there twice the last line counts.
static enum status read_lines(json_t *vocab, const char *text, size_t text_bytes,
                              struct error *err) {
    json_int_t id = 0;
    for (size_t begin = 0; begin < text_bytes; id++) {
        const char *newline = memchr(text + begin, '\n', text_bytes - begin);
        size_t end = newline ? (size_t)(newline - text) : text_bytes, n = end - begin;
        if (n > 0 && text[end - 1] == '\r') n--;
        if (id >= VOCABULARY_TOKENS_MAX)
            return error_set(err, STATUS_BAD_INPUT, "vocab.txt: more than %d lines",
                             VOCABULARY_TOKENS_MAX);
        if (n > 0 && json_object_setn_new(vocab, text + begin, n, json_integer(id)) != 0)
            return error_set(err, STATUS_BAD_INPUT, "vocab.txt: line %lld is no UTF-8 text",
                             (long long)id + 1);
        begin = end + 1;
    }
    return STATUS_OK;
}

// The special token under `key` of tokenizer_config.json, if the vocabulary has it.
static json_int_t add_special(json_t *added, const json_t *vocab, const json_t *config,
                              const char *key, const char *usual, const char **content) {
    const json_t *given = json_token_content(json_object_get(config, key));
    *content = given ? json_string_value(given) : usual;
    const json_t *id = json_object_get(vocab, *content);
    if (!id) return -1;
    json_array_append_new(added,
                          json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id",
                                    json_integer_value(id), "content", *content, "special", 1,
                                    "normalized", 0, "single_word", 0, "lstrip", 0, "rstrip", 0));
    return json_integer_value(id);
}

static json_t *normalizer_of(const json_t *config) {
    const json_t *strip = json_object_get(config, "strip_accents");
    return json_pack("{s:s, s:b, s:b, s:o, s:b}", "type", "BertNormalizer", "clean_text", 1,
                     "handle_chinese_chars", json_bool_or(config, "tokenize_chinese_chars", true),
                     "strip_accents", json_is_boolean(strip) ? json_deep_copy(strip) : json_null(),
                     "lowercase", json_bool_or(config, "do_lower_case", true));
}

// Takes over vocab.
static json_t *describe(json_t *vocab, const json_t *config, struct error *err) {
    const char *cls, *sep, *unk, *other;
    json_t *added = json_array();
    json_int_t sep_id = add_special(added, vocab, config, "sep_token", "[SEP]", &sep);
    json_int_t cls_id = add_special(added, vocab, config, "cls_token", "[CLS]", &cls);
    json_int_t unk_id = add_special(added, vocab, config, "unk_token", "[UNK]", &unk);
    add_special(added, vocab, config, "pad_token", "[PAD]", &other);
    add_special(added, vocab, config, "mask_token", "[MASK]", &other);
    if (sep_id < 0 || cls_id < 0 || unk_id < 0) {
        error_set(err, STATUS_BAD_INPUT, "vocab.txt: has no %s; it is no BERT vocabulary",
                  unk_id < 0   ? unk
                  : cls_id < 0 ? cls
                               : sep);
        json_decref(added);
        json_decref(vocab);
        return NULL;
    }
    json_t *root = json_pack("{s:o, s:o, s:{s:s}, s:{s:s, s:[s, I], s:[s, I]}, s:{s:s, s:s, s:b}, "
                             "s:{s:s, s:s, s:s, s:i, s:o}}",
                             "added_tokens", added, "normalizer", normalizer_of(config),
                             "pre_tokenizer", "type", "BertPreTokenizer", "post_processor", "type",
                             "BertProcessing", "sep", sep, sep_id, "cls", cls, cls_id, "decoder",
                             "type", "WordPiece", "prefix", "##", "cleanup", 1, "model", "type",
                             "WordPiece", "unk_token", unk, "continuing_subword_prefix", "##",
                             "max_input_chars_per_word", WORD_CHARS_MAX, "vocab", vocab);
    if (!root) error_no_memory(err, "vocab.txt", 0);
    return root;
}

enum status vocabulary_from_vocab_txt(struct vocabulary *vocabulary, const char *text,
                                      size_t text_bytes, const char *tokenizer_config_json,
                                      size_t config_bytes, struct error *err) {
    json_t *config = NULL, *vocab = json_object();
    vocabulary_init(vocabulary);
    enum status status =
        vocab ? read_lines(vocab, text, text_bytes, err) : error_no_memory(err, "vocab.txt", 0);
    if (status == STATUS_OK && tokenizer_config_json)
        status = tokenizer_json_parse(&config, tokenizer_config_json, config_bytes,
                                      "tokenizer_config.json", err);
    if (status != STATUS_OK) {
        json_decref(vocab);
        return status;
    }
    json_t *root = describe(vocab, config, err);
    char *json = root ? json_dumps(root, JSON_COMPACT) : NULL;
    if (!root)
        status = err->status;
    else if (!json)
        status = error_no_memory(err, "vocab.txt", text_bytes);
    json_decref(root);
    json_decref(config);
    if (status == STATUS_OK)
        status = vocabulary_from_tokenizer_json(vocabulary, json, strlen(json),
                                                tokenizer_config_json, config_bytes, err);
    free(json);
    return status;
}
