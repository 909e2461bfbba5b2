// SPDX-License-Identifier: Apache-2.0
// A date holds if the record tells of that day what the sentence tells of it: operations, reports
// and consultations by their own dates, drugs by their orders, all else by how much of the words
// behind the date stands in what was written of that day, against the day that fits them best.
#include "clinic/verify/date_rule.h"

#include <string.h>

#define SCOPE_MAX 70

// Days that one place speaks of: its own, an order's last, each date in it.
static bool speaks_of(const struct record_index *index, const struct place *place, int64_t day) {
    if (place->row_text && (place->day == day || place->last_day == day)) {
        return true;
    }
    for (size_t k = 0; k < place->n_mentions; k++) {
        if (index->set.mention_days[place->first_mention + k] == day) {
            return true;
        }
    }
    return place->day == day || place->last_day == day;
}

// What a date dates: the words behind it up to the next date or the sentence's end; if there are
// hardly any, the words before it.
static struct stretch scope_of(const struct sentence_scan *scan, size_t at) {
    const struct folded_text *text = &scan->folded;
    const struct mention *m = &scan->mentions.items[at];
    struct stretch scope = {m->end, text->n};
    for (size_t i = at + 1; i < scan->mentions.count; i++) {
        const struct mention *next = &scan->mentions.items[i];
        bool range = next->kind == MENTION_DATE && next->start <= m->end + 2;
        if (next->kind == MENTION_DATE && !range) {
            scope.to = next->start;
            break;
        }
        scope.from = range ? next->end : scope.from;
    }
    if (scope.to > scope.from + SCOPE_MAX) {
        scope.to = scope.from + SCOPE_MAX;
    }
    size_t words = 0;
    for (size_t i = scope.from; i < scope.to; i++) {
        words += pair_at(text, i) != 0;
    }
    size_t before = 0;
    for (size_t i = m->start > 30 ? m->start - 30 : 0; i < m->start; i++) {
        before += pair_at(text, i) != 0;
    }
    if (words < 4 && before > words) {
        scope.to = m->start;
        scope.from = m->start > 30 ? m->start - 30 : 0;
    }
    return scope;
}

// The place of that day that is most like the sentence.
static bool place_of_day(const struct sentence_scan *scan, int64_t day, uint32_t *out) {
    const struct record_index *index = &scan->verifier->index;
    double best = 0;
    for (size_t i = 0; i < index->n_touched; i++) {
        uint32_t p = index->touched[i];
        double fit = place_fit(scan, p);
        if (fit > best && speaks_of(index, &index->set.places[p], day)) {
            best = fit;
            *out = p;
        }
    }
    return best > 0;
}

static void refuse_date(const struct sentence_scan *scan, struct claim *claim, int64_t right_day) {
    char words[40];
    if (right_day == DAY_UNKNOWN) {
        claim_refuse(claim, "记录中没有这一天的这件事");
        return;
    }
    day_words(right_day, scan->verifier->admit_day, words, sizeof words);
    claim_refuse(claim, "记录中为%s", words);
    uint32_t place;
    if (place_of_day(scan, right_day, &place)) {
        claim->has_source = true;
        claim->source = scan->verifier->index.set.places[place].source;
    }
}

// Only a year or a month: it must stand in the record like that.
static void check_year(struct sentence_scan *scan, const struct mention *m) {
    const struct record_index *index = &scan->verifier->index;
    struct claim *claim = scan_claim(scan, CLAIM_DATE, m->start, m->end);
    for (size_t i = 0; claim && i < index->n_by_kind[MENTION_DATE]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DATE][i];
        const struct mention *told = evidence_mention(index, evidence);
        bool year = m->year == 0 || told->year == m->year;
        if (year && (m->month == 0 || told->month == m->month)) {
            claim_support(scan, claim, evidence.place);
            return;
        }
    }
    if (claim) {
        claim_refuse(claim, "记录中没有这个日期");
    }
}

static bool is_range_mark(uint32_t c) {
    return c == '~' || c == '-' || c == 0x81F3 || c == 0x5230; // 至 到
}

// The day that another date makes a range with: "8月11日至8月17日"; itself if there is none.
static int64_t other_end(const struct sentence_scan *scan, size_t at, int64_t day) {
    const struct mention *m = &scan->mentions.items[at];
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *other = &scan->mentions.items[i];
        bool behind = other->start == m->end + 1 && is_range_mark(scan->folded.chars[m->end]);
        bool before = other->end + 1 == m->start && is_range_mark(scan->folded.chars[other->end]);
        if (other->kind == MENTION_DATE && other->day && (behind || before)) {
            return day_of_date(other->year, other->month, other->day, scan->verifier->admit_day);
        }
    }
    return day;
}

// On a day of the span an operation was begun.
static bool is_day_of_operation(const struct sentence_scan *scan, struct day_span span) {
    const struct episode *episode = scan->verifier->episode;
    for (int i = 0; i < episode->n_operations; i++) {
        if (span_has(span, moment_day_number(episode->operations[i].start))) {
            return true;
        }
    }
    return false;
}

