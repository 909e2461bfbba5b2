// SPDX-License-Identifier: Apache-2.0
// The names of pre-tokenizers that GGUF files use (tokenizer.ggml.pre) and the steps each stands
// for; and the way back from steps to a name.
#ifndef XL_TOKENIZER_PRE_NAMES_H
#define XL_TOKENIZER_PRE_NAMES_H

#include "tokenizer/pretokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PRE_STEPS_MAX = 8 };

struct pre_step {
    enum pretokenizer_kind kind; // SPLIT or BYTE_LEVEL
    const char *pattern;         // SPLIT
    enum split_behavior behavior;
};

struct pre_scheme {
    const char *const *names; // NULL-terminated; the first is what we write
    bool nfc;                 // Unicode normal form C first
    bool ignore_merges;
    bool add_bos;
    bool add_sep;
    bool space_marks; // not byte-level: U+2581 for a space, byte fallback
    struct pre_step steps[PRE_STEPS_MAX];
    int n_steps;
};

// NULL: unknown name. "" is "default".
const struct pre_scheme *pre_scheme_find(const char *name);
// The scheme with exactly these steps and properties; NULL: none.
const struct pre_scheme *pre_scheme_recognise(const struct pre_step *steps, int n_steps, bool nfc,
                                              bool ignore_merges);

#ifdef __cplusplus
}
#endif
#endif
