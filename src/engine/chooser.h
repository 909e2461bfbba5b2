// SPDX-License-Identifier: Apache-2.0
// From logits to text for one generation, whoever computes the logits: its options, sampler,
// penalties, grammar, detokenizer and stop strings. Sessions and the worker choose through it, so
// that both give the same bytes. It knows no cache and no clock.
//
//     token = chooser_choose(chooser, logits)
//     chooser_take(chooser, token, …), show chooser->shown, chooser_drop(chooser)
//     … and at the end chooser_finish(chooser, …), show, drop
#ifndef XL_ENGINE_CHOOSER_H
#define XL_ENGINE_CHOOSER_H

#include "base/status.h"
#include "engine/stop_filter.h"
#include "sampler/sampler.h"
#include "tokenizer/tokenizer.h"
#include "xinglin/xinglin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grammar_guide;

struct chooser {
    const xl_generate_options *options; // whole; must outlive the chooser
    const struct tokenizer *tokenizer;  // NULL: tokens only
    struct sampler *sampler;
    struct grammar_guide *guide; // NULL: anything may come
    uint64_t *allowed;           // [grammar_mask_words(n_vocab)] of the guide
    struct detokenizer detokenizer;
    struct stop_filter filter;
    int n_vocab, n_generated;
    const char *shown; // [shown_bytes] text that is certain since the last drop
    size_t shown_bytes;
};

// What a taken token means for the generation.
enum choice {
    CHOICE_GOES_ON,
    CHOICE_END,  // an end token: not text
    CHOICE_DONE, // the grammar's text is complete, and nothing can follow
    CHOICE_STOP  // a stop string follows what is shown
};

// All defaults, overwritten by what the caller's struct holds of its (perhaps older) size.
enum status generate_options_read(xl_generate_options *own, const xl_generate_options *given,
                                  struct error *err);

// What chooser_init would refuse.
enum status chooser_check(const xl_generate_options *options, const xl_engine *engine,
                          struct error *err);
// Zeroed or initialised, deinit is allowed.
enum status chooser_init(struct chooser *chooser, const xl_generate_options *options,
                         const xl_engine *engine, struct error *err);
void chooser_deinit(struct chooser *chooser); // wipes
// The text before what will be generated.
void chooser_see(struct chooser *chooser, const int32_t *tokens, size_t n_tokens);
// Draws from logits [n_vocab]; the token must then be taken.
enum status chooser_choose(struct chooser *chooser, const float *logits, int32_t *token,
                           struct error *err);
enum status chooser_take(struct chooser *chooser, int32_t token, enum choice *choice,
                         struct error *err);
// Nothing more will be taken: what was held back is shown. *choice: CHOICE_STOP if a stop string
// turned up in it.
enum status chooser_finish(struct chooser *chooser, enum choice *choice, struct error *err);
void chooser_drop(struct chooser *chooser); // what was shown

#ifdef __cplusplus
}
#endif
#endif