static struct ruling judge_date(const struct sentence_scan *scan, size_t at, struct stretch scope,
                                struct day_span span, int64_t day) {
    static struct ruling (*const rules[])(const struct sentence_scan *, struct stretch,
                                          struct day_span) = {
        rule_operation, rule_consultation, rule_report, rule_temperature, rule_drug, rule_words};
    struct ruling ruling = rule_stay(scan, at, span);
    if (ruling.finding != NOT_SUCH && strstr(scan->field_id, "_date")) {
        return ruling;
    }
    bool is_swapped = false;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && ruling.finding == NOT_SUCH; i++) {
        ruling = rules[i](scan, scope, span);
        // An operation on the day of another one: notes that tell both prove nothing.
        is_swapped = i == 0 && ruling.finding == FAILS && is_day_of_operation(scan, span);
    }
    if (ruling.finding == FAILS && scan->verbatim != UINT32_MAX) {
        ruling.finding = HOLDS; // the date, too, stands there word by word
    }
    if (ruling.finding == FAILS && !is_swapped && is_told_by_date(scan, at, scope, day)) {
        ruling.finding = HOLDS;
    }
    return ruling;
}

static void check_date(struct sentence_scan *scan, size_t at) {
    const struct mention m = scan->mentions.items[at];
    if (m.day == 0) {
        check_year(scan, &m);
        return;
    }
    int64_t day = day_of_date(m.year, m.month, m.day, scan->verifier->admit_day);
    int64_t other = other_end(scan, at, day);
    struct day_span span = {day < other ? day : other, day < other ? other : day};
    struct stretch scope = scope_of(scan, at);
    while (scope.from < scope.to && scope.from >= m.end && scan->folded.chars[scope.from] == ',') {
        scope.from++; // 11月22日，停阿奇霉素
    }
    struct claim *claim = scan_claim(scan, CLAIM_DATE, m.start, m.end);
    if (!claim) {
        return;
    }
    struct ruling ruling = judge_date(scan, at, scope, span, day);
    uint32_t place;
    if (ruling.finding != HOLDS) {
        refuse_date(scan, claim, ruling.right_day);
    } else if (place_of_day(scan, day, &place)) {
        claim_support(scan, claim, place);
    } else {
        claim->is_supported = true;
    }
}

// A clock time must be one that the record tells: in a text or of a row.
static bool is_at(struct moment moment, const struct mention *m) {
    if (moment.seconds == MOMENT_UNKNOWN) {
        return false;
    }
    int64_t local = moment.seconds + (int64_t)moment.offset_minutes * 60;
    return (local % 86400 + 86400) % 86400 / 60 == m->hour * 60 + m->minute;
}

static bool table_has_time(const struct episode *e, const struct mention *m) {
    bool found = is_at(e->encounter.admit, m) || is_at(e->encounter.discharge, m);
    for (int i = 0; !found && i < e->n_operations; i++) {
        found = is_at(e->operations[i].start, m) || is_at(e->operations[i].end, m);
    }
    for (int i = 0; !found && i < e->n_labs; i++) {
        found = is_at(e->labs[i].collect, m) || is_at(e->labs[i].report, m);
    }
    for (int i = 0; !found && i < e->n_orders; i++) {
        found = is_at(e->orders[i].start, m) || is_at(e->orders[i].stop, m);
    }
    for (int i = 0; !found && i < e->n_reports; i++) {
        found = is_at(e->reports[i].exam, m) || is_at(e->reports[i].report, m);
    }
    for (int i = 0; !found && i < e->n_vitals; i++) {
        found = is_at(e->vitals[i].at, m);
    }
    return found;
}

static void check_time(struct sentence_scan *scan, const struct mention *m) {
    const struct record_index *index = &scan->verifier->index;
    struct claim *claim = scan_claim(scan, CLAIM_DATE, m->start, m->end);
    for (size_t i = 0; claim && i < index->n_by_kind[MENTION_TIME]; i++) {
        struct evidence evidence = index->by_kind[MENTION_TIME][i];
        const struct mention *told = evidence_mention(index, evidence);
        if (told->hour == m->hour && told->minute == m->minute) {
            claim_support(scan, claim, evidence.place);
            return;
        }
    }
    if (claim && table_has_time(scan->verifier->episode, m)) {
        claim->is_supported = true;
    } else if (claim) {
        claim_refuse(claim, "记录中没有这个时间");
    }
}

void check_dates(struct sentence_scan *scan) {
    for (size_t i = 0; i < scan->mentions.count && !scan->is_out_of_memory; i++) {
        const struct mention m = scan->mentions.items[i];
        if (m.kind == MENTION_DATE) {
            check_date(scan, i);
        } else if (m.kind == MENTION_TIME) {
            check_time(scan, &m);
        }
    }
}
