// SPDX-License-Identifier: Apache-2.0
// Reads the vocabulary, merges and added tokens of a tokenizer.json into a struct vocabulary, and
// keeps the rest of the file (how text is normalised and split) beside them. Behaviour is assembled
// later, in parts_json.c.
#include "tokenizer/tokenizer_json.h"

#include "tokenizer/json_access.h"
#include "tokenizer/text_map.h"

#include <stdlib.h>

static const char space_mark[] = "\xe2\x96\x81";

// jansson refuses a NUL in an object's key, but a vocabulary may have that token. The escape is
// changed to a noncharacter, U+FDD0, for the time of parsing; read_nul() turns it back.
static char *hide_nul(const char *text, size_t text_bytes) {
    static const char escape[] = "\\u0000", hidden[] = "\\uFDD0";
    char *copy = NULL;
    for (size_t i = 0; i + 6 <= text_bytes; i++) {
        if (text[i] != '\\') continue;
        if (memcmp(text + i, escape, 6) == 0) {
            if (copy == NULL) {
                copy = malloc(text_bytes);
                if (copy == NULL) return NULL;
                memcpy(copy, text, text_bytes);
            }
            memcpy(copy + i, hidden, 6);
        }
        i++; // whatever the backslash escapes
    }
    return copy;
}

static size_t read_nul(char *text, size_t size_bytes) {
    size_t n = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        bool hidden = size_bytes - i >= 3 && memcmp(text + i, "\xef\xb7\x90", 3) == 0;
        text[n++] = hidden ? '\0' : text[i];
        if (hidden) i += 2;
    }
    return n;
}

enum status tokenizer_json_parse(json_t **root, const char *text, size_t text_bytes,
                                 const char *what, struct error *err) {
    json_error_t where;
    char *copy = hide_nul(text, text_bytes);
    const char *source = copy == NULL ? text : copy;
    *root = json_loadb(source, text_bytes, JSON_ALLOW_NUL, &where);
    // Configurations write 10^30 for "no limit".
    if (*root == NULL && json_error_code(&where) == json_error_numeric_overflow)
        *root = json_loadb(source, text_bytes, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &where);
    free(copy);
    if (*root == NULL)
        return error_set(err, STATUS_BAD_INPUT, "%s: line %d column %d: %.80s", what, where.line,
                         where.column, where.text);
    if (json_is_object(*root)) return STATUS_OK;
    json_decref(*root);
    *root = NULL;
    return error_set(err, STATUS_BAD_INPUT, "%s: not a JSON object", what);
}

const char *tokenizer_json_model_type(const json_t *model) {
    const char *type = json_text_or(model, "type", "");
    if (type[0] != '\0') return type;
    if (json_is_array(json_object_get(model, "vocab"))) return "Unigram";
    if (json_object_get(model, "merges") != NULL) return "BPE";
    return json_object_get(model, "max_input_chars_per_word") != NULL ? "WordPiece" : "";
}

// --- vocabulary ---

static enum status set_text(struct vocabulary *vocabulary, json_int_t id, const json_t *text,
                            const char *key, int32_t type, struct error *err) {
    const char *data = key != NULL ? key : json_string_value(text);
    size_t size_bytes = key != NULL ? strlen(key) : json_string_length(text);
    if (id < 0 || id >= vocabulary->n_tokens || data == NULL || size_bytes > UINT16_MAX)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: bad token with id %lld",
                         (long long)id);
    char *copy = vocabulary_copy(vocabulary, data, size_bytes);
    if (copy == NULL) return error_no_memory(err, "token text", size_bytes);
    size_bytes = read_nul(copy, size_bytes);
    vocabulary->texts[id] = (struct vocabulary_text){copy, (uint32_t)size_bytes};
    vocabulary->types[id] = type;
    return STATUS_OK;
}

