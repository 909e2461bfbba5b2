// SPDX-License-Identifier: Apache-2.0
// Reads tiktoken text: lines "base64-of-token rank". Merges are not in the file but follow from it:
// tiktoken joins any two neighbours whose union is a token, so every split of a token into two
// tokens is a merge with the token's rank.
#include "tokenizer/tokenizer_json.h"

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/text_map.h"

#include <stdlib.h>
#include <string.h>

enum { TOKEN_BYTES_MAX = 4096 };

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

bool base64_decode(const char *text, size_t text_bytes, unsigned char *out, size_t *out_bytes) {
    unsigned bits = 0;
    int n_bits = 0;
    size_t n = 0;
    while (text_bytes > 0 && text[text_bytes - 1] == '=')
        text_bytes--;
    for (size_t i = 0; i < text_bytes; i++) {
        int value = base64_value(text[i]);
        if (value < 0) return false;
        bits = (bits << 6 | (unsigned)value) & 0xffffffu;
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        out[n++] = (unsigned char)(bits >> n_bits);
    }
    *out_bytes = n;
    return true;
}

struct ranks {
    struct vocabulary_text *tokens; // [n_tokens] raw bytes; data NULL: no such rank
    size_t n_tokens;
    struct text_map map;
};

// One line into *token (raw bytes, owned by the vocabulary) and *rank.
static enum status read_line(struct vocabulary *vocabulary, const char *line, size_t line_bytes,
                             size_t line_number, struct vocabulary_text *token, size_t *rank,
                             struct error *err) {
    const char *space = memchr(line, ' ', line_bytes);
    size_t token_bytes = space == NULL ? 0 : (size_t)(space - line), n = 0;
    *rank = 0;
    bool good = space != NULL && token_bytes > 0 && token_bytes <= TOKEN_BYTES_MAX &&
                token_bytes + 1 < line_bytes && line_bytes - token_bytes <= 9;
    for (size_t i = token_bytes + 1; good && i < line_bytes; i++) {
        good = line[i] >= '0' && line[i] <= '9';
        *rank = *rank * 10 + (size_t)(line[i] - '0');
    }
    unsigned char *bytes = good ? vocabulary_allocate(vocabulary, token_bytes + 4, 1) : NULL;
    if (good && bytes == NULL) return error_no_memory(err, "tiktoken", token_bytes);
    if (!good || !base64_decode(line, token_bytes, bytes, &n) || n == 0)
        return error_set(err, STATUS_BAD_INPUT, "tiktoken file: line %zu is not \"base64 rank\"",
                         line_number);
    *token = (struct vocabulary_text){(const char *)bytes, (uint32_t)n};
    return STATUS_OK;
}

static enum status read_lines(struct vocabulary *vocabulary, struct ranks *ranks, const char *text,
                              size_t text_bytes, struct error *err) {
    size_t n_lines = 1;
    for (size_t i = 0; i < text_bytes; i++)
        n_lines += text[i] == '\n';
    size_t limit = 2 * n_lines + 1024; // some ranks may be missing
    ranks->tokens = vocabulary_allocate(vocabulary, limit, sizeof *ranks->tokens);
    if (ranks->tokens == NULL) return error_no_memory(err, "tiktoken", limit * 16);
    TRY(text_map_init(&ranks->map, n_lines, err));
    size_t begin = 0;
    for (size_t number = 1; begin < text_bytes; number++) {
        const char *newline = memchr(text + begin, '\n', text_bytes - begin);
        size_t end = newline == NULL ? text_bytes : (size_t)(newline - text), size = end - begin;
        if (size > 0 && text[begin + size - 1] == '\r') size--;
        if (size > 0) {
            struct vocabulary_text token;
            size_t rank;
            TRY(read_line(vocabulary, text + begin, size, number, &token, &rank, err));
            if (rank >= limit || ranks->tokens[rank].data != NULL)
                return error_set(err, STATUS_BAD_INPUT,
                                 "tiktoken file: line %zu: rank %zu is out of order", number, rank);
            ranks->tokens[rank] = token;
            text_map_put(&ranks->map, token.data, token.size_bytes, (int32_t)rank);
            if (rank >= ranks->n_tokens) ranks->n_tokens = rank + 1;
        }
        begin = end + 1;
    }
    if (ranks->n_tokens > 0) return STATUS_OK;
    return error_set(err, STATUS_BAD_INPUT, "tiktoken file: no tokens");
}

static enum status spell(struct vocabulary *vocabulary, const char *bytes, size_t size_bytes,
                         size_t left_bytes, struct vocabulary_text *text, struct error *err) {
    char *copy = vocabulary_allocate(vocabulary, 2 * (uint64_t)size_bytes + 2, 1);
    if (copy == NULL) return error_no_memory(err, "tiktoken", 2 * size_bytes);
    size_t n = byte_alphabet_spell(bytes, left_bytes, copy);
    if (left_bytes < size_bytes) {
        copy[n++] = ' ';
        n += byte_alphabet_spell(bytes + left_bytes, size_bytes - left_bytes, copy + n);
    }
    *text = (struct vocabulary_text){copy, (uint32_t)n};
    return STATUS_OK;
}

