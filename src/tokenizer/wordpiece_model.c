// SPDX-License-Identifier: Apache-2.0
// WordPiece: the longest token from the left, again and again; one unknown token for a word that
// cannot be covered. In the vocabulary's spelling U+2581 marks the start of a word.
#include "tokenizer/token_model.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static const char word_mark[] = "\xe2\x96\x81";
enum { MARK_BYTES = 3 };

static size_t count_characters(const char *text, size_t text_bytes) {
    size_t n = 0;
    for (size_t i = 0; i < text_bytes; n++) {
        uint32_t code;
        i += utf8_decode(text + i, text_bytes - i, &code);
    }
    return n;
}

// Longest token that starts at text[begin] and ends between characters; its end, or 0.
static size_t find_longest(const struct token_model *model, const char *text, size_t text_bytes,
                           size_t begin, token_id *id) {
    size_t end = text_bytes;
    if (end - begin > model->tokens.size_max_bytes) end = begin + model->tokens.size_max_bytes;
    while (end < text_bytes && ((uint8_t)text[end] & 0xc0) == 0x80)
        end--;
    // Inside a word the mark is a character like others, not the start of a word.
    if (begin > 0 && text_bytes - begin >= MARK_BYTES &&
        memcmp(text + begin, word_mark, MARK_BYTES) == 0)
        end = begin + MARK_BYTES;
    while (end > begin) {
        *id = text_map_get(&model->tokens, text + begin, end - begin);
        if (*id >= 0) return end;
        do {
            end--;
        } while (end > begin && ((uint8_t)text[end] & 0xc0) == 0x80);
    }
    return 0;
}

static enum status encode_marked(const struct token_model *model, const char *word,
                                 size_t word_bytes, struct token_list *list, struct error *err) {
    size_t first = list->n_tokens;
    for (size_t begin = 0; begin < word_bytes;) {
        token_id id = -1;
        size_t end = find_longest(model, word, word_bytes, begin, &id);
        if (end == 0 || (begin == 0 && end <= MARK_BYTES)) {
            list->n_tokens = first;
            return model->unk < 0 ? STATUS_OK : token_list_append(list, model->unk, err);
        }
        TRY(token_list_append(list, id, err));
        begin = end;
    }
    return STATUS_OK;
}

enum status wordpiece_encode(const struct token_model *model, const char *piece, size_t piece_bytes,
                             struct token_list *list, struct error *err) {
    if (count_characters(piece, piece_bytes) > (size_t)model->word_chars_max)
        return model->unk < 0 ? STATUS_OK : token_list_append(list, model->unk, err);
    char *word = malloc(piece_bytes + MARK_BYTES);
    if (word == NULL) return error_no_memory(err, "word", piece_bytes + MARK_BYTES);
    memcpy(word, word_mark, MARK_BYTES);
    memcpy(word + MARK_BYTES, piece, piece_bytes);
    enum status status = encode_marked(model, word, piece_bytes + MARK_BYTES, list, err);
    free(word);
    return status;
}
