// SPDX-License-Identifier: Apache-2.0
// See omission.h. The sentence to insert is the fact's own words with the day in front, so that it
// can be checked like any other sentence.
#include "clinic/facts/omission.h"

#include "clinic/facts/clause.h"
#include "clinic/facts/fact_told.h"
#include "clinic/facts/fact_weight.h"
#include "clinic/facts/wording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OMISSIONS_MAX 120
#define RANKS 3

// Of each rank: more things that may be told help nobody.
static const int MAY_OMISSIONS_MAX[RANKS] = {16, 12, 8};

static bool is_discharge_drug(const struct fact *fact) {
    return strncmp(fact->text, "出院带药", strlen("出院带药")) == 0;
}

static const char *field_of_diagnosis(const struct episode *episode, const struct fact *fact) {
    if (!fact->n_sources || fact->sources[0].kind != SOURCE_DIAGNOSIS) return "course";
    const char *stage = episode->diagnoses[fact->sources[0].row].stage;
    return strcmp(stage, "admission") == 0 ? "admission_diagnoses" : "discharge_diagnoses";
}

static const char *field_of(const struct episode *episode, const struct fact *fact) {
    switch (fact->fact_class) {
    case FACT_FOLLOWUP:
    case FACT_PENDING:
        return "discharge_orders";
    case FACT_DRUG:
        return is_discharge_drug(fact) ? "discharge_orders" : "course";
    case FACT_DIAGNOSIS:
        return field_of_diagnosis(episode, fact);
    default:
        return "course";
    }
}

static bool starts_with_date(const char *text) {
    size_t digits = number_length(text);
    return digits && (strncmp(text + digits, "月", strlen("月")) == 0 ||
                      strncmp(text + digits, "年", strlen("年")) == 0 ||
                      strncmp(text + digits, "日", strlen("日")) == 0);
}

// The day that the sentence may name: a note quotes results of other days, and a result that took
// days belongs to none.
static bool has_own_day(const struct episode *episode, const struct fact *fact) {
    if (fact->at.seconds == MOMENT_UNKNOWN || starts_with_date(fact->text)) return false;
    if (fact->n_sources == 0) return true;
    const struct source *source = &fact->sources[0];
    if (source->kind == SOURCE_DIAGNOSIS) return false; // the day on which the list was written
    if (fact->fact_class != FACT_POSITIVE) return true;
    if (source->kind == SOURCE_LAB) {
        const struct lab *lab = &episode->labs[source->row];
        return moment_day_number(lab->collect) == moment_day_number(lab->report);
    }
    return source->kind != SOURCE_DOC;
}

static void word_sentence(struct wording *wording, const struct episode *episode,
                          const struct fact *fact, const char *field) {
    if (is_discharge_drug(fact)) {
        wording_add(wording, fact->text + strlen("出院带药："));
    } else {
        if (strcmp(field, "course") == 0 && has_own_day(episode, fact)) {
            wording_add_month_day(wording, fact->at);
            wording_add(wording, "，");
        }
        wording_add(wording, fact->text);
    }
    wording_add(wording, "。");
}

static bool grow(struct omission_list *list, struct clinic_error *error) {
    if (list->n_omissions < list->capacity) return true;
    int capacity = list->capacity ? list->capacity * 2 : 16;
    struct omission *omissions = realloc(list->omissions, (size_t)capacity * sizeof *omissions);
    if (!omissions) return clinic_fail_memory(error);
    list->omissions = omissions;
    list->capacity = capacity;
    return true;
}

static bool add(struct omission_list *list, const struct episode *episode,
                const struct fact_list *facts, int i, bool is_must, struct clinic_error *error) {
    struct wording sentence = {0};
    const struct fact *fact = &facts->facts[i];
    const char *field = field_of(episode, fact);
    if (!grow(list, error)) return false;
    word_sentence(&sentence, episode, fact, field);
    char *text = wording_take(&sentence);
    if (!text) return clinic_fail_memory(error);
    list->omissions[list->n_omissions++] =
        (struct omission){.fact = i, .is_must = is_must, .field_id = field, .sentence = text};
    return true;
}

// Things that nobody looks for in a discharge record unless they are musts.
static bool counts(const struct fact *fact) {
    if (fact->is_must) return true;
    if (fact->fact_class == FACT_EVENT || fact->n_sources == 0) return false;
    return fact->fact_class != FACT_DIAGNOSIS || fact->sources[0].kind == SOURCE_DIAGNOSIS;
}

// What happened, what was found, single values.
static int rank_of(const struct fact *fact) {
    switch (fact->fact_class) {
    case FACT_POSITIVE:
        return fact->n_sources && fact->sources[0].kind == SOURCE_LAB ? 2 : 1;
    case FACT_DRUG:
    case FACT_FOLLOWUP:
        return fact->is_must ? 0 : 1;
    default:
        return 0;
    }
}

static bool is_last_day(const struct episode *episode, struct moment moment) {
    struct moment discharge = episode->encounter.discharge;
    return discharge.seconds != MOMENT_UNKNOWN && moment.seconds != MOMENT_UNKNOWN &&
           moment_day_number(moment) + 1 >= moment_day_number(discharge);
}

