// SPDX-License-Identifier: Apache-2.0
// Reads a SentencePiece model: a protocol-buffers message of pieces, trainer and normalizer
// settings. Only the few fields that matter are looked at; every length is checked.
#include "tokenizer/tokenizer_json.h"

#include "base/bytes.h"
#include "tokenizer/json_access.h"

// Field numbers of sentencepiece_model.proto.
enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum {
    TRAINER_MODEL_TYPE = 3,
    TRAINER_UNK = 40,
    TRAINER_BOS = 41,
    TRAINER_EOS = 42,
    TRAINER_PAD = 43
};
enum {
    NORMALIZER_CHARSMAP = 2,
    NORMALIZER_PREFIX = 3,
    NORMALIZER_EXTRA = 4,
    NORMALIZER_ESCAPE = 5
};
enum { TYPE_UNIGRAM = 1, TYPE_BPE = 2 };

struct field { // one field of a message
    uint32_t number;
    uint64_t value;      // varint and fixed kinds
    const uint8_t *data; // length-delimited kind, else NULL
    size_t size_bytes;
};

static bool read_varint(struct bytes_reader *reader, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;
        if (!bytes_read_u8(reader, &byte)) return false;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

static enum status read_field(struct bytes_reader *reader, struct field *field, struct error *err) {
    uint64_t tag, length;
    uint32_t fixed = 0;
    bool good = read_varint(reader, &tag) && tag >> 3 != 0 && tag >> 3 < 1u << 29;
    *field = (struct field){.number = good ? (uint32_t)(tag >> 3) : 0};
    switch (good ? (int)(tag & 7) : -1) {
    case 0:
        good = read_varint(reader, &field->value);
        break;
    case 1:
        good = bytes_read_u64(reader, &field->value);
        break;
    case 2:
        good = read_varint(reader, &length) && bytes_read_span(reader, length, &field->data);
        if (good) field->size_bytes = (size_t)length;
        break;
    case 5:
        good = bytes_read_u32(reader, &fixed);
        field->value = fixed;
        break;
    default:
        good = false;
    }
    if (good) return STATUS_OK;
    return error_set(err, STATUS_BAD_INPUT, "SentencePiece model: damaged at byte %zu of its part",
                     reader->offset_bytes);
}

static enum status count_pieces(const void *model, size_t model_bytes, size_t *n_pieces,
                                struct error *err) {
    struct bytes_reader reader = {model, model_bytes, 0};
    *n_pieces = 0;
    while (bytes_left(&reader) > 0) {
        struct field field;
        TRY(read_field(&reader, &field, err));
        if (field.number == MODEL_PIECES && field.data != NULL) (*n_pieces)++;
    }
    if (*n_pieces > 0 && *n_pieces <= VOCABULARY_TOKENS_MAX) return STATUS_OK;
    return error_set(err, STATUS_BAD_INPUT, "SentencePiece model: %zu pieces", *n_pieces);
}

static enum status read_piece(struct vocabulary *vocabulary, size_t index,
                              const struct field *message, struct error *err) {
    struct bytes_reader reader = {message->data, message->size_bytes, 0};
    const uint8_t *text = NULL;
    size_t text_bytes = 0;
    vocabulary->types[index] = TOKEN_NORMAL;
    while (bytes_left(&reader) > 0) {
        struct field field;
        TRY(read_field(&reader, &field, err));
        if (field.number == PIECE_TEXT && field.data != NULL) {
            text = field.data;
            text_bytes = field.size_bytes;
        } else if (field.number == PIECE_SCORE) {
            uint32_t bits = (uint32_t)field.value;
            memcpy(&vocabulary->scores[index], &bits, sizeof bits);
        } else if (field.number == PIECE_TYPE && field.value <= TOKEN_BYTE) {
            vocabulary->types[index] = (int32_t)field.value;
        }
    }
    if (text == NULL || text_bytes > UINT16_MAX)
        return error_set(err, STATUS_BAD_INPUT, "SentencePiece model: piece %zu has no text",
                         index);
    // A piece that is one NUL is unused for SentencePiece: its byte token stands for it.
    if (text_bytes == 1 && text[0] == 0) vocabulary->types[index] = TOKEN_UNUSED;
    char *copy = vocabulary_copy(vocabulary, (const char *)text, text_bytes);
    if (copy == NULL) return error_no_memory(err, "token text", text_bytes);
    vocabulary->texts[index] = (struct vocabulary_text){copy, (uint32_t)text_bytes};
    return STATUS_OK;
}

static void set_id(const struct vocabulary *vocabulary, token_id *id, uint64_t value) {
    *id = value < (uint64_t)vocabulary->n_tokens ? (token_id)value : -1;
}

static enum status read_trainer(struct vocabulary *vocabulary, const struct field *message,
                                uint64_t *model_type, struct error *err) {
    struct bytes_reader reader = {message->data, message->size_bytes, 0};
    while (bytes_left(&reader) > 0) {
        struct field field;
        TRY(read_field(&reader, &field, err));
        if (field.data != NULL) continue;
        if (field.number == TRAINER_MODEL_TYPE) *model_type = field.value;
        if (field.number == TRAINER_UNK) set_id(vocabulary, &vocabulary->unk, field.value);
        if (field.number == TRAINER_BOS) set_id(vocabulary, &vocabulary->bos, field.value);
        if (field.number == TRAINER_EOS) set_id(vocabulary, &vocabulary->eos, field.value);
        if (field.number == TRAINER_PAD) set_id(vocabulary, &vocabulary->pad, field.value);
    }
    return STATUS_OK;
}

static enum status read_normalizer(struct vocabulary *vocabulary, const struct field *message,
                                   struct error *err) {
    struct bytes_reader reader = {message->data, message->size_bytes, 0};
    while (bytes_left(&reader) > 0) {
        struct field field;
        TRY(read_field(&reader, &field, err));
        if (field.number == NORMALIZER_CHARSMAP && field.data != NULL && field.size_bytes > 0) {
            vocabulary->charsmap = (const uint8_t *)vocabulary_copy(
                vocabulary, (const char *)field.data, field.size_bytes);
            vocabulary->charsmap_bytes = field.size_bytes;
            if (vocabulary->charsmap == NULL)
                return error_no_memory(err, "charsmap", field.size_bytes);
        }
        if (field.data != NULL) continue;
        if (field.number == NORMALIZER_PREFIX) vocabulary->add_space_prefix = field.value != 0;
        if (field.number == NORMALIZER_EXTRA)
            vocabulary->remove_extra_whitespaces = field.value != 0;
        if (field.number == NORMALIZER_ESCAPE) vocabulary->escape_whitespaces = field.value != 0;
    }
    return STATUS_OK;
}

// An id that the trainer names counts only if its piece is of the kind.
static void check_id(const struct vocabulary *vocabulary, token_id *id, int32_t type) {
    if (*id >= vocabulary->n_tokens || (*id >= 0 && vocabulary->types[*id] != type)) *id = -1;
}

static enum status read_message(struct vocabulary *vocabulary, const void *model,
                                size_t model_bytes, struct error *err) {
    size_t n_pieces, index = 0;
    uint64_t model_type = TYPE_UNIGRAM;
    TRY(count_pieces(model, model_bytes, &n_pieces, err));
    vocabulary->n_tokens = (int32_t)n_pieces;
    vocabulary->texts = vocabulary_allocate(vocabulary, n_pieces, sizeof *vocabulary->texts);
    vocabulary->types = vocabulary_allocate(vocabulary, n_pieces, sizeof *vocabulary->types);
    vocabulary->scores = vocabulary_allocate(vocabulary, n_pieces, sizeof *vocabulary->scores);
    if (vocabulary->texts == NULL || vocabulary->types == NULL || vocabulary->scores == NULL)
        return error_no_memory(err, "vocabulary", n_pieces * 24);
    vocabulary->unk = 0;
    vocabulary->bos = 1;
    vocabulary->eos = 2;
    vocabulary->add_space_prefix = vocabulary->remove_extra_whitespaces = true;
    struct bytes_reader reader = {model, model_bytes, 0};
    while (bytes_left(&reader) > 0) {
        struct field field;
        TRY(read_field(&reader, &field, err));
        if (field.data == NULL) continue;
        if (field.number == MODEL_PIECES) TRY(read_piece(vocabulary, index++, &field, err));
        if (field.number == MODEL_TRAINER) TRY(read_trainer(vocabulary, &field, &model_type, err));
        if (field.number == MODEL_NORMALIZER) TRY(read_normalizer(vocabulary, &field, err));
    }
    check_id(vocabulary, &vocabulary->unk, TOKEN_UNKNOWN);
    check_id(vocabulary, &vocabulary->bos, TOKEN_CONTROL);
    check_id(vocabulary, &vocabulary->eos, TOKEN_CONTROL);
    check_id(vocabulary, &vocabulary->pad, TOKEN_CONTROL);
    if (model_type != TYPE_UNIGRAM && model_type != TYPE_BPE)
        return error_set(err, STATUS_UNSUPPORTED, "SentencePiece model: type %llu",
                         (unsigned long long)model_type);
    vocabulary->model = model_type == TYPE_BPE ? VOCABULARY_LLAMA : VOCABULARY_UNIGRAM;
    memcpy(vocabulary->pre, "default", 8);
    return STATUS_OK;
}

// ChatGLM2 and 3 name their further tokens in Python only.
static enum status add_chatglm_tokens(struct vocabulary *vocabulary, struct error *err) {
    static const char *const names[] = {"[MASK]",   "[gMASK]",       "[sMASK]",
                                        "sop",      "eop",           "<|system|>",
                                        "<|user|>", "<|assistant|>", "<|observation|>"};
    enum { N_NAMES = sizeof names / sizeof names[0] };
    token_id first = vocabulary->n_tokens;
    TRY(vocabulary_pad(vocabulary, first + N_NAMES, err));
    for (int i = 0; i < N_NAMES; i++) {
        vocabulary->texts[first + i] =
            (struct vocabulary_text){names[i], (uint32_t)strlen(names[i])};
        vocabulary->types[first + i] = TOKEN_CONTROL;
    }
    vocabulary->eot = first + 6;
    vocabulary->eom = first + 8;
    vocabulary->add_bos = false;
    return STATUS_OK;
}

static bool is_chatglm(const char *config_json, size_t config_bytes) {
    json_t *root = NULL;
    if (config_json == NULL || tokenizer_json_parse(&root, config_json, config_bytes,
                                                    "tokenizer_config.json", NULL) != STATUS_OK)
        return false;
    bool result = strcmp(json_text_or(root, "tokenizer_class", ""), "ChatGLMTokenizer") == 0;
    json_decref(root);
    return result;
}

static enum status read_all(struct vocabulary *vocabulary, const void *model, size_t model_bytes,
                            const char *config, size_t config_bytes, struct error *err) {
    TRY(read_message(vocabulary, model, model_bytes, err));
    vocabulary->add_bos = vocabulary->model == VOCABULARY_LLAMA && vocabulary->bos >= 0;
    vocabulary->add_eos = vocabulary->model == VOCABULARY_UNIGRAM && vocabulary->eos >= 0;
    int32_t n_pieces = vocabulary->n_tokens;
    TRY(tokenizer_config_add_tokens(vocabulary, config, config_bytes, err));
    if (vocabulary->n_tokens == n_pieces && is_chatglm(config, config_bytes))
        TRY(add_chatglm_tokens(vocabulary, err));
    TRY(tokenizer_config_apply(vocabulary, config, config_bytes, err));
    return vocabulary_check(vocabulary, err);
}

enum status vocabulary_from_sentencepiece(struct vocabulary *vocabulary, const void *model,
                                          size_t model_bytes, const char *tokenizer_config_json,
                                          size_t config_bytes, struct error *err) {
    vocabulary_init(vocabulary);
    enum status status =
        read_all(vocabulary, model, model_bytes, tokenizer_config_json, config_bytes, err);
    if (status != STATUS_OK) vocabulary_deinit(vocabulary);
    return status;
}
