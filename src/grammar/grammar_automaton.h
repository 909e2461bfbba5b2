// SPDX-License-Identifier: Apache-2.0
// A grammar_program at work, as a deterministic automaton that is built while it runs. A state is
// the set of all places in the network where the text so far can have led, each with its stack of
// open rules and loop counters; stacks share their bottoms. What was computed is remembered, so
// that most steps are one look into a table. Not thread-safe; a cache that can be emptied any time
// (a grammar_place keeps what must survive).
#ifndef XL_GRAMMAR_GRAMMAR_AUTOMATON_H
#define XL_GRAMMAR_GRAMMAR_AUTOMATON_H

#include "grammar/grammar_program.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    STATE_DEAD = 0,
    STATE_UNKNOWN = 0xffffff,
    FRAME_BOTTOM = 0, // below it the whole is complete
    FRAME_CUT = 1,    // below it lies more than anybody looks at
    AUTOMATON_DEPTH_MAX = 1024,
    AUTOMATON_PLACES_MAX = 4096, // live at once
    AUTOMATON_WORK_MAX = 1 << 21 // steps of one task: some dozen milliseconds
};

struct automaton_place {
    uint32_t node; // a NODE_BYTES
    uint32_t frame;
};

// What is open: an iteration of a loop (count >= 1: the how manieth), or a rule (count 0) that
// goes on at `node`.
struct automaton_frame {
    uint32_t parent, node, count, depth;
};

struct automaton_state {
    uint32_t first, n; // places
    uint32_t *row;     // [n_classes] next state, STATE_UNKNOWN: not computed; NULL: none yet
    bool is_complete;
};

struct automaton {
    const struct grammar_program *program;
    struct automaton_frame *frames;
    struct automaton_place *places;
    struct automaton_state *states;
    uint32_t n_frames, n_places, n_states, frames_capacity, places_capacity, states_capacity;
    uint32_t *frame_slots, *state_slots; // hash tables, index + 1
    uint32_t frame_mask, state_mask;
    // One closure: places still to be looked at, those seen, those kept.
    struct automaton_place *work, *kept;
    uint32_t n_work, n_kept;
    uint64_t *seen;
    uint32_t *seen_stamps, stamp, n_seen;
    bool closes_complete;
    uint64_t epoch;       // changes when everything is forgotten: states are numbers of an epoch
    uint32_t n_work_done; // since automaton_begin_task
    bool is_exhausted;    // over a limit, or no memory, since the last automaton_forget
    bool no_memory;       // which of both
};

enum status automaton_init(struct automaton *automaton, const struct grammar_program *program,
                           struct error *err);
void automaton_deinit(struct automaton *automaton);
void automaton_forget(struct automaton *automaton);
// Forgets if much is remembered, and begins a task, whose work is bounded.
void automaton_begin_task(struct automaton *automaton);

// The state at a node under an empty stack.
uint32_t automaton_begin(struct automaton *automaton, uint32_t node);
uint32_t automaton_frame_of(struct automaton *automaton, uint32_t parent, uint32_t node,
                            uint32_t count);
// The state of places that all stand at NODE_BYTES (in any order, which changes; equal ones count
// once).
uint32_t automaton_state_of(struct automaton *automaton, struct automaton_place *places, uint32_t n,
                            bool is_complete);
uint32_t automaton_compute(struct automaton *automaton, uint32_t state, uint32_t class_index);

// One byte on; STATE_DEAD: it does not fit. Over a limit everything is dead: it fails closed.
static inline uint32_t automaton_step(struct automaton *automaton, uint32_t state,
                                      uint32_t class_index) {
    const uint32_t *row = automaton->states[state].row;
    if (row && row[class_index] != STATE_UNKNOWN) return row[class_index];
    return automaton_compute(automaton, state, class_index);
}

#ifdef __cplusplus
}
#endif
#endif
