// SPDX-License-Identifier: Apache-2.0
// Puts the parts together and runs text through them. The parts themselves know nothing of each
// other; this file knows only their order.
#include "tokenizer/tokenizer_parts.h"

#include "base/utf8.h"
#include "tokenizer/byte_alphabet.h"

#include <stdlib.h>
#include <string.h>

enum { GROWTH_MAX = 40 }; // normalisation makes no text longer than this many times

// Names under which models end a turn or a text.
static const char *const end_names[] = {
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
    "<|return|>",
    "<|call|>",
    "<turn|>",
    "</s>",
    "<|endofturn|>",
    "<|eot|>",
    "<|END_OF_TURN_TOKEN|>",
    "<eos>",
    "[eos]",
    "<|eom|>",
    "<\357\275\234end\342\226\201of\342\226\201sentence\357\275\234>"};

struct encoding {
    const struct tokenizer *tokenizer;
    struct split_scratch *scratch;
    struct token_list *list;
    bool with_special;
    struct error *err;
};

static bool is_spelled(const struct vocabulary_text *text) {
    for (uint32_t i = 0; i < text->size_bytes;) {
        uint32_t code;
        uint8_t byte;
        i += (uint32_t)utf8_decode(text->data + i, text->size_bytes - i, &code);
        if (!byte_alphabet_byte(code, &byte)) return false;
    }
    return true;
}

// User-defined texts with plain spaces, as GGUF files have them, are looked up after spaces were
// marked: they are spelled with marks too.
static enum status mark_spaces(struct vocabulary *vocabulary, struct vocabulary_text *text,
                               struct error *err) {
    size_t n = 0;
    if (memchr(text->data, ' ', text->size_bytes) == NULL) return STATUS_OK;
    char *copy = vocabulary_allocate(vocabulary, (uint64_t)text->size_bytes * 3, 1);
    if (copy == NULL) return error_no_memory(err, "token text", text->size_bytes * 3ull);
    for (uint32_t i = 0; i < text->size_bytes; i++) {
        bool is_space = text->data[i] == ' ';
        memcpy(copy + n, is_space ? "\xe2\x96\x81" : &text->data[i], is_space ? 3 : 1);
        n += is_space ? 3 : 1;
    }
    *text = (struct vocabulary_text){copy, (uint32_t)n};
    return STATUS_OK;
}

static enum status mark_user_defined(struct tokenizer *tokenizer, struct vocabulary_text *texts,
                                     struct error *err) {
    struct vocabulary *vocabulary = &tokenizer->vocabulary;
    for (int32_t i = 0; i < vocabulary->n_tokens; i++)
        if (texts[i].data != NULL && vocabulary->types[i] == TOKEN_USER_DEFINED)
            TRY(mark_spaces(vocabulary, &texts[i], err));
    return STATUS_OK;
}

// Which tokens the model may produce, and how it spells them.
static enum status build_model(struct tokenizer *tokenizer, struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    size_t n_tokens = (size_t)vocabulary->n_tokens;
    struct vocabulary_text *texts = calloc(n_tokens, sizeof *texts);
    if (texts == NULL) return error_no_memory(err, "token texts", n_tokens * sizeof *texts);
    bool raw_bytes = tokenizer->pretokenizer.byte_level;
    tokenizer->model.byte_level = raw_bytes;
    for (size_t i = 0; i < n_tokens; i++) {
        int32_t type = vocabulary->types[i];
        // An unused text of several characters may be a step on the way to a longer one.
        // For Hugging Face a byte token is also a text like any other.
        bool is_step = (type == TOKEN_UNUSED && vocabulary->texts[i].size_bytes > 1) ||
                       (type == TOKEN_BYTE && vocabulary->huggingface_json != NULL);
        if (!raw_bytes && (type == TOKEN_NORMAL || type == TOKEN_USER_DEFINED || is_step))
            texts[i] = vocabulary->texts[i];
        // A text outside the byte-level alphabet is shown as it is, but no merge leads to it.
        if (raw_bytes && type == TOKEN_NORMAL && is_spelled(&vocabulary->texts[i])) {
            texts[i].data = tokenizer->piece_bytes + tokenizer->piece_offsets[i];
            texts[i].size_bytes = tokenizer->piece_offsets[i + 1] - tokenizer->piece_offsets[i];
        }
    }
    enum status status = STATUS_OK;
    if (tokenizer->decoder == DECODER_SPACE_MARK && vocabulary->escape_whitespaces)
        status = mark_user_defined(tokenizer, texts, err);
    if (status == STATUS_OK) status = token_model_init(&tokenizer->model, vocabulary, texts, err);
    free(texts);
    return status;
}

