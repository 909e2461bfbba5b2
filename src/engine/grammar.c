// SPDX-License-Identifier: Apache-2.0
// Grammars of an engine: its tokens as trees, grammars compiled lately, and one generation's guide.
// src/grammar does the work on bytes; here its places meet the tokenizer.
#include "engine/grammar.h"

#include "engine/engine.h"
#include "grammar/grammar_gbnf.h"
#include "grammar/grammar_matcher.h"
#include "grammar/grammar_schema.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHELF_MAX = 16,
    SHELF_TEXT_BYTES_MAX = 1 << 20, // a longer text is compiled anew
    SHORT_BYTES = 24                // of tokens; longer ones are few
};

enum grammar_notation { NOTATION_GBNF, NOTATION_SCHEMA };

struct xl_grammar {
    int n_owners; // atomic
    const struct xl_engine *engine;
    const struct grammar_shelf *shelf;
    struct grammar_matcher *matcher;
    enum grammar_notation notation;
    char *text; // what it was compiled from; NULL: not kept
    size_t text_bytes;
    uint64_t used; // shelf's clock
};

// Made with an engine's first grammar.
struct grammar_shelf {
    struct token_tries tries;
    uint64_t *inside; // [grammar_mask_words(n_tokens)] tokens that are in a trie
    int32_t *ends;    // tokens at which a generation ends
    int n_ends;
    pthread_mutex_t lock; // everything below
    struct xl_grammar *grammars[SHELF_MAX];
    uint64_t clock;
};

struct grammar_guide {
    const struct xl_grammar *grammar;
    struct begin_text begin;
    uint32_t n_matched; // bytes of the begin text
    bool binds;
    struct grammar_place place;
    uint64_t *mask; // [grammar_mask_words(n_tokens)] scratch
};

// ---- The shelf ---------------------------------------------------------------------------------

// Tokens with a text of their own; the rest (control tokens above all) has no place in a grammar.
static bool has_own_text(const struct tokenizer *tokenizer, token_id id) {
    switch (tokenizer_vocabulary(tokenizer)->types[id]) {
    case TOKEN_NORMAL:
    case TOKEN_USER_DEFINED:
    case TOKEN_BYTE:
        return !tokenizer_is_end(tokenizer, id);
    default:
        return false;
    }
}

// Lists the texts of one of the tries.
static size_t list_texts(const struct tokenizer *tokenizer, struct token_text *texts, bool longs,
                         uint64_t *inside) {
    size_t n = 0;
    for (token_id id = 0; id < tokenizer_vocabulary(tokenizer)->n_tokens; id++) {
        size_t size_bytes = 0;
        const char *piece = tokenizer_piece(tokenizer, id, false, &size_bytes);
        if (!piece || size_bytes == 0 || size_bytes > TOKEN_TEXT_MAX) continue;
        if (!has_own_text(tokenizer, id) || (size_bytes > SHORT_BYTES) != longs) continue;
        texts[n++] = (struct token_text){piece, (uint32_t)size_bytes, id};
        inside[id >> 6] |= (uint64_t)1 << (id & 63);
    }
    return n;
}

static enum status fill_shelf(struct grammar_shelf *shelf, const struct tokenizer *tokenizer,
                              struct error *err) {
    int n_tokens = tokenizer_vocabulary(tokenizer)->n_tokens;
    size_t size = ((size_t)n_tokens + 1) * sizeof(struct token_text);
    struct token_text *texts = malloc(size);
    shelf->tries.n_tokens = (uint32_t)n_tokens;
    shelf->tries.short_bytes_max = SHORT_BYTES;
    shelf->inside = calloc(grammar_mask_words(n_tokens) + 1, sizeof *shelf->inside);
    shelf->ends = malloc(((size_t)n_tokens + 1) * sizeof *shelf->ends);
    enum status status = STATUS_OK;
    if (!texts || !shelf->inside || !shelf->ends) status = error_no_memory(err, "grammars", size);
    if (status == STATUS_OK) {
        size_t n = list_texts(tokenizer, texts, false, shelf->inside);
        status = token_trie_init(&shelf->tries.shorts, texts, n, err);
    }
    if (status == STATUS_OK) {
        size_t n = list_texts(tokenizer, texts, true, shelf->inside);
        status = token_trie_init(&shelf->tries.longs, texts, n, err);
    }
    free(texts);
    for (token_id id = 0; id < n_tokens && status == STATUS_OK; id++)
        if (tokenizer_is_end(tokenizer, id)) shelf->ends[shelf->n_ends++] = id;
    return status;
}

