// SPDX-License-Identifier: Apache-2.0
// A random llama of some 60 KB with a small SentencePiece vocabulary, written where a test wants
// it: enough to try everything around a model without any download.
#ifndef XL_TESTS_TINY_MODEL_H
#define XL_TESTS_TINY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TINY_VOCAB = 300,
    TINY_BOS = 1,
    TINY_END = 2,
    TINY_BYTES = 3,    // ids 3 … 258 are the bytes 0 … 255
    TINY_LETTERS = 259 // ids 259 … 284: "a" … "z"; then " a", " b", …; last: " "
};

// The same seed gives the same file. False if it cannot be written.
bool tiny_model_write(const char *path, uint64_t seed, bool with_template);

#endif
