// SPDX-License-Identifier: Apache-2.0
// See table_facts.h. A report is told by its conclusion, in the report's own words.
#include "clinic/facts/fact_entry.h"
#include "clinic/facts/table_facts.h"
#include "clinic/facts/trusted_text.h"

#include <stdlib.h>
#include <string.h>

#define MANY_REPORTS 3 // besides this one
#define LONG_STAY_DAYS 20
#define NORMAL_FRACTION 50 // percent, of the left ventricle

static const char *const ADVICE[] = {"建议", "请结合", "必要时", "随访", "随诊", "为准", NULL};
static const char *const NORMAL[] = {"正常心电图",   "大致正常",   "未见异常", "未见明显异常",
                                     "未见明显实变", "细菌生长",   "真菌生长", "致病菌生长",
                                     "窦性心动过速", "窦性心律。", NULL};

static void add_conclusion_part(struct wording *wording, const struct clause *part,
                                const char *joint) {
    if (clause_has_any(part, ADVICE)) return;
    wording_add(wording, joint);
    wording_add_bytes(wording, part->text + part->start, part->end - part->start);
}

void report_add_conclusion(struct wording *wording, const struct report *report) {
    const struct section *conclusion = &report->conclusion;
    struct clause clause, part;
    size_t position = 0, begun = wording->bytes;
    while (
        clause_next(conclusion->text, conclusion->text_bytes, CLAUSE_CLAUSE, &position, &clause)) {
        size_t inside = clause.start, clause_begun = wording->bytes;
        while (clause_next(conclusion->text, clause.end, CLAUSE_PART, &inside, &part))
            add_conclusion_part(wording, &part,
                                wording->bytes == begun          ? ""
                                : wording->bytes == clause_begun ? "；"
                                                                 : "，");
    }
}

static bool is_normal_part(const struct clause *part) {
    static const char *const WORDS[] = {"未见", "正常", "通畅", NULL};
    size_t fraction = clause_find(part, "射血分数");
    if (fraction < part->end)
        return strtod(part->text + fraction + strlen("射血分数"), NULL) >= NORMAL_FRACTION;
    return clause_has_any(part, WORDS) || clause_has_any(part, ADVICE);
}

// Nothing but 未见 and 正常 in any item.
bool report_is_normal(const struct report *report) {
    const struct section *conclusion = &report->conclusion;
    struct clause clause;
    size_t position = 0;
    for (int i = 0; NORMAL[i]; i++) {
        if (strstr(conclusion->text, NORMAL[i])) return true;
    }
    while (
        clause_next(conclusion->text, conclusion->text_bytes, CLAUSE_CLAUSE, &position, &clause)) {
        struct clause part;
        size_t inside = clause.start;
        while (clause_next(clause.text, clause.end, CLAUSE_PART, &inside, &part)) {
            if (!is_normal_part(&part)) return false;
        }
    }
    return true;
}

// Of an examination that is done again and again, the first and the last count; of
// electrocardiograms the first.
static bool is_one_of_many(const struct episode *episode, int row, bool is_ecg) {
    const struct report *report = &episode->reports[row];
    int before = 0, after = 0;
    for (int i = 0; i < episode->n_reports; i++) {
        const struct report *other = &episode->reports[i];
        size_t same = is_ecg ? strlen("心电图") : strlen(report->name) + 1;
        if (i == row || strncmp(other->name, report->name, same) != 0) continue;
        before += other->report.seconds < report->report.seconds;
        after += other->report.seconds >= report->report.seconds;
    }
    return is_ecg ? before > 0 : before > 0 && after > 0 && before + after >= MANY_REPORTS;
}

static bool has_any(const char *text, const char *const *words) {
    for (int i = 0; words[i]; i++) {
        if (strstr(text, words[i])) return true;
    }
    return false;
}

static bool is_grave_ecg(const struct report *report) {
    static const char *const GRAVE[] = {"梗死", "颤动",         "扑动", "阻滞",       "抬高",
                                        "缺血", "室性心动过速", "停搏", "QT间期延长", "预激",
                                        NULL};
    return has_any(report->conclusion.text, GRAVE);
}

// That a bone heals and a lung clears is told once in a long stay, not by every film.
static bool is_course_of_long_stay(const struct episode *episode, const struct report *report) {
    static const char *const COURSE[] = {"位置良好", "位置维持", "愈合中", "复张", "吸收",
                                         "无松动",   "骨痂",     "较前",   "成角", NULL};
    return episode_stay_days(episode) > LONG_STAY_DAYS &&
           (has_any(report->conclusion.text, COURSE) || strstr(report->name, "床旁"));
}

static bool add_report(const struct episode *episode, int row, struct fact_list *facts,
                       struct clinic_error *error) {
    const struct report *report = &episode->reports[row];
    bool is_ecg = strcmp(report->type, "ecg") == 0;
    bool is_normal = report_is_normal(report);
    static const char *const DOUBTFUL[] = {"待除外", "待排", NULL};
    bool is_must = !is_normal && !has_any(report->conclusion.text, DOUBTFUL) &&
                   !is_one_of_many(episode, row, is_ecg) && (!is_ecg || is_grave_ecg(report)) &&
                   !is_course_of_long_stay(episode, report);
    struct fact_entry entry = fact_entry_begin(FACT_POSITIVE, is_must, report->report);
    wording_add_plain_name(&entry.text, report->name);
    wording_add(&entry.text, "：");
    size_t named = entry.text.bytes;
    report_add_conclusion(&entry.text, report);
    if (entry.text.bytes == named) wording_cut(&entry.text, 0);
    fact_entry_span(&entry, SOURCE_REPORT, row, 1, 0, report->conclusion.text_bytes);
    if (report->findings.text_bytes) // what it concludes from
        fact_entry_span(&entry, SOURCE_REPORT, row, 0, 0, report->findings.text_bytes);
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
