// SPDX-License-Identifier: Apache-2.0
// A date holds if the record tells of that day what the sentence tells of it: operations, reports
// and consultations by their own dates, drugs by their orders, all else by how much of the words
// behind the date stands in what was written of that day, against the day that fits them best.
#include "clinic/verify/sentence_scan.h"

#include <stdlib.h>
#include <string.h>

#define SCOPE_MAX 70
#define DAYS_MAX 512
#define SHARE_OF_BEST 0.62

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

struct stretch {
    size_t from, to;
};

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
    if (words < 4) {
        scope.to = m->start;
        scope.from = m->start > 30 ? m->start - 30 : 0;
    }
    return scope;
}

struct day_score {
    int64_t day;
    float score;
    uint32_t seen; // stamp: a pair counts once a day
};

struct day_table {
    struct day_score days[DAYS_MAX];
    size_t n;
    float total;
};

static void add_to_day(struct day_table *table, int64_t day, float weight, uint32_t stamp) {
    size_t i = 0;
    while (i < table->n && table->days[i].day != day) {
        i++;
    }
    if (day == DAY_UNKNOWN || (i == table->n && table->n == DAYS_MAX)) {
        return;
    }
    if (i == table->n) {
        table->days[table->n++] = (struct day_score){day, 0, UINT32_MAX};
    }
    if (table->days[i].seen != stamp) {
        table->days[i].seen = stamp;
        table->days[i].score += weight;
    }
}

static void add_place_days(const struct record_index *index, struct day_table *table,
                           const struct place *place, float weight, uint32_t stamp) {
    for (size_t k = 0; k < place->n_mentions; k++) {
        size_t m = place->first_mention + k;
        enum mention_kind kind = index->set.mentions.items[m].kind;
        if (kind == MENTION_DATE || kind == MENTION_RELATIVE) {
            add_to_day(table, index->set.mention_days[m], weight, stamp);
        }
    }
    add_to_day(table, place->day, weight, stamp);
    if (place->last_day != place->day) {
        add_to_day(table, place->last_day, weight, stamp);
    }
}

// How much of a stretch's words each day has.
static void score_days(const struct sentence_scan *scan, struct stretch scope,
                       struct day_table *table) {
    const struct record_index *index = &scan->verifier->index;
    table->n = 0;
    table->total = 0;
    for (size_t i = scope.from; i + 1 < scope.to; i++) {
        uint64_t pair = pair_at(&scan->folded, i);
        size_t count = 0, first = pair ? index_find(index, pair, &count) : 0;
        float weight = count > PAIR_PLACES_MAX ? 0 : index_weight(index, count);
        table->total += weight;
        for (size_t k = 0; weight > 0 && k < count; k++) {
            add_place_days(index, table, &index->set.places[index->postings[first + k].place],
                           weight, (uint32_t)i);
        }
    }
}

static float score_of(const struct day_table *table, int64_t day) {
    for (size_t i = 0; i < table->n; i++) {
        if (table->days[i].day == day) {
            return table->days[i].score;
        }
    }
    return 0;
}

static const struct day_score *best_day(const struct day_table *table) {
    const struct day_score *best = NULL;
    for (size_t i = 0; i < table->n; i++) {
        if (!best || table->days[i].score > best->score) {
            best = &table->days[i];
        }
    }
    return best;
}

// Share of a name's pairs that stand in the stretch.
static double name_share(const struct sentence_scan *scan, struct stretch scope, const char *name) {
    struct folded_text folded;
    if (!folded_init(&folded, name, strlen(name))) {
        return 0;
    }
    size_t found = 0, all = 0;
    for (size_t i = 0; i + 1 < folded.n && folded.chars[i] != '('; i++) {
        uint64_t pair = pair_at(&folded, i);
        all += pair != 0;
        for (size_t k = scope.from; pair && k + 1 < scope.to; k++) {
            if (pair_at(&scan->folded, k) == pair) {
                found++;
                break;
            }
        }
    }
    folded_deinit(&folded);
    return all ? (double)found / (double)all : 0;
}

static bool has_word(const struct sentence_scan *scan, struct stretch scope, const char *word) {
    return folded_find(&scan->folded, scope.from, scope.to, word) < scope.to;
}

enum finding { NOT_SUCH, HOLDS, FAILS };

struct ruling {
    enum finding finding;
    int64_t right_day;
};

static struct stretch first_clause(const struct sentence_scan *scan, struct stretch scope,
                                   size_t most) {
    size_t to = scope.from;
    while (to < scope.to && to < scope.from + most &&
           !(character_ends_clause(scan->folded.chars[to]) && scan->folded.chars[to] != ':')) {
        to++;
    }
    return (struct stretch){scope.from, to};
}