static json_int_t highest_id(const json_t *vocab, const json_t *added) {
    json_int_t highest = -1;
    if (json_is_array(vocab)) highest = (json_int_t)json_array_size(vocab) - 1;
    void *i = json_object_iter((json_t *)vocab);
    for (; i != NULL; i = json_object_iter_next((json_t *)vocab, i)) {
        json_int_t id = json_integer_value(json_object_iter_value(i));
        if (id > highest) highest = id;
    }
    size_t index;
    json_t *item;
    json_array_foreach(added, index, item) {
        json_int_t id = json_integer_value(json_object_get(item, "id"));
        if (id > highest) highest = id;
    }
    return highest;
}

// Ids may have holes, but not so many that a small file asks for a huge table.
static enum status make_room(struct vocabulary *vocabulary, const json_t *vocab,
                             const json_t *added, struct error *err) {
    json_int_t highest = highest_id(vocab, added);
    json_int_t n_named =
        (json_int_t)(json_is_array(vocab) ? json_array_size(vocab) : json_object_size(vocab)) +
        (json_int_t)json_array_size(added);
    if (highest < 0 || highest >= VOCABULARY_TOKENS_MAX || highest > 2 * n_named + 65536)
        return error_set(err, STATUS_BAD_INPUT,
                         "tokenizer.json: highest token id %lld for %lld tokens",
                         (long long)highest, (long long)n_named);
    if (json_is_array(vocab)) {
        vocabulary->scores = vocabulary_allocate(vocabulary, (uint64_t)highest + 1, sizeof(float));
        if (vocabulary->scores == NULL)
            return error_no_memory(err, "vocabulary", (unsigned long long)highest * 4);
    }
    vocabulary->n_tokens = (int32_t)highest + 1;
    size_t n_tokens = (size_t)vocabulary->n_tokens;
    vocabulary->texts = vocabulary_allocate(vocabulary, n_tokens, sizeof *vocabulary->texts);
    vocabulary->types = vocabulary_allocate(vocabulary, n_tokens, sizeof *vocabulary->types);
    if (vocabulary->texts == NULL || vocabulary->types == NULL)
        return error_no_memory(err, "vocabulary", n_tokens * sizeof *vocabulary->texts);
    return STATUS_OK;
}

static enum status read_vocab(struct vocabulary *vocabulary, const json_t *vocab,
                              struct error *err) {
    size_t index;
    json_t *item;
    void *i = json_object_iter((json_t *)vocab);
    for (; i != NULL; i = json_object_iter_next((json_t *)vocab, i)) {
        const json_t *id = json_object_iter_value(i);
        if (!json_is_integer(id))
            return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: vocab: id is not an integer");
        TRY(set_text(vocabulary, json_integer_value(id), NULL, json_object_iter_key(i),
                     TOKEN_NORMAL, err));
    }
    json_array_foreach(vocab, index, item) { // Unigram: [text, score]
        const json_t *text = json_array_get(item, 0);
        TRY(set_text(vocabulary, (json_int_t)index, text, NULL, TOKEN_NORMAL, err));
        vocabulary->scores[index] = (float)json_number_value(json_array_get(item, 1));
    }
    return STATUS_OK;
}

static enum status read_added(struct vocabulary *vocabulary, const json_t *added,
                              struct error *err) {
    size_t index;
    json_t *item;
    json_array_foreach(added, index, item) {
        int32_t type = json_bool_or(item, "special", false) ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
        const json_t *id = json_object_get(item, "id");
        TRY(set_text(vocabulary, json_is_integer(id) ? json_integer_value(id) : -1,
                     json_object_get(item, "content"), NULL, type, err));
    }
    return STATUS_OK;
}

static enum status fill_holes(struct vocabulary *vocabulary, struct error *err) {
    for (int32_t i = 0; i < vocabulary->n_tokens; i++) {
        if (vocabulary->texts[i].data != NULL) continue;
        json_t *name = json_sprintf("[PAD%d]", i);
        if (name == NULL) return error_no_memory(err, "token text", 32);
        enum status status = set_text(vocabulary, i, name, NULL, TOKEN_UNUSED, err);
        json_decref(name);
        TRY(status);
    }
    return STATUS_OK;
}

