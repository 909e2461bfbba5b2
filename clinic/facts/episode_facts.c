// SPDX-License-Identifier: Apache-2.0
// See episode_facts.h. What a note and a table tell of the same thing on the same day is one fact:
// the table's words stand, the note's place becomes another source.
#include "clinic/facts/episode_facts.h"

#include "clinic/facts/document_facts.h"
#include "clinic/facts/drug_stem.h"
#include "clinic/facts/fact_told.h"
#include "clinic/facts/stay_size.h"
#include "clinic/facts/table_facts.h"

#include <stdlib.h>
#include <string.h>

#define COMPARISONS_MAX 200000 // of two facts: beyond that doubles stay

bool facts_of_document(const struct episode *episode, int doc_row, struct fact_list *facts,
                       struct clinic_error *error) {
    struct note_drugs drugs;
    if (doc_row < 0 || doc_row >= episode->n_docs)
        return clinic_fail(error, CLINIC_NOT_FOUND, "no document %d in this episode", doc_row);
    bool done = stay_size_check(episode, error);
    drugs = (struct note_drugs){0};
    done = done && note_drugs_init(&drugs, episode, error) &&
           facts_of_note(episode, &drugs, doc_row, facts, error);
    note_drugs_deinit(&drugs);
    return done;
}

bool facts_of_tables(const struct episode *episode, struct fact_list *facts,
                     struct clinic_error *error) {
    return stay_size_check(episode, error) && facts_of_stay(episode, facts, error) &&
           facts_of_orders(episode, facts, error) && facts_of_labs(episode, facts, error) &&
           facts_of_reports(episode, facts, error);
}

static bool facts_of_documents(const struct episode *episode, struct fact_list *facts,
                               struct clinic_error *error) {
    struct note_drugs drugs;
    bool done = note_drugs_init(&drugs, episode, error);
    for (int i = 0; done && i < episode->n_docs; i++)
        done = facts_of_note(episode, &drugs, i, facts, error);
    note_drugs_deinit(&drugs);
    return done;
}

static bool is_near(struct moment a, struct moment b, int days) {
    if (a.seconds == MOMENT_UNKNOWN || b.seconds == MOMENT_UNKNOWN) return true;
    int64_t apart = moment_day_number(a) - moment_day_number(b);
    return apart <= days && apart >= -days;
}

static bool is_table(const struct source *source) {
    return source->kind != SOURCE_DOC && source->kind != SOURCE_REPORT;
}

// Days that a note may come before or behind the row that it tells.
static int days_apart(enum fact_class fact_class) {
    switch (fact_class) {
    case FACT_DIAGNOSIS:
    case FACT_FOLLOWUP:
    case FACT_PENDING:
        return 400;
    case FACT_CONSULT:
        return 2;
    default:
        return 1;
    }
}

static bool is_discharge_drug(const struct fact *fact) {
    return strncmp(fact->text, "出院带药", strlen("出院带药")) == 0;
}

// Does `fact` (kept) tell what `other` tells?
static bool tells_same(const struct episode *episode, const struct fact *fact,
                       const struct fact *other) {
    if (fact->fact_class != other->fact_class || is_discharge_drug(fact) ||
        is_discharge_drug(other) || !is_near(fact->at, other->at, days_apart(fact->fact_class)))
        return false;
    // "诊断修正为…" is an event of its day, the diagnosis itself is not.
    if (fact->fact_class == FACT_DIAGNOSIS && other->is_must && !is_table(&other->sources[0]))
        return false;
    if (fact->fact_class == FACT_CONSULT)
        return fact->value && other->value && strcmp(fact->value, other->value) == 0;
    return fact_is_told(episode, other, fact->text);
}

// A note's fact that holds a whole row's fact keeps its own words: it tells more. The row lends it
// its place.
static void lend_sources(struct fact *to, const struct fact *from) {
    for (int i = 0; i < from->n_sources; i++)
        fact_add_source(to, &from->sources[i]);
}

static void drop_fact(struct fact *fact) {
    free(fact->text);
    free(fact->value);
    *fact = (struct fact){.fact_class = FACT_CLASSES};
}

