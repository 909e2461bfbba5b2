// SPDX-License-Identifier: Apache-2.0
// The unigram language model: the best-scoring path through all pieces that start at each character
// (Viterbi), unknown characters at a penalty.
#include "tokenizer/token_model.h"

#include "base/utf8.h"

#include <stdlib.h>

struct arrival { // best path that ends at this byte
    double score;
    uint32_t begin; // where its last piece starts
    token_id id;    // -1: unknown character, -2: nothing arrives here
};

// The score of a path that goes on with token `id`. SentencePiece keeps sums in float, Hugging Face
// in double; which of two equal paths wins depends on the rounding.
static double extend_score(const struct token_model *model, double score, token_id id,
                           size_t size_bytes) {
    double own = id < 0 ? model->unk_score : (double)model->vocabulary->scores[id];
    if (!model->single_precision) return score + own;
    if (id < 0 || model->vocabulary->types[id] != TOKEN_USER_DEFINED)
        return (double)((float)score + (float)own);
    return score + ((double)size_bytes * model->score_max - 0.1);
}

static void arrive(const struct token_model *model, struct arrival *arrival, double score,
                   size_t begin, token_id id) {
    if (arrival->id != -2 && score <= arrival->score) return;
    if (model->single_precision) score = (double)(float)score;
    *arrival = (struct arrival){score, (uint32_t)begin, id};
}

static void extend_paths(const struct token_model *model, const char *piece, size_t piece_bytes,
                         struct arrival *arrivals, size_t begin, size_t character_bytes) {
    bool has_single = false;
    uint32_t node = 0;
    double score = arrivals[begin].score;
    for (size_t end = begin; end < piece_bytes;) {
        node = byte_trie_step(&model->trie, node, (uint8_t)piece[end++]);
        if (node == 0) break;
        token_id id = model->trie.values[node];
        if (id < 0 || model->vocabulary->types[id] == TOKEN_UNUSED) continue;
        arrive(model, &arrivals[end], extend_score(model, score, id, end - begin), begin, id);
        if (end - begin == character_bytes) has_single = true;
    }
    if (has_single) return;
    arrive(model, &arrivals[begin + character_bytes],
           extend_score(model, score, -1, character_bytes), begin, -1);
}

// Turns the chain of arrivals around and writes it.
static enum status append_path(const struct token_model *model, const char *piece,
                               size_t piece_bytes, struct arrival *arrivals,
                               struct token_list *list, struct error *err) {
    size_t end = piece_bytes, first = list->n_tokens;
    uint32_t next = (uint32_t)piece_bytes;
    while (end > 0) { // reuse `score` for the way forward
        size_t begin = arrivals[end].begin;
        arrivals[begin].score = (double)next;
        next = (uint32_t)begin;
        end = begin;
    }
    for (size_t begin = 0; begin < piece_bytes;) {
        end = (size_t)arrivals[begin].score;
        token_id id = arrivals[end].id;
        if (id >= 0)
            TRY(token_list_append(list, id, err));
        else
            TRY(token_model_unknown(model, piece + begin, end - begin, first, list, err));
        begin = end;
    }
    return STATUS_OK;
}

enum status unigram_encode(const struct token_model *model, const char *piece, size_t piece_bytes,
                           struct token_list *list, struct error *err) {
    struct arrival *arrivals = malloc((piece_bytes + 1) * sizeof *arrivals);
    if (arrivals == NULL)
        return error_no_memory(err, "unigram paths", (piece_bytes + 1) * sizeof *arrivals);
    for (size_t i = 0; i <= piece_bytes; i++)
        arrivals[i] = (struct arrival){0, 0, -2};
    for (size_t begin = 0; begin < piece_bytes;) {
        uint32_t code;
        size_t character_bytes = utf8_decode(piece + begin, piece_bytes - begin, &code);
        if (begin == 0 || arrivals[begin].id != -2)
            extend_paths(model, piece, piece_bytes, arrivals, begin, character_bytes);
        begin += character_bytes;
    }
    // A token that ends inside a character cannot be on a path that reaches the end.
    enum status status = append_path(model, piece, piece_bytes, arrivals, list, err);
    free(arrivals);
    return status;
}
