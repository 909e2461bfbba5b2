// SPDX-License-Identifier: Apache-2.0
#include "grammar/grammar_matcher.h"

#include "grammar/mask_store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_KEY 0xfffffffeu // begins keys of masks before the begin text is complete
#define WAITING 0x80000000u   // in a walk: not a state but so many bytes of the begin text

struct grammar_matcher {
    struct grammar_program *program;
    const struct token_tries *tries;
    pthread_mutex_t lock; // everything below
    struct automaton automaton;
    struct mask_store store;
    struct grammar_place near; // scratch
    uint64_t n_masks, n_computed;
};

enum status grammar_matcher_create(struct grammar_matcher **result, struct grammar_program *program,
                                   const struct token_tries *tries, struct error *err) {
    struct grammar_matcher *m = calloc(1, sizeof *m);
    *result = NULL;
    if (!m || pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        grammar_program_destroy(program);
        return error_no_memory(err, "a grammar", sizeof *m);
    }
    m->program = program;
    m->tries = tries;
    mask_store_init(&m->store, ((size_t)tries->n_tokens + 63) / 64);
    enum status status = automaton_init(&m->automaton, program, err);
    if (status != STATUS_OK) {
        grammar_matcher_destroy(m);
        return status;
    }
    *result = m;
    return STATUS_OK;
}

void grammar_matcher_destroy(struct grammar_matcher *m) {
    if (!m) return;
    pthread_mutex_destroy(&m->lock);
    if (m->automaton.program) automaton_deinit(&m->automaton);
    mask_store_deinit(&m->store);
    grammar_place_deinit(&m->near);
    grammar_program_destroy(m->program);
    free(m);
}

void grammar_matcher_describe(struct grammar_matcher *m, struct grammar_matcher_counts *counts) {
    pthread_mutex_lock(&m->lock);
    *counts = (struct grammar_matcher_counts){m->n_masks, m->n_computed, m->automaton.n_states};
    pthread_mutex_unlock(&m->lock);
}

// ---- The begin text ----------------------------------------------------------------------------

bool begin_text_init(struct begin_text *begin, const char *text) {
    size_t n = strlen(text);
    if (n == 0 || n > BEGIN_TEXT_MAX) return false;
    memcpy(begin->data, text, n);
    begin->size_bytes = (uint32_t)n;
    begin->fallback[0] = 0;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t k = begin->fallback[i - 1];
        while (k > 0 && text[k] != text[i])
            k = begin->fallback[k - 1];
        begin->fallback[i] = (uint16_t)(k + (text[k] == text[i]));
    }
    return true;
}

uint32_t begin_text_step(const struct begin_text *begin, uint32_t n_matched, uint8_t byte) {
    while (n_matched > 0 && (uint8_t)begin->data[n_matched] != byte)
        n_matched = begin->fallback[n_matched - 1];
    return n_matched + ((uint8_t)begin->data[n_matched] == byte);
}

// ---- Walks -------------------------------------------------------------------------------------

// One step of a walk that may still be inside the begin text. Order: dead is STATE_DEAD.
static uint32_t walk_step(struct grammar_matcher *m, const struct begin_text *begin, uint32_t state,
                          uint8_t byte) {
    if (!(state & WAITING)) return automaton_step(&m->automaton, state, m->program->class_of[byte]);
    uint32_t n_matched = begin_text_step(begin, state & ~WAITING, byte);
    if (n_matched < begin->size_bytes) return WAITING | n_matched;
    return automaton_begin(&m->automaton, m->program->lead_start);
}

// Sets the bits of all tokens that the state can take.
static void walk(struct grammar_matcher *m, const struct token_trie *trie, uint32_t state,
                 uint64_t *mask) {
    uint32_t states[TOKEN_TEXT_MAX + 1];
    const uint8_t *class_of = m->program->class_of;
    states[0] = state;
    for (uint32_t i = 0; i < trie->n_nodes;) {
        const struct token_trie_node *node = &trie->nodes[i];
        uint32_t next = automaton_step(&m->automaton, states[node->depth], class_of[node->byte]);
        if (next == STATE_DEAD) {
            i = node->skip;
            continue;
        }
        states[node->depth + 1] = next;
        for (uint32_t k = node->first_token; k < node[1].first_token; k++)
            mask[trie->tokens[k] >> 6] |= (uint64_t)1 << (trie->tokens[k] & 63);
        i++;
    }
}

// Clears the bits of the tokens that complete the begin text and then do not fit.
static void walk_begin(struct grammar_matcher *m, const struct token_trie *trie,
                       const struct begin_text *begin, uint32_t n_matched, uint64_t *mask) {
    uint32_t states[TOKEN_TEXT_MAX + 1];
    states[0] = WAITING | n_matched;
    for (uint32_t i = 0; i < trie->n_nodes;) {
        const struct token_trie_node *node = &trie->nodes[i];
        uint32_t next = walk_step(m, begin, states[node->depth], node->byte);
        states[node->depth + 1] = next;
        if (next != STATE_DEAD) {
            i++;
            continue;
        }
        uint32_t end = trie->nodes[node->skip].first_token;
        for (uint32_t k = node->first_token; k < end; k++)
            mask[trie->tokens[k] >> 6] &= ~((uint64_t)1 << (trie->tokens[k] & 63));
        i = node->skip;
    }
}

// ---- Under the lock ----------------------------------------------------------------------------

static enum status exhausted(const struct grammar_matcher *m, struct error *err) {
    if (m->automaton.no_memory) return error_no_memory(err, "a grammar's states", 0);
    return error_set(err, STATUS_UNSUPPORTED,
                     "the grammar is too ambiguous here: its states exceed the limits");
}

