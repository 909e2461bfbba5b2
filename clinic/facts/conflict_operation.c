// SPDX-License-Identifier: Apache-2.0
// Blood groups (X32), how many operations there were (X15), diagnoses before and in an operation
// (X16), results that are still out and that no note tells (X44), and text that gives orders to a
// program.
#include "clinic/facts/conflict_search.h"

#include "clinic/text/instruction_text.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// --- blood groups
// ---------------------------------------------------------------------------------

// "A", "B", "AB", "O" at the start of a known blood group's words, else NULL.
static const char *group_of(const char *words) {
    static const char *const GROUPS[] = {"AB", "A", "B", "O", NULL};
    for (int i = 0; words && GROUPS[i]; i++) {
        if (strncmp(words, GROUPS[i], strlen(GROUPS[i])) == 0) return GROUPS[i];
    }
    return NULL;
}

static const char *known_group(const struct episode *episode, struct source *source) {
    const char *group = group_of(episode->patient.blood_type);
    *source = (struct source){.kind = SOURCE_PATIENT};
    for (int i = 0; !group && i < episode->n_labs; i++) {
        if (!episode->labs[i].code || strcmp(episode->labs[i].code, "ABO") != 0) continue;
        group = group_of(episode->labs[i].text);
        *source = (struct source){.kind = SOURCE_LAB, .row = i};
    }
    return group;
}

static bool is_blood(const char *text, size_t at, size_t bytes) {
    static const char *const BEFORE[] = {"血型", "输注", "输", "血型：", "血型为", NULL};
    if (strncmp(text + at + bytes, "Rh", 2) == 0) return true;
    for (int i = 0; BEFORE[i]; i++) {
        size_t before = strlen(BEFORE[i]);
        if (at >= before && memcmp(text + at - before, BEFORE[i], before) == 0) return true;
    }
    return false;
}

static void check_group(struct conflict_search *search, const struct note_place *place, size_t at,
                        const char *known, const struct source *known_source) {
    const char *text = place->section->text, *group = group_of(text + at);
    size_t bytes = strlen(group) + strlen("型");
    if (strncmp(text + at + strlen(group), "型", strlen("型")) != 0 || !is_blood(text, at, bytes) ||
        strcmp(group, known) == 0)
        return;
    struct wording words = {0};
    struct source source = note_place_source(place, at, at + bytes);
    wording_add_note(&words, place->doc);
    wording_add(&words, "写");
    wording_add(&words, group);
    wording_add(&words, "型血，血型鉴定为");
    wording_add(&words, known);
    wording_add(&words, "型。");
    conflict_report(search, CONFLICT_BLOOD, SEVERITY_VETO, &words, &source, known_source);
}

static void check_blood(struct conflict_search *search) {
    struct note_place place = {.section_row = -1};
    struct source known_source;
    const char *known = known_group(search->episode, &known_source);
    while (known && !conflict_search_is_over(search) && note_place_next(search->episode, &place)) {
        const char *text = place.section->text;
        for (size_t at = 0; text[at]; at++) {
            bool is_word = at > 0 && ((text[at - 1] >= 'A' && text[at - 1] <= 'Z') ||
                                      (text[at - 1] >= 'a' && text[at - 1] <= 'z'));
            if (!is_word && group_of(text + at))
                check_group(search, &place, at, known, &known_source);
        }
    }
}

// --- diagnoses of an operation
// --------------------------------------------------------------------

static const struct section *section_of(const struct document *doc, const char *name, int *row) {
    *row = 0;
    for (int i = 0; i < doc->n_sections; i++) {
        if (strcmp(doc->sections[i].name, name) == 0) {
            *row = i;
            return &doc->sections[i];
        }
    }
    return NULL;
}

static bool says(const struct document *doc, const char *section, const char *word) {
    int row;
    const struct section *text = section_of(doc, section, &row);
    return text && strstr(text->text, word);
}

// A grave word that stands in the diagnosis of the operation and nowhere else in its record.
static void check_operation_record(struct conflict_search *search, int doc_row) {
    static const char *const GRAVE[] = {"坏疽", "穿孔", "坏死", "癌",   "恶性", "破裂",
                                        "急性", "结核", "转移", "化脓", NULL};
    const struct document *doc = &search->episode->docs[doc_row];
    int before_row, during_row;
    const struct section *before = section_of(doc, "术前诊断", &before_row);
    const struct section *during = section_of(doc, "术中诊断", &during_row);
    if (!before || !during || doc->sign.seconds == MOMENT_UNKNOWN) return;
    for (int i = 0; GRAVE[i]; i++) {
        if (!strstr(during->text, GRAVE[i]) || strstr(before->text, GRAVE[i]) ||
            says(doc, "手术经过", GRAVE[i]) || says(doc, "术中情况及处理", GRAVE[i]))
            continue;
        struct wording words = {0};
        wording_add_note(&words, doc);
        wording_add(&words, "术中诊断写“");
        wording_add(&words, GRAVE[i]);
        wording_add(&words, "”，术前诊断及手术经过均无。");
        struct source places[2] = {
            {.kind = SOURCE_DOC, .row = doc_row, .section = during_row, .end = during->text_bytes},
            {.kind = SOURCE_DOC, .row = doc_row, .section = before_row, .end = before->text_bytes}};
        conflict_report(search, CONFLICT_DIAGNOSIS, SEVERITY_MIDDLE, &words, &places[0],
                        &places[1]);
        return;
    }
}

