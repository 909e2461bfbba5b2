// SPDX-License-Identifier: Apache-2.0
// Dates by words: how much of what a sentence tells of a day stands in what was written of that
// day, against the day that has most of it.
#include "clinic/verify/date_rule.h"

#include <stdlib.h>

#define DAYS_MAX 512
#define SHARE_OF_BEST 0.70

struct day_score {
    int64_t day;
    float score;
    uint32_t seen; // stamp: a pair counts once a day
};

struct day_table {
    struct day_score days[DAYS_MAX];
    size_t n;
    float total;
};

static void add_to_day(struct day_table *table, int64_t day, float weight, uint32_t stamp) {
    size_t i = 0;
    while (i < table->n && table->days[i].day != day) {
        i++;
    }
    if (day == DAY_UNKNOWN || (i == table->n && table->n == DAYS_MAX)) {
        return;
    }
    if (i == table->n) {
        table->days[table->n++] = (struct day_score){day, 0, UINT32_MAX};
    }
    if (table->days[i].seen != stamp) {
        table->days[i].seen = stamp;
        table->days[i].score += weight;
    }
}

static void add_place_days(const struct record_index *index, struct day_table *table,
                           const struct place *place, float weight, uint32_t stamp) {
    for (size_t k = 0; k < place->n_mentions; k++) {
        size_t m = place->first_mention + k;
        enum mention_kind kind = index->set.mentions.items[m].kind;
        if (kind == MENTION_DATE || kind == MENTION_RELATIVE) {
            add_to_day(table, index->set.mention_days[m], weight, stamp);
        }
    }
    add_to_day(table, place->day, weight, stamp);
    if (place->last_day != place->day) {
        add_to_day(table, place->last_day, weight, stamp);
    }
}

// How much of a stretch's words each day has.
static void score_days(const struct sentence_scan *scan, struct stretch scope,
                       struct day_table *table) {
    const struct record_index *index = &scan->verifier->index;
    table->n = 0;
    table->total = 0;
    for (size_t i = scope.from; i + 1 < scope.to; i++) {
        uint64_t pair = pair_at(&scan->folded, i);
        size_t count = 0, first = pair ? index_find(index, pair, &count) : 0;
        float weight = count > PAIR_PLACES_MAX ? 0 : index_weight(index, count);
        table->total += weight;
        for (size_t k = 0; weight > 0 && k < count; k++) {
            add_place_days(index, table, &index->set.places[index->postings[first + k].place],
                           weight, (uint32_t)i);
        }
    }
}

static float score_of(const struct day_table *table, struct day_span span) {
    float best = 0;
    for (size_t i = 0; i < table->n; i++) {
        bool counts = span_has(span, table->days[i].day) && table->days[i].score > best;
        best = counts ? table->days[i].score : best;
    }
    return best;
}

static const struct day_score *best_day(const struct day_table *table) {
    const struct day_score *best = NULL;
    for (size_t i = 0; i < table->n; i++) {
        if (!best || table->days[i].score > best->score) {
            best = &table->days[i];
        }
    }
    return best;
}

static struct ruling compare_days(const struct sentence_scan *scan, struct stretch scope,
                                  struct day_span span) {
    struct day_table *table = malloc(sizeof *table);
    struct ruling ruling = {FAILS, DAY_UNKNOWN};
    if (!table) {
        return ruling;
    }
    score_days(scan, scope, table);
    const struct day_score *best = best_day(table);
    float own = score_of(table, span);
    if (best && own > 0 && own >= SHARE_OF_BEST * best->score) {
        ruling.finding = HOLDS;
    } else if (best) {
        ruling.right_day = best->day;
    }
    free(table);
    return ruling;
}

struct ruling rule_words(const struct sentence_scan *scan, struct stretch scope,
                         struct day_span span) {
    struct ruling ruling = compare_days(scan, scope, span);
    struct stretch clause = scope_first_clause(scan, scope, 70);
    if (ruling.finding == FAILS && clause.to < scope.to && clause.to > clause.from + 2) {
        struct ruling first = compare_days(scan, clause, span);
        ruling = first.finding == HOLDS ? first : ruling;
    }
    return ruling;
}

bool is_told_by_date(const struct sentence_scan *scan, size_t at, struct stretch scope,
                     int64_t day) {
    const struct record_index *index = &scan->verifier->index;
    const struct mention *m = &scan->mentions.items[at];
    size_t first = scope.from > m->end ? scope.from : m->end; // behind a range's other end
    size_t to = first + 20 < scan->folded.n ? first + 20 : scan->folded.n;
    struct surroundings near =
        surroundings_of(&scan->folded, m->start > 10 ? m->start - 10 : 0, to);
    // A day behind the stay is hardly named for two reasons.
    int least = day > scan->verifier->last_day ? 1 : 3;
    for (size_t i = 0; i < index->n_by_kind[MENTION_DATE]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DATE][i];
        if (index->set.mention_days[evidence.mention] != day) {
            continue;
        }
        const struct mention *told = evidence_mention(index, evidence);
        const struct folded_text *text = &evidence_place(index, evidence)->folded;
        size_t behind = told->end + 28 < text->n ? told->end + 28 : text->n;
        struct surroundings there =
            surroundings_of(text, told->start > 10 ? told->start - 10 : 0, behind);
        if (surroundings_shared(&near, &there) >= least) {
            return true;
        }
    }
    return false;
}