static enum status not_saved(const struct grammar_matcher *m, enum status status,
                             struct error *err) {
    return status == STATUS_NO_MEMORY ? error_no_memory(err, "a grammar's state", 0)
                                      : exhausted(m, err);
}

static uint32_t load(struct grammar_matcher *m, const struct grammar_place *place) {
    automaton_begin_task(&m->automaton);
    return grammar_place_load(place, &m->automaton);
}

static enum status mask_of(struct grammar_matcher *m, const struct grammar_place *place,
                           uint64_t *mask, struct error *err) {
    const struct token_tries *t = m->tries;
    uint32_t state = load(m, place);
    enum status saved = grammar_place_save_near(&m->near, &m->automaton, state, t->short_bytes_max);
    if (saved != STATUS_OK) return not_saved(m, saved, err);
    const uint64_t *known = mask_store_find(&m->store, m->near.words, m->near.n_words);
    if (known) {
        memcpy(mask, known, m->store.n_words * sizeof *mask);
    } else {
        memset(mask, 0, m->store.n_words * sizeof *mask);
        m->n_computed++;
        walk(m, &t->shorts, grammar_place_load(&m->near, &m->automaton), mask);
        if (!m->automaton.is_exhausted)
            mask_store_put(&m->store, m->near.words, m->near.n_words, mask);
    }
    walk(m, &t->longs, state, mask);
    return m->automaton.is_exhausted ? exhausted(m, err) : STATUS_OK;
}

static enum status begin_mask_of(struct grammar_matcher *m, const struct begin_text *begin,
                                 uint32_t n_matched, uint64_t *mask, struct error *err) {
    uint32_t key[3 + BEGIN_TEXT_MAX / 4] = {BEGIN_KEY, n_matched, begin->size_bytes};
    uint32_t n_key = 3 + (begin->size_bytes + 3) / 4;
    memcpy(key + 3, begin->data, begin->size_bytes);
    const uint64_t *known = mask_store_find(&m->store, key, n_key);
    if (known) {
        memcpy(mask, known, m->store.n_words * sizeof *mask);
        return STATUS_OK;
    }
    automaton_begin_task(&m->automaton);
    memset(mask, 0xff, m->store.n_words * sizeof *mask);
    m->n_computed++;
    walk_begin(m, &m->tries->shorts, begin, n_matched, mask);
    walk_begin(m, &m->tries->longs, begin, n_matched, mask);
    if (m->automaton.is_exhausted) return exhausted(m, err);
    mask_store_put(&m->store, key, n_key, mask);
    return STATUS_OK;
}

static enum status accept_bytes(struct grammar_matcher *m, struct grammar_place *place,
                                const char *bytes, size_t n_bytes, struct error *err) {
    uint32_t state = load(m, place);
    for (size_t i = 0; i < n_bytes && state != STATE_DEAD; i++)
        state = automaton_step(&m->automaton, state, m->program->class_of[(uint8_t)bytes[i]]);
    if (m->automaton.is_exhausted) return exhausted(m, err);
    if (state == STATE_DEAD)
        return error_set(err, STATUS_FAILED, "a token that the grammar does not allow here");
    enum status saved = grammar_place_save(place, &m->automaton, state);
    return saved == STATUS_OK ? STATUS_OK : not_saved(m, saved, err);
}

// ---- Calls -------------------------------------------------------------------------------------
// What exceeds the limits is tried again with nothing remembered, so that the outcome does not
// depend on what came before.

enum status grammar_matcher_begin(struct grammar_matcher *m, struct grammar_place *place, bool lead,
                                  struct error *err) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&m->lock);
    automaton_begin_task(&m->automaton);
    uint32_t start = lead ? m->program->lead_start : m->program->start;
    uint32_t state = automaton_begin(&m->automaton, start);
    if (m->automaton.is_exhausted) {
        automaton_begin_task(&m->automaton);
        state = automaton_begin(&m->automaton, start);
    }
    if (m->automaton.is_exhausted || state == STATE_DEAD)
        status = STATUS_UNSUPPORTED;
    else
        status = grammar_place_save(place, &m->automaton, state);
    if (status != STATUS_OK) status = not_saved(m, status, err);
    pthread_mutex_unlock(&m->lock);
    return status;
}

enum status grammar_matcher_accept(struct grammar_matcher *m, struct grammar_place *place,
                                   const char *bytes, size_t n_bytes, struct error *err) {
    pthread_mutex_lock(&m->lock);
    enum status status = accept_bytes(m, place, bytes, n_bytes, err);
    if (m->automaton.is_exhausted) {
        automaton_begin_task(&m->automaton);
        status = accept_bytes(m, place, bytes, n_bytes, err);
    }
    pthread_mutex_unlock(&m->lock);
    return status;
}

enum status grammar_matcher_mask(struct grammar_matcher *m, const struct grammar_place *place,
                                 uint64_t *mask, struct error *err) {
    pthread_mutex_lock(&m->lock);
    m->n_masks++;
    enum status status = mask_of(m, place, mask, err);
    if (m->automaton.is_exhausted) {
        automaton_begin_task(&m->automaton);
        status = mask_of(m, place, mask, err);
    }
    pthread_mutex_unlock(&m->lock);
    return status;
}

enum status grammar_matcher_begin_mask(struct grammar_matcher *m, const struct begin_text *begin,
                                       uint32_t n_matched, uint64_t *mask, struct error *err) {
    pthread_mutex_lock(&m->lock);
    m->n_masks++;
    enum status status = begin_mask_of(m, begin, n_matched, mask, err);
    if (m->automaton.is_exhausted) {
        automaton_begin_task(&m->automaton);
        status = begin_mask_of(m, begin, n_matched, mask, err);
    }
    pthread_mutex_unlock(&m->lock);
    return status;
}