static enum status build_names(struct tokenizer *tokenizer, struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    TRY(text_map_init(&tokenizer->names, (size_t)vocabulary->n_tokens, err));
    for (token_id id = 0; id < vocabulary->n_tokens; id++)
        text_map_put(&tokenizer->names, vocabulary->texts[id].data,
                     vocabulary->texts[id].size_bytes, id);
    tokenizer->is_end = calloc((size_t)vocabulary->n_tokens, sizeof *tokenizer->is_end);
    if (tokenizer->is_end == NULL)
        return error_no_memory(err, "end tokens", (size_t)vocabulary->n_tokens);
    const token_id ids[] = {vocabulary->eos, vocabulary->eot, vocabulary->eom};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (ids[i] >= 0) tokenizer->is_end[ids[i]] = true;
    for (size_t i = 0; i < sizeof end_names / sizeof end_names[0]; i++) {
        token_id id = tokenizer_find(tokenizer, end_names[i], strlen(end_names[i]));
        if (id >= 0 && vocabulary->types[id] == TOKEN_CONTROL) tokenizer->is_end[id] = true;
    }
    return STATUS_OK;
}

static enum status build(struct tokenizer *tokenizer, struct error *err) {
    TRY(vocabulary_check(&tokenizer->vocabulary, err));
    TRY(added_tokens_init(&tokenizer->raw, err));
    TRY(added_tokens_init(&tokenizer->normalized, err));
    if (tokenizer->vocabulary.huggingface_json != NULL)
        TRY(parts_from_json(tokenizer, err));
    else
        TRY(parts_from_fields(tokenizer, err));
    token_model_find_bytes(&tokenizer->model, &tokenizer->vocabulary);
    TRY(parts_build_pieces(tokenizer, err));
    TRY(build_model(tokenizer, err));
    return build_names(tokenizer, err);
}

enum status tokenizer_create(struct tokenizer **tokenizer, struct vocabulary *vocabulary,
                             struct error *err) {
    *tokenizer = NULL;
    struct tokenizer *result = calloc(1, sizeof *result);
    if (result == NULL) {
        vocabulary_deinit(vocabulary);
        return error_no_memory(err, "tokenizer", sizeof *result);
    }
    result->vocabulary = *vocabulary;
    vocabulary_init(vocabulary);
    enum status status = build(result, err);
    if (status != STATUS_OK) {
        tokenizer_destroy(result);
        return status;
    }
    *tokenizer = result;
    return STATUS_OK;
}

void tokenizer_destroy(struct tokenizer *tokenizer) {
    if (tokenizer == NULL) return;
    free(tokenizer->is_end);
    free(tokenizer->piece_offsets);
    free(tokenizer->piece_bytes);
    text_map_deinit(&tokenizer->names);
    token_model_deinit(&tokenizer->model);
    pretokenizer_deinit(&tokenizer->pretokenizer);
    normalizer_deinit(&tokenizer->normalizer);
    added_tokens_deinit(&tokenizer->normalized);
    added_tokens_deinit(&tokenizer->raw);
    vocabulary_deinit(&tokenizer->vocabulary);
    free(tokenizer);
}

const struct vocabulary *tokenizer_vocabulary(const struct tokenizer *tokenizer) {
    return &tokenizer->vocabulary;
}

