// SPDX-License-Identifier: Apache-2.0
#include "grammar/grammar_place.h"

#include <stdlib.h>
#include <string.h>

// A stack that goes on below what is written.
#define IS_CUT 0x80000000u
#define FAR UINT32_MAX // more bytes than anybody asks for

enum { WORDS_MAX = 1 << 18 };

void grammar_place_deinit(struct grammar_place *place) {
    free(place->words);
    *place = (struct grammar_place){0};
}

static bool reserve(struct grammar_place *place, uint32_t n) {
    if (n <= place->capacity) return true;
    uint32_t capacity = n < 64 ? 64 : n * 2;
    uint32_t *words = realloc(place->words, capacity * sizeof *words);
    if (!words) return false;
    place->words = words;
    place->capacity = capacity;
    return true;
}

bool grammar_place_copy(struct grammar_place *to, const struct grammar_place *from) {
    if (!reserve(to, from->n_words)) return false;
    uint32_t *words = to->words, capacity = to->capacity;
    memcpy(words, from->words, from->n_words * sizeof *words);
    *to = *from;
    to->words = words;
    to->capacity = capacity;
    return true;
}

static uint32_t add(uint32_t a, uint32_t b) {
    return a > FAR - b ? FAR : a + b;
}

static uint32_t multiply(uint32_t a, uint32_t b) {
    return a != 0 && b > FAR / a ? FAR : a * b;
}

// What a loop's round number `count` may be called if at most n_left bytes follow this round.
static uint32_t near_count(const struct grammar_program *p, const struct grammar_node *loop,
                           uint32_t count, uint32_t n_left) {
    uint32_t body = p->nodes[loop->a].rest;
    if (body == 0) return count;
    uint32_t reached = add(count, n_left / body);
    if (reached < loop->min) return 1;
    if (count >= loop->min && reached < loop->max) return loop->min > 1 ? loop->min : 1;
    return count;
}

// One stack from its top. n_bytes FAR: all of it as it is. Returns the words written.
static uint32_t write_stack(const struct automaton *a, struct automaton_place from,
                            uint32_t n_bytes, uint32_t *words) {
    const struct grammar_program *p = a->program;
    uint32_t frame = from.frame, used = p->nodes[from.node].rest, n = 2;
    while (frame > FRAME_CUT && (n_bytes == FAR || used <= n_bytes)) {
        struct automaton_frame open = a->frames[frame];
        if (n_bytes != FAR && open.count > 0) {
            const struct grammar_node *loop = &p->nodes[open.node];
            uint32_t missing = open.count < loop->min ? loop->min - open.count : 0;
            open.count = near_count(p, loop, open.count, n_bytes - used);
            used = add(used, multiply(missing, p->nodes[loop->a].rest));
            used = add(used, p->nodes[loop->next].rest);
        } else if (n_bytes != FAR) {
            used = add(used, p->nodes[open.node].rest);
        }
        words[n++] = open.node;
        words[n++] = open.count;
        frame = open.parent;
    }
    words[0] = from.node;
    words[1] = (n - 2) / 2 | (frame != FRAME_BOTTOM ? IS_CUT : 0);
    return n;
}

static enum status save(struct grammar_place *place, const struct automaton *a, uint32_t state,
                        uint32_t n_bytes) {
    const struct automaton_state *s = &a->states[state];
    uint32_t n = 1;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t depth = a->frames[a->places[s->first + i].frame].depth;
        n += 2 + 2 * depth;
        if (depth > AUTOMATON_DEPTH_MAX / 2) n_bytes = FAR; // the limit of depths may be near
    }
    if (n > WORDS_MAX) return STATUS_UNSUPPORTED;
    if (!reserve(place, n)) return STATUS_NO_MEMORY;
    place->words[0] = s->n << 1 | s->is_complete;
    n = 1;
    for (uint32_t i = 0; i < s->n; i++)
        n += write_stack(a, a->places[s->first + i], n_bytes, place->words + n);
    place->n_words = n;
    place->is_complete = s->is_complete;
    place->is_open = s->n > 0;
    return STATUS_OK;
}

enum status grammar_place_save(struct grammar_place *place, const struct automaton *a,
                               uint32_t state) {
    TRY(save(place, a, state, FAR));
    place->epoch = a->epoch;
    place->state = state;
    return STATUS_OK;
}

enum status grammar_place_save_near(struct grammar_place *place, const struct automaton *a,
                                    uint32_t state, uint32_t n_bytes) {
    place->epoch = 0;
    return save(place, a, state, n_bytes);
}

uint32_t grammar_place_load(const struct grammar_place *place, struct automaton *a) {
    if (place->epoch == a->epoch) return place->state;
    if (place->n_words == 0) return STATE_DEAD;
    const uint32_t *words = place->words;
    uint32_t n = words[0] >> 1, at = 1, n_kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t depth = words[at + 1] & ~IS_CUT;
        uint32_t frame = words[at + 1] & IS_CUT ? FRAME_CUT : FRAME_BOTTOM;
        for (uint32_t k = depth; k-- > 0;)
            frame = automaton_frame_of(a, frame, words[at + 2 + 2 * k], words[at + 3 + 2 * k]);
        if (n_kept < AUTOMATON_PLACES_MAX)
            a->kept[n_kept++] = (struct automaton_place){words[at], frame};
        at += 2 + 2 * depth;
    }
    return automaton_state_of(a, a->kept, n_kept, words[0] & 1);
}
