// SPDX-License-Identifier: Apache-2.0
#include "grammar/code_ranges.h"

#include <stdlib.h>

void code_ranges_deinit(struct code_ranges *set) {
    free(set->items);
    *set = (struct code_ranges){0};
}

void code_ranges_add(struct code_ranges *set, uint32_t first, uint32_t last) {
    if (set->failed || first > last) return;
    if (set->n == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 8;
        struct code_range *items =
            capacity > CODE_RANGES_MAX ? NULL : realloc(set->items, capacity * sizeof *items);
        if (!items) {
            set->failed = true;
            set->no_memory = capacity <= CODE_RANGES_MAX;
            return;
        }
        set->items = items;
        set->capacity = capacity;
    }
    set->items[set->n++] = (struct code_range){first, last};
}

void code_ranges_add_all(struct code_ranges *set, const struct code_ranges *other) {
    for (uint32_t i = 0; i < other->n; i++)
        code_ranges_add(set, other->items[i].first, other->items[i].last);
    if (other->failed) set->failed = true;
    if (other->no_memory) set->no_memory = true;
}

static int compare_ranges(const void *a, const void *b) {
    const struct code_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

void code_ranges_normalise(struct code_ranges *set) {
    if (set->n < 2) return;
    qsort(set->items, set->n, sizeof *set->items, compare_ranges);
    uint32_t n = 1;
    for (uint32_t i = 1; i < set->n; i++) {
        struct code_range *last = &set->items[n - 1], next = set->items[i];
        if (next.first <= last->last + 1) {
            if (next.last > last->last) last->last = next.last;
        } else {
            set->items[n++] = next;
        }
    }
    set->n = n;
}

void code_ranges_negate(struct code_ranges *set) {
    struct code_ranges result = {0};
    uint32_t next = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->items[i].first > next) code_ranges_add(&result, next, set->items[i].first - 1);
        next = set->items[i].last + 1;
    }
    if (next <= CODE_LAST) code_ranges_add(&result, next, CODE_LAST);
    if (set->failed) result.failed = true;
    if (set->no_memory) result.no_memory = true;
    free(set->items);
    *set = result;
}

void code_ranges_remove(struct code_ranges *set, uint32_t first, uint32_t last) {
    code_ranges_negate(set);
    code_ranges_add(set, first, last);
    code_ranges_normalise(set);
    code_ranges_negate(set);
}

bool code_ranges_has(const struct code_ranges *set, uint32_t code) {
    for (uint32_t i = 0; i < set->n; i++)
        if (code >= set->items[i].first && code <= set->items[i].last) return true;
    return false;
}
