// SPDX-License-Identifier: Apache-2.0
// Where one text stands in a grammar, as plain words that do not depend on what an automaton
// remembers: cheap to copy, to compare and to come back to.
#ifndef XL_GRAMMAR_GRAMMAR_PLACE_H
#define XL_GRAMMAR_GRAMMAR_PLACE_H

#include "grammar/grammar_automaton.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grammar_place {
    uint32_t *words; // how many alternatives, is it complete, and each one's node and stack
    uint32_t n_words, capacity;
    uint64_t epoch; // the automaton's when `state` was its number for this place
    uint32_t state;
    bool is_complete, is_open; // may end here; something may follow
};

void grammar_place_deinit(struct grammar_place *place);
bool grammar_place_copy(struct grammar_place *to, const struct grammar_place *from);

// STATUS_NO_MEMORY, or STATUS_UNSUPPORTED if its words would be too many. The place is then
// unchanged.
enum status grammar_place_save(struct grammar_place *place, const struct automaton *automaton,
                               uint32_t state);
// The state of a place; STATE_DEAD if there is no room for it.
uint32_t grammar_place_load(const struct grammar_place *place, struct automaton *automaton);
// As save, but two states between which texts of n_bytes can make no difference become equal:
// counters far from their limits, stacks deeper than n_bytes can reach.
enum status grammar_place_save_near(struct grammar_place *place, const struct automaton *automaton,
                                    uint32_t state, uint32_t n_bytes);

#ifdef __cplusplus
}
#endif
#endif