// --- how many operations
// --------------------------------------------------------------------------

// "至今共8次手术" against the operations before that note.
static void check_count(struct conflict_search *search, const struct note_place *place) {
    const char *text = place->section->text;
    for (const char *at = text; (at = strstr(at, "次手术")); at += strlen("次手术")) {
        const char *number = at;
        while (number > text && number[-1] >= '0' && number[-1] <= '9')
            number--;
        bool is_sum = number - text >= (ptrdiff_t)strlen("共") &&
                      memcmp(number - strlen("共"), "共", strlen("共")) == 0;
        if (number == at || at - number > 3 || !is_sum) continue;
        int n = 0, last = 0;
        for (int i = 0; i < search->episode->n_operations; i++) {
            if (search->episode->operations[i].start.seconds > place->doc->event.seconds) continue;
            last = i;
            n++;
        }
        if (n == 0 || strtol(number, NULL, 10) == n) continue;
        struct wording words = {0};
        struct source source = note_place_source(place, (size_t)(number - text) - strlen("共"),
                                                 (size_t)(at - text) + strlen("次手术"));
        wording_add_note(&words, place->doc);
        wording_add(&words, "写“");
        wording_add_bytes(&words, text + source.start, source.end - source.start);
        wording_add(&words, "”，此前登记的手术为");
        wording_add_int(&words, n);
        wording_add(&words, "次。");
        conflict_report(search, CONFLICT_OPERATION, SEVERITY_HIGH, &words, &source,
                        &(struct source){.kind = SOURCE_OPERATION, .row = last});
    }
}

static void check_counts(struct conflict_search *search) {
    struct note_place place = {.section_row = -1};
    while (search->episode->n_operations && !conflict_search_is_over(search) &&
           note_place_next(search->episode, &place))
        check_count(search, &place);
}

// --- results that are out
// -------------------------------------------------------------------------

static bool is_told_as_pending(const struct episode *episode, const char *name) {
    static const char *const WAITING[] = {"未回报", "待回报", "尚未",   "未报告", "待报告",
                                          "未归",   "取病理", "取报告", "结果未", "未回",
                                          "待结果", "取",     NULL};
    struct note_place place = {.section_row = -1};
    int64_t last = episode->encounter.discharge.seconds - 2 * 86400;
    while (note_place_next(episode, &place)) {
        if (place.doc->event.seconds < last) continue;
        for (const char *at = place.section->text; (at = strstr(at, name)); at += strlen(name)) {
            struct clause clause = clause_around(place.section, (size_t)(at - place.section->text));
            if (clause_has_any(&clause, WAITING)) return true;
        }
    }
    return false;
}

static void check_pending(struct conflict_search *search, int order_row) {
    const struct episode *episode = search->episode;
    const struct order *order = &episode->orders[order_row];
    const char *name = order->pending_name ? order->pending_name : order->name;
    if (!order->is_pending || !name[0] || episode->encounter.discharge.seconds == MOMENT_UNKNOWN ||
        is_told_as_pending(episode, name))
        return;
    struct wording words = {0};
    wording_add(&words, order->name);
    wording_add(&words, "出院时尚未回报，出院前的病程未提示。");
    conflict_report(search, CONFLICT_PENDING, SEVERITY_MIDDLE, &words,
                    &(struct source){.kind = SOURCE_ORDER, .row = order_row}, NULL);
}

void conflicts_of_operations(struct conflict_search *search) {
    check_blood(search);
    check_counts(search);
    for (int i = 0; i < search->episode->n_docs && !conflict_search_is_over(search); i++)
        check_operation_record(search, i);
    for (int i = 0; i < search->episode->n_orders && !conflict_search_is_over(search); i++)
        check_pending(search, i);
}

// --- orders to programs
// ---------------------------------------------------------------------------

void conflicts_of_instructions(struct conflict_search *search) {
    struct note_place place = {.section_row = -1};
    while (!conflict_search_is_over(search) && note_place_next(search->episode, &place)) {
        struct clause clause;
        size_t position = 0;
        const struct section *section = place.section;
        if (!text_is_instruction(section->text, section->text_bytes, NULL)) continue;
        while (!conflict_search_is_over(search) &&
               clause_next(section->text, section->text_bytes, CLAUSE_CLAUSE, &position, &clause)) {
            const char *what = NULL;
            if (!text_is_instruction(clause.text + clause.start, clause.end - clause.start, &what))
                continue;
            struct wording words = {0};
            struct source source = note_place_source(&place, clause.start, clause.end);
            wording_add_note(&words, place.doc);
            wording_add(&words, "“");
            wording_add(&words, section->name);
            wording_add(&words, "”中有不属于病历的文字（");
            wording_add(&words, what ? what : "像是给程序的指令");
            wording_add(&words, "），写作时不采用。");
            conflict_report(search, CONFLICT_INSTRUCTION, SEVERITY_HIGH, &words, &source, NULL);
        }
    }
}
