// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/source_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void source_made_id(const char *type, struct moment at, char id[ROW_ID_BYTES]) {
    char time[32];
    moment_write(at, time);
    snprintf(id, ROW_ID_BYTES, "%s%s%s", type, type[0] ? "@" : "", time);
}

// "2025-11-03", with the time of day if asked for; "" of an unknown moment.
static const char *write_time(struct moment at, bool with_clock, char text[32]) {
    moment_write(at, text);
    if (text[0] == '\0') return text;
    text[with_clock ? 16 : 10] = '\0';
    if (with_clock) text[10] = ' ';
    return text;
}

// " WORD", or "" of none.
struct spaced {
    const char *space, *word;
};

static struct spaced spaced(const char *word) {
    bool is_there = word && word[0] != '\0';
    return (struct spaced){is_there ? " " : "", is_there ? word : ""};
}

static json_t *quote_order(const struct order *order) {
    char dose[64] = "", day[32];
    if (order->has_dose) snprintf(dose, sizeof dose, " %.10g ", order->dose);
    struct spaced route = spaced(order->route), frequency = spaced(order->frequency);
    struct spaced result = spaced(order->result);
    return json_sprintf("%s%s%s%s%s%s%s%s%s（%s，%s）", order->name, dose,
                        order->has_dose ? order->dose_unit : "", route.space, route.word,
                        frequency.space, frequency.word, result.space, result.word, order->kind,
                        write_time(order->start, false, day));
}

static json_t *quote_lab(const struct lab *lab) {
    static const struct {
        const char *flag, *arrow;
    } arrows[] = {{"H", "↑"}, {"L", "↓"}, {"A", "（异常）"}};
    const char *arrow = "";
    for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++) {
        if (strcmp(lab->flag, arrows[i].flag) == 0) arrow = arrows[i].arrow;
    }
    char day[32];
    // "×10⁹/L" and "%" follow the number closely, "mg/L" after a space
    bool is_close = lab->unit[0] == '\0' || lab->unit[0] == '%' || strncmp(lab->unit, "×", 2) == 0;
    return json_sprintf("%s %s%s%s%s（%s）", lab->name, lab->text, is_close ? "" : " ", lab->unit,
                        arrow, write_time(lab->collect, false, day));
}

static int append_value(char *text, size_t bytes, int at, const char *name, double value,
                        const char *unit) {
    if (isnan(value) || at < 0 || (size_t)at >= bytes) return at;
    int n = snprintf(text + at, bytes - (size_t)at, "%s%s%.6g%s", at > 0 ? "，" : "", name, value,
                     unit);
    return n < 0 ? at : at + n;
}

static json_t *quote_vital(const struct vital *vital) {
    char text[512] = "", time[32];
    int at = append_value(text, sizeof text, 0, "体温", vital->temperature_c, "℃");
    at = append_value(text, sizeof text, at, "脉搏", vital->pulse_per_min, "次/分");
    at = append_value(text, sizeof text, at, "呼吸", vital->respiration_per_min, "次/分");
    at = append_value(text, sizeof text, at, "收缩压", vital->systolic_mmhg, " mmHg");
    at = append_value(text, sizeof text, at, "舒张压", vital->diastolic_mmhg, " mmHg");
    at = append_value(text, sizeof text, at, "血氧饱和度", vital->spo2_percent, "%");
    append_value(text, sizeof text, at, "吸氧", vital->oxygen_l_per_min, " L/min");
    return json_sprintf("%s（%s）", text, write_time(vital->at, true, time));
}

static const char *stage_words(const char *stage) {
    return strcmp(stage, "admission") == 0 ? "入院诊断" : "出院诊断";
}

static json_t *quote_diagnosis(const struct diagnosis *diagnosis) {
    struct spaced code = spaced(diagnosis->icd10), outcome = spaced(diagnosis->outcome);
    return json_sprintf("%s %d：%s%s%s%s%s", stage_words(diagnosis->stage), diagnosis->rank,
                        diagnosis->name, code.space, code.word, outcome.space, outcome.word);
}

static json_t *quote_operation(const struct operation *operation) {
    char time[32];
    struct spaced code = spaced(operation->code), anaesthesia = spaced(operation->anaesthesia);
    return json_sprintf("%s%s%s%s%s（%s）", operation->name, code.space, code.word,
                        anaesthesia.space, anaesthesia.word,
                        write_time(operation->start, true, time));
}

static const char *event_words(const char *type) {
    static const struct {
        const char *type, *words;
    } table[] = {
        {"admit", "入院"}, {"transfer", "转科"}, {"surgery", "手术"}, {"discharge", "出院"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].type, type) == 0) return table[i].words;
    }
    return type;
}

static json_t *quote_event(const struct encounter_event *event) {
    char time[32];
    struct spaced detail = spaced(event->detail), from = spaced(event->from);
    return json_sprintf("%s%s%s%s%s%s%s（%s）", event_words(event->type), detail.space, detail.word,
                        from.space, from.word, event->to ? " → " : "", event->to ? event->to : "",
                        write_time(event->at, true, time));
}

json_t *source_quote(const struct episode *e, const struct source *source) {
    int row = source->row;
    switch (source->kind) {
    case SOURCE_ORDER:
        return quote_order(&e->orders[row]);
    case SOURCE_LAB:
        return quote_lab(&e->labs[row]);
    case SOURCE_VITAL:
        return quote_vital(&e->vitals[row]);
    case SOURCE_DIAGNOSIS:
        return quote_diagnosis(&e->diagnoses[row]);
    case SOURCE_OPERATION:
        return quote_operation(&e->operations[row]);
    case SOURCE_EVENT:
        return quote_event(&e->events[row]);
    case SOURCE_PATIENT:
        return json_sprintf("%s，%s，%d岁", e->patient.name, e->patient.sex, episode_age_years(e));
    case SOURCE_DOC:
    case SOURCE_REPORT:
        break;
    }
    return json_string("");
}

json_t *source_label(const struct episode *e, const struct source *source) {
    char day[32];
    int row = source->row;
    switch (source->kind) {
    case SOURCE_DOC:
        return json_sprintf("%s %s", e->docs[row].local_title,
                            write_time(e->docs[row].event, false, day));
    case SOURCE_REPORT: {
        const struct report *report = &e->reports[row];
        struct moment at = report->exam.seconds == MOMENT_UNKNOWN ? report->report : report->exam;
        return json_sprintf("%s %s", report->name, write_time(at, false, day));
    }
    case SOURCE_ORDER:
        return json_sprintf("医嘱 %s", write_time(e->orders[row].start, false, day));
    case SOURCE_LAB: {
        struct spaced panel = spaced(e->labs[row].panel);
        return json_sprintf("检验%s%s %s", panel.space, panel.word,
                            write_time(e->labs[row].collect, false, day));
    }
    case SOURCE_VITAL:
        return json_sprintf("生命体征 %s", write_time(e->vitals[row].at, true, day));
    case SOURCE_DIAGNOSIS:
        return json_string(stage_words(e->diagnoses[row].stage));
    case SOURCE_OPERATION:
        return json_sprintf("手术 %s", write_time(e->operations[row].start, false, day));
    case SOURCE_EVENT:
        return json_sprintf("住院经过 %s", write_time(e->events[row].at, false, day));
    case SOURCE_PATIENT:
        return json_string("患者信息");
    }
    return NULL;
}