void grammar_shelf_destroy(struct grammar_shelf *shelf) {
    if (!shelf) return;
    for (int i = 0; i < SHELF_MAX; i++)
        xl_grammar_close(shelf->grammars[i]);
    pthread_mutex_destroy(&shelf->lock);
    token_trie_deinit(&shelf->tries.shorts);
    token_trie_deinit(&shelf->tries.longs);
    free(shelf->inside);
    free(shelf->ends);
    free(shelf);
}

static enum status make_shelf(struct xl_engine *engine, struct error *err) {
    const struct tokenizer *tokenizer;
    TRY(engine_tokenizer(engine, &tokenizer, err));
    struct grammar_shelf *shelf = calloc(1, sizeof *shelf);
    if (!shelf || pthread_mutex_init(&shelf->lock, NULL) != 0) {
        free(shelf);
        return error_no_memory(err, "grammars", sizeof *shelf);
    }
    enum status status = fill_shelf(shelf, tokenizer, err);
    if (status == STATUS_OK)
        __atomic_store_n(&engine->grammars, shelf, __ATOMIC_RELEASE);
    else
        grammar_shelf_destroy(shelf);
    return status;
}

static enum status find_shelf(struct xl_engine *engine, struct grammar_shelf **shelf,
                              struct error *err) {
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    enum status status = STATUS_OK;
    *shelf = __atomic_load_n(&engine->grammars, __ATOMIC_ACQUIRE);
    if (*shelf) return STATUS_OK;
    pthread_mutex_lock(&making);
    if (!engine->grammars) status = make_shelf(engine, err);
    *shelf = engine->grammars;
    pthread_mutex_unlock(&making);
    return status;
}

// ---- Grammars ----------------------------------------------------------------------------------

void grammar_retain(const xl_grammar *grammar) {
    __atomic_fetch_add((int *)&grammar->n_owners, 1, __ATOMIC_RELAXED);
}

void xl_grammar_close(xl_grammar *grammar) {
    if (!grammar || __atomic_sub_fetch(&grammar->n_owners, 1, __ATOMIC_ACQ_REL) > 0) return;
    grammar_matcher_destroy(grammar->matcher);
    free(grammar->text);
    free(grammar);
}

static struct xl_grammar *take_from_shelf(struct grammar_shelf *shelf,
                                          enum grammar_notation notation, const char *text,
                                          size_t text_bytes) {
    struct xl_grammar *found = NULL;
    pthread_mutex_lock(&shelf->lock);
    for (int i = 0; i < SHELF_MAX && !found; i++) {
        struct xl_grammar *grammar = shelf->grammars[i];
        if (grammar && grammar->notation == notation && grammar->text_bytes == text_bytes &&
            memcmp(grammar->text, text, text_bytes) == 0)
            found = grammar;
    }
    if (found) {
        grammar_retain(found);
        found->used = ++shelf->clock;
    }
    pthread_mutex_unlock(&shelf->lock);
    return found;
}

// The one that was not used for the longest time makes room.
static void put_on_shelf(struct grammar_shelf *shelf, struct xl_grammar *grammar, const char *text,
                         size_t text_bytes) {
    if (text_bytes > SHELF_TEXT_BYTES_MAX) return;
    grammar->text = malloc(text_bytes + 1);
    if (!grammar->text) return;
    memcpy(grammar->text, text, text_bytes);
    grammar->text_bytes = text_bytes;
    pthread_mutex_lock(&shelf->lock);
    int oldest = 0;
    for (int i = 0; i < SHELF_MAX; i++) {
        if (!shelf->grammars[i]) {
            oldest = i;
            break;
        }
        if (shelf->grammars[i]->used < shelf->grammars[oldest]->used) oldest = i;
    }
    struct xl_grammar *old = shelf->grammars[oldest];
    grammar_retain(grammar);
    grammar->used = ++shelf->clock;
    shelf->grammars[oldest] = grammar;
    pthread_mutex_unlock(&shelf->lock);
    xl_grammar_close(old);
}

