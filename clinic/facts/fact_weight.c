// SPDX-License-Identifier: Apache-2.0
// See fact_weight.h.
#include "clinic/facts/fact_weight.h"

#include "clinic/facts/drug_stem.h"
#include "clinic/facts/fact_told.h"
#include "clinic/text/evidence_document.h"

#include <string.h>

#define SHORT_STAY_DAYS 14
#define FINDING_BYTES 120
#define RESCUE_SECONDS (4 * 3600)

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

static int weigh_order(const struct episode *episode, const struct fact *fact) {
    const struct order *order = &episode->orders[fact->sources[0].row];
    if (begins(fact->text, "出院带药")) return 0;
    if (begins(fact->text, "予") && is_rescue_order(episode, order)) return 3;
    if (order->stop.seconds != MOMENT_UNKNOWN && strcmp(order->kind, "长期") == 0 &&
        moment_day_number(order->start) == moment_day_number(order->stop))
        return 0; // begun and given up on one day
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

// A complication that became a diagnosis counts; of a long stay, no other does.
static int weigh_complication(const struct episode *episode, const struct fact *fact) {
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
    return episode_stay_days(episode) > SHORT_STAY_DAYS ? 0 : 2;
}

// What an operation found, and examinations that notes tell with more than the report concludes.
static int weigh_finding(const struct episode *episode, const struct fact *fact) {
    static const char *const WEAK[] = {"体温", "窦性心律", "正常", "导丝", "标签", "条形码", NULL};
    const struct document *doc = &episode->docs[fact->sources[0].row];
    for (int i = 0; WEAK[i]; i++) {
        if (strstr(fact->text, WEAK[i])) return 0;
    }
    if (strcmp(doc->type, "operation_record") == 0) return 2;
    bool is_note = strcmp(doc->type, "ward_round") == 0 || strcmp(doc->type, "progress_note") == 0;
    return is_note && strstr(fact->text, "：") && strlen(fact->text) <= FINDING_BYTES &&
                   episode_stay_days(episode) <= SHORT_STAY_DAYS
               ? 1
               : 0;
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
