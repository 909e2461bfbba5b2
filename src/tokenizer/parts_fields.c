// SPDX-License-Identifier: Apache-2.0
// Assembles a tokenizer from the GGUF-style fields of a vocabulary: the kind of model and the name
// of its pre-tokenizer say everything. Also computes what each token shows as.
#include "tokenizer/pre_names.h"
#include "tokenizer/tokenizer_parts.h"

#include "tokenizer/byte_alphabet.h"

#include <stdlib.h>
#include <string.h>

static const char space_mark[] = "\xe2\x96\x81";
static const char bert_punctuation[] = "[!-/:-@\\[-`{-~\\p{P}]";

static enum status add_space_marks(struct tokenizer *tokenizer, struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    struct normalizer_step step = {
        .kind = NORMALIZER_SENTENCEPIECE,
        .remove_extra_whitespaces = vocabulary->remove_extra_whitespaces,
        .add_space_prefix = vocabulary->add_space_prefix,
        .escape = vocabulary->escape_whitespaces,
        .whole = &tokenizer->model.whole,
    };
    TRY(charsmap_open(&step.charsmap, vocabulary->charsmap, vocabulary->charsmap_bytes, err));
    tokenizer->decoder = DECODER_SPACE_MARK;
    tokenizer->strip_leading_space = vocabulary->add_space_prefix;
    return normalizer_add(&tokenizer->normalizer, &step, err);
}

static enum status set_up_gpt2(struct tokenizer *tokenizer, struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    const struct pre_scheme *scheme = pre_scheme_find(vocabulary->pre);
    if (scheme == NULL)
        return error_set(err, STATUS_UNSUPPORTED, "tokenizer: unknown pre-tokenizer \"%s\"",
                         vocabulary->pre);
    tokenizer->model.kind = TOKEN_MODEL_MERGES;
    tokenizer->model.ignore_merges = vocabulary->ignore_merges || scheme->ignore_merges;
    tokenizer->decoder = DECODER_BYTE_LEVEL;
    if (scheme->nfc) {
        struct normalizer_step step = {.kind = NORMALIZER_NFC};
        TRY(normalizer_add(&tokenizer->normalizer, &step, err));
    }
    if (scheme->space_marks) {
        tokenizer->model.byte_fallback = tokenizer->model.fuse_unk = true;
        TRY(add_space_marks(tokenizer, err));
    }
    for (int i = 0; i < scheme->n_steps; i++) {
        const struct pre_step *step = &scheme->steps[i];
        if (step->kind == PRETOKENIZER_SPLIT) {
            TRY(pretokenizer_add_split(&tokenizer->pretokenizer, step->pattern,
                                       strlen(step->pattern), false, step->behavior, false, err));
        } else {
            struct pretokenizer_step byte_level = {.kind = PRETOKENIZER_BYTE_LEVEL};
            TRY(pretokenizer_add_step(&tokenizer->pretokenizer, &byte_level, err));
        }
    }
    return STATUS_OK;
}

static enum status set_up_wordpiece(struct tokenizer *tokenizer, struct error *err) {
    struct normalizer_step clean = {.kind = NORMALIZER_BERT,
                                    .clean_text = true,
                                    .chinese_chars = true,
                                    .strip_accents = true,
                                    .lowercase = true};
    tokenizer->model.kind = TOKEN_MODEL_WORDPIECE;
    tokenizer->decoder = DECODER_WORDPIECE;
    tokenizer->strip_leading_space = true;
    TRY(normalizer_add(&tokenizer->normalizer, &clean, err));
    TRY(pretokenizer_add_split(&tokenizer->pretokenizer, "\\s", 2, false, SPLIT_REMOVED, false,
                               err));
    return pretokenizer_add_split(&tokenizer->pretokenizer, bert_punctuation,
                                  sizeof bert_punctuation - 1, false, SPLIT_ISOLATED, false, err);
}

static enum status set_up_sentencepiece(struct tokenizer *tokenizer, bool unigram,
                                        struct error *err) {
    tokenizer->model.kind = unigram ? TOKEN_MODEL_UNIGRAM : TOKEN_MODEL_SCORES;
    tokenizer->model.single_precision = unigram;
    tokenizer->model.byte_fallback = true;
    tokenizer->model.fuse_unk = true;
    return add_space_marks(tokenizer, err);
}

static void add_to_frame(struct frame *frame, token_id id) {
    if (id >= 0 && frame->n_tokens < FRAME_TOKENS_MAX) frame->ids[frame->n_tokens++] = id;
}

static void set_up_frame(struct tokenizer *tokenizer) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    if (vocabulary->add_bos) add_to_frame(&tokenizer->prefix, vocabulary->bos);
    if (vocabulary->add_eos) add_to_frame(&tokenizer->suffix, vocabulary->eos);
    bool has_sep = vocabulary->add_eos && vocabulary->eos == vocabulary->sep;
    if (vocabulary->add_sep && !has_sep) add_to_frame(&tokenizer->suffix, vocabulary->sep);
}