// --- merges ---

static enum status set_merge(struct vocabulary *vocabulary, size_t index, const char *left,
                             const char *right, struct error *err) {
    size_t left_bytes = strlen(left), right_bytes = right == NULL ? 0 : strlen(right) + 1;
    char *copy = vocabulary_allocate(vocabulary, left_bytes + right_bytes + 1, 1);
    if (copy == NULL) return error_no_memory(err, "merges", left_bytes + right_bytes);
    memcpy(copy, left, left_bytes);
    if (right != NULL) {
        copy[left_bytes] = ' ';
        memcpy(copy + left_bytes + 1, right, right_bytes - 1);
    }
    size_t size_bytes = read_nul(copy, left_bytes + right_bytes);
    vocabulary->merges[index] = (struct vocabulary_text){copy, (uint32_t)size_bytes};
    return STATUS_OK;
}

// Either "left right" or ["left", "right"].
static enum status read_merges(struct vocabulary *vocabulary, const json_t *merges,
                               struct error *err) {
    size_t n_merges = json_array_size(merges), index;
    if (n_merges > UINT32_MAX / 2)
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: %zu merges", n_merges);
    vocabulary->merges = vocabulary_allocate(vocabulary, n_merges, sizeof *vocabulary->merges);
    if (vocabulary->merges == NULL) return error_no_memory(err, "merges", n_merges * 16);
    vocabulary->n_merges = (uint32_t)n_merges;
    json_t *item;
    json_array_foreach(merges, index, item) {
        const char *left = json_string_value(item), *right = NULL;
        if (json_is_array(item)) {
            left = json_string_value(json_array_get(item, 0));
            right = json_string_value(json_array_get(item, 1));
        }
        if (left == NULL || (json_is_array(item) && right == NULL))
            return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: merge %zu is malformed",
                             index);
        TRY(set_merge(vocabulary, index, left, right, err));
    }
    return STATUS_OK;
}

// --- kinds ---

// SentencePiece born BPE: scores fall with the rank of the first merge that makes a token.
static enum status derive_scores(struct vocabulary *vocabulary, struct error *err) {
    size_t n_tokens = (size_t)vocabulary->n_tokens;
    struct text_map index;
    vocabulary->scores = vocabulary_allocate(vocabulary, n_tokens, sizeof(float));
    if (vocabulary->scores == NULL) return error_no_memory(err, "scores", n_tokens * 4);
    TRY(text_map_init(&index, n_tokens, err));
    for (size_t i = 0; i < n_tokens; i++)
        text_map_put(&index, vocabulary->texts[i].data, vocabulary->texts[i].size_bytes,
                     (token_id)i);
    for (size_t i = 0; i < n_tokens; i++)
        vocabulary->scores[i] = -1000000.0f;
    for (uint32_t rank = vocabulary->n_merges; rank-- > 0;) {
        const struct vocabulary_text *merge = &vocabulary->merges[rank];
        char joined[512];
        const char *space = merge->size_bytes < 3 || merge->size_bytes > sizeof joined
                                ? NULL
                                : memchr(merge->data + 1, ' ', merge->size_bytes - 1);
        if (space == NULL) continue;
        size_t left_bytes = (size_t)(space - merge->data);
        memcpy(joined, merge->data, left_bytes);
        memcpy(joined + left_bytes, space + 1, merge->size_bytes - left_bytes - 1);
        token_id id = text_map_get(&index, joined, merge->size_bytes - 1);
        if (id >= 0) vocabulary->scores[id] = -(float)rank;
    }
    text_map_deinit(&index);
    return STATUS_OK;
}

