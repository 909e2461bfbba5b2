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

// ---- Clauses ------------------------------------------------------------------------------------

static bool is_at(const char *text, size_t bytes, size_t at, const char *mark) {
    size_t n = strlen(mark);
    return at + n <= bytes && memcmp(text + at, mark, n) == 0;
}

// Byte behind the clause that begins at `start`, stops left out; *next is where the next one
// begins.
static size_t clause_end(const char *text, size_t bytes, size_t start, size_t *next) {
    size_t at = start;
    while (at < bytes && !is_at(text, bytes, at, "；") && !is_at(text, bytes, at, "。"))
        at++;
    *next = at < bytes ? at + strlen("；") : bytes;
    return at;
}

// How many things a clause says that can be compared.
static bool count_said(const struct lexicon *lexicon, const char *clause, size_t bytes, int *n_said,
                       struct clinic_error *error) {
    struct mention_list list = {0};
    bool is_done = mentions_find(lexicon, clause, bytes, &list, error);
    *n_said = 0;
    for (size_t i = 0; is_done && i < list.count; i++)
        *n_said += is_compared(&list.items[i]);
    mention_list_deinit(&list);
    return is_done;
}

static size_t character_bytes(char first) {
    unsigned char byte = (unsigned char)first;
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// Of the pairs of characters of a clause, how many the text has: a clause in other words keeps
// most of its nouns.
static bool is_told_in_words(const char *clause, size_t bytes, const char *text) {
    int n_pairs = 0, n_told = 0;
    for (size_t at = 0; at < bytes;) {
        char pair[9];
        size_t first = character_bytes(clause[at]);
        size_t both = at + first < bytes ? first + character_bytes(clause[at + first]) : bytes;
        if (at + both > bytes) break;
        memcpy(pair, clause + at, both);
        pair[both] = '\0';
        n_pairs++;
        n_told += strstr(text, pair) != NULL;
        at += first;
    }
    return 2 * n_told >= n_pairs;
}

// Clauses without anything that can be compared are looked for by their words.
static bool find_untold(const struct lexicon *lexicon, const char *piece, const char *text,
                        struct draft_comparison *comparison, struct clinic_error *error) {
    size_t bytes = strlen(piece), start = 0, next;
    for (; start < bytes; start = next) {
        size_t end = clause_end(piece, bytes, start, &next);
        int n_said;
        if (!count_said(lexicon, piece + start, end - start, &n_said, error)) return false;
        if (n_said > 0 || is_told_in_words(piece + start, end - start, text)) continue;
        if (comparison->n_lost < COMPARED_MAX)
            comparison->lost[comparison->n_lost] = (struct compared_span){start, end};
        comparison->n_lost++;
    }
    return true;
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
        is_done = find_untold(lexicon, piece, text, comparison, error);
    }
    mention_list_deinit(&in_piece);
    mention_list_deinit(&in_text);
    return is_done;
}

static int count_lost(const struct draft_comparison *comparison, size_t start, size_t end) {
    int n = 0, n_kept = comparison->n_lost < COMPARED_MAX ? comparison->n_lost : COMPARED_MAX;
    for (int i = 0; i < n_kept; i++)
        n += comparison->lost[i].start >= start && comparison->lost[i].start < end;
    return n;
}

bool draft_compare_absent(const struct lexicon *lexicon, const char *piece,
                          const struct draft_comparison *comparison, struct text_buffer *supplement,
                          bool *is_all, struct clinic_error *error) {
    size_t bytes = strlen(piece), start = 0, next;
    int n_found = 0;
    for (; start < bytes; start = next) {
        size_t end = clause_end(piece, bytes, start, &next);
        int n_lost = count_lost(comparison, start, end), n_said;
        if (n_lost == 0) continue;
        if (!count_said(lexicon, piece + start, end - start, &n_said, error)) return false;
        if (n_said > n_lost) continue; // a part of it is told: to repeat that would read badly
        text_buffer_add(supplement, "；");
        text_buffer_add_bytes(supplement, piece + start, end - start);
        n_found += n_lost;
    }
    *is_all = n_found == comparison->n_lost;
    return !supplement->has_failed || clinic_fail_memory(error);
}