// A consultation's answer tells more than its request.
static void keep_answer(struct fact *first, struct fact *second) {
    if (strlen(second->text) <= strlen(first->text)) return;
    char *text = first->text;
    first->text = second->text;
    second->text = text;
    first->at = second->at;
}

static void merge_pair(const struct episode *episode, struct fact *first, struct fact *second) {
    if (first->fact_class == FACT_FOLLOWUP && strlen(second->text) > strlen(first->text) &&
        (tells_same(episode, second, first) || tells_same(episode, first, second))) {
        lend_sources(second, first); // the fuller advice holds
        second->is_must = first->is_must || second->is_must;
        drop_fact(first);
    } else if (tells_same(episode, first, second)) {
        if (first->fact_class == FACT_CONSULT) keep_answer(first, second);
        lend_sources(first, second);
        first->is_must = first->is_must || second->is_must;
        drop_fact(second);
    } else if (second->fact_class == first->fact_class && is_table(&first->sources[0]) &&
               tells_same(episode, second, first) && first->fact_class != FACT_DRUG) {
        lend_sources(first, second); // both stay: the row in short, the note in full
    }
}

// A row each, an operation, a result or a transfusion each, however alike they are.
static bool is_single_row(const struct episode *episode, const struct fact *fact) {
    if (!fact->n_sources) return false;
    const struct source *source = &fact->sources[0];
    return source->kind == SOURCE_OPERATION || source->kind == SOURCE_LAB ||
           (source->kind == SOURCE_ORDER &&
            strcmp(episode->orders[source->row].order_class, "blood") == 0);
}

static bool may_be_same(const struct episode *episode, const struct fact *a, const struct fact *b) {
    if (is_single_row(episode, a) && is_single_row(episode, b)) return false;
    return a->fact_class == b->fact_class && a->fact_class != FACT_CLASSES &&
           is_near(a->at, b->at, days_apart(a->fact_class));
}

static void merge(const struct episode *episode, struct fact_list *facts) {
    int left = COMPARISONS_MAX;
    for (int i = 0; i < facts->n_facts; i++) {
        for (int k = i + 1; left > 0 && k < facts->n_facts; k++) {
            if (!may_be_same(episode, &facts->facts[i], &facts->facts[k])) continue;
            merge_pair(episode, &facts->facts[i], &facts->facts[k]);
            left--;
        }
    }
    int kept = 0;
    for (int i = 0; i < facts->n_facts; i++) {
        if (facts->facts[i].fact_class != FACT_CLASSES) facts->facts[kept++] = facts->facts[i];
    }
    facts->n_facts = kept;
}

// In the order of the text that they were read from.
static int compare_places(const struct fact *a, const struct fact *b) {
    const struct source *x = &a->sources[0], *y = &b->sources[0];
    if (!a->n_sources || !b->n_sources) return a->n_sources - b->n_sources;
    if (x->kind != y->kind) return (int)x->kind - (int)y->kind;
    if (x->row != y->row) return x->row - y->row;
    if (x->section != y->section) return x->section - y->section;
    return x->start < y->start ? -1 : x->start > y->start;
}

static int compare_facts(const void *left, const void *right) {
    const struct fact *a = left, *b = right;
    if (a->at.seconds != b->at.seconds) return a->at.seconds < b->at.seconds ? -1 : 1;
    if (a->fact_class != b->fact_class) return (int)a->fact_class - (int)b->fact_class;
    int by_place = compare_places(a, b);
    return by_place ? by_place : strcmp(a->text, b->text);
}

bool facts_of_episode(const struct episode *episode, struct fact_list *facts,
                      struct clinic_error *error) {
    *facts = (struct fact_list){0};
    if (!facts_of_tables(episode, facts, error) || !facts_of_documents(episode, facts, error)) {
        fact_list_deinit(facts);
        return false;
    }
    merge(episode, facts);
    if (facts->n_facts)
        qsort(facts->facts, (size_t)facts->n_facts, sizeof *facts->facts, compare_facts);
    return true;
}
