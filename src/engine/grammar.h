// SPDX-License-Identifier: Apache-2.0
// A grammar at work: xl_grammar is the compiled text together with what was learnt while using it
// (token masks), shared by any number of threads; a struct grammar_guide is one generation's place
// in it. Whoever chooses tokens asks: which may come now (mask), then tells which came (accept).
//
//     while (!grammar_guide_is_done(guide)) {
//         TRY(grammar_guide_mask(guide, allowed, n_vocab, err)); // end tokens included
//         token = …best token whose bit is set…
//         if (tokenizer_is_end(tokenizer, token)) break;
//         TRY(grammar_guide_accept(guide, token, err));          // refuses what is not allowed
//     }
//
// Before the begin text the mask allows everything, but for tokens that hold the begin text and
// then something with which the grammar cannot start.
#ifndef XL_ENGINE_GRAMMAR_H
#define XL_ENGINE_GRAMMAR_H

#include "base/status.h"
#include "xinglin/xinglin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct grammar_guide;
struct grammar_shelf;

// Keeps the grammar alive until it is given back by xl_grammar_close().
void grammar_retain(const xl_grammar *grammar);
// `begin` as xl_generate_options.grammar_begin; copied; the guide retains the grammar.
// STATUS_USAGE if `grammar` is of another engine.
enum status grammar_guide_create(struct grammar_guide **guide, const xl_engine *engine,
                                 const xl_grammar *grammar, const char *begin, struct error *err);
void grammar_guide_destroy(struct grammar_guide *guide); // wipes; NULL is allowed
// Makes *to the same place as *from, both made from the same grammar and begin text (to look
// ahead and come back).
enum status grammar_guide_copy(struct grammar_guide *to, const struct grammar_guide *from,
                               struct error *err);

// uint64_t words of a mask over n_vocab tokens.
static inline size_t grammar_mask_words(int n_vocab) {
    return ((size_t)n_vocab + 63) / 64;
}

static inline bool grammar_mask_has(const uint64_t *allowed, int32_t token) {
    return (allowed[token >> 6] >> (token & 63) & 1) != 0;
}

// Bit t of `allowed` [grammar_mask_words(n_vocab)]: token t may come next. End tokens may exactly
// when the text so far is complete (or the grammar does not bind yet). STATUS_UNSUPPORTED if no
// token at all can continue: the vocabulary cannot spell what the grammar wants.
enum status grammar_guide_mask(struct grammar_guide *guide, uint64_t *allowed, int n_vocab,
                               struct error *err);
// Goes on by one token (never an end token). A token that may not come is STATUS_FAILED and leaves
// the guide where it was.
enum status grammar_guide_accept(struct grammar_guide *guide, int32_t token, struct error *err);
// May the generation end here?
bool grammar_guide_may_end(const struct grammar_guide *guide);
// Complete, and nothing can follow: the generation ends without another token.
bool grammar_guide_is_done(const struct grammar_guide *guide);
// Has the begin text been seen (or was there none)?
bool grammar_guide_binds(const struct grammar_guide *guide);

// For the engine: frees what its grammars share (the tokens as a tree, grammars compiled lately).
// NULL is allowed.
void grammar_shelf_destroy(struct grammar_shelf *shelf);

#ifdef __cplusplus
}
#endif
#endif
