// SPDX-License-Identifier: Apache-2.0
// Postings are one sorted array: a chart of 60 KB has some 30,000 pairs.
#include "clinic/verify/record_index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EACH_PLACES_MAX 1024 // so many places are asked, no more
#define DENIED_CHARACTERS 8
#define DENIED_PER_PAIR 64

static bool is_content(uint32_t c) {
    return character_is_han(c) || character_is_latin(c) || character_is_digit(c) ||
           (c >= 0x370 && c < 0x400) || (c >= 0x2150 && c < 0x2190);
}

uint64_t pair_at(const struct folded_text *text, size_t at) {
    uint32_t a = text->chars[at], b = at < text->n ? text->chars[at + 1] : 0;
    return is_content(a) && is_content(b) ? (uint64_t)a << 32 | b : 0;
}

double pair_share(const struct folded_text *a, size_t from, size_t to, const struct folded_text *b,
                  size_t low, size_t high) {
    size_t all = 0, found = 0;
    for (size_t i = from; i + 1 < to; i++) {
        uint64_t pair = pair_at(a, i);
        all += pair != 0;
        for (size_t k = low; pair && k + 1 < high; k++) {
            if (pair_at(b, k) == pair) {
                found++;
                break;
            }
        }
    }
    return all ? (double)found / (double)all : -1;
}

static int by_pair(const void *a, const void *b) {
    const struct posting *x = a, *y = b;
    if (x->pair != y->pair) {
        return x->pair < y->pair ? -1 : 1;
    }
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool build_postings(struct record_index *index) {
    size_t n = 0;
    for (size_t p = 0; p < index->set.count; p++) {
        n += index->set.places[p].folded.n;
    }
    index->postings = malloc((n + 1) * sizeof *index->postings);
    if (!index->postings) {
        return false;
    }
    n = 0;
    for (size_t p = 0; p < index->set.count; p++) {
        const struct place *place = &index->set.places[p];
        for (size_t i = 0; place->is_trusted && i < place->folded.n; i++) {
            uint64_t pair = pair_at(&place->folded, i);
            if (pair) {
                index->postings[n++] = (struct posting){pair, (uint32_t)p};
            }
        }
    }
    qsort(index->postings, n, sizeof *index->postings, by_pair);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || by_pair(&index->postings[kept - 1], &index->postings[i]) != 0) {
            index->postings[kept++] = index->postings[i];
        }
    }
    index->n_postings = kept;
    return true;
}

static const uint32_t *denied_chars(const struct record_index *index,
                                    const struct denied_thing *thing, size_t *n) {
    const struct mention *m = &index->set.mentions.items[thing->mention];
    *n = m->subject_end - m->subject_start;
    return index->set.places[thing->place].folded.chars + m->subject_start;
}

static int by_denied_pair(const void *a, const void *b) {
    const struct denied_thing *x = a, *y = b;
    if (x->pair != y->pair) {
        return x->pair < y->pair ? -1 : 1;
    }
    return x->mention < y->mention ? -1 : x->mention > y->mention;
}

static bool is_denied_already(const struct record_index *index, size_t first,
                              const struct denied_thing *thing) {
    size_t n, other;
    const uint32_t *chars = denied_chars(index, thing, &n);
    for (size_t i = first; i < index->n_denied; i++) {
        const uint32_t *known = denied_chars(index, &index->denied[i], &other);
        if (other == n && memcmp(known, chars, n * sizeof *chars) == 0) {
            return true;
        }
    }
    return false;
}

// Subjects of negations of 2 to 8 characters in trusted places, each once; of one pair at most
// DENIED_PER_PAIR, so that a hostile record costs no more.
static bool build_denied(struct record_index *index) {
    size_t n = 0, first = 0;
    index->denied = malloc((index->set.mentions.count + 1) * sizeof *index->denied);
    if (!index->denied) {
        return false;
    }
    for (size_t p = 0; p < index->set.count; p++) {
        const struct place *place = &index->set.places[p];
        for (size_t k = 0; place->is_trusted && k < place->n_mentions; k++) {
            size_t at = place->first_mention + k;
            const struct mention *m = &index->set.mentions.items[at];
            size_t length = m->subject_end - m->subject_start;
            bool not_yet = place->folded.chars[m->start] == 0x672A && // 未戒烟, 未拆线: an act
                           m->subject_start == m->start + 1;
            bool fits = m->kind == MENTION_NEGATION && !not_yet && length >= 2 &&
                        length <= DENIED_CHARACTERS;
            uint64_t pair = fits ? pair_at(&place->folded, m->subject_start) : 0;
            if (pair) {
                index->denied[n++] = (struct denied_thing){pair, (uint32_t)at, (uint32_t)p};
            }
        }
    }
    qsort(index->denied, n, sizeof *index->denied, by_denied_pair);
    for (size_t i = 0; i < n; i++) {
        struct denied_thing thing = index->denied[i];
        bool fresh = index->n_denied == 0 || index->denied[index->n_denied - 1].pair != thing.pair;
        first = fresh ? index->n_denied : first;
        if (index->n_denied - first < DENIED_PER_PAIR && !is_denied_already(index, first, &thing)) {
            index->denied[index->n_denied++] = thing;
        }
    }
    return true;
}

