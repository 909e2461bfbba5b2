// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding, by merge rank or by SentencePiece score. The symbols of a piece form a linked
// list; candidates wait in a heap (cheapest first, then leftmost) and are checked when they come
// out, so a piece of n characters costs n log n however long it is.
#include "tokenizer/token_model.h"

#include "base/utf8.h"
#include "tokenizer/byte_alphabet.h"

#include <stdlib.h>
#include <string.h>

enum { SYMBOLS_ON_STACK = 64, NO_SYMBOL = -1, NEIGHBOUR_BITS = 1 << 22 };

struct symbol {
    uint32_t begin, size_bytes; // in the piece; size 0: merged away
    int32_t previous, next;     // NO_SYMBOL at the ends
    token_id id;                // -1: no such token
    bool frozen;                // a user-defined text: takes part in no merge
};

struct candidate {
    float cost; // rank, or minus the score
    int32_t left;
    uint32_t size_bytes; // of both together; differs if the pair has changed since
    token_id merged;
};

struct merger {
    const struct token_model *model;
    const char *piece;
    struct symbol *symbols;
    struct candidate *heap;
    int32_t n_symbols;
    size_t n_heap;
};

// --- where a piece may be cut ---
// Two characters that stand side by side in no token are never merged: there a long piece falls
// into parts that can be treated alone. A bit per hashed pair says "perhaps side by side".

static uint32_t neighbour_bit(uint32_t left, uint32_t right) {
    uint64_t hash = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 40) % NEIGHBOUR_BITS;
}

static enum status note_neighbours(struct token_model *model, struct error *err) {
    model->neighbours = calloc(NEIGHBOUR_BITS / 8, 1);
    if (model->neighbours == NULL) return error_no_memory(err, "merges", NEIGHBOUR_BITS / 8);
    for (uint32_t i = 0; i <= model->tokens.mask; i++) {
        const struct text_map_slot *slot = &model->tokens.slots[i];
        uint32_t left = UTF8_INVALID, right;
        for (size_t k = 0; slot->data != NULL && k < slot->size_bytes; left = right) {
            size_t begin = k;
            k += utf8_decode(slot->data + k, slot->size_bytes - k, &right);
            if (begin == 0) continue;
            uint32_t bit = neighbour_bit(left, right);
            model->neighbours[bit / 8] |= (uint8_t)(1u << bit % 8);
        }
    }
    return STATUS_OK;
}

// End of the part of the piece that starts at `begin`.
static size_t find_cut(const struct token_model *model, const char *piece, size_t piece_bytes,
                       size_t begin) {
    uint32_t left, right;
    size_t end = begin + utf8_decode(piece + begin, piece_bytes - begin, &left);
    while (end < piece_bytes && model->neighbours != NULL) {
        size_t used = utf8_decode(piece + end, piece_bytes - end, &right);
        uint32_t bit = neighbour_bit(left, right);
        if ((model->neighbours[bit / 8] >> bit % 8 & 1) == 0) return end;
        end += used;
        left = right;
    }
    return piece_bytes;
}

// --- merges ---

