// SPDX-License-Identifier: Apache-2.0
#include "fuzz_grammar.h"

#include "grammar/grammar_matcher.h"

#include <stdlib.h>

enum { STEPS = 40 };

static const struct token_tries *single_bytes(void) {
    static struct token_tries tries = {.short_bytes_max = 4, .n_tokens = 256};
    static char bytes[256];
    struct token_text texts[256];
    struct error err;
    if (tries.shorts.nodes) return &tries;
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
        texts[i] = (struct token_text){&bytes[i], 1, i};
    }
    if (token_trie_init(&tries.shorts, texts, 256, &err) != STATUS_OK ||
        token_trie_init(&tries.longs, texts, 0, &err) != STATUS_OK)
        abort();
    return &tries;
}

// A step by one allowed byte, another one each time; false: the end.
static bool follow_step(struct grammar_matcher *matcher, struct grammar_place *place,
                        unsigned step) {
    uint64_t mask[4];
    struct error err;
    if (grammar_matcher_mask(matcher, place, mask, &err) != STATUS_OK) return false;
    for (unsigned i = 0; i < 256; i++) {
        unsigned byte = (step * 37 + i) & 255;
        char text = (char)byte;
        if (!(mask[byte >> 6] >> (byte & 63) & 1)) continue;
        enum status status = grammar_matcher_accept(matcher, place, &text, 1, &err);
        if (status == STATUS_FAILED) abort();
        return status == STATUS_OK;
    }
    return false;
}

void fuzz_grammar_follow(struct grammar_program *program) {
    struct grammar_matcher *matcher;
    struct grammar_place place = {0};
    struct error err;
    if (grammar_matcher_create(&matcher, program, single_bytes(), &err) != STATUS_OK) return;
    if (grammar_matcher_begin(matcher, &place, false, &err) == STATUS_OK)
        for (unsigned step = 0; step < STEPS && follow_step(matcher, &place, step); step++)
            continue;
    grammar_place_deinit(&place);
    grammar_matcher_destroy(matcher);
}
