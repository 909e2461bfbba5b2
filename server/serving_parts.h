// SPDX-License-Identifier: Apache-2.0
// What routes share besides the model: caches that live as long as the server.
#ifndef XL_SERVER_SERVING_PARTS_H
#define XL_SERVER_SERVING_PARTS_H

struct grammar_cache;
struct token_texts;

struct serving_parts {
    struct grammar_cache *grammars; // any thread
    struct token_texts *texts;      // I/O thread
};

#endif
