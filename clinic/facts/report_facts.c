// SPDX-License-Identifier: Apache-2.0
// See table_facts.h. A report is told by its conclusion, in the report's own words.
#include "clinic/facts/clause.h"
#include "clinic/facts/fact_entry.h"
#include "clinic/facts/table_facts.h"

#include <string.h>

static const char *const ADVICE[] = {"建议", "请结合", "必要时", "随访", "随诊", "为准", NULL};
static const char *const NORMAL[] = {"正常心电图",   "大致正常",     "未见异常",   "未见明显异常",
                                     "未见明显实变", "窦性心动过速", "窦性心律。", NULL};

static void add_conclusion_part(struct wording *wording, const struct stretch *part,
                                const char *joint) {
    if (stretch_has_any(part, ADVICE)) return;
    wording_add(wording, joint);
    wording_add_bytes(wording, part->text + part->start, part->end - part->start);
}

void report_add_conclusion(struct wording *wording, const struct report *report) {
    const struct section *conclusion = &report->conclusion;
    struct stretch clause, part;
    size_t position = 0, begun = wording->bytes;
    while (stretch_next(conclusion->text, conclusion->text_bytes, STRETCH_CLAUSE, &position,
                        &clause)) {
        size_t inside = clause.start, clause_begun = wording->bytes;
        while (stretch_next(conclusion->text, clause.end, STRETCH_PART, &inside, &part))
            add_conclusion_part(wording, &part,
                                wording->bytes == begun          ? ""
                                : wording->bytes == clause_begun ? "；"
                                                                 : "，");
    }
}

bool report_is_normal(const struct report *report) {
    if (!report->conclusion.text_bytes) return true;
    for (int i = 0; NORMAL[i]; i++) {
        if (strstr(report->conclusion.text, NORMAL[i])) return true;
    }
    return false;
}

static bool is_repeated(const struct episode *episode, int row) {
    for (int i = 0; i < episode->n_reports; i++) {
        const struct report *other = &episode->reports[i];
        if (i != row && strncmp(other->name, episode->reports[row].name, strlen("心电图")) == 0 &&
            other->report.seconds < episode->reports[row].report.seconds)
            return true;
    }
    return false;
}

static bool add_report(const struct episode *episode, int row, struct fact_list *facts,
                       struct clinic_error *error) {
    const struct report *report = &episode->reports[row];
    bool is_ecg = strcmp(report->type, "ecg") == 0;
    bool is_normal = report_is_normal(report);
    struct fact_entry entry = fact_entry_begin(
        FACT_POSITIVE, !is_normal && !(is_ecg && is_repeated(episode, row)), report->report);
    wording_add_plain_name(&entry.text, report->name);
    wording_add(&entry.text, "：");
    size_t named = entry.text.bytes;
    report_add_conclusion(&entry.text, report);
    if (entry.text.bytes == named) wording_cut(&entry.text, 0);
    fact_entry_span(&entry, SOURCE_REPORT, row, 1, 0, report->conclusion.text_bytes);
    return fact_entry_end(&entry, facts, error);
}

bool facts_of_reports(const struct episode *episode, struct fact_list *facts,
                      struct clinic_error *error) {
    for (int i = 0; i < episode->n_reports; i++) {
        if (episode->reports[i].conclusion.text_bytes && !add_report(episode, i, facts, error))
            return false;
    }
    return true;
}
