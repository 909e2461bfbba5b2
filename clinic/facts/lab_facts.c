// SPDX-License-Identifier: Apache-2.0
// See table_facts.h. Of each analyte's series over the stay a record tells the first abnormal
// value, the worst, critical ones and the last one; others only when a doctor's opinion was built
// on them. How far a value lies outside its range, and whether anybody wrote about it, decide.
#include "clinic/facts/fact_entry.h"
#include "clinic/facts/lab_quote.h"
#include "clinic/facts/table_facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEVERITY_ALONE 2.0 // told although no note quotes it
#define SEVERITY_MUST 1.2  // far enough outside to be a must when an opinion weighs it
#define SEVERITY_MAX 100.0

struct series {
    const int *rows; // of one analyte, in time order
    int n;
    int first_abnormal, worst, last; // indices into rows; -1: none
};

struct lab_order {
    const struct lab *labs;
    int row;
};

static int compare_rows(const void *left, const void *right) {
    const struct lab_order *a = left, *b = right;
    const struct lab *x = &a->labs[a->row], *y = &b->labs[b->row];
    int by_code = strcmp(x->code ? x->code : x->name, y->code ? y->code : y->name);
    if (by_code) return by_code;
    if (x->collect.seconds != y->collect.seconds)
        return x->collect.seconds < y->collect.seconds ? -1 : 1;
    return a->row - b->row;
}

static bool is_abnormal(const struct lab *lab) {
    if (lab->flag && lab->flag[0]) return strcmp(lab->flag, "N") != 0;
    return lab->is_number && lab->has_range && (lab->value < lab->low || lab->value > lab->high);
}

double lab_severity(const struct lab *lab) {
    if (!is_abnormal(lab)) return 0;
    if (!lab->is_number || !lab->has_range) return 1;
    if (lab->value > lab->high && lab->high > 0) return fmin(lab->value / lab->high, SEVERITY_MAX);
    if (lab->value < lab->low && lab->value > 0) return fmin(lab->low / lab->value, SEVERITY_MAX);
    return 1;
}

static void judge(const struct episode *episode, struct series *series) {
    double worst = 0;
    series->first_abnormal = series->worst = -1;
    series->last = series->n - 1;
    for (int i = 0; i < series->n; i++) {
        const struct lab *lab = &episode->labs[series->rows[i]];
        if (series->first_abnormal < 0 && is_abnormal(lab)) series->first_abnormal = i;
        if (lab_severity(lab) > worst) {
            worst = lab_severity(lab);
            series->worst = i;
        }
    }
}

static bool add_lab(const struct episode *episode, int row, bool is_must,
                    const struct lab_quote *quote, struct fact_list *facts,
                    struct clinic_error *error) {
    const struct lab *lab = &episode->labs[row];
    struct fact_entry entry = fact_entry_begin(FACT_POSITIVE, is_must, lab->report);
    wording_add_plain_name(&entry.text, lab->name);
    if (entry.text.bytes && (unsigned char)entry.text.text[entry.text.bytes - 1] < 0x80)
        wording_add(&entry.text, " "); // 肌钙蛋白I 18.60
    wording_add_lab_value(&entry.text, episode, row);
    wording_add(&entry.text, lab->is_critical ? "（危急值）" : "");
    wording_add_lab_value(&entry.value, episode, row);
    fact_entry_row(&entry, SOURCE_LAB, row);
    if (quote) fact_add_source(&entry.fact, &quote->source);
    return fact_entry_end(&entry, facts, error);
}

static bool add_of_series(const struct episode *episode, const struct series *series, int i,
                          struct fact_list *facts, struct clinic_error *error) {
    int row = series->rows[i];
    const struct lab *lab = &episode->labs[row];
    struct lab_quote quote;
    bool is_quoted = lab_quote_find(episode, row, &quote);
    bool is_weighed = is_quoted && quote.is_weighed;
    bool is_turn = i == series->first_abnormal || i == series->worst ||
                   (i == series->last && series->first_abnormal < i);
    bool is_quality = !lab->is_number && i == series->first_abnormal; // 阳性, 3+
    if (!lab->is_critical && !is_quality &&
        !(is_turn && (is_quoted || lab_severity(lab) >= SEVERITY_ALONE)) &&
        !(is_weighed && is_abnormal(lab)))
        return true;
    bool is_must = lab->is_critical ||
                   (is_weighed && i == series->worst && lab_severity(lab) >= SEVERITY_MUST);
    return add_lab(episode, row, is_must, is_quoted ? &quote : NULL, facts, error);
}

static bool add_series(const struct episode *episode, const int *rows, int n,
                       struct fact_list *facts, struct clinic_error *error) {
    struct series series = {.rows = rows, .n = n};
    judge(episode, &series);
    if (series.first_abnormal < 0) return true;
    for (int i = 0; i < n; i++) {
        if (!add_of_series(episode, &series, i, facts, error)) return false;
    }
    return true;
}

bool facts_of_labs(const struct episode *episode, struct fact_list *facts,
                   struct clinic_error *error) {
    int n = episode->n_labs;
    if (n == 0) return true;
    struct lab_order *sorted = malloc((size_t)n * sizeof *sorted);
    int *rows = malloc((size_t)n * sizeof *rows);
    bool done = sorted && rows;
    if (!done) clinic_fail_memory(error);
    for (int i = 0; done && i < n; i++)
        sorted[i] = (struct lab_order){.labs = episode->labs, .row = i};
    if (done) qsort(sorted, (size_t)n, sizeof *sorted, compare_rows);
    for (int i = 0; done && i < n; i++)
        rows[i] = sorted[i].row;
    for (int begin = 0, end; done && begin < n; begin = end) {
        const struct lab *first = &episode->labs[rows[begin]];
        const char *code = first->code ? first->code : first->name;
        for (end = begin + 1; end < n; end++) {
            const struct lab *lab = &episode->labs[rows[end]];
            if (strcmp(lab->code ? lab->code : lab->name, code) != 0) break;
        }
        done = add_series(episode, rows + begin, end - begin, facts, error);
    }
    free(sorted);
    free(rows);
    return done;
}
