// SPDX-License-Identifier: Apache-2.0
// A hash table of words by kind; the longest match at a place tries every length down from the
// longest word of the table. A word may be of several kinds (叶酸 is a drug and a quantity).
#include "clinic/text/lexicon.h"

#include "clinic/text/lexicon_words.h"

#include <stdlib.h>
#include <string.h>

#define WORD_CHARACTERS_MAX 24
#define CONCEPTS_MAX 8192
#define FIRST_CHARACTERS 65536 // beyond them no word begins

struct entry {
    uint64_t hash;
    int kind, concept;
    size_t length, first; // characters in the pool
};

struct lexicon {
    struct entry *table; // open addressing, a power of two
    size_t capacity, count;
    uint32_t *pool;
    size_t pool_used, pool_capacity;
    char **names; // by concept
    int n_names, names_capacity;
    // Of the characters that words begin with: how long those words are at most, and their kinds.
    unsigned char longest[FIRST_CHARACTERS], kinds[FIRST_CHARACTERS];
};

static uint64_t hash_step(uint64_t hash, uint32_t c) {
    return (hash ^ c) * 0x100000001B3u;
}

static uint64_t hash_of(const uint32_t *chars, size_t n) {
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) {
        hash = hash_step(hash, chars[i]);
    }
    return hash;
}

// FNV's low bits are weak against short keys; the upper half is mixed in.
static size_t slot_of(const struct lexicon *lexicon, uint64_t hash) {
    return (size_t)(hash ^ hash >> 29) & (lexicon->capacity - 1);
}

static const struct entry *look_up(const struct lexicon *lexicon, const uint32_t *chars, size_t n,
                                   uint64_t hash, int kinds) {
    for (size_t s = slot_of(lexicon, hash);; s = (s + 1) & (lexicon->capacity - 1)) {
        const struct entry *entry = &lexicon->table[s];
        if (entry->length == 0) {
            return NULL;
        }
        if (entry->hash == hash && entry->length == n && (entry->kind & kinds) &&
            memcmp(lexicon->pool + entry->first, chars, n * sizeof *chars) == 0) {
            return entry;
        }
    }
}

static void place(struct lexicon *lexicon, struct entry entry) {
    size_t s = slot_of(lexicon, entry.hash);
    while (lexicon->table[s].length) {
        s = (s + 1) & (lexicon->capacity - 1);
    }
    lexicon->table[s] = entry;
}

static bool grow_table(struct lexicon *lexicon) {
    if (lexicon->table && (lexicon->count + 1) * 2 <= lexicon->capacity) {
        return true;
    }
    struct entry *old = lexicon->table;
    size_t n_old = lexicon->capacity;
    size_t capacity = n_old ? n_old * 2 : 4096;
    struct entry *table = calloc(capacity, sizeof *table);
    if (!table) {
        return false;
    }
    lexicon->table = table;
    lexicon->capacity = capacity;
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].length) {
            place(lexicon, old[i]);
        }
    }
    free(old);
    return true;
}

static bool grow_pool(struct lexicon *lexicon, size_t n) {
    if (lexicon->pool && lexicon->pool_used + n <= lexicon->pool_capacity) {
        return true;
    }
    size_t capacity = (lexicon->pool_capacity + n) * 2 + 8192;
    uint32_t *pool = realloc(lexicon->pool, capacity * sizeof *pool);
    if (!pool) {
        return false;
    }
    lexicon->pool = pool;
    lexicon->pool_capacity = capacity;
    return true;
}

static bool add_word(struct lexicon *lexicon, int kind, int concept, const uint32_t *chars,
                     size_t n) {
    uint64_t hash = hash_of(chars, n);
    if (n == 0 || n > WORD_CHARACTERS_MAX || chars[0] >= FIRST_CHARACTERS) {
        return true;
    }
    if (!grow_table(lexicon) || !grow_pool(lexicon, n)) {
        return false;
    }
    if (look_up(lexicon, chars, n, hash, kind)) {
        return true; // the first owner keeps it
    }
    memcpy(lexicon->pool + lexicon->pool_used, chars, n * sizeof *chars);
    place(lexicon, (struct entry){hash, kind, concept, n, lexicon->pool_used});
    lexicon->pool_used += n;
    lexicon->count++;
    unsigned char *longest = &lexicon->longest[chars[0]];
    *longest = n > *longest ? (unsigned char)n : *longest;
    lexicon->kinds[chars[0]] |= (unsigned char)kind;
    return true;
}

