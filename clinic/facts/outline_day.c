// SPDX-License-Identifier: Apache-2.0
// See outline_day.h. The order inside a line is the order of a doctor's thought: what was done,
// what was found, what it meant, who was asked, what was given and stopped.
#include "clinic/facts/outline_day.h"

#include "clinic/facts/fact_told.h"
#include "clinic/facts/fact_weight.h"
#include "clinic/facts/table_facts.h"
#include "clinic/facts/wording.h"

#include <stdlib.h>
#include <string.h>

#define LABS_OF_LINE_MAX 6
#define TEXT_WORTH 5.0
#define KEEP_RANKS 8

static enum source_kind fact_kind(const struct fact *fact) {
    return fact->n_sources ? fact->sources[0].kind : SOURCE_PATIENT;
}

static bool begins(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

bool outline_choice_init(struct outline_choice *choice, const struct episode *episode,
                         const struct fact_list *facts, struct clinic_error *error) {
    *choice = (struct outline_choice){.weight_min = 1};
    choice->weights = calloc((size_t)facts->n_facts + 1, 1);
    if (!choice->weights) return clinic_fail_memory(error);
    for (int i = 0; i < facts->n_facts; i++)
        choice->weights[i] = (signed char)fact_weight(episode, &facts->facts[i]);
    return true;
}

// What is kept first when not all has room: what always stands there, what went wrong, what was
// done against it, what was decided on; then how it ended; then the rest.
static int keep_rank(const struct fact *fact, int weight) {
    if (weight >= 4) return 0;
    if (weight < 2) return KEEP_RANKS;
    switch (fact->fact_class) {
    case FACT_COMPLICATION:
    case FACT_DIAGNOSIS:
        return 1;
    case FACT_DRUG:
        return weight >= 3 ? 2 : 5;
    case FACT_EVENT:
        return weight >= 3 ? 2 : 6;
    default:
        return weight < 3 ? 7 : fact->is_must ? 3 : 4;
    }
}

// The end of a stay before its middle.
void outline_choice_keep(struct outline_choice *choice, const struct fact_list *facts,
                         size_t bytes_max) {
    size_t bytes = 0;
    for (int rank = 0; rank < KEEP_RANKS; rank++) {
        for (int i = facts->n_facts - 1; i >= 0; i--) {
            const struct fact *fact = &facts->facts[i];
            bool is_named = choice->is_brief && fact->fact_class == FACT_CONSULT && fact->value;
            size_t more = strlen(is_named ? fact->value : fact->text) + strlen("11月11日，；");
            if (choice->weights[i] <= 0 ||
                keep_rank(&facts->facts[i], choice->weights[i]) != rank ||
                (rank > 0 && bytes + more > bytes_max))
                continue;
            bytes += more;
            choice->weights[i] = (signed char)-choice->weights[i];
        }
    }
    for (int i = 0; i < facts->n_facts; i++)
        choice->weights[i] = choice->weights[i] < 0 ? (signed char)-choice->weights[i] : 0;
    choice->weight_min = 1;
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
    if (fact_kind(fact) == SOURCE_VITAL) return ITEM_TEMPERATURE;
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
        return fact_kind(fact) == SOURCE_LAB ? ITEM_LAB : ITEM_REPORT;
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
    const char *before; // the lines above; may be NULL
    size_t day_start;   // where the items of the day begin
};

// Several of a kind are one item: 停A、B; 予A…，B…; labs with commas.
static void add_fact(struct writing *writing, const struct fact *fact, enum item_kind kind,
                     bool is_brief) {
    struct wording *wording = writing->wording;
    const char *text = is_brief && kind == ITEM_CONSULT && fact->value ? fact->value : fact->text;
    bool is_list = kind == ITEM_STOP || kind == ITEM_START || kind == ITEM_LAB;
    if (writing->n_of_kind == 0 || !is_list) {
        wording_add(wording, wording->bytes == writing->day_start ? "" : "；");
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
    bool is_note =
        fact_kind(fact) == SOURCE_DOC && kind == ITEM_REPORT &&
        strcmp(writing->episode->docs[fact->sources[0].row].type, "operation_record") != 0;
    if (fact_kind(fact) == SOURCE_OPERATION || fact_is_rescue(fact))
        return false; // whatever is like it
    if (kind != ITEM_JUDGEMENT && kind != ITEM_CARE && kind != ITEM_OPERATION && !is_note)
        return false;
    if (writing->wording->text && fact_is_told(writing->episode, fact, writing->wording->text))
        return true;
    return kind == ITEM_JUDGEMENT && writing->before &&
           fact_is_told(writing->episode, fact, writing->before);
}

static void begin_day(struct wording *wording, const struct episode *episode,
                      struct moment moment) {
    struct moment admit = episode->encounter.admit;
    bool is_admission = moment_day_number(moment) <= moment_day_number(admit);
    wording_add_month_day(wording, is_admission ? admit : moment);
    wording_add(wording, is_admission ? "入院后完善相关检查，" : "，");
}

static bool is_chosen(const struct outline_choice *choice, int i) {
    return choice->weights[i] > 0 && choice->weights[i] >= choice->weight_min;
}

// A text that is not as expected (阳性, 2.8×10⁵) decides more than a number outside its range.
static double lab_worth(const struct lab *lab) {
    return lab->is_number ? lab_severity(lab) : TEXT_WORTH;
}

// Of many results of a day the weighty ones are told, then those farthest outside their range.
static bool is_outdone(const struct writing *writing, const struct fact_list *facts, int begin,
                       int end, const struct outline_choice *choice, int row) {
    const struct lab *labs = writing->episode->labs;
    double severity = lab_worth(&labs[facts->facts[row].sources[0].row]);
    int better = 0;
    for (int i = begin; i < end; i++) {
        if (i == row || !is_chosen(choice, i) || item_kind(&facts->facts[i]) != ITEM_LAB) continue;
        double other = lab_worth(&labs[facts->facts[i].sources[0].row]);
        int heavier = choice->weights[i] - choice->weights[row];
        better +=
            heavier > 0 || (heavier == 0 && (other > severity || (other >= severity && i < row)));
    }
    return better >= LABS_OF_LINE_MAX;
}

static void add_kind(struct writing *writing, const struct fact_list *facts, int begin, int end,
                     const struct outline_choice *choice, enum item_kind kind) {
    writing->n_of_kind = 0;
    for (int i = begin; i < end; i++) {
        const struct fact *fact = &facts->facts[i];
        if (!is_chosen(choice, i) || item_kind(fact) != kind || is_said(writing, fact, kind) ||
            (kind == ITEM_LAB && is_outdone(writing, facts, begin, end, choice, i)))
            continue;
        add_fact(writing, fact, kind, choice->is_brief);
    }
}

// The facts of one day; nothing when none counts.
static void write_day(struct writing *writing, const struct fact_list *facts, int begin, int end,
                      const struct outline_choice *choice) {
    struct wording *wording = writing->wording;
    size_t before = wording->bytes;
    wording_add(wording, before ? "。" : "");
    begin_day(wording, writing->episode, facts->facts[begin].at);
    writing->day_start = wording->bytes;
    for (int kind = 0; kind < ITEM_KINDS; kind++)
        add_kind(writing, facts, begin, end, choice, (enum item_kind)kind);
    if (wording->bytes == writing->day_start) wording_cut(wording, before);
}

static bool is_one_day(const struct episode *episode, const struct fact *a, const struct fact *b) {
    int64_t admit = moment_day_number(episode->encounter.admit);
    int64_t day_a = a->at.seconds == MOMENT_UNKNOWN ? admit : moment_day_number(a->at);
    int64_t day_b = b->at.seconds == MOMENT_UNKNOWN ? admit : moment_day_number(b->at);
    return day_a == day_b || (day_a < admit && day_b <= admit) || (day_b < admit && day_a <= admit);
}

bool outline_day_write(const struct episode *episode, const struct fact_list *facts, int begin,
                       int end, const struct outline_choice *choice, const char *before,
                       struct outline_line *line, struct clinic_error *error) {
    struct wording wording = {0};
    struct writing writing = {
        .episode = episode, .wording = &wording, .line = line, .before = before};
    for (int day_end; begin < end; begin = day_end) {
        for (day_end = begin + 1;
             day_end < end && is_one_day(episode, &facts->facts[begin], &facts->facts[day_end]);)
            day_end++;
        write_day(&writing, facts, begin, day_end, choice);
    }
    if (wording.bytes == 0 && !wording.failed) {
        wording_deinit(&wording);
        return true;
    }
    wording_add(&wording, "。");
    line->text = wording_take(&wording);
    return line->text ? true : clinic_fail_memory(error);
}