static uint64_t slot_of(uint64_t pair) {
    uint64_t hash = pair * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static struct merge_slot *find_slot(const struct token_model *model, uint64_t pair) {
    uint64_t i = slot_of(pair) & model->merges_mask;
    while (model->merges[i].pair != UINT64_MAX && model->merges[i].pair != pair)
        i = (i + 1) & model->merges_mask;
    return &model->merges[i];
}

// The three ids of merge "left right"; false if a token is missing.
static bool read_merge(const struct token_model *model, const struct vocabulary_text *merge,
                       char *joined, token_id *left, token_id *right, token_id *merged) {
    const char *space = memchr(merge->data + 1, ' ', merge->size_bytes - 1);
    if (space == NULL) return false;
    size_t left_bytes = (size_t)(space - merge->data);
    size_t right_bytes = merge->size_bytes - left_bytes - 1;
    if (model->byte_level) {
        if (!byte_alphabet_read(merge->data, left_bytes, joined, &left_bytes) ||
            !byte_alphabet_read(space + 1, right_bytes, joined + left_bytes, &right_bytes))
            return false;
    } else {
        memcpy(joined, merge->data, left_bytes);
        memcpy(joined + left_bytes, space + 1, right_bytes);
    }
    *left = text_map_get(&model->tokens, joined, left_bytes);
    *right = text_map_get(&model->tokens, joined + left_bytes, right_bytes);
    *merged = text_map_get(&model->tokens, joined, left_bytes + right_bytes);
    return *left >= 0 && *right >= 0 && *merged >= 0;
}

static bool is_byte_token(const struct token_model *model, token_id id) {
    const struct vocabulary_text *text = &model->vocabulary->texts[id];
    return text->size_bytes == 6 && memcmp(text->data, "<0x", 3) == 0;
}

enum status merge_table_init(struct token_model *model, struct error *err) {
    if (model->kind == TOKEN_MODEL_SCORES) return note_neighbours(model, err);
    const struct vocabulary *vocabulary = model->vocabulary;
    uint64_t n_slots = 16;
    while (n_slots < 2 * (uint64_t)vocabulary->n_merges)
        n_slots *= 2;
    model->merges = malloc((size_t)n_slots * sizeof *model->merges);
    char *joined = malloc(UINT16_MAX + 1u);
    if (model->merges == NULL || joined == NULL) {
        free(joined);
        return error_no_memory(err, "merges", n_slots * sizeof *model->merges);
    }
    model->merges_mask = n_slots - 1;
    bool merges_bytes = false; // byte tokens may stand beside anything
    for (uint64_t i = 0; i < n_slots; i++)
        model->merges[i].pair = UINT64_MAX;
    for (uint32_t rank = 0; rank < vocabulary->n_merges; rank++) {
        const struct vocabulary_text *merge = &vocabulary->merges[rank];
        token_id left, right, merged;
        if (merge->size_bytes < 3 || merge->size_bytes > UINT16_MAX ||
            !read_merge(model, merge, joined, &left, &right, &merged))
            continue;
        uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
        struct merge_slot *slot = find_slot(model, pair);
        merges_bytes = merges_bytes || is_byte_token(model, left) || is_byte_token(model, right);
        if (slot->pair == UINT64_MAX) *slot = (struct merge_slot){pair, rank, merged};
    }
    free(joined);
    return model->byte_level || merges_bytes ? STATUS_OK : note_neighbours(model, err);
}

static bool is_cheaper(const struct candidate *a, const struct candidate *b) {
    return a->cost < b->cost || (a->cost == b->cost && a->left < b->left);
}

static void heap_push(struct merger *merger, struct candidate candidate) {
    size_t i = merger->n_heap++;
    while (i > 0 && is_cheaper(&candidate, &merger->heap[(i - 1) / 2])) {
        merger->heap[i] = merger->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    merger->heap[i] = candidate;
}

static struct candidate heap_pop(struct merger *merger) {
    struct candidate top = merger->heap[0], last = merger->heap[--merger->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= merger->n_heap) break;
        if (child + 1 < merger->n_heap &&
            is_cheaper(&merger->heap[child + 1], &merger->heap[child]))
            child++;
        if (!is_cheaper(&merger->heap[child], &last)) break;
        merger->heap[i] = merger->heap[child];
        i = child;
    }
    merger->heap[i] = last;
    return top;
}

// Looks the pair (left, its right neighbour) up and queues it if it can merge.
static void consider(struct merger *merger, int32_t left) {
    if (left == NO_SYMBOL || merger->symbols[left].next == NO_SYMBOL) return;
    const struct token_model *model = merger->model;
    const struct symbol *a = &merger->symbols[left], *b = &merger->symbols[a->next];
    if (a->frozen || b->frozen) return;
    struct candidate candidate = {0, left, a->size_bytes + b->size_bytes, -1};
    if (model->kind == TOKEN_MODEL_MERGES) {
        if (a->id < 0 || b->id < 0) return;
        const struct merge_slot *slot =
            find_slot(model, (uint64_t)(uint32_t)a->id << 32 | (uint32_t)b->id);
        if (slot->pair == UINT64_MAX) return;
        candidate.cost = (float)slot->rank;
        candidate.merged = slot->merged;
    } else {
        candidate.merged =
            text_map_get(&model->tokens, merger->piece + a->begin, candidate.size_bytes);
        if (candidate.merged < 0) return;
        candidate.cost = -model->vocabulary->scores[candidate.merged];
    }
    heap_push(merger, candidate);
}

static void merge_all(struct merger *merger) {
    struct symbol *symbols = merger->symbols;
    for (int32_t i = 0; i + 1 < merger->n_symbols; i++)
        consider(merger, i);
    while (merger->n_heap > 0) {
        struct candidate best = heap_pop(merger);
        struct symbol *left = &symbols[best.left];
        if (left->size_bytes == 0 || left->next == NO_SYMBOL) continue;
        struct symbol *right = &symbols[left->next];
        if (left->size_bytes + right->size_bytes != best.size_bytes) continue;
        left->size_bytes = best.size_bytes;
        left->id = best.merged;
        right->size_bytes = 0;
        left->next = right->next;
        if (left->next != NO_SYMBOL) symbols[left->next].previous = best.left;
        consider(merger, left->previous);
        consider(merger, best.left);
    }
}

static void add_symbol(struct merger *merger, size_t begin, size_t size_bytes, token_id id,
                       bool frozen) {
    int32_t index = merger->n_symbols++;
    merger->symbols[index] =
        (struct symbol){(uint32_t)begin, (uint32_t)size_bytes, index - 1, index + 1, id, frozen};
}

// One symbol per byte, per character, or per user-defined text.
static void split_symbols(struct merger *merger, size_t piece_bytes) {
    const struct token_model *model = merger->model;
    for (size_t i = 0; i < piece_bytes;) {
        const char *text = merger->piece + i;
        uint32_t code;
        size_t used = 1, whole_bytes = 0;
        token_id id = -1;
        if (model->kind == TOKEN_MODEL_SCORES)
            id = byte_trie_longest(&model->whole, text, piece_bytes - i, &whole_bytes);
        bool frozen = id >= 0;
        if (frozen)
            used = whole_bytes;
        else if (!model->byte_level)
            used = utf8_decode(text, piece_bytes - i, &code);
        if (!frozen) id = text_map_get(&model->tokens, text, used);
        bool as_bytes = id < 0 && model->kind == TOKEN_MODEL_MERGES && model->byte_fallback;
        for (size_t k = 0; k < used && as_bytes; k++)
            as_bytes = model->byte_ids[(uint8_t)text[k]] >= 0;
        // Byte tokens are symbols like others where merging goes by rank.
        for (size_t k = 0; k < used && as_bytes; k++)
            add_symbol(merger, i + k, 1, model->byte_ids[(uint8_t)text[k]], false);
        if (!as_bytes) add_symbol(merger, i, used, id, frozen);
        i += used;
    }
    if (merger->n_symbols > 0) merger->symbols[merger->n_symbols - 1].next = NO_SYMBOL;
}

static enum status append_symbols(const struct merger *merger, size_t first,
                                  struct token_list *list, struct error *err) {
    for (int32_t i = 0; i != NO_SYMBOL; i = merger->symbols[i].next) {
        const struct symbol *symbol = &merger->symbols[i];
        if (symbol->id >= 0)
            TRY(token_list_append(list, symbol->id, err));
        else
            TRY(token_model_unknown(merger->model, merger->piece + symbol->begin,
                                    symbol->size_bytes, first, list, err));
    }
    return STATUS_OK;
}

// `first`: where in the list the whole piece began.
static enum status encode_part(const struct token_model *model, const char *piece,
                               size_t piece_bytes, size_t first, struct token_list *list,
                               struct error *err) {
    // Every merge removes a symbol and queues at most two candidates.
    struct symbol symbols[SYMBOLS_ON_STACK];
    struct candidate heap[3 * SYMBOLS_ON_STACK];
    struct merger merger = {.model = model, .piece = piece, .symbols = symbols, .heap = heap};
    bool on_heap = piece_bytes > SYMBOLS_ON_STACK;
    if (on_heap) {
        merger.symbols = malloc(piece_bytes * sizeof *merger.symbols);
        merger.heap = malloc(3 * piece_bytes * sizeof *merger.heap);
    }
    enum status status = STATUS_OK;
    if (merger.symbols == NULL || merger.heap == NULL) {
        status = error_no_memory(err, "merging", piece_bytes * 4 * sizeof *merger.symbols);
    } else {
        split_symbols(&merger, piece_bytes);
        merge_all(&merger);
        status = append_symbols(&merger, first, list, err);
    }
    if (on_heap) {
        free(merger.symbols);
        free(merger.heap);
    }
    return status;
}

enum status merge_encode(const struct token_model *model, const char *piece, size_t piece_bytes,
                         struct token_list *list, struct error *err) {
    if (model->kind == TOKEN_MODEL_MERGES && (model->ignore_merges || piece_bytes == 1)) {
        token_id id = text_map_get(&model->tokens, piece, piece_bytes);
        if (id >= 0) return token_list_append(list, id, err);
    }
    size_t first = list->n_tokens;
    for (size_t begin = 0; begin < piece_bytes;) {
        size_t end = find_cut(model, piece, piece_bytes, begin);
        TRY(encode_part(model, piece + begin, end - begin, first, list, err));
        begin = end;
    }
    return STATUS_OK;
}