static enum status encode_piece(void *context, const char *piece, size_t piece_bytes,
                                struct error *err) {
    const struct encoding *encoding = context;
    return token_model_encode(&encoding->tokenizer->model, piece, piece_bytes, encoding->list, err);
}

static enum status encode_plain(struct encoding *encoding, const char *text, size_t text_bytes,
                                bool at_start) {
    if (text_bytes == 0) return STATUS_OK;
    return pretokenizer_run(&encoding->tokenizer->pretokenizer, &encoding->scratch, text,
                            text_bytes, at_start, encode_piece, encoding, encoding->err);
}

// Normalised text: what is left of added tokens, then the model.
static enum status encode_normalized(struct encoding *encoding, const char *text, size_t text_bytes,
                                     bool at_start) {
    struct added_scan scan = {0, 0};
    size_t done = 0, begin, end;
    token_id id;
    while (added_tokens_next(&encoding->tokenizer->normalized, text, text_bytes,
                             encoding->with_special, &scan, &begin, &end, &id)) {
        if (begin > done)
            TRY(encode_plain(encoding, text + done, begin - done, at_start && done == 0));
        TRY(token_list_append(encoding->list, id, encoding->err));
        done = end;
    }
    return encode_plain(encoding, text + done, text_bytes - done, at_start && done == 0);
}

static enum status encode_between(struct encoding *encoding, const char *text, size_t text_bytes,
                                  bool at_start) {
    const struct tokenizer *tokenizer = encoding->tokenizer;
    if (text_bytes == 0) return STATUS_OK;
    if (tokenizer->normalizer.n_steps == 0)
        return encode_normalized(encoding, text, text_bytes, at_start);
    struct buffer normal;
    buffer_init(&normal, text_bytes < SIZE_MAX / 64 ? text_bytes * GROWTH_MAX + 256 : text_bytes);
    enum status status = normalizer_run(&tokenizer->normalizer, &encoding->scratch, text,
                                        text_bytes, &normal, encoding->err);
    if (status == STATUS_OK)
        status = encode_normalized(encoding, normal.data, normal.size_bytes, at_start);
    buffer_deinit(&normal);
    return status;
}

static enum status encode_text(struct encoding *encoding, const char *text, size_t text_bytes) {
    struct added_scan scan = {0, 0};
    size_t done = 0, begin, end;
    token_id id;
    while (added_tokens_next(&encoding->tokenizer->raw, text, text_bytes, encoding->with_special,
                             &scan, &begin, &end, &id)) {
        TRY(encode_between(encoding, text + done, begin - done, done == 0));
        TRY(token_list_append(encoding->list, id, encoding->err));
        done = end;
    }
    return encode_between(encoding, text + done, text_bytes - done, done == 0);
}

static enum status append_frame(const struct frame *frame, struct token_list *list,
                                struct error *err) {
    for (int i = 0; i < frame->n_tokens; i++)
        TRY(token_list_append(list, frame->ids[i], err));
    return STATUS_OK;
}

enum status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t text_bytes,
                             unsigned flags, struct token_list *list, struct error *err) {
    struct encoding encoding = {.tokenizer = tokenizer,
                                .list = list,
                                .with_special = (flags & ENCODE_PARSE_SPECIAL) != 0,
                                .err = err};
    bool framed = (flags & ENCODE_ADD_SPECIAL) != 0;
    if (framed) TRY(append_frame(&tokenizer->prefix, list, err));
    enum status status = encode_text(&encoding, text, text_bytes);
    split_scratch_destroy(encoding.scratch);
    TRY(status);
    return framed ? append_frame(&tokenizer->suffix, list, err) : STATUS_OK;
}

token_id tokenizer_find(const struct tokenizer *tokenizer, const char *text, size_t text_bytes) {
    return text_map_get(&tokenizer->names, text, text_bytes);
}

bool tokenizer_is_end(const struct tokenizer *tokenizer, token_id id) {
    return id >= 0 && id < tokenizer->vocabulary.n_tokens && tokenizer->is_end[id];
}