// How much a reader would miss a fact that may be left out; 0: nobody would.
static int miss_of(const struct episode *episode, const struct fact *fact) {
    static const char *const LABELS[] = {"标签", "条形码", NULL};
    int weight = fact_weight(episode, fact);
    bool is_note = fact->n_sources && fact->sources[0].kind == SOURCE_DOC;
    for (int i = 0; LABELS[i]; i++) {
        if (strstr(fact->text, LABELS[i])) return 0;
    }
    if (fact->fact_class == FACT_FOLLOWUP) return 3;
    if (is_note && fact->fact_class == FACT_POSITIVE && is_last_day(episode, fact->at)) return 2;
    return weight > 0 ? weight + 1 : 1;
}

struct candidate {
    int fact, miss;
};

static int compare_misses(const void *left, const void *right) {
    const struct candidate *a = left, *b = right;
    return a->miss != b->miss ? b->miss - a->miss : a->fact - b->fact;
}

static int compare_facts(const void *left, const void *right) {
    return ((const struct candidate *)left)->fact - ((const struct candidate *)right)->fact;
}

struct search {
    const struct episode *episode;
    const struct fact_list *facts;
    const struct told_text *told;
    struct candidate *candidates; // [n_facts]
};

// A drug that is named without its dose is no drug left out; of an antibacterial the dose is
// looked for.
static bool is_named_drug(const struct search *search, const struct fact *fact) {
    const struct source *source = &fact->sources[0];
    return fact->fact_class == FACT_DRUG && fact->n_sources && source->kind == SOURCE_ORDER &&
           !is_discharge_drug(fact) && strncmp(fact->text, "停", strlen("停")) != 0 &&
           !search->episode->orders[source->row].is_antibacterial &&
           told_text_names_drug(search->told, search->episode, fact);
}

static bool find(const struct search *search, bool is_must, int rank, struct omission_list *list,
                 struct clinic_error *error) {
    int max = is_must ? OMISSIONS_MAX : MAY_OMISSIONS_MAX[rank], n = 0;
    struct candidate *candidates = search->candidates;
    for (int i = 0; i < search->facts->n_facts; i++) {
        const struct fact *fact = &search->facts->facts[i];
        if (rank_of(fact) != rank || !counts(fact) || (is_must && !fact->is_must) ||
            told_text_has(search->told, search->episode, fact))
            continue;
        bool is_missed = fact->is_must && !is_named_drug(search, fact);
        int miss = is_must ? 1 : miss_of(search->episode, fact);
        if (is_missed != is_must || miss == 0) continue;
        candidates[n++] = (struct candidate){.fact = i, .miss = miss};
    }
    if (n > max) qsort(candidates, (size_t)n, sizeof *candidates, compare_misses);
    n = n > max ? max : n;
    if (n) qsort(candidates, (size_t)n, sizeof *candidates, compare_facts);
    for (int i = 0; i < n; i++) {
        if (!add(list, search->episode, search->facts, candidates[i].fact, is_must, error))
            return false;
    }
    return true;
}

bool omissions_find(const struct episode *episode, const struct fact_list *facts,
                    const char *const *field_texts, int n_texts, struct omission_list *omissions,
                    struct clinic_error *error) {
    struct wording joined = {0};
    struct told_text told;
    *omissions = (struct omission_list){0};
    for (int i = 0; i < n_texts; i++) {
        wording_add(&joined, field_texts[i]);
        wording_add(&joined, "\n");
    }
    char *text = wording_take(&joined);
    if (!text) return clinic_fail_memory(error);
    bool done = told_text_init(&told, text, error);
    free(text);
    if (!done) return false;
    struct search search = {.episode = episode, .facts = facts, .told = &told};
    search.candidates = calloc((size_t)facts->n_facts + 1, sizeof *search.candidates);
    done = search.candidates || clinic_fail_memory(error);
    for (int rank = 0; done && rank < 2 * RANKS; rank++)
        done = find(&search, rank < RANKS, rank % RANKS, omissions, error);
    free(search.candidates);
    told_text_deinit(&told);
    if (!done) omission_list_deinit(omissions);
    return done;
}

void omission_list_deinit(struct omission_list *omissions) {
    for (int i = 0; i < omissions->n_omissions; i++)
        free(omissions->omissions[i].sentence);
    free(omissions->omissions);
    *omissions = (struct omission_list){0};
}

json_t *omission_to_json(const struct episode *episode, const struct fact_list *facts,
                         const struct omission_list *omissions, int index) {
    const struct omission *omission = &omissions->omissions[index];
    const struct fact *fact = &facts->facts[omission->fact];
    char id[24];
    snprintf(id, sizeof id, "m%d", index + 1);
    json_t *row = fact_to_json(episode, fact);
    if (!row) return NULL;
    if (json_object_set_new(row, "id", json_string(id)) != 0 ||
        json_object_set_new(row, "need", json_string(omission->is_must ? "must" : "may")) != 0 ||
        json_object_set_new(row, "field", json_string(omission->field_id)) != 0 ||
        json_object_set_new(row, "sentence", json_string(omission->sentence)) != 0 ||
        json_object_set_new(row, "state", json_string("open")) != 0) {
        json_decref(row);
        return NULL;
    }
    return row;
}

json_t *omission_list_to_json(const struct episode *episode, const struct fact_list *facts,
                              const struct omission_list *omissions) {
    json_t *array = json_array();
    for (int i = 0; array && i < omissions->n_omissions; i++) {
        json_t *row = omission_to_json(episode, facts, omissions, i);
        if (!row || json_array_append_new(array, row) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}
