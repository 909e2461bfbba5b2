// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/text_difference.h"

#include "clinic/record/utf8_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS_MAX = 16 << 20 }; // of the table below; the common length then fits its 16 bits

// Characters with the bytes where they begin.
struct characters {
    uint32_t *values;
    size_t *starts; // [n + 1]
    size_t n;
};

struct comparing {
    struct characters from, to;
    size_t first, from_last, to_last; // the middles that differ: characters [first, last)
    uint16_t *common; // [rows][columns]: the longest common part of what is behind each pair
    size_t columns;
};

static bool read_characters(const char *text, struct characters *characters) {
    size_t bytes = strlen(text), length;
    characters->values = calloc(bytes + 1, sizeof *characters->values);
    characters->starts = calloc(bytes + 1, sizeof *characters->starts);
    if (!characters->values || !characters->starts) return false;
    for (size_t at = 0; at < bytes; at += length) {
        characters->starts[characters->n] = at;
        characters->values[characters->n++] = utf8_text_read(text + at, bytes - at, &length);
    }
    characters->starts[characters->n] = bytes;
    return true;
}

static void skip_same_ends(struct comparing *comparing) {
    const struct characters *from = &comparing->from, *to = &comparing->to;
    size_t n = from->n, m = to->n, first = 0;
    while (first < n && first < m && from->values[first] == to->values[first])
        first++;
    while (n > first && m > first && from->values[n - 1] == to->values[m - 1]) {
        n--;
        m--;
    }
    comparing->first = first;
    comparing->from_last = n;
    comparing->to_last = m;
}

static uint16_t *cell(const struct comparing *comparing, size_t i, size_t k) {
    return &comparing->common[(i - comparing->first) * comparing->columns + (k - comparing->first)];
}

static bool is_same(const struct comparing *comparing, size_t i, size_t k) {
    return comparing->from.values[i] == comparing->to.values[k];
}

// False: no memory.
static bool fill_table(struct comparing *comparing) {
    size_t rows = comparing->from_last - comparing->first + 1;
    comparing->columns = comparing->to_last - comparing->first + 1;
    if (rows > CELLS_MAX / comparing->columns) return true;
    comparing->common = calloc(rows * comparing->columns, sizeof *comparing->common);
    if (!comparing->common) return false;
    for (size_t i = comparing->from_last; i-- > comparing->first;)
        for (size_t k = comparing->to_last; k-- > comparing->first;) {
            uint16_t down = *cell(comparing, i + 1, k), right = *cell(comparing, i, k + 1);
            uint16_t best = down > right ? down : right;
            if (is_same(comparing, i, k)) best = (uint16_t)(*cell(comparing, i + 1, k + 1) + 1);
            *cell(comparing, i, k) = best;
        }
    return true;
}

static bool add_hunk(const struct comparing *comparing, size_t i, size_t i_end, size_t k,
                     size_t k_end, struct text_difference *difference) {
    size_t n = (size_t)difference->n_hunks + 1;
    struct text_hunk *grown = realloc(difference->hunks, n * sizeof *grown);
    if (!grown) return false;
    difference->hunks = grown;
    grown[difference->n_hunks++] =
        (struct text_hunk){comparing->from.starts[i], comparing->from.starts[i_end],
                           comparing->to.starts[k], comparing->to.starts[k_end]};
    return true;
}

// From the first characters on, always the way on which most is common.
static bool walk(const struct comparing *comparing, struct text_difference *difference) {
    size_t i = comparing->first, k = i, n = comparing->from_last, m = comparing->to_last;
    while (i < n || k < m) {
        size_t i_start = i, k_start = k;
        if (i < n && k < m && is_same(comparing, i, k)) {
            i++;
            k++;
            continue;
        }
        while ((i < n || k < m) && !(i < n && k < m && is_same(comparing, i, k))) {
            bool is_gone =
                k == m || (i < n && *cell(comparing, i + 1, k) >= *cell(comparing, i, k + 1));
            i += is_gone;
            k += !is_gone;
        }
        if (!add_hunk(comparing, i_start, i, k_start, k, difference)) return false;
    }
    return true;
}

bool text_difference_make(const char *from, const char *to, struct text_difference *difference,
                          struct clinic_error *error) {
    struct comparing comparing = {.common = NULL};
    *difference = (struct text_difference){0};
    bool is_made = read_characters(from, &comparing.from) && read_characters(to, &comparing.to);
    if (is_made) {
        skip_same_ends(&comparing);
        is_made = fill_table(&comparing);
    }
    if (is_made && comparing.common)
        is_made = walk(&comparing, difference);
    else if (is_made)
        is_made = add_hunk(&comparing, comparing.first, comparing.from_last, comparing.first,
                           comparing.to_last, difference);
    free(comparing.common);
    free(comparing.from.values);
    free(comparing.from.starts);
    free(comparing.to.values);
    free(comparing.to.starts);
    if (is_made) return true;
    text_difference_deinit(difference);
    return clinic_fail_memory(error);
}

void text_difference_deinit(struct text_difference *difference) {
    free(difference->hunks);
    *difference = (struct text_difference){0};
}
