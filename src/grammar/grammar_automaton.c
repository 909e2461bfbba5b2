// SPDX-License-Identifier: Apache-2.0
// Stacks and states are interned: equal ones have equal numbers. After a byte, every place that
// takes it is followed through choices, calls, loops and ends to the next places that want a byte.
#include "grammar/grammar_automaton.h"

#include <stdlib.h>
#include <string.h>

enum {
    FRAMES_MAX = 1 << 18,
    STATES_MAX = 1 << 16,
    PLACES_MAX = 1 << 20,
    SEEN_SLOTS = 1 << 15,
    SEEN_MAX = SEEN_SLOTS / 2,
    FULL_STATES = 1 << 13,
    FULL_FRAMES = 1 << 15,
    FULL_PLACES = 1 << 17,
    FIRST_SLOTS = 1 << 10
};

static uint32_t mix(uint32_t hash, uint32_t value) {
    uint64_t product = (uint64_t)(hash ^ value) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(product >> 32) ^ (uint32_t)product;
}

// ---- Memory ------------------------------------------------------------------------------------

enum status automaton_init(struct automaton *a, const struct grammar_program *program,
                           struct error *err) {
    *a = (struct automaton){.program = program,
                            .frame_mask = FIRST_SLOTS - 1,
                            .state_mask = FIRST_SLOTS - 1,
                            .epoch = 1};
    a->frames_capacity = a->places_capacity = a->states_capacity = FIRST_SLOTS / 2;
    a->frames = malloc(a->frames_capacity * sizeof *a->frames);
    a->places = malloc(a->places_capacity * sizeof *a->places);
    a->states = malloc(a->states_capacity * sizeof *a->states);
    a->frame_slots = calloc(FIRST_SLOTS, sizeof *a->frame_slots);
    a->state_slots = calloc(FIRST_SLOTS, sizeof *a->state_slots);
    a->work = malloc(SEEN_SLOTS * sizeof *a->work);
    a->kept = malloc(AUTOMATON_PLACES_MAX * sizeof *a->kept);
    a->seen = malloc(SEEN_SLOTS * sizeof *a->seen);
    a->seen_stamps = calloc(SEEN_SLOTS, sizeof *a->seen_stamps);
    if (!a->frames || !a->places || !a->states || !a->frame_slots || !a->state_slots || !a->work ||
        !a->kept || !a->seen || !a->seen_stamps) {
        automaton_deinit(a);
        return error_no_memory(err, "a grammar's states", SEEN_SLOTS * 20);
    }
    automaton_forget(a);
    return STATUS_OK;
}

static void free_rows(struct automaton *a) {
    for (uint32_t i = 0; i < a->n_states; i++)
        free(a->states[i].row);
    a->n_states = 0;
}

void automaton_deinit(struct automaton *a) {
    free_rows(a);
    free(a->frames);
    free(a->places);
    free(a->states);
    free(a->frame_slots);
    free(a->state_slots);
    free(a->work);
    free(a->kept);
    free(a->seen);
    free(a->seen_stamps);
    memset(a, 0, sizeof *a);
}

void automaton_forget(struct automaton *a) {
    free_rows(a);
    memset(a->frame_slots, 0, (a->frame_mask + 1) * sizeof *a->frame_slots);
    memset(a->state_slots, 0, (a->state_mask + 1) * sizeof *a->state_slots);
    a->n_frames = 2;
    a->frames[FRAME_BOTTOM] = (struct automaton_frame){0};
    a->frames[FRAME_CUT] = (struct automaton_frame){0};
    a->n_places = 0;
    a->states[STATE_DEAD] = (struct automaton_state){0};
    a->n_states = 1;
    a->is_exhausted = a->no_memory = false;
    a->epoch++;
}

void automaton_begin_task(struct automaton *a) {
    a->n_work_done = 0;
    if (a->is_exhausted || a->n_states > FULL_STATES || a->n_frames > FULL_FRAMES ||
        a->n_places > FULL_PLACES)
        automaton_forget(a);
}

