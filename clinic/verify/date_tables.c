// SPDX-License-Identifier: Apache-2.0
// Dates by tables: admission and discharge, operations, reports, consultations, temperatures,
// orders.
#include "clinic/verify/date_rule.h"

#include <math.h>
#include <string.h>

#define NORMAL_TEMPERATURE_C 37.3

// Share of a name's pairs that stand in the stretch.
static double name_share(const struct sentence_scan *scan, struct stretch scope, const char *name) {
    struct folded_text folded;
    if (!folded_init(&folded, name, strlen(name))) {
        return 0;
    }
    size_t end = folded_find(&folded, 0, folded.n, "(");
    double share = pair_share(&folded, 0, end, &scan->folded, scope.from, scope.to);
    folded_deinit(&folded);
    return share;
}

// "D 在…麻醉下行…术": the day of that operation.
struct ruling rule_operation(const struct sentence_scan *scan, struct stretch scope,
                             struct day_span span) {
    struct ruling ruling = {NOT_SUCH, DAY_UNKNOWN};
    const struct episode *episode = scan->verifier->episode;
    struct stretch clause = scope_first_clause(scan, scope, 50);
    bool performed = scope_has(scan, clause, "行") || scope_has(scan, clause, "麻醉");
    for (int i = 0; performed && i < episode->n_operations; i++) {
        const struct operation *operation = &episode->operations[i];
        if (name_share(scan, clause, operation->name) < 0.7) {
            continue;
        }
        int64_t first = moment_day_number(operation->start);
        int64_t last = moment_day_number(operation->end);
        if (span_has(span, first) || span_has(span, last)) {
            return (struct ruling){HOLDS, first};
        }
        ruling = (struct ruling){FAILS, first};
    }
    return ruling;
}

// "D 胸部CT示…": a day on which such an examination was made, reported or told.
struct ruling rule_report(const struct sentence_scan *scan, struct stretch scope,
                          struct day_span span) {
    struct ruling ruling = {NOT_SUCH, DAY_UNKNOWN};
    const struct episode *episode = scan->verifier->episode;
    struct stretch clause = scope_first_clause(scan, scope, 24);
    for (int i = 0; i < episode->n_reports; i++) {
        const struct report *report = &episode->reports[i];
        double share = name_share(scan, clause, report->name);
        if (share < 0.5) {
            continue;
        }
        int64_t exam = moment_day_number(report->exam), told = moment_day_number(report->report);
        if (span_has(span, exam) || span_has(span, told)) {
            return (struct ruling){HOLDS, exam};
        }
        if (share >= 0.6 && ruling.finding == NOT_SUCH) {
            ruling = (struct ruling){FAILS, exam};
        }
    }
    if (ruling.finding == FAILS && rule_words(scan, scope, span).finding == HOLDS) {
        ruling.finding = HOLDS; // a note of that day tells the result
    }
    return ruling;
}

// "D …科会诊": the day of a consultation's record or order.
struct ruling rule_consultation(const struct sentence_scan *scan, struct stretch scope,
                                struct day_span span) {
    struct ruling ruling = {NOT_SUCH, DAY_UNKNOWN};
    const struct episode *episode = scan->verifier->episode;
    struct stretch clause = scope_first_clause(scan, scope, 20);
    if (!scope_has(scan, clause, "会诊")) {
        return ruling;
    }
    for (int i = 0; i < episode->n_docs; i++) {
        const struct document *doc = &episode->docs[i];
        bool consult = strstr(doc->local_title, "会诊") || strcmp(doc->c_code, "C0045") == 0;
        if (!consult || name_share(scan, clause, doc->local_title) < 0.5) {
            continue;
        }
        int64_t held = moment_day_number(doc->event);
        if (span_has(span, held)) {
            return (struct ruling){HOLDS, held};
        }
        ruling = (struct ruling){FAILS, held};
    }
    return ruling;
}

// "D 体温恢复正常": no fever was measured that day.
struct ruling rule_temperature(const struct sentence_scan *scan, struct stretch scope,
                               struct day_span span) {
    struct ruling ruling = {NOT_SUCH, DAY_UNKNOWN};
    const struct episode *episode = scan->verifier->episode;
    struct stretch clause =
        scope_first_clause(scan,
                           (struct stretch){scope.from + (scope.from < scope.to &&
                                                          scan->folded.chars[scope.from] == ','),
                                            scope.to},
                           14);
    if (!scope_has(scan, clause, "体温") || !scope_has(scan, clause, "正常")) {
        return ruling;
    }
    bool measured = false, fever = false;
    for (int i = 0; i < episode->n_vitals; i++) {
        const struct vital *vital = &episode->vitals[i];
        if (!isnan(vital->temperature_c) && span_has(span, moment_day_number(vital->at))) {
            measured = true;
            fever = fever || vital->temperature_c > NORMAL_TEMPERATURE_C;
        }
    }
    ruling.finding = !measured ? NOT_SUCH : fever ? FAILS : HOLDS;
    return ruling;
}