static void type_byte_tokens(struct vocabulary *vocabulary) {
    for (int32_t i = 0; i < vocabulary->n_tokens; i++) {
        const struct vocabulary_text *text = &vocabulary->texts[i];
        if (text->size_bytes == 6 && memcmp(text->data, "<0x", 3) == 0 && text->data[5] == '>' &&
            vocabulary->types[i] == TOKEN_NORMAL)
            vocabulary->types[i] = TOKEN_BYTE;
    }
}

// WordPiece in GGUF's spelling: U+2581 before the start of a word, nothing before the rest.
static enum status respell_wordpiece(struct vocabulary *vocabulary, const json_t *model,
                                     struct error *err) {
    const char *prefix = json_text_or(model, "continuing_subword_prefix", "##");
    size_t prefix_bytes = strlen(prefix);
    for (int32_t i = 0; i < vocabulary->n_tokens; i++) {
        struct vocabulary_text *text = &vocabulary->texts[i];
        if (vocabulary->types[i] != TOKEN_NORMAL) continue;
        if (text->size_bytes >= 2 && text->data[0] == '[' &&
            text->data[text->size_bytes - 1] == ']')
            continue;
        if (text->size_bytes > prefix_bytes && memcmp(text->data, prefix, prefix_bytes) == 0) {
            text->data += prefix_bytes;
            text->size_bytes -= (uint32_t)prefix_bytes;
            continue;
        }
        char *copy = vocabulary_allocate(vocabulary, (uint64_t)text->size_bytes + 4, 1);
        if (copy == NULL) return error_no_memory(err, "token text", text->size_bytes);
        memcpy(copy, space_mark, 3);
        memcpy(copy + 3, text->data, text->size_bytes);
        *text = (struct vocabulary_text){copy, text->size_bytes + 3};
    }
    return STATUS_OK;
}

// Which spaces a file with space marks adds; false if GGUF's fields cannot say what it does.
static bool read_space_marks(struct vocabulary *vocabulary, const json_t *root) {
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    const json_t *normalizer = json_object_get(root, "normalizer");
    const json_t *steps = json_object_get(normalizer, "normalizers");
    size_t n_steps = json_array_size(steps), i = 0;
    vocabulary->add_space_prefix = false;
    vocabulary->remove_extra_whitespaces = false;
    if (json_type_is(pre, "Metaspace")) {
        const char *scheme =
            json_text_or(pre, "prepend_scheme",
                         json_bool_or(pre, "add_prefix_space", true) ? "always" : "never");
        vocabulary->add_space_prefix = strcmp(scheme, "never") != 0;
        return !json_is_object(normalizer) && !json_bool_or(pre, "split", true);
    }
    if (n_steps > 0 && json_type_is(json_array_get(steps, 0), "Prepend")) {
        vocabulary->add_space_prefix = true;
        i = 1;
    }
    const json_t *replace = n_steps == 0 ? normalizer : json_array_get(steps, i);
    const char *from = json_text_or(json_object_get(replace, "pattern"), "String", "");
    bool splits_on_spaces = json_type_is(pre, "Split") || !json_is_object(pre);
    return json_type_is(replace, "Replace") && strcmp(from, " ") == 0 && i + 1 >= n_steps &&
           splits_on_spaces && strcmp(json_text_or(replace, "content", ""), space_mark) == 0;
}

static void find_unknown(struct vocabulary *vocabulary, const json_t *model) {
    const json_t *text = json_object_get(model, "unk_token");
    const json_t *id = json_object_get(model, "unk_id");
    if (json_is_integer(id) && json_integer_value(id) >= 0 &&
        json_integer_value(id) < vocabulary->n_tokens)
        vocabulary->unk = (token_id)json_integer_value(id);
    if (json_is_string(text))
        vocabulary->unk =
            vocabulary_find(vocabulary, json_string_value(text), json_string_length(text));
}

static bool has_byte_level(const json_t *object, int depth) {
    if (!json_is_object(object) || depth > 8) return false;
    if (json_type_is(object, "ByteLevel")) return true;
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(object, "pretokenizers"), index,
                       item) if (has_byte_level(item, depth + 1)) return true;
    return false;
}