static enum status compile(struct xl_grammar *grammar, const char *text, size_t text_bytes,
                           struct error *err) {
    struct grammar_program *program = NULL;
    struct grammar_place place = {0};
    if (grammar->notation == NOTATION_GBNF)
        TRY(grammar_from_gbnf(&program, text, text_bytes, err));
    else
        TRY(grammar_from_schema(&program, text, text_bytes, err));
    TRY(grammar_matcher_create(&grammar->matcher, program, &grammar->shelf->tries, err));
    // A grammar that cannot even begin is refused now.
    enum status status = grammar_matcher_begin(grammar->matcher, &place, false, err);
    uint64_t *mask = calloc(grammar_mask_words((int)grammar->shelf->tries.n_tokens) + 1, 8);
    if (!mask) status = error_no_memory(err, "a grammar's mask", grammar->shelf->tries.n_tokens);
    if (status == STATUS_OK) status = grammar_matcher_mask(grammar->matcher, &place, mask, err);
    free(mask);
    grammar_place_deinit(&place);
    return status;
}

static enum status open_grammar(struct xl_engine *engine, enum grammar_notation notation,
                                const char *text, size_t text_bytes, xl_grammar **grammar,
                                struct error *err) {
    struct grammar_shelf *shelf;
    if (!grammar) return error_set(err, STATUS_USAGE, "nowhere to put the grammar");
    *grammar = NULL;
    if (!engine || !text) return error_set(err, STATUS_USAGE, "no engine or no text of a grammar");
    TRY(find_shelf(engine, &shelf, err));
    *grammar = take_from_shelf(shelf, notation, text, text_bytes);
    if (*grammar) return STATUS_OK;
    struct xl_grammar *opened = calloc(1, sizeof *opened);
    if (!opened) return error_no_memory(err, "a grammar", sizeof *opened);
    *opened =
        (struct xl_grammar){.n_owners = 1, .engine = engine, .shelf = shelf, .notation = notation};
    enum status status = compile(opened, text, text_bytes, err);
    if (status != STATUS_OK) {
        xl_grammar_close(opened);
        return status;
    }
    put_on_shelf(shelf, opened, text, text_bytes);
    *grammar = opened;
    return STATUS_OK;
}

xl_status xl_grammar_from_gbnf(xl_engine *engine, const char *gbnf, size_t gbnf_bytes,
                               xl_grammar **grammar, xl_error *error) {
    struct error err = {0};
    return engine_report(
        error, open_grammar(engine, NOTATION_GBNF, gbnf, gbnf_bytes, grammar, &err), &err);
}

xl_status xl_grammar_from_json_schema(xl_engine *engine, const char *schema, size_t schema_bytes,
                                      xl_grammar **grammar, xl_error *error) {
    struct error err = {0};
    return engine_report(
        error, open_grammar(engine, NOTATION_SCHEMA, schema, schema_bytes, grammar, &err), &err);
}

// ---- Guides ------------------------------------------------------------------------------------

enum status grammar_guide_create(struct grammar_guide **result, const xl_engine *engine,
                                 const xl_grammar *grammar, const char *begin, struct error *err) {
    *result = NULL;
    if (grammar->engine != engine)
        return error_set(err, STATUS_USAGE, "the grammar was compiled for another engine");
    struct grammar_guide *guide = calloc(1, sizeof *guide);
    size_t n_words = grammar_mask_words((int)grammar->shelf->tries.n_tokens) + 1;
    if (guide) guide->mask = calloc(n_words, sizeof *guide->mask);
    if (!guide || !guide->mask) {
        free(guide);
        return error_no_memory(err, "a grammar's guide", n_words * sizeof *guide->mask);
    }
    grammar_retain(grammar);
    guide->grammar = grammar;
    guide->binds = !begin || !begin[0];
    enum status status = STATUS_OK;
    if (!guide->binds && !begin_text_init(&guide->begin, begin))
        status = error_set(err, STATUS_USAGE,
                           "the text at which the grammar begins has more than %d bytes",
                           BEGIN_TEXT_MAX);
    if (status == STATUS_OK)
        status = grammar_matcher_begin(grammar->matcher, &guide->place, !guide->binds, err);
    if (status != STATUS_OK) {
        grammar_guide_destroy(guide);
        return status;
    }
    *result = guide;
    return STATUS_OK;
}