// Room for n items more. false: over the limit or no memory, and the automaton is exhausted.
static bool reserve(struct automaton *a, void **items, uint32_t *capacity, uint32_t n_used,
                    uint32_t n, uint32_t n_max, size_t item_bytes) {
    if (n <= *capacity - n_used) return true;
    uint32_t grown = *capacity;
    while (grown - n_used < n && grown < n_max)
        grown *= 2;
    void *memory = grown - n_used < n ? NULL : realloc(*items, grown * item_bytes);
    if (!memory) {
        a->no_memory = grown - n_used >= n;
        a->is_exhausted = true;
        return false;
    }
    *items = memory;
    *capacity = grown;
    return true;
}

// Doubles a hash table that is half full; false: no memory.
static bool widen(struct automaton *a, uint32_t **slots, uint32_t *mask) {
    uint32_t *wide = calloc(((size_t)*mask + 1) * 2, sizeof *wide);
    if (!wide) {
        a->is_exhausted = a->no_memory = true;
        return false;
    }
    free(*slots);
    *slots = wide;
    *mask = *mask * 2 + 1;
    return true;
}

// ---- Stacks ------------------------------------------------------------------------------------

static uint32_t hash_frame(const struct automaton_frame *frame) {
    return mix(mix(mix(1, frame->parent), frame->node), frame->count);
}

static uint32_t find_frame(const struct automaton *a, const struct automaton_frame *frame) {
    uint32_t slot = hash_frame(frame) & a->frame_mask;
    for (; a->frame_slots[slot]; slot = (slot + 1) & a->frame_mask) {
        const struct automaton_frame *other = &a->frames[a->frame_slots[slot] - 1];
        if (other->parent == frame->parent && other->node == frame->node &&
            other->count == frame->count)
            break;
    }
    return slot;
}

// FRAME_CUT if there is no room: nothing ever comes back from it.
uint32_t automaton_frame_of(struct automaton *a, uint32_t parent, uint32_t node, uint32_t count) {
    struct automaton_frame frame = {parent, node, count, a->frames[parent].depth + 1};
    uint32_t slot = find_frame(a, &frame);
    if (a->frame_slots[slot]) return a->frame_slots[slot] - 1;
    if (frame.depth > AUTOMATON_DEPTH_MAX ||
        !reserve(a, (void **)&a->frames, &a->frames_capacity, a->n_frames, 1, FRAMES_MAX,
                 sizeof *a->frames))
        return FRAME_CUT;
    if (a->n_frames * 2 > a->frame_mask) {
        if (!widen(a, &a->frame_slots, &a->frame_mask)) return FRAME_CUT;
        for (uint32_t i = 2; i < a->n_frames; i++)
            a->frame_slots[find_frame(a, &a->frames[i])] = i + 1;
        slot = find_frame(a, &frame);
    }
    a->frames[a->n_frames] = frame;
    a->frame_slots[slot] = a->n_frames + 1;
    return a->n_frames++;
}

// ---- Closure -----------------------------------------------------------------------------------

// Marks a pair; false if it was marked since the closure began, or if there are too many.
static bool mark(struct automaton *a, uint32_t node, uint32_t frame) {
    uint64_t key = (uint64_t)node << 32 | frame;
    uint32_t slot = mix(mix(2, node), frame) & (SEEN_SLOTS - 1);
    for (; a->seen_stamps[slot] == a->stamp; slot = (slot + 1) & (SEEN_SLOTS - 1))
        if (a->seen[slot] == key) return false;
    if (a->n_seen == SEEN_MAX || a->n_work_done == AUTOMATON_WORK_MAX) {
        a->is_exhausted = true;
        return false;
    }
    a->n_seen++;
    a->n_work_done++;
    a->seen[slot] = key;
    a->seen_stamps[slot] = a->stamp;
    return true;
}

