// SPDX-License-Identifier: Apache-2.0
// See conflict.h.
#include "clinic/facts/conflict_search.h"
#include "clinic/facts/stay_size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAUSE_BYTES 600 // on either side: a clause that is looked around in, not a page

static const char *const KIND_NAMES[CONFLICT_KINDS] = {[CONFLICT_SIDE] = "side",
                                                       [CONFLICT_VALUE] = "value",
                                                       [CONFLICT_VITAL] = "vital",
                                                       [CONFLICT_DRUG] = "drug",
                                                       [CONFLICT_ALLERGY] = "allergy",
                                                       [CONFLICT_SEX] = "sex",
                                                       [CONFLICT_AGE] = "age",
                                                       [CONFLICT_TIME] = "time",
                                                       [CONFLICT_PERSON] = "person",
                                                       [CONFLICT_BLOOD] = "blood",
                                                       [CONFLICT_DIAGNOSIS] = "diagnosis",
                                                       [CONFLICT_OPERATION] = "operation",
                                                       [CONFLICT_PENDING] = "pending",
                                                       [CONFLICT_INSTRUCTION] = "instruction"};

const char *conflict_kind_name(enum conflict_kind kind) {
    return (unsigned)kind < CONFLICT_KINDS ? KIND_NAMES[kind] : "";
}

bool conflict_search_is_over(const struct conflict_search *search) {
    return search->failed || search->list->n_conflicts >= CONFLICTS_MAX;
}

bool conflict_search_look(struct conflict_search *search) {
    return ++search->looks <= CONFLICT_LOOKS_MAX;
}

static bool grow(struct conflict_list *list) {
    if (list->n_conflicts < list->capacity) return true;
    int capacity = list->capacity ? list->capacity * 2 : 16;
    struct conflict *conflicts = realloc(list->conflicts, (size_t)capacity * sizeof *conflicts);
    if (!conflicts) return false;
    list->conflicts = conflicts;
    list->capacity = capacity;
    return true;
}

static bool is_listed(const struct conflict_list *list, const char *text) {
    for (int i = 0; i < list->n_conflicts; i++) {
        if (strcmp(list->conflicts[i].text, text) == 0) return true;
    }
    return false;
}

void conflict_report(struct conflict_search *search, enum conflict_kind kind,
                     enum conflict_severity severity, struct wording *text,
                     const struct source *first, const struct source *second) {
    char *words = wording_take(text);
    if (words && (conflict_search_is_over(search) || is_listed(search->list, words))) {
        free(words);
        return;
    }
    if (!words || !grow(search->list)) {
        free(words);
        search->failed = true;
        return;
    }
    struct conflict conflict = {.kind = kind, .severity = severity, .text = words};
    if (first) conflict.sources[conflict.n_sources++] = *first;
    if (second) conflict.sources[conflict.n_sources++] = *second;
    search->list->conflicts[search->list->n_conflicts++] = conflict;
}

bool note_place_next(const struct episode *episode, struct note_place *place) {
    place->section_row++;
    for (; place->doc_row < episode->n_docs; place->doc_row++, place->section_row = 0) {
        const struct document *doc = &episode->docs[place->doc_row];
        if (doc->sign.seconds == MOMENT_UNKNOWN || place->section_row >= doc->n_sections) continue;
        place->doc = doc;
        place->section = &doc->sections[place->section_row];
        return true;
    }
    return false;
}

struct source note_place_source(const struct note_place *place, size_t start, size_t end) {
    return (struct source){.kind = SOURCE_DOC,
                           .row = place->doc_row,
                           .section = place->section_row,
                           .start = start,
                           .end = end};
}

void wording_add_note(struct wording *wording, const struct document *doc) {
    wording_add_month_day(wording, doc->event);
    wording_add(wording, doc->local_title && doc->local_title[0] ? doc->local_title : doc->type);
}

static bool is_clause_mark(const char *text) {
    return *text == '\n' || strncmp(text, "。", strlen("。")) == 0 ||
           strncmp(text, "；", strlen("；")) == 0;
}

struct clause clause_around(const struct section *section, size_t at) {
    struct clause clause = {.text = section->text, .start = at, .end = at};
    size_t first = at > CLAUSE_BYTES ? at - CLAUSE_BYTES : 0;
    while (clause.start > first && !is_clause_mark(section->text + clause.start - 1) &&
           !(clause.start >= 3 && is_clause_mark(section->text + clause.start - 3)))
        clause.start--;
    while (clause.end < section->text_bytes && clause.end < at + CLAUSE_BYTES &&
           !is_clause_mark(section->text + clause.end))
        clause.end++;
    return clause;
}

static int compare(const void *left, const void *right) {
    const struct conflict *a = left, *b = right;
    if (a->severity != b->severity) return (int)a->severity - (int)b->severity;
    if (a->kind != b->kind) return (int)a->kind - (int)b->kind;
    return strcmp(a->text, b->text);
}

bool conflicts_find(const struct episode *episode, struct conflict_list *conflicts,
                    struct clinic_error *error) {
    static void (*const SEARCHES[])(struct conflict_search *) = {
        conflicts_of_instructions, conflicts_of_person, conflicts_of_drugs,  conflicts_of_sides,
        conflicts_of_operations,   conflicts_of_times,  conflicts_of_values, conflicts_of_vitals};
    *conflicts = (struct conflict_list){0};
    if (!stay_size_check(episode, error)) return false;
    struct conflict_search search = {.episode = episode, .list = conflicts};
    for (size_t i = 0; i < sizeof SEARCHES / sizeof *SEARCHES && !search.failed; i++) {
        search.looks = 0;
        SEARCHES[i](&search);
    }
    if (search.failed) {
        conflict_list_deinit(conflicts);
        return clinic_fail_memory(error);
    }
    if (conflicts->n_conflicts)
        qsort(conflicts->conflicts, (size_t)conflicts->n_conflicts, sizeof *conflicts->conflicts,
              compare);
    return true;
}

void conflict_list_deinit(struct conflict_list *conflicts) {
    for (int i = 0; i < conflicts->n_conflicts; i++)
        free(conflicts->conflicts[i].text);
    free(conflicts->conflicts);
    *conflicts = (struct conflict_list){0};
}

json_t *conflict_to_json(const struct episode *episode, const struct conflict_list *conflicts,
                         int index) {
    static const char *const SEVERITIES[] = {"V", "H", "M", "L"};
    const struct conflict *conflict = &conflicts->conflicts[index];
    char id[24];
    snprintf(id, sizeof id, "c%d", index + 1);
    json_t *sources = json_array();
    for (int i = 0; sources && i < conflict->n_sources; i++) {
        json_t *source = source_to_json(episode, &conflict->sources[i]);
        if (!source || json_array_append_new(sources, source) != 0) {
            json_decref(sources);
            return NULL;
        }
    }
    if (!sources) return NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", id, "kind",
                     conflict_kind_name(conflict->kind), "text", conflict->text, "severity",
                     SEVERITIES[conflict->severity], "sources", sources);
}

json_t *conflict_list_to_json(const struct episode *episode,
                              const struct conflict_list *conflicts) {
    json_t *array = json_array();
    for (int i = 0; array && i < conflicts->n_conflicts; i++) {
        json_t *row = conflict_to_json(episode, conflicts, i);
        if (!row || json_array_append_new(array, row) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}
