// SPDX-License-Identifier: Apache-2.0
// The order of the finders: what takes characters (dates, drugs' names, frequencies) goes before
// what looks at the rest (numbers); doses are bound when all stands in order.
#include "clinic/text/mention_scan.h"

#include <stdlib.h>

static int by_start(const void *a, const void *b) {
    const struct mention *x = a, *y = b;
    if (x->start != y->start) {
        return x->start < y->start ? -1 : 1;
    }
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    return x->end < y->end ? -1 : x->end > y->end;
}

bool mentions_scan(const struct lexicon *lexicon, const struct folded_text *text,
                   struct mention_list *list) {
    struct mention_list found = {0};
    struct mention_scan scan = {.lexicon = lexicon, .text = text, .list = &found};
    scan.taken = calloc(2, text->n + 1);
    if (!scan.taken) {
        return false;
    }
    scan.negated = scan.taken + text->n + 1;
    scan_dates(&scan);
    scan_negations(&scan);
    scan_drugs(&scan);
    scan_frequencies(&scan);
    scan_numbers(&scan);
    scan_sides(&scan);
    scan_diagnoses(&scan);
    scan_terms(&scan);
    bool ok = !scan.is_out_of_memory;
    if (ok && found.count) {
        qsort(found.items, found.count, sizeof *found.items, by_start);
        bind_doses(&scan);
    }
    for (size_t i = 0; ok && i < found.count; i++) {
        ok = mention_add(list, &found.items[i]);
    }
    mention_list_deinit(&found);
    free(scan.taken);
    return ok;
}

// From characters of the folded text to bytes of the text.
static void to_bytes(const struct folded_text *folded, const char *text, size_t *start,
                     size_t *end) {
    size_t first = *start;
    *start = folded->offsets[first];
    *end = *end > first ? folded_end_byte(folded, text, *end) : *start;
}

bool mentions_find(const struct lexicon *lexicon, const char *text, size_t bytes,
                   struct mention_list *list, struct clinic_error *error) {
    struct folded_text folded;
    size_t first = list->count;
    if (!folded_init(&folded, text, bytes)) {
        return clinic_fail_memory(error);
    }
    bool ok = mentions_scan(lexicon, &folded, list);
    for (size_t i = first; ok && i < list->count; i++) {
        struct mention *m = &list->items[i];
        to_bytes(&folded, text, &m->start, &m->end);
        to_bytes(&folded, text, &m->subject_start, &m->subject_end);
    }
    folded_deinit(&folded);
    return ok || clinic_fail_memory(error);
}