// For readers of GGUF that know no tokenizer.json.
static enum status copy_charsmap(struct vocabulary *vocabulary, const json_t *normalizer, int depth,
                                 struct error *err) {
    const json_t *text = json_object_get(normalizer, "precompiled_charsmap");
    size_t index, text_bytes = json_string_length(text);
    json_t *item;
    if (depth > 8) return STATUS_OK;
    if (json_is_string(text) && vocabulary->charsmap == NULL) {
        uint8_t *bytes = vocabulary_allocate(vocabulary, text_bytes / 4 * 3 + 3, 1);
        if (bytes == NULL) return error_no_memory(err, "charsmap", text_bytes);
        if (!base64_decode(json_string_value(text), text_bytes, bytes, &vocabulary->charsmap_bytes))
            return error_set(err, STATUS_BAD_INPUT,
                             "tokenizer.json: precompiled_charsmap is not base64");
        vocabulary->charsmap = bytes;
    }
    json_array_foreach(json_object_get(normalizer, "normalizers"), index, item)
        TRY(copy_charsmap(vocabulary, item, depth + 1, err));
    return STATUS_OK;
}

static enum status read_kind(struct vocabulary *vocabulary, const json_t *root, struct error *err) {
    const json_t *model = json_object_get(root, "model");
    const char *type = tokenizer_json_model_type(model);
    find_unknown(vocabulary, model);
    vocabulary->ignore_merges = json_bool_or(model, "ignore_merges", false);
    if (strcmp(type, "WordPiece") == 0) {
        vocabulary->model = VOCABULARY_BERT;
        const json_t *normalizer = json_object_get(root, "normalizer");
        bool is_common = json_type_is(normalizer, "BertNormalizer") &&
                         json_bool_or(normalizer, "lowercase", true) &&
                         json_bool_or(normalizer, "strip_accents", true) &&
                         json_type_is(json_object_get(root, "pre_tokenizer"), "BertPreTokenizer");
        if (is_common) memcpy(vocabulary->pre, "default", 8);
        return respell_wordpiece(vocabulary, model, err);
    }
    if (strcmp(type, "Unigram") == 0) {
        vocabulary->model = VOCABULARY_UNIGRAM;
        vocabulary->add_space_prefix = true;
        if (json_bool_or(model, "byte_fallback", false)) type_byte_tokens(vocabulary);
        return copy_charsmap(vocabulary, json_object_get(root, "normalizer"), 0, err);
    }
    if (strcmp(type, "BPE") != 0)
        return error_set(err, STATUS_UNSUPPORTED, "tokenizer.json: model \"%.40s\"", type);
    TRY(read_merges(vocabulary, json_object_get(model, "merges"), err));
    const struct pre_scheme *scheme = tokenizer_json_recognise(root);
    if (scheme != NULL) memcpy(vocabulary->pre, scheme->names[0], strlen(scheme->names[0]) + 1);
    if (!has_byte_level(json_object_get(root, "pre_tokenizer"), 0) &&
        json_bool_or(model, "byte_fallback", false)) {
        vocabulary->model = VOCABULARY_LLAMA;
        type_byte_tokens(vocabulary);
        if (vocabulary->unk >= 0) vocabulary->types[vocabulary->unk] = TOKEN_UNKNOWN;
        if (read_space_marks(vocabulary, root)) memcpy(vocabulary->pre, "default", 8);
        return derive_scores(vocabulary, err);
    }
    return STATUS_OK;
}

