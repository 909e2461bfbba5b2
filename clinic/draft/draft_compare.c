// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/draft_compare.h"

#include <math.h>
#include <string.h>

static bool shares_concept(const struct mention *a, const struct mention *b) {
    for (int i = 0; i < a->n_concepts; i++)
        for (int k = 0; k < b->n_concepts; k++)
            if (a->concepts[i] == b->concepts[k]) return true;
    return false;
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
        return shares_concept(a, b);
    case MENTION_FREQUENCY:
        return is_near(a->per_day, b->per_day);
    case MENTION_SIDE:
        return a->side == b->side;
    default:
        return true;
    }
}

static bool is_compared(const struct mention *mention) {
    return mention->kind != MENTION_NEGATION && mention->kind != MENTION_RELATIVE &&
           mention->kind != MENTION_ROUTE && mention->kind != MENTION_DIAGNOSIS;
}

static bool has(const struct mention_list *list, const struct mention *wanted) {
    for (size_t i = 0; i < list->count; i++)
        if (mention_says_same(&list->items[i], wanted)) return true;
    return false;
}

static int find_missing(const struct mention_list *from, const struct mention_list *in,
                        struct compared_span *spans) {
    int n = 0;
    for (size_t i = 0; i < from->count; i++) {
        const struct mention *mention = &from->items[i];
        if (!is_compared(mention) || has(in, mention)) continue;
        if (n < COMPARED_MAX) spans[n] = (struct compared_span){mention->start, mention->end};
        n++;
    }
    return n;
}

bool draft_compare(const struct lexicon *lexicon, const char *piece, const char *text,
                   struct draft_comparison *comparison, struct clinic_error *error) {
    struct mention_list in_piece = {0}, in_text = {0};
    *comparison = (struct draft_comparison){0};
    bool is_done = mentions_find(lexicon, piece, strlen(piece), &in_piece, error) &&
                   mentions_find(lexicon, text, strlen(text), &in_text, error);
    if (is_done) {
        comparison->n_strangers = find_missing(&in_text, &in_piece, comparison->strangers);
        comparison->n_lost = find_missing(&in_piece, &in_text, comparison->lost);
    }
    mention_list_deinit(&in_piece);
    mention_list_deinit(&in_text);
    return is_done;
}
