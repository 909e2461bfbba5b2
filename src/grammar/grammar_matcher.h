// SPDX-License-Identifier: Apache-2.0
// A grammar and a vocabulary: which tokens may come next at a place. Masks are remembered by what
// they can depend on, so that the same question is rarely computed twice. Thread-safe; what is
// remembered is bounded. The tokens' texts are bytes, so a character may be split over tokens.
#ifndef XL_GRAMMAR_GRAMMAR_MATCHER_H
#define XL_GRAMMAR_GRAMMAR_MATCHER_H

#include "grammar/grammar_place.h"
#include "grammar/token_trie.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grammar_matcher;

// The texts of all tokens that may stand inside a grammar. Masks of the short ones are remembered,
// the few long ones are tried every time.
struct token_tries {
    struct token_trie shorts, longs;
    uint32_t short_bytes_max;
    uint32_t n_tokens; // ids are below
};

// A text before which the grammar does not bind.
enum { BEGIN_TEXT_MAX = 256 };

struct begin_text {
    char data[BEGIN_TEXT_MAX];
    uint16_t fallback[BEGIN_TEXT_MAX]; // Knuth, Morris and Pratt's
    uint32_t size_bytes;
};

// false: empty or too long.
bool begin_text_init(struct begin_text *begin, const char *text);
uint32_t begin_text_step(const struct begin_text *begin, uint32_t n_matched, uint8_t byte);

// Takes over *program, also on failure; *tries must outlive it.
enum status grammar_matcher_create(struct grammar_matcher **matcher,
                                   struct grammar_program *program, const struct token_tries *tries,
                                   struct error *err);
void grammar_matcher_destroy(struct grammar_matcher *matcher); // NULL is allowed

// Puts a place at the start; `lead`: a little white space may come first.
enum status grammar_matcher_begin(struct grammar_matcher *matcher, struct grammar_place *place,
                                  bool lead, struct error *err);
// Goes on by some bytes. STATUS_FAILED if they do not fit; the place is then unchanged.
enum status grammar_matcher_accept(struct grammar_matcher *matcher, struct grammar_place *place,
                                   const char *bytes, size_t n_bytes, struct error *err);
// Sets the bits of allowed tokens; `mask` is [(n_tokens + 63) / 64], overwritten.
enum status grammar_matcher_mask(struct grammar_matcher *matcher, const struct grammar_place *place,
                                 uint64_t *mask, struct error *err);
// The same before the end of the begin text, n_matched bytes of which have come.
enum status grammar_matcher_begin_mask(struct grammar_matcher *matcher,
                                       const struct begin_text *begin, uint32_t n_matched,
                                       uint64_t *mask, struct error *err);

struct grammar_matcher_counts {
    uint64_t n_masks, n_computed; // asked for; not remembered
    uint32_t n_states;
};
void grammar_matcher_describe(struct grammar_matcher *matcher,
                              struct grammar_matcher_counts *counts);

#ifdef __cplusplus
}
#endif
#endif
