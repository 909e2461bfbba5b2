// SPDX-License-Identifier: Apache-2.0
// See mention.h and mention_scan.h: what a mention is, and the list that finders add to.
#include "clinic/text/mention.h"

#include "clinic/text/mention_scan.h"

#include <stdlib.h>
#include <string.h>

struct mention mention_make(enum mention_kind kind, size_t start, size_t end) {
    struct mention m = {.kind = kind, .start = start, .end = end, .unit = "", .route = ""};
    m.subject_start = m.subject_end = start;
    return m;
}

bool mention_add(struct mention_list *list, const struct mention *mention) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct mention *items = realloc(list->items, capacity * sizeof *items);
        if (!items) {
            return false;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *mention;
    return true;
}

void mention_list_deinit(struct mention_list *list) {
    free(list->items);
    *list = (struct mention_list){0};
}

void scan_keep(struct mention_scan *scan, const struct mention *mention) {
    if (!scan->is_out_of_memory && !mention_add(scan->list, mention)) {
        scan->is_out_of_memory = true;
    }
}

void scan_take(struct mention_scan *scan, const struct mention *mention) {
    memset(scan->taken + mention->start, 1, mention->end - mention->start);
    scan_keep(scan, mention);
}
