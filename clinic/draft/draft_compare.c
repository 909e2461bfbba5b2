// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/draft_compare.h"

#include "clinic/draft/draft_words.h"

#include <math.h>
#include <string.h>

// What no lexicon knows ("皮片" looks like a drug) is like anything that none knows.
static bool shares_concept(const struct mention *a, const struct mention *b) {
    for (int i = 0; i < a->n_concepts; i++)
        for (int k = 0; k < b->n_concepts; k++)
            if (a->concepts[i] == b->concepts[k]) return true;
    return a->n_concepts == 0 && b->n_concepts == 0;
}

static bool is_near(double a, double b) {
    return fabs(a - b) <= 1e-6 * (fabs(a) + fabs(b)) + 1e-12;
}

static bool is_amount(const struct mention *mention) {
    return mention->kind == MENTION_NUMBER || mention->kind == MENTION_DOSE;
}

static bool has_date_part(int a, int b) {
    return a == 0 || b == 0 || a == b;
}

bool mention_says_same(const struct mention *a, const struct mention *b) {
    if (is_amount(a) && is_amount(b))
        return is_near(a->value, b->value) && is_near(a->value_high, b->value_high) &&
               (!*a->unit || !*b->unit || strcmp(a->unit, b->unit) == 0);
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case MENTION_DATE:
        return has_date_part(a->year, b->year) && has_date_part(a->month, b->month) &&
               has_date_part(a->day, b->day);
    case MENTION_TIME:
        return a->hour == b->hour && a->minute == b->minute;
    case MENTION_DRUG:
    case MENTION_DIAGNOSIS:
    case MENTION_TERM:
        return shares_concept(a, b);
    case MENTION_FREQUENCY:
        return is_near(a->per_day, b->per_day);
    case MENTION_ROUTE:
        return a->route && b->route && strcmp(a->route, b->route) == 0;
    case MENTION_SIDE:
        return a->side == b->side;
    default:
        return true;
    }
}

// Routes are looked for only where they are said twice: one alone says nothing of itself.
static bool is_compared(const struct mention *mention) {
    return mention->kind != MENTION_NEGATION && mention->kind != MENTION_RELATIVE &&
           mention->kind != MENTION_DIAGNOSIS;
}

static int count_same(const struct mention *items, size_t n_items, const struct mention *wanted) {
    int n = 0;
    for (size_t i = 0; i < n_items; i++)
        n += mention_says_same(&items[i], wanted);
    return n;
}

static void add_stranger(const struct mention *mention, struct draft_comparison *comparison) {
    if (comparison->n_strangers < STRANGERS_MAX)
        comparison->strangers[comparison->n_strangers] =
            (struct text_span){mention->start, mention->end};
    comparison->n_strangers++;
}

// Each thing as often as the other text says it.
static void compare_mentions(const struct mention_list *piece, const struct mention_list *text,
                             struct draft_comparison *comparison) {
    for (size_t i = 0; i < text->count; i++) {
        const struct mention *mention = &text->items[i];
        if (!is_compared(mention)) continue;
        int n_there = count_same(piece->items, piece->count, mention);
        if (n_there == 0) add_stranger(mention, comparison);
        comparison->n_repeated += n_there > 0 && count_same(text->items, i + 1, mention) > n_there;
    }
    for (size_t i = 0; i < piece->count; i++)
        comparison->n_lost += is_compared(&piece->items[i]) &&
                              count_same(text->items, text->count, &piece->items[i]) <
                                  count_same(piece->items, i + 1, &piece->items[i]);
}

bool draft_compare(const struct lexicon *lexicon, const char *piece, const char *text,
                   struct draft_comparison *comparison, struct clinic_error *error) {
    struct mention_list in_piece = {0}, in_text = {0};
    *comparison = (struct draft_comparison){0};
    bool is_done = mentions_find(lexicon, piece, strlen(piece), &in_piece, error) &&
                   mentions_find(lexicon, text, strlen(text), &in_text, error) &&
                   draft_words_count_faults(piece, text, &comparison->n_lost, error);
    if (is_done) compare_mentions(&in_piece, &in_text, comparison);
    mention_list_deinit(&in_piece);
    mention_list_deinit(&in_text);
    return is_done;
}