// Texts of control tokens are searched in the raw text; user-defined ones too, unless the
// SentencePiece model itself keeps them whole.
static enum status set_up_added(struct tokenizer *tokenizer, struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    bool model_keeps_whole =
        tokenizer->model.kind == TOKEN_MODEL_SCORES || tokenizer->model.kind == TOKEN_MODEL_UNIGRAM;
    for (token_id id = 0; id < vocabulary->n_tokens; id++) {
        int32_t type = vocabulary->types[id];
        bool special = type == TOKEN_CONTROL || type == TOKEN_UNKNOWN;
        bool searched = special || (type == TOKEN_USER_DEFINED && !model_keeps_whole);
        if (!searched) continue;
        const struct added_token token = {.id = id, .special = special};
        const struct vocabulary_text *text = &vocabulary->texts[id];
        TRY(added_tokens_add(&tokenizer->raw, text->data, text->size_bytes, &token, err));
    }
    return STATUS_OK;
}

enum status parts_from_fields(struct tokenizer *tokenizer, struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    tokenizer->model.unk = vocabulary->unk;
    switch (vocabulary->model) {
    case VOCABULARY_GPT2:
        TRY(set_up_gpt2(tokenizer, err));
        break;
    case VOCABULARY_BERT:
        TRY(set_up_wordpiece(tokenizer, err));
        break;
    case VOCABULARY_LLAMA:
    case VOCABULARY_UNIGRAM:
        TRY(set_up_sentencepiece(tokenizer, vocabulary->model == VOCABULARY_UNIGRAM, err));
        break;
    }
    set_up_frame(tokenizer);
    return set_up_added(tokenizer, err);
}

// Replaces U+2581 by a space; out needs text's size.
static size_t read_space_marks(const struct vocabulary_text *text, char *out) {
    size_t n = 0;
    for (uint32_t i = 0; i < text->size_bytes;) {
        if (text->size_bytes - i >= 3 && memcmp(text->data + i, space_mark, 3) == 0) {
            out[n++] = ' ';
            i += 3;
        } else {
            out[n++] = text->data[i++];
        }
    }
    return n;
}

static size_t read_wordpiece(const struct vocabulary_text *text, char *out) {
    size_t n = read_space_marks(text, out);
    bool closes = n == 2 && out[0] == ' ' && strchr(".,!?", out[1]) != NULL;
    if (!closes) return n;
    out[0] = out[1]; // no space before closing punctuation
    return 1;
}

// An id without a text: a row of the model beyond its tokenizer's, or a hole between ids.
static bool is_filler(const struct vocabulary *vocabulary, token_id id) {
    const struct vocabulary_text *text = &vocabulary->texts[id];
    char name[VOCABULARY_FILLER_BYTES];
    return vocabulary->types[id] == TOKEN_UNUSED &&
           text->size_bytes == vocabulary_filler(id, name) &&
           memcmp(text->data, name, text->size_bytes) == 0;
}

static size_t read_piece(const struct tokenizer *tokenizer, token_id id, char *out) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    const struct vocabulary_text *text = &vocabulary->texts[id];
    int32_t type = vocabulary->types[id];
    size_t n = 0;
    if (is_filler(vocabulary, id)) return 0;
    bool is_plain = type == TOKEN_NORMAL || type == TOKEN_UNUSED || type == TOKEN_BYTE;
    if (tokenizer->decoder == DECODER_BYTE_LEVEL && is_plain &&
        byte_alphabet_read(text->data, text->size_bytes, out, &n))
        return n;
    if (tokenizer->decoder == DECODER_SPACE_MARK && tokenizer->model.byte_fallback &&
        text->size_bytes == 6) {
        for (int byte = 0; byte < 256; byte++)
            if (tokenizer->model.byte_ids[byte] == id) {
                out[0] = (char)byte;
                return 1;
            }
    }
    if (tokenizer->decoder == DECODER_SPACE_MARK && (is_plain || type == TOKEN_USER_DEFINED))
        return read_space_marks(text, out);
    if (tokenizer->decoder == DECODER_WORDPIECE && is_plain) return read_wordpiece(text, out);
    memcpy(out, text->data, text->size_bytes);
    return text->size_bytes;
}

enum status parts_build_pieces(struct tokenizer *tokenizer, struct error *err) {
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    size_t n_tokens = (size_t)vocabulary->n_tokens, total_bytes = 1;
    for (size_t i = 0; i < n_tokens; i++)
        total_bytes += vocabulary->texts[i].size_bytes;
    if (total_bytes > UINT32_MAX)
        return error_set(err, STATUS_BAD_INPUT, "vocabulary: its texts exceed 4 GiB");
    tokenizer->piece_bytes = malloc(total_bytes);
    tokenizer->piece_offsets = malloc((n_tokens + 1) * sizeof *tokenizer->piece_offsets);
    if (tokenizer->piece_bytes == NULL || tokenizer->piece_offsets == NULL)
        return error_no_memory(err, "token texts", total_bytes);
    uint32_t offset = 0;
    for (size_t i = 0; i < n_tokens; i++) {
        tokenizer->piece_offsets[i] = offset;
        offset += (uint32_t)read_piece(tokenizer, (token_id)i, tokenizer->piece_bytes + offset);
    }
    tokenizer->piece_offsets[n_tokens] = offset;
    return STATUS_OK;
}