// 停 right before a drug's name: 停哌拉西林, 停用二甲双胍.
static bool is_stopped(const struct folded_text *text, size_t drug) {
    size_t from = drug > 3 ? drug - 3 : 0;
    return folded_find(text, from, drug, "停") < drug;
}

// An order of it ends then, or a note of that day stops it.
static bool stopped_on_day(const struct record_index *index, const struct mention *drug,
                           struct day_span span) {
    for (size_t i = 0; i < index->n_by_kind[MENTION_DRUG]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DRUG][i];
        const struct mention *m = evidence_mention(index, evidence);
        const struct place *place = evidence_place(index, evidence);
        bool told = !place->is_order && span_has(span, index->set.mention_days[evidence.mention]);
        size_t from = m->start > 20 ? m->start - 20 : 0, n = place->folded.n;
        size_t to = m->end + 20 < n ? m->end + 20 : n;
        if (drugs_agree(drug, m) && ((place->is_order && span_has(span, place->last_day)) ||
                                     (told && folded_find(&place->folded, from, to, "停") < to))) {
            return true;
        }
    }
    return false;
}

// Some place tells of the day and of the drug, or an order of it begins or ends then.
static bool drug_on_day(const struct record_index *index, const struct mention *drug,
                        struct day_span span, bool begins) {
    for (size_t i = 0; i < index->n_by_kind[MENTION_DRUG]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DRUG][i];
        const struct place *place = evidence_place(index, evidence);
        if (!drugs_agree(drug, evidence_mention(index, evidence))) {
            continue;
        }
        if (!place->is_order && span_has(span, place->last_day)) {
            return true; // 25-羟维生素D, reported that day
        }
        if (place->is_order) {
            bool within = !begins && span.first <= place->last_day && span.last >= place->day;
            if (span_has(span, place->day) || span_has(span, place->last_day) || within) {
                return true;
            }
        } else if (span_has(span, index->set.mention_days[evidence.mention])) {
            return true;
        }
    }
    return false;
}

static int64_t first_day_of_drug(const struct record_index *index, const struct mention *drug) {
    int64_t first = DAY_UNKNOWN;
    for (size_t i = 0; i < index->n_by_kind[MENTION_DRUG]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DRUG][i];
        const struct place *place = evidence_place(index, evidence);
        if (place->is_order && drugs_agree(drug, evidence_mention(index, evidence)) &&
            (first == DAY_UNKNOWN || place->day < first)) {
            first = place->day;
        }
    }
    return first;
}

// A drug begun, changed or stopped "on D": its orders begin or end then, or a note of D says so.
struct ruling rule_drug(const struct sentence_scan *scan, struct stretch scope,
                        struct day_span span) {
    static const char *const words[] = {"起", "开始", "加用", "改", "停", "增至", "减至", "换"};
    const struct record_index *index = &scan->verifier->index;
    struct stretch clause = scope_first_clause(scan, scope, 30);
    bool begins = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        begins = begins || scope_has(scan, clause, words[i]);
    }
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *m = &scan->mentions.items[i];
        if (m->kind != MENTION_DRUG || m->start < clause.from || m->start >= clause.to ||
            m->n_concepts == 0) {
            continue;
        }
        int64_t ordered = first_day_of_drug(index, m);
        if (is_stopped(&scan->folded, m->start)) {
            bool so = stopped_on_day(index, m, span);
            return (struct ruling){so ? HOLDS : FAILS, DAY_UNKNOWN};
        }
        if (!drug_on_day(index, m, span, begins)) {
            return (struct ruling){FAILS, ordered};
        }
    }
    return (struct ruling){NOT_SUCH, DAY_UNKNOWN};
}

// Dates that the episode itself has: admission and discharge.
struct ruling rule_stay(const struct sentence_scan *scan, size_t at, struct day_span span) {
    const struct episode *episode = scan->verifier->episode;
    const struct mention *m = &scan->mentions.items[at];
    int64_t admit = moment_day_number(episode->encounter.admit);
    int64_t discharge = moment_day_number(episode->encounter.discharge);
    struct stretch before = {m->start > 6 ? m->start - 6 : 0, m->start};
    struct stretch behind = {m->end, m->end + 3 < scan->folded.n ? m->end + 3 : scan->folded.n};
    bool admitted = strcmp(scan->field_id, "admit_date") == 0 ||
                    scope_has(scan, before, "入院日期") || scope_has(scan, before, "入院时间") ||
                    scope_has(scan, behind, "入院");
    bool left = strcmp(scan->field_id, "discharge_date") == 0 ||
                scope_has(scan, before, "出院日期") || scope_has(scan, before, "出院时间") ||
                scope_has(scan, behind, "出院");
    if (left && discharge != DAY_UNKNOWN) {
        return (struct ruling){span_has(span, discharge) ? HOLDS : FAILS, discharge};
    }
    if (admitted && !left) {
        return (struct ruling){span_has(span, admit) ? HOLDS : FAILS, admit};
    }
    return (struct ruling){NOT_SUCH, DAY_UNKNOWN};
}
