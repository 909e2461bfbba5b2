// SPDX-License-Identifier: Apache-2.0
// See fact_weight.h.
#include "clinic/facts/fact_weight.h"

#include "clinic/facts/drug_stem.h"
#include "clinic/facts/fact_told.h"
#include "clinic/facts/table_facts.h"
#include "clinic/text/evidence_document.h"

#include <string.h>

#define SHORT_STAY_DAYS 14
#define LAST_DAYS 3
#define FINDING_BYTES 120
#define RESCUE_SECONDS (4 * 3600)
#define SEVERITY_EXTREME 2.5
#define SEVERITY_GRAVE 1.5 // a value half as high again as its range, or as low

static enum source_kind fact_kind(const struct fact *fact) {
    return fact->n_sources ? fact->sources[0].kind : SOURCE_PATIENT;
}

static bool begins(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

bool fact_is_rescue(const struct fact *fact) {
    return fact->fact_class == FACT_COMPLICATION && fact->is_must &&
           fact_kind(fact) == SOURCE_DOC && strstr(fact->text, "抢救成功");
}

// Given while the patient was rescued: what a reader looks for behind the rescue.
static bool is_rescue_order(const struct episode *episode, const struct order *order) {
    if (strcmp(order->order_class, "drug") != 0 || !order->has_dose || drug_is_supportive(order))
        return false;
    for (int i = 0; i < episode->n_docs; i++) {
        const struct document *doc = &episode->docs[i];
        int64_t before = doc->event.seconds - order->start.seconds;
        if (strcmp(doc->type, "rescue_record") == 0 && document_is_evidence(doc) && before >= 0 &&
            before <= RESCUE_SECONDS)
            return true;
    }
    return false;
}

static bool has_any(const char *text, const char *const *words) {
    for (int i = 0; words[i]; i++) {
        if (strstr(text, words[i])) return true;
    }
    return false;
}

// Organ support and what was put in; then how ill the patient was said to be; then the rest.
static int weigh_care(const struct fact *fact) {
    static const char *const SUPPORT[] = {"机械通气", "气管",     "透析", "血液净化",
                                          "滤过",     "囊管",     "造瘘", "胸腔闭式",
                                          "体外膜肺", "压迫止血", NULL};
    static const char *const STATE[] = {"病危", "病重", "牵引", "胃管", "引流", NULL};
    if (has_any(fact->text, SUPPORT)) return 3;
    return has_any(fact->text, STATE) ? 2 : 1;
}

static int weigh_stop(const struct order *order) {
    if (order->purpose && strstr(order->purpose, "预防")) return 1;
    return order->is_antibacterial || drug_is_acute(order) ? 3 : 2;
}

static int weigh_order(const struct episode *episode, const struct fact *fact) {
    const struct order *order = &episode->orders[fact->sources[0].row];
    if (begins(fact->text, "出院带药")) return 0;
    if (begins(fact->text, "予") && is_rescue_order(episode, order)) return 3;
    if (order->stop.seconds != MOMENT_UNKNOWN && strcmp(order->kind, "长期") == 0 &&
        moment_day_number(order->start) == moment_day_number(order->stop))
        return 0; // begun and given up on one day
    if (fact->is_must) return 3;
    if (fact->fact_class == FACT_EVENT) return weigh_care(fact);
    bool is_support = drug_is_support_of(episode, order);
    if (strcmp(order->kind, "临时") == 0)
        return !order->has_dose || is_support ? 0 : drug_is_supportive(order) ? 2 : 1;
    if (is_support) return 1;
    return begins(fact->text, "停") ? weigh_stop(order) : 2;
}

static bool is_same_analyte(const struct lab *a, const struct lab *b) {
    return strcmp(a->code ? a->code : a->name, b->code ? b->code : b->name) == 0;
}

// The last value, of the last days, of what had been far outside its range: how it ended.
static bool is_end_of_series(const struct episode *episode, const struct lab *lab) {
    struct moment discharge = episode->encounter.discharge;
    bool was_grave = false;
    if (discharge.seconds == MOMENT_UNKNOWN ||
        moment_day_number(lab->collect) + LAST_DAYS < moment_day_number(discharge))
        return false;
    for (int i = 0; i < episode->n_labs; i++) {
        const struct lab *other = &episode->labs[i];
        if (other == lab || !is_same_analyte(lab, other)) continue;
        if (other->collect.seconds > lab->collect.seconds) return false;
        was_grave = was_grave || other->is_critical || lab_severity(other) >= SEVERITY_GRAVE;
    }
    return was_grave;
}

static bool is_worst_of_series(const struct episode *episode, const struct lab *lab, double least) {
    double severity = lab_severity(lab);
    for (int i = 0; severity > 0 && i < episode->n_labs; i++) {
        if (is_same_analyte(lab, &episode->labs[i]) && lab_severity(&episode->labs[i]) > severity)
            return false;
    }
    return severity >= least;
}

static int weigh_lab(const struct episode *episode, const struct fact *fact) {
    const struct lab *lab = &episode->labs[fact->sources[0].row];
    struct moment admit = episode->encounter.admit;
    if (lab->is_critical || fact->is_must) return 3;
    // What was known on admission is told with the admission.
    if (lab->report.seconds < admit.seconds + 6 * 3600 || fact->n_sources < 2) return 0;
    if (is_end_of_series(episode, lab) || is_worst_of_series(episode, lab, SEVERITY_EXTREME))
        return 3;
    return is_worst_of_series(episode, lab, SEVERITY_GRAVE) ? 2 : 1;
}

// A complication that became a diagnosis counts; of a long stay, no other does.
static int weigh_complication(const struct episode *episode, const struct fact *fact) {
    static const char *const HAPPENED[] = {
        "出现", "发生", "突发", "突然", "并发", "新发", "见",   "诉",   "返",   "术中", "一过性",
        "加重", "减轻", "缩小", "吸收", "升至", "降至", "下降", "进展", "补充", "考虑", NULL};
    if (fact_is_rescue(fact)) return 4;
    if (fact_kind(fact) == SOURCE_DOC &&
        strcmp(episode->docs[fact->sources[0].row].type, "rescue_record") == 0)
        return 0; // the rescue itself tells it
    for (int i = 0; i < episode->n_diagnoses; i++) {
        const struct diagnosis *diagnosis = &episode->diagnoses[i];
        if (strcmp(diagnosis->stage, "discharge") != 0 || !diagnosis->present_on_admission ||
            strcmp(diagnosis->present_on_admission, "无") != 0)
            continue;
        struct fact named = {.fact_class = FACT_DIAGNOSIS, .text = (char *)diagnosis->name};
        if (fact_is_told(episode, &named, fact->text)) return 3;
    }
    return episode_stay_days(episode) > SHORT_STAY_DAYS || !has_any(fact->text, HAPPENED) ? 0 : 2;
}

// What an operation found, and examinations that notes tell with more than the report concludes.
static int weigh_finding(const struct episode *episode, const struct fact *fact) {
    static const char *const WEAK[] = {"体温",   "窦性心律", "正常",     "导丝", "标签",
                                       "条形码", "造影剂",   "肾上腺素", NULL};
    const struct document *doc = &episode->docs[fact->sources[0].row];
    for (int i = 0; WEAK[i]; i++) {
        if (strstr(fact->text, WEAK[i])) return 0;
    }
    if (strcmp(doc->type, "operation_record") == 0) return 2;
    if (strcmp(doc->type, "post_op_note") == 0) // what the operation achieved
        return strstr(fact->text, "由") && strlen(fact->text) <= FINDING_BYTES ? 2 : 0;
    bool is_note = strcmp(doc->type, "ward_round") == 0 || strcmp(doc->type, "progress_note") == 0;
    return is_note && strstr(fact->text, "：") && strlen(fact->text) <= FINDING_BYTES &&
                   episode_stay_days(episode) <= SHORT_STAY_DAYS
               ? 1
               : 0;
}

// Of what only a note tells: that a tube came out, that a drug from home was given up.
static int weigh_note(const struct fact *fact) {
    static const char *const OUT[] = {"拔除", "停止有创", "撤机成功", "脱机成功", NULL};
    static const char *const TUBES[] = {"气管",   "胸腔",   "引流", "囊管", "胃管",
                                        "导尿管", "中心静", "撤机", "脱机", NULL};
    static const char *const NOT_DONE[] = {"次日", "后",   "前一日", "计划", "评估",
                                           "如",   "择期", "失败",   "于",   "若",
                                           "待",   "可",   "准备",   "拟",   NULL};
    if (fact->fact_class == FACT_EVENT)
        return has_any(fact->text, OUT) && has_any(fact->text, TUBES) &&
                       !has_any(fact->text, NOT_DONE)
                   ? 2
                   : 0;
    return fact->fact_class == FACT_DRUG && fact->is_must ? 3 : 0;
}

int fact_weight(const struct episode *episode, const struct fact *fact) {
    switch (fact->fact_class) {
    case FACT_OPERATION:
        if (fact_kind(fact) == SOURCE_OPERATION) return 4;
        return !strstr(fact->text, "标签") &&
                       (strstr(fact->text, "置入") || strstr(fact->text, "植入")) &&
                       !strstr(fact->text, "条形码")
                   ? 2
                   : 0;
    case FACT_CONSULT:
        return fact->is_must ? 4 : 2;
    case FACT_PENDING:
        return fact_kind(fact) == SOURCE_ORDER ? 4 : 0;
    case FACT_FOLLOWUP:
        return 0;
    case FACT_COMPLICATION:
        return weigh_complication(episode, fact);
    case FACT_DIAGNOSIS:
        return fact_kind(fact) == SOURCE_DOC && fact->is_must ? 4 : 0;
    case FACT_POSITIVE:
        if (fact_kind(fact) == SOURCE_DOC) return weigh_finding(episode, fact);
        break;
    default:
        break;
    }
    if (fact_kind(fact) == SOURCE_DOC) return weigh_note(fact);
    switch (fact_kind(fact)) {
    case SOURCE_ORDER:
        return weigh_order(episode, fact);
    case SOURCE_LAB:
        return weigh_lab(episode, fact);
    case SOURCE_REPORT:
        return fact->is_must ? 3 : 0;
    case SOURCE_EVENT: // transfers
        return 4;
    case SOURCE_VITAL:
        return 2;
    default:
        return 0;
    }
}
