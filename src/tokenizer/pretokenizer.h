// SPDX-License-Identifier: Apache-2.0
// Cuts text into the pieces that the model then tokenizes one by one: a short list of steps, each
// of which cuts every piece of the step before.
#ifndef XL_TOKENIZER_PRETOKENIZER_H
#define XL_TOKENIZER_PRETOKENIZER_H

#include "tokenizer/split_regex.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pretokenizer_kind {
    PRETOKENIZER_SPLIT,      // by matches of a regular expression
    PRETOKENIZER_BYTE_LEVEL, // spells the bytes in the byte-level alphabet
    PRETOKENIZER_METASPACE   // spaces become U+2581 and start a piece
};

enum split_behavior { // what happens to the matches
    SPLIT_ISOLATED,
    SPLIT_REMOVED,
    SPLIT_CONTIGUOUS,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT
};

enum metaspace_prepend { METASPACE_NEVER, METASPACE_FIRST, METASPACE_ALWAYS };

enum { PRETOKENIZER_STEPS_MAX = 16, PRETOKENIZER_MARK_BYTES = 8 };

struct pretokenizer_step {
    enum pretokenizer_kind kind;
    struct split_regex *regex; // SPLIT
    enum split_behavior behavior;
    bool invert;
    bool add_prefix_space; // BYTE_LEVEL
    bool only_prefix;      // BYTE_LEVEL: adds the space and spells nothing
    enum metaspace_prepend prepend;
    bool split;                         // METASPACE
    char mark[PRETOKENIZER_MARK_BYTES]; // METASPACE, terminated
};

struct pretokenizer {
    struct pretokenizer_step steps[PRETOKENIZER_STEPS_MAX];
    int n_steps;
    bool byte_level; // has a BYTE_LEVEL step: the model gets raw bytes
};

void pretokenizer_deinit(struct pretokenizer *pretokenizer);
// Appends a SPLIT step; the expression is compiled here.
enum status pretokenizer_add_split(struct pretokenizer *pretokenizer, const char *pattern,
                                   size_t pattern_bytes, bool literal, enum split_behavior behavior,
                                   bool invert, struct error *err);
enum status pretokenizer_add_step(struct pretokenizer *pretokenizer,
                                  const struct pretokenizer_step *step, struct error *err);
// The GPT-2 expression, which a byte-level step with use_regex brings along.
extern const char pretokenizer_gpt2_pattern[];

// Receives each piece; bytes that are no UTF-8 come as pieces of their own.
typedef enum status (*pretokenizer_sink)(void *context, const char *piece, size_t piece_bytes,
                                         struct error *err);
// `at_start`: the text is the very beginning of the whole input. *scratch is created when needed.
enum status pretokenizer_run(const struct pretokenizer *pretokenizer,
                             struct split_scratch **scratch, const char *text, size_t text_bytes,
                             bool at_start, pretokenizer_sink sink, void *context,
                             struct error *err);

#ifdef __cplusplus
}
#endif
#endif