static bool is_marked(const struct automaton *a, uint32_t node, uint32_t frame) {
    uint64_t key = (uint64_t)node << 32 | frame;
    uint32_t slot = mix(mix(2, node), frame) & (SEEN_SLOTS - 1);
    for (; a->seen_stamps[slot] == a->stamp; slot = (slot + 1) & (SEEN_SLOTS - 1))
        if (a->seen[slot] == key) return true;
    return false;
}

static void follow(struct automaton *a, uint32_t node, uint32_t frame) {
    if (a->program->nodes[node].rest == GRAMMAR_REST_NONE) return; // leads nowhere
    if (!mark(a, node, frame)) return;
    if (a->program->nodes[node].kind != NODE_BYTES)
        a->work[a->n_work++] = (struct automaton_place){node, frame}; // n_seen bounds n_work
    else if (a->n_kept < AUTOMATON_PLACES_MAX)
        a->kept[a->n_kept++] = (struct automaton_place){node, frame};
    else
        a->is_exhausted = true;
}

// Frames of iterations that this closure began are marked under a number that no node has.
#define BEGUN UINT32_MAX

// At a loop after `done` rounds.
static void follow_loop(struct automaton *a, uint32_t loop, uint32_t done, uint32_t frame) {
    const struct grammar_node *node = &a->program->nodes[loop];
    if (node->max == GRAMMAR_NO_LIMIT && done > node->min) done = node->min;
    if (done < node->max && a->program->nodes[node->a].rest != GRAMMAR_REST_NONE) {
        uint32_t round = automaton_frame_of(a, frame, loop, done + 1);
        if (round != FRAME_CUT) {
            mark(a, BEGUN, round);
            follow(a, node->a, round);
        }
    }
    if (done >= node->min) follow(a, node->next, frame);
}

static void follow_end(struct automaton *a, uint32_t frame) {
    struct automaton_frame open = a->frames[frame];
    if (frame == FRAME_BOTTOM)
        a->closes_complete = true;
    else if (frame == FRAME_CUT)
        return;
    else if (open.count == 0)
        follow(a, open.node, open.parent);
    // An empty round adds nothing to what the loop's beginning has already followed.
    else if (!is_marked(a, BEGUN, frame))
        follow_loop(a, open.node, open.count, open.parent);
}

static void expand(struct automaton *a, struct automaton_place place) {
    const struct grammar_program *p = a->program;
    const struct grammar_node *node = &p->nodes[place.node];
    uint32_t frame = place.frame;
    switch ((enum grammar_node_kind)node->kind) {
    case NODE_CHOICE:
        for (uint32_t i = 0; i < node->min; i++)
            follow(a, p->options[node->a + i], frame);
        break;
    case NODE_CALL:
        if (node->next != GRAMMAR_END) frame = automaton_frame_of(a, frame, node->next, 0);
        if (frame != FRAME_CUT || place.frame == FRAME_CUT) follow(a, p->rules[node->a], frame);
        break;
    case NODE_LOOP:
        follow_loop(a, place.node, 0, frame);
        break;
    case NODE_END:
        follow_end(a, frame);
        break;
    default:
        break;
    }
}

static void closure_begin(struct automaton *a) {
    a->n_work = a->n_kept = a->n_seen = 0;
    a->closes_complete = false;
    if (++a->stamp == 0) {
        memset(a->seen_stamps, 0, SEEN_SLOTS * sizeof *a->seen_stamps);
        a->stamp = 1;
    }
}

static uint32_t closure_end(struct automaton *a) {
    while (a->n_work > 0)
        expand(a, a->work[--a->n_work]);
    return automaton_state_of(a, a->kept, a->n_kept, a->closes_complete);
}

// ---- States ------------------------------------------------------------------------------------

static int compare_places(const void *x, const void *y) {
    const struct automaton_place *a = x, *b = y;
    if (a->node != b->node) return a->node < b->node ? -1 : 1;
    return (a->frame > b->frame) - (a->frame < b->frame);
}