// "D 在…麻醉下行…术": the day of that operation.
static struct ruling rule_operation(const struct sentence_scan *scan, struct stretch scope,
                                    int64_t day) {
    struct ruling ruling = {NOT_SUCH, DAY_UNKNOWN};
    const struct episode *episode = scan->verifier->episode;
    struct stretch clause = first_clause(scan, scope, 50);
    bool performed = has_word(scan, clause, "行") || has_word(scan, clause, "麻醉");
    for (int i = 0; performed && i < episode->n_operations; i++) {
        const struct operation *operation = &episode->operations[i];
        if (name_share(scan, clause, operation->name) < 0.7) {
            continue;
        }
        int64_t first = moment_day_number(operation->start);
        int64_t last = moment_day_number(operation->end);
        if (day == first || day == last) {
            return (struct ruling){HOLDS, first};
        }
        ruling = (struct ruling){FAILS, first};
    }
    return ruling;
}

// "D 胸部CT示…": a day on which such an examination was made, reported or told.
static struct ruling rule_report(const struct sentence_scan *scan, struct stretch scope,
                                 int64_t day) {
    struct ruling ruling = {NOT_SUCH, DAY_UNKNOWN};
    const struct episode *episode = scan->verifier->episode;
    struct stretch clause = first_clause(scan, scope, 24);
    for (int i = 0; i < episode->n_reports; i++) {
        const struct report *report = &episode->reports[i];
        double share = name_share(scan, clause, report->name);
        if (share < 0.5) {
            continue;
        }
        int64_t exam = moment_day_number(report->exam), told = moment_day_number(report->report);
        if (day == exam || day == told) {
            return (struct ruling){HOLDS, exam};
        }
        if (share >= 0.6 && ruling.finding == NOT_SUCH) {
            ruling = (struct ruling){FAILS, exam};
        }
    }
    return ruling;
}

// "D …科会诊": the day of a consultation's record or order.
static struct ruling rule_consultation(const struct sentence_scan *scan, struct stretch scope,
                                       int64_t day) {
    struct ruling ruling = {NOT_SUCH, DAY_UNKNOWN};
    const struct episode *episode = scan->verifier->episode;
    struct stretch clause = first_clause(scan, scope, 20);
    if (!has_word(scan, clause, "会诊")) {
        return ruling;
    }
    for (int i = 0; i < episode->n_docs; i++) {
        const struct document *doc = &episode->docs[i];
        bool consult = strstr(doc->local_title, "会诊") || strcmp(doc->c_code, "C0045") == 0;
        if (!consult || name_share(scan, clause, doc->local_title) < 0.5) {
            continue;
        }
        int64_t held = moment_day_number(doc->event);
        if (held == day) {
            return (struct ruling){HOLDS, held};
        }
        ruling = (struct ruling){FAILS, held};
    }
    return ruling;
}

// Some place tells of the day and of the drug, or an order of it begins or ends then.
static bool drug_on_day(const struct record_index *index, const struct mention *drug, int64_t day,
                        bool begins) {
    for (size_t i = 0; i < index->n_by_kind[MENTION_DRUG]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DRUG][i];
        const struct place *place = evidence_place(index, evidence);
        if (!drugs_agree(drug, evidence_mention(index, evidence))) {
            continue;
        }
        if (place->is_order) {
            bool within = !begins && day >= place->day && day <= place->last_day;
            if (place->day == day || place->last_day == day || within) {
                return true;
            }
        } else if (index->set.mention_days[evidence.mention] == day) {
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
static struct ruling rule_drug(const struct sentence_scan *scan, struct stretch scope,
                               int64_t day) {
    static const char *const words[] = {"起", "开始", "加用", "改", "停", "增至", "减至", "换"};
    const struct record_index *index = &scan->verifier->index;
    struct stretch clause = first_clause(scan, scope, 30);
    bool begins = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        begins = begins || has_word(scan, clause, words[i]);
    }
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *m = &scan->mentions.items[i];
        if (m->kind != MENTION_DRUG || m->start < clause.from || m->start >= clause.to ||
            m->n_concepts == 0) {
            continue;
        }
        int64_t ordered = first_day_of_drug(index, m);
        if (!drug_on_day(index, m, day, begins)) {
            return (struct ruling){FAILS, ordered};
        }
    }
    return (struct ruling){NOT_SUCH, DAY_UNKNOWN};
}