static bool splits_at(const struct ranks *ranks, const struct vocabulary_text *token,
                      size_t left_bytes) {
    return text_map_get(&ranks->map, token->data, left_bytes) >= 0 &&
           text_map_get(&ranks->map, token->data + left_bytes, token->size_bytes - left_bytes) >= 0;
}

// Calls for every way to make a token from two others, in rank order; counts, and stores if asked.
static enum status list_merges(struct vocabulary *vocabulary, const struct ranks *ranks, bool store,
                               size_t *n_merges, struct error *err) {
    *n_merges = 0;
    for (size_t rank = 0; rank < ranks->n_tokens; rank++) {
        const struct vocabulary_text *token = &ranks->tokens[rank];
        for (size_t left = 1; token->data != NULL && left < token->size_bytes; left++) {
            if (!splits_at(ranks, token, left)) continue;
            if (store)
                TRY(spell(vocabulary, token->data, token->size_bytes, left,
                          &vocabulary->merges[*n_merges], err));
            (*n_merges)++;
        }
    }
    return STATUS_OK;
}

static enum status derive_merges(struct vocabulary *vocabulary, const struct ranks *ranks,
                                 struct error *err) {
    size_t n_merges;
    TRY(list_merges(vocabulary, ranks, false, &n_merges, err));
    if (n_merges > UINT32_MAX / 2)
        return error_set(err, STATUS_BAD_INPUT, "tiktoken file: %zu merges", n_merges);
    vocabulary->merges = vocabulary_allocate(vocabulary, n_merges, sizeof *vocabulary->merges);
    if (vocabulary->merges == NULL) return error_no_memory(err, "merges", n_merges * 16);
    vocabulary->n_merges = (uint32_t)n_merges;
    return list_merges(vocabulary, ranks, true, &n_merges, err);
}

static enum status fill_tokens(struct vocabulary *vocabulary, const struct ranks *ranks,
                               struct error *err) {
    TRY(vocabulary_pad(vocabulary, (int32_t)ranks->n_tokens, err));
    for (size_t rank = 0; rank < ranks->n_tokens; rank++) {
        const struct vocabulary_text *token = &ranks->tokens[rank];
        if (token->data == NULL) continue;
        TRY(spell(vocabulary, token->data, token->size_bytes, token->size_bytes,
                  &vocabulary->texts[rank], err));
        vocabulary->types[rank] = TOKEN_NORMAL;
    }
    return STATUS_OK;
}

// Qwen's first tokenizer has its special tokens in code only.
static enum status add_qwen_tokens(struct vocabulary *vocabulary, struct error *err) {
    enum { N_EXTRA = 205 };
    token_id first = vocabulary->n_tokens;
    TRY(vocabulary_pad(vocabulary, first + 3 + N_EXTRA, err));
    for (int i = 0; i < 3 + N_EXTRA; i++) {
        static const char *const names[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
        json_t *name = i < 3 ? json_string(names[i]) : json_sprintf("<|extra_%d|>", i - 3);
        if (name == NULL) return error_no_memory(err, "special tokens", 32);
        char *copy = vocabulary_copy(vocabulary, json_string_value(name), json_string_length(name));
        uint32_t size_bytes = (uint32_t)json_string_length(name);
        json_decref(name);
        if (copy == NULL) return error_no_memory(err, "special tokens", 32);
        vocabulary->texts[first + i] = (struct vocabulary_text){copy, size_bytes};
        vocabulary->types[first + i] = TOKEN_CONTROL;
    }
    vocabulary->eos = first;
    vocabulary->eot = first + 2;
    return STATUS_OK;
}

static enum status read_all(struct vocabulary *vocabulary, struct ranks *ranks, const char *text,
                            size_t text_bytes, const char *config, size_t config_bytes,
                            struct error *err) {
    TRY(read_lines(vocabulary, ranks, text, text_bytes, err));
    TRY(fill_tokens(vocabulary, ranks, err));
    TRY(derive_merges(vocabulary, ranks, err));
    int32_t n_before = vocabulary->n_tokens;
    TRY(tokenizer_config_add_tokens(vocabulary, config, config_bytes, err));
    if (vocabulary->n_tokens == n_before && strncmp(vocabulary->pre, "qwen", 4) == 0)
        TRY(add_qwen_tokens(vocabulary, err));
    TRY(tokenizer_config_apply(vocabulary, config, config_bytes, err));
    return vocabulary_check(vocabulary, err);
}

enum status vocabulary_from_tiktoken(struct vocabulary *vocabulary, const char *text,
                                     size_t text_bytes, const char *pre,
                                     const char *tokenizer_config_json, size_t config_bytes,
                                     struct error *err) {
    vocabulary_init(vocabulary);
    if (strlen(pre) >= sizeof vocabulary->pre || pre_scheme_find(pre) == NULL)
        return error_set(err, STATUS_UNSUPPORTED, "unknown pre-tokenizer \"%.60s\"", pre);
    memcpy(vocabulary->pre, pre, strlen(pre) + 1);
    vocabulary->ignore_merges = true;
    struct ranks ranks = {.n_tokens = 0};
    enum status status =
        read_all(vocabulary, &ranks, text, text_bytes, tokenizer_config_json, config_bytes, err);
    text_map_deinit(&ranks.map);
    if (status != STATUS_OK) vocabulary_deinit(vocabulary);
    return status;
}