// Returns how many different ones there are.
static uint32_t sort_places(struct automaton_place *places, uint32_t n) {
    uint32_t n_kept = 1;
    qsort(places, n, sizeof *places, compare_places);
    for (uint32_t i = 1; i < n; i++)
        if (compare_places(&places[i], &places[n_kept - 1]) != 0) places[n_kept++] = places[i];
    return n_kept;
}

static uint32_t hash_state(const struct automaton_place *places, uint32_t n, bool is_complete) {
    uint32_t hash = mix(is_complete, n);
    for (uint32_t i = 0; i < n; i++)
        hash = mix(mix(hash, places[i].node), places[i].frame);
    return hash;
}

static uint32_t find_state(const struct automaton *a, const struct automaton_place *places,
                           uint32_t n, bool is_complete) {
    uint32_t slot = hash_state(places, n, is_complete) & a->state_mask;
    for (; a->state_slots[slot]; slot = (slot + 1) & a->state_mask) {
        const struct automaton_state *s = &a->states[a->state_slots[slot] - 1];
        if (s->n == n && s->is_complete == is_complete &&
            memcmp(a->places + s->first, places, n * sizeof *places) == 0)
            break;
    }
    return slot;
}

uint32_t automaton_state_of(struct automaton *a, struct automaton_place *places, uint32_t n,
                            bool is_complete) {
    if (a->is_exhausted || (n == 0 && !is_complete)) return STATE_DEAD;
    if (n > 1) n = sort_places(places, n);
    uint32_t slot = find_state(a, places, n, is_complete);
    if (a->state_slots[slot]) return a->state_slots[slot] - 1;
    if (!reserve(a, (void **)&a->states, &a->states_capacity, a->n_states, 1, STATES_MAX,
                 sizeof *a->states) ||
        !reserve(a, (void **)&a->places, &a->places_capacity, a->n_places, n, PLACES_MAX,
                 sizeof *a->places))
        return STATE_DEAD;
    if (a->n_states * 2 > a->state_mask) {
        if (!widen(a, &a->state_slots, &a->state_mask)) return STATE_DEAD;
        for (uint32_t i = 1; i < a->n_states; i++) {
            const struct automaton_state *s = &a->states[i];
            a->state_slots[find_state(a, a->places + s->first, s->n, s->is_complete)] = i + 1;
        }
        slot = find_state(a, places, n, is_complete);
    }
    a->states[a->n_states] =
        (struct automaton_state){.first = a->n_places, .n = n, .is_complete = is_complete};
    if (n > 0) memcpy(a->places + a->n_places, places, n * sizeof *places);
    a->n_places += n;
    a->state_slots[slot] = a->n_states + 1;
    return a->n_states++;
}

uint32_t automaton_begin(struct automaton *a, uint32_t node) {
    closure_begin(a);
    follow(a, node, FRAME_BOTTOM);
    return closure_end(a);
}

uint32_t automaton_compute(struct automaton *a, uint32_t state, uint32_t class_index) {
    const struct grammar_program *p = a->program;
    if (state == STATE_DEAD || a->is_exhausted) return STATE_DEAD;
    if (!a->states[state].row) {
        uint32_t *row = malloc(p->n_classes * sizeof *row);
        if (!row) {
            a->is_exhausted = a->no_memory = true;
            return STATE_DEAD;
        }
        for (uint32_t i = 0; i < p->n_classes; i++)
            row[i] = STATE_UNKNOWN;
        a->states[state].row = row;
    }
    closure_begin(a);
    const struct automaton_state from = a->states[state];
    for (uint32_t i = 0; i < from.n; i++) {
        struct automaton_place place = a->places[from.first + i];
        const struct grammar_node *node = &p->nodes[place.node];
        if (byte_set_has(&p->sets[node->a], p->byte_of[class_index]))
            follow(a, node->next, place.frame);
    }
    uint32_t next = closure_end(a);
    if (!a->is_exhausted) from.row[class_index] = next;
    return next;
}