// Dates that the episode itself has: admission and discharge.
static struct ruling rule_stay(const struct sentence_scan *scan, size_t at, int64_t day) {
    const struct episode *episode = scan->verifier->episode;
    const struct mention *m = &scan->mentions.items[at];
    int64_t admit = moment_day_number(episode->encounter.admit);
    int64_t discharge = moment_day_number(episode->encounter.discharge);
    struct stretch before = {m->start > 6 ? m->start - 6 : 0, m->start};
    struct stretch behind = {m->end, m->end + 3 < scan->folded.n ? m->end + 3 : scan->folded.n};
    bool admitted = strcmp(scan->field_id, "admit_date") == 0 ||
                    has_word(scan, before, "入院日期") || has_word(scan, before, "入院时间") ||
                    has_word(scan, behind, "入院");
    bool left = strcmp(scan->field_id, "discharge_date") == 0 ||
                has_word(scan, before, "出院日期") || has_word(scan, before, "出院时间") ||
                has_word(scan, behind, "出院");
    if (left && discharge != DAY_UNKNOWN) {
        return (struct ruling){day == discharge ? HOLDS : FAILS, discharge};
    }
    if (admitted && !left) {
        return (struct ruling){day == admit ? HOLDS : FAILS, admit};
    }
    return (struct ruling){NOT_SUCH, DAY_UNKNOWN};
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

// The record names the very day among the same words.
static bool is_told_by_date(const struct sentence_scan *scan, size_t at, int64_t day) {
    const struct record_index *index = &scan->verifier->index;
    const struct mention *m = &scan->mentions.items[at];
    struct surroundings near =
        surroundings_of(&scan->folded, m->start > 10 ? m->start - 10 : 0,
                        m->end + 10 < scan->folded.n ? m->end + 10 : scan->folded.n);
    for (size_t i = 0; i < index->n_by_kind[MENTION_DATE]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DATE][i];
        if (index->set.mention_days[evidence.mention] != day) {
            continue;
        }
        const struct mention *told = evidence_mention(index, evidence);
        const struct folded_text *text = &evidence_place(index, evidence)->folded;
        size_t to = told->end + 10 < text->n ? told->end + 10 : text->n;
        struct surroundings there =
            surroundings_of(text, told->start > 10 ? told->start - 10 : 0, to);
        if (surroundings_shared(&near, &there) >= 3) {
            return true;
        }
    }
    return false;
}

static struct ruling rule_words(const struct sentence_scan *scan, size_t at, struct stretch scope,
                                int64_t day) {
    struct day_table *table = malloc(sizeof *table);
    struct ruling ruling = {FAILS, DAY_UNKNOWN};
    if (!table) {
        return ruling;
    }
    score_days(scan, scope, table);
    const struct day_score *best = best_day(table);
    float own = score_of(table, day);
    if (best && own > 0 && own >= SHARE_OF_BEST * best->score) {
        ruling.finding = HOLDS;
    } else if (is_told_by_date(scan, at, day)) {
        ruling.finding = HOLDS;
    } else if (best) {
        ruling.right_day = best->day;
    }
    free(table);
    return ruling;
}

// By the whole scope, or by its first clause alone: 10月15日停病重，此外….
static struct ruling rule_clauses(const struct sentence_scan *scan, size_t at, struct stretch scope,
                                  int64_t day) {
    struct ruling ruling = rule_words(scan, at, scope, day);
    struct stretch clause = first_clause(scan, scope, SCOPE_MAX);
    if (ruling.finding == FAILS && clause.to < scope.to && clause.to > clause.from + 2) {
        struct ruling first = rule_words(scan, at, clause, day);
        ruling = first.finding == HOLDS ? first : ruling;
    }
    return ruling;
}

// Only a year or a month: it must stand in the record like that.
static void check_year(struct sentence_scan *scan, const struct mention *m) {
    const struct record_index *index = &scan->verifier->index;
    struct claim *claim = scan_claim(scan, CLAIM_DATE, m->start, m->end);
    for (size_t i = 0; claim && i < index->n_by_kind[MENTION_DATE]; i++) {
        struct evidence evidence = index->by_kind[MENTION_DATE][i];
        const struct mention *told = evidence_mention(index, evidence);
        if (told->year == m->year && (m->month == 0 || told->month == m->month)) {
            claim_support(scan, claim, evidence.place);
            return;
        }
    }
    if (claim) {
        claim_refuse(claim, "记录中没有这个日期");
    }
}

static void check_date(struct sentence_scan *scan, size_t at) {
    const struct mention m = scan->mentions.items[at];
    if (m.day == 0) {
        check_year(scan, &m);
        return;
    }
    int64_t day = day_of_date(m.year, m.month, m.day, scan->verifier->admit_day);
    struct stretch scope = scope_of(scan, at);
    struct claim *claim = scan_claim(scan, CLAIM_DATE, m.start, m.end);
    if (!claim) {
        return;
    }
    struct ruling ruling = rule_stay(scan, at, day);
    ruling = ruling.finding == NOT_SUCH ? rule_operation(scan, scope, day) : ruling;
    ruling = ruling.finding == NOT_SUCH ? rule_consultation(scan, scope, day) : ruling;
    ruling = ruling.finding == NOT_SUCH ? rule_report(scan, scope, day) : ruling;
    ruling = ruling.finding == NOT_SUCH ? rule_drug(scan, scope, day) : ruling;
    ruling = ruling.finding == NOT_SUCH ? rule_clauses(scan, at, scope, day) : ruling;
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