// Keeps everything but the big tables.
static enum status keep_behaviour(struct vocabulary *vocabulary, json_t *root, struct error *err) {
    json_t *model = json_object_get(root, "model");
    const char *type = tokenizer_json_model_type(model);
    if (json_object_set_new(model, "type", json_string(type)) != 0)
        return error_no_memory(err, "tokenizer.json", 64);
    json_object_del(model, "vocab");
    json_object_del(model, "merges");
    char *text = json_dumps(root, JSON_COMPACT);
    if (text == NULL) return error_no_memory(err, "tokenizer.json", 1 << 20);
    vocabulary->huggingface_json_bytes = strlen(text);
    vocabulary->huggingface_json =
        vocabulary_copy(vocabulary, text, vocabulary->huggingface_json_bytes);
    free(text);
    if (vocabulary->huggingface_json == NULL) return error_no_memory(err, "tokenizer.json", 1);
    return STATUS_OK;
}

// The tokens that the file itself puts around a text decide add_bos and add_eos.
static void read_frame(struct vocabulary *vocabulary, const json_t *processor, int depth) {
    if (!json_is_object(processor) || depth > 8) return;
    size_t index;
    json_t *item;
    bool before = true;
    json_array_foreach(json_object_get(processor, "single"), index, item) {
        const json_t *special = json_object_get(item, "SpecialToken");
        const char *name = json_text_or(special, "id", "");
        token_id id = special == NULL ? -1 : vocabulary_find(vocabulary, name, strlen(name));
        if (special == NULL) {
            before = false;
        } else if (before && vocabulary->bos < 0) {
            vocabulary->bos = id;
            vocabulary->add_bos = id >= 0;
        } else if (!before && vocabulary->model == VOCABULARY_BERT) {
            vocabulary->sep = id;
            vocabulary->add_sep = id >= 0;
        } else if (!before && vocabulary->eos < 0) {
            vocabulary->eos = id;
            vocabulary->add_eos = id >= 0;
        }
    }
    if (json_object_get(processor, "cls") != NULL) { // BertProcessing, RobertaProcessing
        token_id cls =
            (token_id)json_integer_value(json_array_get(json_object_get(processor, "cls"), 1));
        token_id sep =
            (token_id)json_integer_value(json_array_get(json_object_get(processor, "sep"), 1));
        vocabulary->bos = cls >= 0 && cls < vocabulary->n_tokens ? cls : -1;
        vocabulary->sep = sep >= 0 && sep < vocabulary->n_tokens ? sep : -1;
        vocabulary->add_bos = vocabulary->add_sep = true;
    }
    json_array_foreach(json_object_get(processor, "processors"), index, item)
        read_frame(vocabulary, item, depth + 1);
}

static enum status read_root(struct vocabulary *vocabulary, json_t *root, struct error *err) {
    const json_t *model = json_object_get(root, "model");
    const json_t *vocab = json_object_get(model, "vocab");
    const json_t *added = json_object_get(root, "added_tokens");
    if (!json_is_object(vocab) && !json_is_array(vocab))
        return error_set(err, STATUS_BAD_INPUT, "tokenizer.json: model.vocab is missing");
    TRY(make_room(vocabulary, vocab, added, err));
    TRY(read_vocab(vocabulary, vocab, err));
    TRY(read_added(vocabulary, added, err));
    TRY(fill_holes(vocabulary, err));
    TRY(read_kind(vocabulary, root, err));
    read_frame(vocabulary, json_object_get(root, "post_processor"), 0);
    return keep_behaviour(vocabulary, root, err);
}

enum status vocabulary_from_tokenizer_json(struct vocabulary *vocabulary, const char *json,
                                           size_t json_bytes, const char *tokenizer_config_json,
                                           size_t config_bytes, struct error *err) {
    json_t *root = NULL;
    vocabulary_init(vocabulary);
    TRY(tokenizer_json_parse(&root, json, json_bytes, "tokenizer.json", err));
    enum status status = read_root(vocabulary, root, err);
    json_decref(root);
    if (status == STATUS_OK)
        status = tokenizer_config_apply(vocabulary, tokenizer_config_json, config_bytes, err);
    if (status == STATUS_OK) status = vocabulary_check(vocabulary, err);
    if (status != STATUS_OK) vocabulary_deinit(vocabulary);
    return status;
}
