// SPDX-License-Identifier: Apache-2.0
// From ids back to text, whole or as a stream. A stream holds back the bytes of an unfinished
// character; bytes that can never become one turn into U+FFFD there.
#include "base/utf8.h"
#include "tokenizer/tokenizer_parts.h"

#include <string.h>

static const char replacement[] = "\xef\xbf\xbd";

const char *tokenizer_piece(const struct tokenizer *tokenizer, token_id id, bool with_special,
                            size_t *size_bytes) {
    *size_bytes = 0;
    if (id < 0 || id >= tokenizer->vocabulary.n_tokens) return NULL;
    int32_t type = tokenizer->vocabulary.types[id];
    bool hidden = type == TOKEN_CONTROL || type == TOKEN_UNKNOWN;
    uint32_t begin = tokenizer->piece_offsets[id];
    if (!hidden || with_special) *size_bytes = tokenizer->piece_offsets[id + 1] - begin;
    return tokenizer->piece_bytes + begin;
}

// What a token adds to a text of which `at_start` says whether it is still empty.
static const char *next_piece(const struct tokenizer *tokenizer, token_id id, bool with_special,
                              bool *at_start, size_t *size_bytes) {
    const char *piece = tokenizer_piece(tokenizer, id, with_special, size_bytes);
    if (piece == NULL || *size_bytes == 0) return piece;
    int32_t type = tokenizer->vocabulary.types[id];
    if (*at_start && tokenizer->strip_leading_space && piece[0] == ' ' && type != TOKEN_CONTROL) {
        piece++;
        (*size_bytes)--;
    }
    *at_start = false;
    return piece;
}

enum status tokenizer_decode(const struct tokenizer *tokenizer, const token_id *ids,
                             size_t n_tokens, bool with_special, char **text, size_t *text_bytes,
                             struct error *err) {
    struct buffer out;
    buffer_init(&out, SIZE_MAX / 4);
    bool at_start = true;
    *text = NULL;
    for (size_t i = 0; i < n_tokens; i++) {
        size_t size_bytes;
        const char *piece = next_piece(tokenizer, ids[i], with_special, &at_start, &size_bytes);
        if (piece == NULL) {
            buffer_deinit(&out);
            return error_set(err, STATUS_USAGE, "token id %d is outside the vocabulary of %d",
                             ids[i], tokenizer->vocabulary.n_tokens);
        }
        buffer_append(&out, piece, size_bytes);
    }
    *text = buffer_take(&out, text_bytes);
    if (*text == NULL) return error_no_memory(err, "decoded text", n_tokens);
    return STATUS_OK;
}

void detokenizer_init(struct detokenizer *detokenizer, const struct tokenizer *tokenizer,
                      bool with_special) {
    memset(detokenizer, 0, sizeof *detokenizer);
    detokenizer->tokenizer = tokenizer;
    detokenizer->at_start = true;
    detokenizer->with_special = with_special;
}

// Bytes at text[0] that belong together but are malformed: the longest beginning of a character.
static size_t malformed_length(const char *text, size_t size_bytes) {
    for (size_t n = size_bytes < 4 ? size_bytes : 4; n > 1; n--)
        if (utf8_complete_prefix(text, n) == 0) return n;
    return 1;
}

// Appends whole characters; returns how many bytes at the end are unfinished.
static size_t append_characters(const char *text, size_t size_bytes, struct buffer *out) {
    size_t complete = utf8_complete_prefix(text, size_bytes);
    for (size_t i = 0; i < complete;) {
        uint32_t code;
        size_t used = utf8_decode(text + i, complete - i, &code);
        if (code == UTF8_INVALID) {
            used = malformed_length(text + i, complete - i);
            buffer_append_text(out, replacement);
        } else {
            buffer_append(out, text + i, used);
        }
        i += used;
    }
    return size_bytes - complete;
}

enum status detokenizer_push(struct detokenizer *detokenizer, token_id id, struct buffer *out) {
    size_t size_bytes;
    const char *piece = next_piece(detokenizer->tokenizer, id, detokenizer->with_special,
                                   &detokenizer->at_start, &size_bytes);
    if (piece == NULL) return STATUS_USAGE;
    while (size_bytes > 0) {
        char *pending = detokenizer->pending;
        size_t room = sizeof detokenizer->pending - detokenizer->pending_bytes;
        size_t taken = size_bytes < room ? size_bytes : room;
        memcpy(pending + detokenizer->pending_bytes, piece, taken);
        size_t total = detokenizer->pending_bytes + taken;
        size_t left = append_characters(pending, total, out);
        memmove(pending, pending + total - left, left);
        detokenizer->pending_bytes = left;
        piece += taken;
        size_bytes -= taken;
    }
    return out->status;
}

enum status detokenizer_flush(struct detokenizer *detokenizer, struct buffer *out) {
    if (detokenizer->pending_bytes > 0) buffer_append_text(out, replacement);
    detokenizer->pending_bytes = 0;
    return out->status;
}
