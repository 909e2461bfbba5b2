// SPDX-License-Identifier: Apache-2.0
// See outline_day.h. The order inside a line is the order of a doctor's thought: what was done,
// what was found, what it meant, who was asked, what was given and stopped.
#include "clinic/facts/outline_day.h"

#include "clinic/facts/drug_stem.h"
#include "clinic/facts/fact_told.h"
#include "clinic/facts/lab_quote.h"
#include "clinic/facts/table_facts.h"
#include "clinic/facts/wording.h"

#include <stdlib.h>
#include <string.h>

#define LABS_OF_LINE_MAX 6

static enum source_kind fact_kind(const struct fact *fact) {
    return fact->n_sources ? fact->sources[0].kind : SOURCE_PATIENT;
}

static bool begins(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static int weigh_order(const struct episode *episode, const struct fact *fact) {
    const struct order *order = &episode->orders[fact->sources[0].row];
    if (begins(fact->text, "出院带药")) return 0;
    if (fact->is_must) return 3;
    if (fact->fact_class == FACT_EVENT)
        return strstr(fact->text, "病") || strstr(fact->text, "透析") ? 3 : 2;
    if (strcmp(order->kind, "临时") == 0)
        return order->has_dose && !drug_is_supportive(order) ? 1 : 0;
    return drug_is_supportive(order) ? 1 : 2;
}

static int weigh_lab(const struct episode *episode, const struct fact *fact) {
    const struct lab *lab = &episode->labs[fact->sources[0].row];
    struct moment admit = episode->encounter.admit;
    if (lab->is_critical || fact->is_must) return 3;
    // What was found on admission is told with the admission.
    if (lab->collect.seconds < admit.seconds + 6 * 3600 || fact->n_sources < 2) return 0;
    return 1;
}

static int weigh(const struct episode *episode, const struct fact *fact) {
    switch (fact->fact_class) {
    case FACT_OPERATION:
        return fact_kind(fact) == SOURCE_OPERATION ? 4 : 2;
    case FACT_CONSULT:
        return 4;
    case FACT_PENDING:
        return fact_kind(fact) == SOURCE_ORDER ? 4 : 0;
    case FACT_FOLLOWUP:
        return 0;
    case FACT_COMPLICATION:
        return 3;
    case FACT_DIAGNOSIS:
        return fact_kind(fact) == SOURCE_DOC && fact->is_must ? 4 : 0;
    default:
        break;
    }
    switch (fact_kind(fact)) {
    case SOURCE_ORDER:
        return weigh_order(episode, fact);
    case SOURCE_LAB:
        return weigh_lab(episode, fact);
    case SOURCE_REPORT:
        return fact->is_must ? 3 : 0;
    case SOURCE_VITAL:
        return 2;
    default:
        return 0;
    }
}

bool outline_choice_init(struct outline_choice *choice, const struct episode *episode,
                         const struct fact_list *facts, struct clinic_error *error) {
    choice->weight_min = 1;
    choice->weights = calloc((size_t)facts->n_facts + 1, 1);
    if (!choice->weights) return clinic_fail_memory(error);
    for (int i = 0; i < facts->n_facts; i++)
        choice->weights[i] = (signed char)weigh(episode, &facts->facts[i]);
    return true;
}

void outline_choice_deinit(struct outline_choice *choice) {
    free(choice->weights);
    choice->weights = NULL;
}

// --- one line
// -------------------------------------------------------------------------------------

enum item_kind { // in the order of telling
    ITEM_OPERATION,
    ITEM_TEMPERATURE,
    ITEM_REPORT,
    ITEM_LAB,
    ITEM_JUDGEMENT,
    ITEM_CONSULT,
    ITEM_STOP,
    ITEM_CHANGE,
    ITEM_START,
    ITEM_CARE,
    ITEM_PENDING,
    ITEM_KINDS
};

static enum item_kind item_kind(const struct fact *fact) {
    switch (fact->fact_class) {
    case FACT_OPERATION:
        return ITEM_OPERATION;
    case FACT_CONSULT:
        return ITEM_CONSULT;
    case FACT_PENDING:
        return ITEM_PENDING;
    case FACT_COMPLICATION:
    case FACT_DIAGNOSIS:
        return ITEM_JUDGEMENT;
    case FACT_DRUG:
        return begins(fact->text, "停")   ? ITEM_STOP
               : begins(fact->text, "予") ? ITEM_START
                                          : ITEM_CHANGE;
    case FACT_POSITIVE:
        return fact_kind(fact) == SOURCE_LAB     ? ITEM_LAB
               : fact_kind(fact) == SOURCE_VITAL ? ITEM_TEMPERATURE
                                                 : ITEM_REPORT;
    default:
        return ITEM_CARE;
    }
}

// "；" inside an item would cut it; a line's items are what "；" separates.
static void add_item_text(struct wording *wording, const char *text) {
    const char *mark;
    while ((mark = strstr(text, "；")) != NULL) {
        wording_add_bytes(wording, text, (size_t)(mark - text));
        wording_add(wording, "，");
        text = mark + strlen("；");
    }
    wording_add(wording, text);
}

static void add_source(struct outline_line *line, const struct source *source) {
    if (line->n_sources < OUTLINE_LINE_SOURCES_MAX) line->sources[line->n_sources++] = *source;
}

struct writing {
    const struct episode *episode;
    struct wording *wording;
    struct outline_line *line;
    int n_of_kind;
};

// Several of a kind are one item: 停A、B; 予A…，B…; labs with commas.
static void add_fact(struct writing *writing, const struct fact *fact, enum item_kind kind) {
    struct wording *wording = writing->wording;
    const char *text = fact->text;
    bool is_list = kind == ITEM_STOP || kind == ITEM_START || kind == ITEM_LAB;
    if (writing->n_of_kind == 0 || !is_list) {
        bool is_first = !writing->line->n_sources;
        wording_add(wording, is_first ? "" : "；");
    } else {
        wording_add(wording, kind == ITEM_STOP ? "、" : "，");
        if (kind == ITEM_STOP) text += strlen("停");
        if (kind == ITEM_START) text += strlen("予");
    }
    add_item_text(wording, text);
    writing->n_of_kind++;
    for (int i = 0; i < fact->n_sources && i < 2; i++)
        add_source(writing->line, &fact->sources[i]);
}

// Words of a note that the line already tells from a table.
static bool is_said(const struct writing *writing, const struct fact *fact, enum item_kind kind) {
    if (kind != ITEM_JUDGEMENT && kind != ITEM_CARE && kind != ITEM_OPERATION) return false;
    return writing->wording->text && fact_is_told(writing->episode, fact, writing->wording->text);
}

static void begin_line(struct wording *wording, const struct episode *episode,
                       const struct outline_line *line) {
    int offset = episode->encounter.admit.offset_minutes;
    struct moment first = {.seconds = line->day * 86400 - (int64_t)offset * 60,
                           .offset_minutes = offset};
    struct moment last = first;
    last.seconds += (line->last_day - line->day) * 86400;
    wording_add_month_day(wording, first);
    if (line->last_day > line->day) {
        wording_add(wording, "至");
        wording_add_month_day(wording, last);
    }
    bool is_admission = line->day == moment_day_number(episode->encounter.admit);
    wording_add(wording, is_admission ? "入院后完善相关检查，" : "，");
}

static void add_kind(struct writing *writing, const struct fact_list *facts, int begin, int end,
                     const struct outline_choice *choice, enum item_kind kind) {
    writing->n_of_kind = 0;
    for (int i = begin; i < end; i++) {
        const struct fact *fact = &facts->facts[i];
        if (choice->weights[i] == 0 || choice->weights[i] < choice->weight_min ||
            item_kind(fact) != kind || is_said(writing, fact, kind))
            continue;
        if (kind == ITEM_LAB && writing->n_of_kind >= LABS_OF_LINE_MAX) break;
        add_fact(writing, fact, kind);
    }
}

bool outline_day_write(const struct episode *episode, const struct fact_list *facts, int begin,
                       int end, const struct outline_choice *choice, struct outline_line *line,
                       struct clinic_error *error) {
    struct wording wording = {0};
    struct writing writing = {.episode = episode, .wording = &wording, .line = line};
    begin_line(&wording, episode, line);
    for (int kind = 0; kind < ITEM_KINDS; kind++)
        add_kind(&writing, facts, begin, end, choice, (enum item_kind)kind);
    if (line->n_sources == 0) {
        wording_deinit(&wording);
        return true;
    }
    wording_add(&wording, "。");
    line->text = wording_take(&wording);
    return line->text ? true : clinic_fail_memory(error);
}