void grammar_guide_destroy(struct grammar_guide *guide) {
    if (!guide) return;
    grammar_place_deinit(&guide->place);
    xl_grammar_close((xl_grammar *)guide->grammar);
    free(guide->mask);
    free(guide);
}

enum status grammar_guide_copy(struct grammar_guide *to, const struct grammar_guide *from,
                               struct error *err) {
    if (!grammar_place_copy(&to->place, &from->place))
        return error_no_memory(err, "a grammar's guide", from->place.n_words * sizeof(uint32_t));
    to->n_matched = from->n_matched;
    to->binds = from->binds;
    return STATUS_OK;
}

bool grammar_guide_binds(const struct grammar_guide *guide) {
    return guide->binds;
}

bool grammar_guide_may_end(const struct grammar_guide *guide) {
    return !guide->binds || guide->place.is_complete;
}

bool grammar_guide_is_done(const struct grammar_guide *guide) {
    return guide->binds && guide->place.is_complete && !guide->place.is_open;
}

// Copies bits of tokens that both have; ids of the model beyond the vocabulary have no text.
static void hand_out(const struct grammar_guide *guide, uint64_t *allowed, int n_vocab) {
    size_t n_words = grammar_mask_words(n_vocab);
    size_t n_own = grammar_mask_words((int)guide->grammar->shelf->tries.n_tokens);
    size_t n = n_words < n_own ? n_words : n_own;
    memcpy(allowed, guide->mask, n * sizeof *allowed);
    memset(allowed + n, 0, (n_words - n) * sizeof *allowed);
    uint32_t n_ids = guide->grammar->shelf->tries.n_tokens;
    if ((uint32_t)n_vocab < n_ids) n_ids = (uint32_t)n_vocab;
    if (n_ids % 64 != 0) allowed[n_ids / 64] &= ((uint64_t)1 << n_ids % 64) - 1;
}

enum status grammar_guide_mask(struct grammar_guide *guide, uint64_t *allowed, int n_vocab,
                               struct error *err) {
    const struct xl_grammar *grammar = guide->grammar;
    const struct grammar_shelf *shelf = grammar->shelf;
    if (guide->binds)
        TRY(grammar_matcher_mask(grammar->matcher, &guide->place, guide->mask, err));
    else
        TRY(grammar_matcher_begin_mask(grammar->matcher, &guide->begin, guide->n_matched,
                                       guide->mask, err));
    hand_out(guide, allowed, n_vocab);
    for (int i = 0; i < shelf->n_ends && guide->binds && guide->place.is_complete; i++)
        if (shelf->ends[i] < n_vocab)
            allowed[shelf->ends[i] >> 6] |= (uint64_t)1 << (shelf->ends[i] & 63);
    for (size_t i = 0; i < grammar_mask_words(n_vocab); i++)
        if (allowed[i]) return STATUS_OK;
    return error_set(err, STATUS_UNSUPPORTED,
                     "no token of this model can continue what the grammar wants here");
}

// The bytes of a token before the grammar binds.
static enum status accept_waiting(struct grammar_guide *guide, const char *text, size_t text_bytes,
                                  struct error *err) {
    const struct begin_text *begin = &guide->begin;
    uint32_t n_matched = guide->n_matched;
    size_t i = 0;
    while (i < text_bytes && n_matched < begin->size_bytes)
        n_matched = begin_text_step(begin, n_matched, (uint8_t)text[i++]);
    if (n_matched == begin->size_bytes) {
        TRY(grammar_matcher_accept(guide->grammar->matcher, &guide->place, text + i, text_bytes - i,
                                   err));
        guide->binds = true;
    }
    guide->n_matched = n_matched;
    return STATUS_OK;
}

enum status grammar_guide_accept(struct grammar_guide *guide, int32_t token, struct error *err) {
    const struct xl_grammar *grammar = guide->grammar;
    size_t text_bytes = 0;
    const char *text =
        tokenizer_piece(grammar->engine->tokenizer, token, !guide->binds, &text_bytes);
    if (!guide->binds) return text ? accept_waiting(guide, text, text_bytes, err) : STATUS_OK;
    if (!text || !grammar_mask_has(grammar->shelf->inside, token))
        return error_set(err, STATUS_FAILED, "a token that the grammar does not allow here");
    return grammar_matcher_accept(grammar->matcher, &guide->place, text, text_bytes, err);
}
