// SPDX-License-Identifier: Apache-2.0
// Finds added tokens with a trie. The conditions on their surroundings are those of Hugging Face:
// a match that fails them is passed over as plain text.
#include "tokenizer/added_tokens.h"

#include "base/utf8.h"
#include "tokenizer/normalize_unicode.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum status added_tokens_init(struct added_tokens *set, struct error *err) {
    memset(set, 0, sizeof *set);
    return byte_trie_init(&set->trie, err);
}

void added_tokens_deinit(struct added_tokens *set) {
    byte_trie_deinit(&set->trie);
    free(set->tokens);
    memset(set, 0, sizeof *set);
}

enum status added_tokens_add(struct added_tokens *set, const char *text, size_t text_bytes,
                             const struct added_token *token, struct error *err) {
    if (set->n_tokens == set->capacity) {
        size_t capacity = set->capacity == 0 ? 32 : set->capacity * 2;
        struct added_token *tokens = realloc(set->tokens, capacity * sizeof *tokens);
        if (tokens == NULL) return error_no_memory(err, "added tokens", capacity * sizeof *tokens);
        set->tokens = tokens;
        set->capacity = capacity;
    }
    set->tokens[set->n_tokens] = *token;
    return byte_trie_add(&set->trie, text, text_bytes, (int32_t)set->n_tokens++, err);
}

static bool is_word_character(uint32_t code) {
    if (code == UTF8_INVALID) return false;
    if (code == 0x200c || code == 0x200d) return true; // joiners
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
           category == UTF8PROC_CATEGORY_PC;
}

// Start of the character that ends at text[end].
static size_t previous_character(const char *text, size_t end) {
    size_t begin = end - 1;
    while (begin > 0 && end - begin < 4 && ((uint8_t)text[begin] & 0xc0) == 0x80)
        begin--;
    return begin;
}

static bool stands_alone(const char *text, size_t text_bytes, size_t begin, size_t end) {
    uint32_t code;
    if (begin > 0) {
        size_t before = previous_character(text, begin);
        utf8_decode(text + before, begin - before, &code);
        if (is_word_character(code)) return false;
    }
    if (end == text_bytes) return true;
    utf8_decode(text + end, text_bytes - end, &code);
    return !is_word_character(code);
}

static size_t swallow_left(const char *text, size_t begin, size_t floor) {
    while (begin > floor) {
        uint32_t code;
        size_t before = previous_character(text, begin);
        utf8_decode(text + before, begin - before, &code);
        if (!unicode_is_space(code)) break;
        begin = before;
    }
    return begin < floor ? floor : begin;
}

static size_t swallow_right(const char *text, size_t text_bytes, size_t end) {
    while (end < text_bytes) {
        uint32_t code;
        size_t used = utf8_decode(text + end, text_bytes - end, &code);
        if (!unicode_is_space(code)) break;
        end += used;
    }
    return end;
}

bool added_tokens_next(const struct added_tokens *set, const char *text, size_t text_bytes,
                       bool with_special, struct added_scan *scan, size_t *begin_bytes,
                       size_t *end_bytes, token_id *id) {
    while (set->n_tokens > 0 && scan->search_bytes < text_bytes) {
        size_t begin = scan->search_bytes, length;
        if (set->trie.roots[(uint8_t)text[begin]] == 0) {
            scan->search_bytes++;
            continue;
        }
        int32_t index = byte_trie_longest(&set->trie, text + begin, text_bytes - begin, &length);
        scan->search_bytes += index < 0 ? 1 : length;
        if (index < 0) continue;
        const struct added_token *token = &set->tokens[index];
        size_t end = begin + length;
        if (token->special && !with_special) continue;
        if (token->single_word && !stands_alone(text, text_bytes, begin, end)) continue;
        if (begin < scan->done_bytes) begin = scan->done_bytes;
        if (token->lstrip) begin = swallow_left(text, begin, scan->done_bytes);
        if (token->rstrip) end = swallow_right(text, text_bytes, end);
        scan->done_bytes = end;
        *begin_bytes = begin;
        *end_bytes = end;
        *id = token->id;
        return true;
    }
    return false;
}