// A concept with a name; -1: no memory or too many.
static int add_concept(struct lexicon *lexicon, const char *name, size_t bytes) {
    if (lexicon->n_names == lexicon->names_capacity) {
        int capacity = lexicon->names_capacity ? lexicon->names_capacity * 2 : 1024;
        char **names = realloc(lexicon->names, (size_t)capacity * sizeof *names);
        if (!names) {
            return -1;
        }
        lexicon->names = names;
        lexicon->names_capacity = capacity;
    }
    char *copy = strndup(name, bytes);
    if (!copy) {
        return -1;
    }
    lexicon->names[lexicon->n_names] = copy;
    return lexicon->n_names++;
}

// One row of a table: words parted by '|'. A word that another row has keeps its concept, and the
// row joins it.
static bool add_row(struct lexicon *lexicon, int kind, const char *row) {
    int concept = -1;
    for (const char *word = row; word;) {
        const char *bar = strchr(word, '|');
        size_t bytes = bar ? (size_t)(bar - word) : strlen(word);
        struct folded_text folded;
        if (!folded_init(&folded, word, bytes)) {
            return false;
        }
        const struct entry *known = lexicon->table ? look_up(lexicon, folded.chars, folded.n,
                                                             hash_of(folded.chars, folded.n), kind)
                                                   : NULL;
        if (concept < 0) {
            concept = known ? known->concept : add_concept(lexicon, word, bytes);
        }
        bool ok = concept >= 0 && add_word(lexicon, kind, concept, folded.chars, folded.n);
        folded_deinit(&folded);
        if (!ok) {
            return false;
        }
        word = bar ? bar + 1 : NULL;
    }
    return true;
}

static bool add_table(struct lexicon *lexicon, int kind, const char *const *rows) {
    for (; *rows; rows++) {
        if (!add_row(lexicon, kind, *rows)) {
            return false;
        }
    }
    return true;
}

static size_t match_any(const struct folded_text *text, size_t at, const char *const *words) {
    size_t best = 0;
    for (; *words; words++) {
        size_t n = folded_match(text, at, *words);
        best = n > best ? n : best;
    }
    return best;
}

// True if the stretch is nothing but known stems and salts: it needs no word of its own.
static bool is_tiled(const struct lexicon *lexicon, const struct folded_text *text, size_t from,
                     size_t to) {
    bool has_stem = false;
    while (from < to) {
        struct word word = lexicon_word_at(lexicon, text, from, WORD_DRUG);
        size_t n = word.concept >= 0 ? word.length : 0;
        has_stem = has_stem || n > 0;
        n = n ? n : match_any(text, from, DRUG_SALTS_BEFORE);
        n = n ? n : match_any(text, from, DRUG_SALTS_BEHIND);
        if (n == 0) {
            return false;
        }
        from += n;
    }
    return has_stem && from == to;
}

static size_t before_brackets(const struct folded_text *text, size_t from) {
    size_t at = from;
    while (at < text->n && text->chars[at] != '(' && text->chars[at] != ',') {
        at++;
    }
    return at;
}

// Cuts a form or a salt off the end; true while there is something to cut.
static bool cut_end(const struct folded_text *text, size_t from, size_t *to,
                    const char *const *words) {
    for (; *words; words++) {
        for (size_t n = 1; n < 8 && *to >= from + 2 + n; n++) {
            if (folded_match(text, *to - n, *words) == n) {
                *to -= n;
                return true;
            }
        }
    }
    return false;
}

// A known stem is most of it (吸入用布地奈德): the finder will see that.
static bool has_stem(const struct lexicon *lexicon, const struct folded_text *text, size_t from,
                     size_t to) {
    for (size_t i = from; i < to; i++) {
        struct word word = lexicon_word_at(lexicon, text, i, WORD_DRUG);
        if (word.concept >= 0 && i + word.length <= to && word.length * 2 >= to - from) {
            return true;
        }
    }
    return false;
}

// The stem of an ordered drug's name: 盐酸氨溴索注射液 -> 氨溴索, 0.9%氯化钠注射液 -> 氯化钠.
static bool add_drug(struct lexicon *lexicon, const char *name) {
    struct folded_text text;
    if (!folded_init(&text, name, strlen(name))) {
        return false;
    }
    size_t from = 0, to = before_brackets(&text, 0);
    while (from < to && (character_is_digit(text.chars[from]) || text.chars[from] == '.' ||
                         text.chars[from] == '%')) {
        from++;
    }
    while (cut_end(&text, from, &to, DRUG_FORMS)) {
    }
    bool is_ion = to > from + 1 && (text.chars[to - 2] == 0x9178 || text.chars[to - 2] == 0x5316);
    if (!is_ion) { // 碳酸钙, 氯化钠 keep their metal
        cut_end(&text, from, &to, DRUG_SALTS_BEHIND);
    }
    size_t salt = match_any(&text, from, DRUG_SALTS_BEFORE);
    from += from + salt + 1 < to ? salt : 0;
    bool ok = true;
    if (to > from + 1 && !is_tiled(lexicon, &text, from, to) &&
        !has_stem(lexicon, &text, from, to)) {
        size_t first = text.offsets[from], end = folded_end_byte(&text, name, to);
        int concept = add_concept(lexicon, name + first, end - first);
        ok = concept >= 0 && add_word(lexicon, WORD_DRUG, concept, text.chars + from, to - from);
    }
    folded_deinit(&text);
    return ok;
}