size_t index_denied_at(const struct record_index *index, const struct folded_text *text,
                       size_t at) {
    uint64_t pair = pair_at(text, at);
    size_t low = 0, high = pair ? index->n_denied : 0, best = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->denied[middle].pair < pair) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; pair && low < index->n_denied && index->denied[low].pair == pair; low++) {
        size_t n;
        const uint32_t *chars = denied_chars(index, &index->denied[low], &n);
        if (n > best && at + n <= text->n &&
            memcmp(chars, text->chars + at, n * sizeof *chars) == 0) {
            best = n;
        }
    }
    return best;
}

struct valued {
    double value;
    struct evidence evidence;
};

static int by_value(const void *a, const void *b) {
    const struct valued *x = a, *y = b;
    if (x->value < y->value || x->value > y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return x->evidence.mention < y->evidence.mention ? -1 : 1;
}

// Mentions of one kind in trusted places, by value.
static bool build_kind(struct record_index *index, int kind) {
    size_t n = 0;
    struct valued *found = malloc((index->set.mentions.count + 1) * sizeof *found);
    struct evidence *list = malloc((index->set.mentions.count + 1) * sizeof *list);
    if (!found || !list) {
        free(found);
        free(list);
        return false;
    }
    for (size_t p = 0; p < index->set.count; p++) {
        const struct place *place = &index->set.places[p];
        for (size_t k = 0; place->is_trusted && k < place->n_mentions; k++) {
            size_t m = place->first_mention + k;
            if ((int)index->set.mentions.items[m].kind == kind) {
                struct evidence evidence = {(uint32_t)m, (uint32_t)p};
                found[n++] = (struct valued){index->set.mentions.items[m].value, evidence};
            }
        }
    }
    qsort(found, n, sizeof *found, by_value);
    for (size_t i = 0; i < n; i++) {
        list[i] = found[i].evidence;
    }
    free(found);
    index->by_kind[kind] = list;
    index->n_by_kind[kind] = n;
    return true;
}

bool record_index_init(struct record_index *index, const struct episode *episode,
                       const struct lexicon *lexicon) {
    *index = (struct record_index){0};
    if (!place_set_init(&index->set, episode, lexicon) || !build_postings(index) ||
        !build_denied(index)) {
        return false;
    }
    for (int kind = 0; kind < MENTION_KINDS; kind++) {
        if (!build_kind(index, kind)) {
            return false;
        }
    }
    index->scores = calloc(index->set.count + 1, sizeof *index->scores);
    index->counts = calloc(index->set.count + 1, sizeof *index->counts);
    index->touched = calloc(index->set.count + 1, sizeof *index->touched);
    return index->scores && index->counts && index->touched;
}

void record_index_deinit(struct record_index *index) {
    for (int kind = 0; kind < MENTION_KINDS; kind++) {
        free(index->by_kind[kind]);
    }
    free(index->postings);
    free(index->denied);
    free(index->scores);
    free(index->counts);
    free(index->touched);
    place_set_deinit(&index->set);
    *index = (struct record_index){0};
}

// The first posting whose pair is not below `pair`, or, with `above`, that is above it.
static size_t find_bound(const struct record_index *index, uint64_t pair, bool above) {
    size_t low = 0, high = index->n_postings;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t other = index->postings[middle].pair;
        if (other < pair || (above && other == pair)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t index_find(const struct record_index *index, uint64_t pair, size_t *count) {
    size_t first = find_bound(index, pair, false);
    *count = find_bound(index, pair, true) - first;
    return first;
}

float index_weight(const struct record_index *index, size_t count) {
    return count ? logf(1.5f + (float)index->set.count / (float)count) : 0;
}

void index_score(struct record_index *index, const struct folded_text *text, size_t from,
                 size_t to) {
    for (size_t i = 0; i < index->n_touched; i++) {
        index->scores[index->touched[i]] = 0;
    }
    index->n_touched = 0;
    index->best_score = 0;
    for (size_t i = from; i + 1 < to; i++) {
        uint64_t pair = pair_at(text, i);
        size_t count = 0, first = pair ? index_find(index, pair, &count) : 0;
        float weight = count > PAIR_PLACES_MAX ? 0 : index_weight(index, count);
        for (size_t k = 0; weight > 0 && k < count; k++) {
            uint32_t place = index->postings[first + k].place;
            if (index->scores[place] <= 0) {
                index->touched[index->n_touched++] = place;
            }
            index->scores[place] += weight;
        }
    }
    for (size_t i = 0; i < index->n_touched; i++) { // long places gather pairs by chance
        uint32_t p = index->touched[i];
        float length = (float)index->set.places[p].folded.n;
        index->scores[p] /= 1 + length / 400;
        index->best_score =
            index->scores[p] > index->best_score ? index->scores[p] : index->best_score;
    }
}

size_t index_most_pairs(struct record_index *index, const uint64_t *pairs, size_t n,
                        struct day_span days) {
    size_t most = 0;
    for (int round = 0; round < 2; round++) { // the second one clears what the first one counted
        for (size_t i = 0; i < n; i++) {
            size_t count, first = index_find(index, pairs[i], &count);
            for (size_t k = 0; k < count && k < EACH_PLACES_MAX; k++) {
                uint32_t p = index->postings[first + k].place;
                uint16_t *counted = &index->counts[p];
                int64_t day = index->set.places[p].day;
                if (day != DAY_UNKNOWN && (day < days.first || day > days.last)) {
                    continue;
                }
                *counted = round == 0 ? (uint16_t)(*counted + 1) : 0;
                most = *counted > most ? *counted : most;
            }
        }
    }
    return most;
}

size_t index_lower_bound(const struct record_index *index, enum mention_kind kind, double value) {
    size_t low = 0, high = index->n_by_kind[kind];
    double least = value - fabs(value) * 1e-6 - 1e-15;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (evidence_mention(index, index->by_kind[kind][middle])->value < least) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool values_equal(double a, double b) {
    return fabs(a - b) <= 1e-6 * (fabs(a) > fabs(b) ? fabs(a) : fabs(b)) + 1e-15;
}

static unsigned bit_of(uint64_t pair) {
    return (unsigned)((pair * 0x9E3779B97F4A7C15u) >> 55);
}

struct surroundings surroundings_of(const struct folded_text *text, size_t from, size_t to) {
    struct surroundings s = {{0}, 0};
    for (size_t i = from; i + 1 < to; i++) {
        uint64_t pair = pair_at(text, i);
        bool digits = character_is_digit(text->chars[i]) || character_is_digit(text->chars[i + 1]);
        if (pair && !digits) {
            unsigned bit = bit_of(pair);
            s.bits[bit / 64] |= UINT64_C(1) << bit % 64;
        }
    }
    for (int i = 0; i < 8; i++) {
        s.count += __builtin_popcountll(s.bits[i]);
    }
    return s;
}

int surroundings_shared(const struct surroundings *a, const struct surroundings *b) {
    int n = 0;
    for (int i = 0; i < 8; i++) {
        n += __builtin_popcountll(a->bits[i] & b->bits[i]);
    }
    return n;
}

bool place_has(const struct place *place, const struct folded_text *text, size_t from, size_t to,
               size_t *at) {
    size_t n = to - from;
    for (size_t i = *at; n && i + n <= place->folded.n; i++) {
        if (memcmp(place->folded.chars + i, text->chars + from, n * sizeof(uint32_t)) == 0) {
            *at = i;
            return true;
        }
    }
    return false;
}

void index_each_place(const struct record_index *index, const struct folded_text *text, size_t from,
                      size_t to, bool (*on_place)(void *user, uint32_t place, size_t at),
                      void *user) {
    size_t best_first = 0, best_count = SIZE_MAX;
    for (size_t i = from; i + 1 < to; i++) { // the rarest pair has the fewest places to look at
        uint64_t pair = pair_at(text, i);
        size_t count = 0, first = pair ? index_find(index, pair, &count) : 0;
        if (pair && count < best_count) {
            best_first = first;
            best_count = count;
        }
    }
    for (size_t k = 0; best_count != SIZE_MAX && k < best_count && k < EACH_PLACES_MAX; k++) {
        uint32_t p = index->postings[best_first + k].place;
        size_t at = 0;
        for (; place_has(&index->set.places[p], text, from, to, &at); at += to - from) {
            if (!on_place(user, p, at)) {
                return;
            }
        }
    }
}

bool place_denies(const struct record_index *index, const struct place *place, size_t at) {
    for (size_t k = 0; k < place->n_mentions; k++) {
        const struct mention *m = &index->set.mentions.items[place->first_mention + k];
        if (m->kind == MENTION_NEGATION && at >= m->subject_start && at < m->subject_end) {
            return true;
        }
    }
    return false;
}