// A name as a whole, and without what stands in its brackets.
static bool add_name(struct lexicon *lexicon, int kind, const char *name) {
    struct folded_text text;
    if (!folded_init(&text, name, strlen(name))) {
        return false;
    }
    size_t n = before_brackets(&text, 0);
    bool ok = true;
    if (n > 1 && !look_up(lexicon, text.chars, n, hash_of(text.chars, n), kind)) {
        int concept = add_concept(lexicon, name, folded_end_byte(&text, name, n));
        ok = concept >= 0 && add_word(lexicon, kind, concept, text.chars, n);
    }
    folded_deinit(&text);
    return ok;
}

static bool add_episode(struct lexicon *lexicon, const struct episode *episode) {
    bool ok = true;
    for (int i = 0; ok && i < episode->n_orders && lexicon->n_names < CONCEPTS_MAX; i++) {
        const struct order *order = &episode->orders[i];
        if (strcmp(order->order_class, "drug") == 0) {
            ok = add_drug(lexicon, order->name);
        }
    }
    for (int i = 0; ok && i < episode->n_labs && lexicon->n_names < CONCEPTS_MAX; i++) {
        ok = add_name(lexicon, WORD_QUANTITY, episode->labs[i].name);
    }
    for (int i = 0; ok && i < episode->n_diagnoses && lexicon->n_names < CONCEPTS_MAX; i++) {
        ok = add_name(lexicon, WORD_DIAGNOSIS, episode->diagnoses[i].name);
    }
    return ok;
}

struct lexicon *lexicon_create(const struct episode *episode, struct clinic_error *error) {
    struct lexicon *lexicon = calloc(1, sizeof *lexicon);
    if (lexicon && grow_table(lexicon) && add_table(lexicon, WORD_DRUG, LEXICON_DRUGS) &&
        add_table(lexicon, WORD_QUANTITY, LEXICON_QUANTITIES) &&
        add_table(lexicon, WORD_DIAGNOSIS, LEXICON_DIAGNOSES) &&
        add_table(lexicon, WORD_FINDING, LEXICON_FINDINGS) &&
        add_table(lexicon, WORD_MEASURE, LEXICON_MEASURES) &&
        add_table(lexicon, WORD_ORGANISM, LEXICON_ORGANISMS) &&
        (!episode || add_episode(lexicon, episode))) {
        return lexicon;
    }
    lexicon_free(lexicon);
    clinic_fail_memory(error);
    return NULL;
}

void lexicon_free(struct lexicon *lexicon) {
    if (!lexicon) {
        return;
    }
    for (int i = 0; i < lexicon->n_names; i++) {
        free(lexicon->names[i]);
    }
    free(lexicon->names);
    free(lexicon->pool);
    free(lexicon->table);
    free(lexicon);
}

// A Latin word is a word only where no other letter touches it; "T" only before a number.
static bool is_whole(const struct folded_text *text, size_t at, size_t n) {
    uint32_t first = text->chars[at], last = text->chars[at + n - 1], next = text->chars[at + n];
    if (folded_goes_on(text, at) ||
        (character_is_latin(first) && at > 0 && text->chars[at - 1] == '/')) {
        return false;
    }
    if (n == 1 && !character_is_digit(next)) {
        return false;
    }
    return !folded_goes_on(text, at + n) && !(character_is_latin(last) && next == '-');
}

struct word lexicon_word_at(const struct lexicon *lexicon, const struct folded_text *text,
                            size_t at, int kinds) {
    struct word best = {0, -1, 0};
    uint64_t hash = 0xCBF29CE484222325u;
    uint32_t first = at < text->n ? text->chars[at] : FIRST_CHARACTERS;
    bool may = first < FIRST_CHARACTERS && (lexicon->kinds[first] & kinds);
    size_t longest = may ? lexicon->longest[first] : 0;
    longest = longest < text->n - at ? longest : text->n - at;
    for (size_t n = 1; may && n <= longest; n++) {
        hash = hash_step(hash, text->chars[at + n - 1]);
        const struct entry *entry = look_up(lexicon, text->chars + at, n, hash, kinds);
        if (entry && is_whole(text, at, n)) {
            best = (struct word){entry->kind, entry->concept, n};
        }
    }
    return best;
}

const char *lexicon_concept_name(const struct lexicon *lexicon, int concept) {
    return concept >= 0 && concept < lexicon->n_names ? lexicon->names[concept] : "";
}
