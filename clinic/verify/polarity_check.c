// SPDX-License-Identifier: Apache-2.0
// Something is there, or is not. What a sentence denies must be denied in the record, and what it
// affirms must not be denied there. Where the record has both (fever at first, none at the end),
// the time that the sentence speaks of and the words around decide which of them it repeats.
#include "clinic/verify/sentence_scan.h"

#include <string.h>

#define WINDOW 16
#define MARGIN 0.45

struct poll {
    const struct sentence_scan *scan;
    struct surroundings near;
    int64_t day;
    double yes, no; // best scores of places that affirm, that deny
    uint32_t yes_place, no_place;
    size_t yes_at, no_at;
    bool is_no_timely, is_yes_timely; // some such place is of the day that the sentence names
    size_t length;
};

static bool vote(void *user, uint32_t p, size_t at) {
    struct poll *poll = user;
    const struct record_index *index = &poll->scan->verifier->index;
    const struct place *place = &index->set.places[p];
    size_t from = at > WINDOW ? at - WINDOW : 0;
    size_t to = at + poll->length + WINDOW;
    to = to < place->folded.n ? to : place->folded.n;
    struct surroundings there = surroundings_of(&place->folded, from, to);
    double alike =
        poll->near.count ? (double)surroundings_shared(&poll->near, &there) / poll->near.count : 0;
    double score = 0.05 + alike + 0.6 * place_fit(poll->scan, p) +
                   time_fit(poll->scan, poll->day, place, place->day);
    bool denied = place_denies(index, place, at);
    score += p == poll->scan->verbatim ? 4 : 0;
    if (!denied && (place->is_warning || stands_in_condition(&place->folded, at))) {
        score *= 0.3; // it only might be
    }
    bool timely =
        poll->day == DAY_UNKNOWN || time_fit(poll->scan, poll->day, place, place->day) > 0;
    *(denied ? &poll->is_no_timely : &poll->is_yes_timely) |= timely;
    double *best = denied ? &poll->no : &poll->yes;
    if (score > *best) {
        *best = score;
        *(denied ? &poll->no_place : &poll->yes_place) = p;
        *(denied ? &poll->no_at : &poll->yes_at) = at;
    }
    return true;
}

static struct poll take_poll(const struct sentence_scan *scan, size_t from, size_t to,
                             int64_t day) {
    size_t first = from > WINDOW ? from - WINDOW : 0;
    size_t last = to + WINDOW < scan->folded.n ? to + WINDOW : scan->folded.n;
    struct poll poll = {.scan = scan, .day = day, .length = to - from};
    poll.near = surroundings_of(&scan->folded, first, last);
    index_each_place(&scan->verifier->index, &scan->folded, from, to, vote, &poll);
    return poll;
}

static bool is_denied_here(const struct sentence_scan *scan, size_t at) {
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *m = &scan->mentions.items[i];
        if (m->kind == MENTION_NEGATION && at >= m->subject_start && at < m->subject_end) {
            return true;
        }
    }
    return false;
}

static int64_t day_at(const struct sentence_scan *scan, size_t at) {
    int64_t day = DAY_UNKNOWN;
    for (size_t i = 0; i < scan->mentions.count; i++) {
        if (scan->mentions.items[i].start <= at && scan->days[i] != DAY_UNKNOWN) {
            day = scan->days[i];
        }
    }
    return day != DAY_UNKNOWN ? day : scan->carried_day;
}

static void refuse(const struct sentence_scan *scan, struct claim *claim, uint32_t p, size_t at,
                   size_t length) {
    const struct place *place = &scan->verifier->index.set.places[p];
    char words[80];
    size_t from = at > 6 ? at - 6 : 0, to = at + length + 6;
    while (from < at && character_ends_clause(place->folded.chars[from])) {
        from++;
    }
    record_words(scan, place, from, to < place->folded.n ? to : place->folded.n, words);
    claim_refuse(claim, "与记录相反：“%s”", words);
    claim->has_source = true;
    claim->source = place->source;
}

// A denial in the course of the stay that no date and no word (目前, 此后, 术后) puts in time.
static bool is_undated(const struct sentence_scan *scan, size_t at) {
    static const char *const words[] = {"目前",   "现",   "出院", "此后", "术",   "后",
                                        "入院时", "期间", "起病", "病程", "治疗", "中",
                                        "检查",   "示",   "超声", "CT",   "ct"};
    if (strcmp(scan->field_id, "course") != 0 || day_at(scan, at) != DAY_UNKNOWN) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (folded_find(&scan->folded, 0, scan->folded.n, words[i]) < scan->folded.n) {
            return false;
        }
    }
    return true;
}

// `known`: a finding or a diagnosis; of other words the record must only not say the contrary.
static void judge(struct sentence_scan *scan, size_t from, size_t to, bool denies, bool known) {
    struct poll poll = take_poll(scan, from, to, day_at(scan, from));
    double own = denies ? poll.no : poll.yes, against = denies ? poll.yes : poll.no;
    uint32_t own_place = denies ? poll.no_place : poll.yes_place;
    uint32_t against_place = denies ? poll.yes_place : poll.no_place;
    if (own <= 0 && against <= 0 && known && scan->time != TIME_ORDERS &&
        scan->verbatim == UINT32_MAX) {
        struct claim *lacking = scan_claim(scan, CLAIM_NEGATION, from, to);
        if (lacking) {
            claim_refuse(lacking, "记录中没有提到");
        }
        return;
    }
    if (own <= 0 && against <= 0) {
        return; // the record speaks of it in other words or not at all: others look after that
    }
    if (own <= 0 && !(denies ? poll.is_yes_timely : poll.is_no_timely)) {
        return; // the contrary was written of other days
    }
    struct claim *claim = scan_claim(scan, CLAIM_NEGATION, from, to);
    if (!claim) {
        return;
    }
    if (denies && known && is_undated(scan, from) && poll.yes > 0.5) {
        claim_refuse(claim, "记录中曾有此项，请写明时间");
        claim->has_source = true;
        claim->source = scan->verifier->index.set.places[poll.yes_place].source;
    } else if (own > 0 && (!known || own + MARGIN >= against)) {
        claim_support(scan, claim, own_place);
    } else {
        refuse(scan, claim, against_place, denies ? poll.yes_at : poll.no_at, to - from);
    }
}

// A claim on these words is there already.
static bool is_judged(const struct sentence_scan *scan, size_t from, size_t to) {
    size_t start = scan->start + scan->folded.offsets[from];
    size_t end = scan->start + scan->folded.offsets[to];
    for (int i = 0; i < scan->check->n_claims; i++) {
        const struct claim *claim = &scan->check->claims[i];
        if (claim->kind == CLAIM_NEGATION && claim->start < end && start < claim->end) {
            return true;
        }
    }
    return false;
}

// "未行胸部CT" where a report of it lies there.
static bool was_examined(struct sentence_scan *scan, const struct mention *m) {
    const struct record_index *index = &scan->verifier->index;
    const struct folded_text *text = &scan->folded;
    bool not_done = folded_match(text, m->start, "未行") || folded_match(text, m->start, "未做") ||
                    folded_match(text, m->start, "未查");
    not_done = not_done && scan->verbatim == UINT32_MAX;
    for (size_t p = 0; not_done && p < index->set.count; p++) {
        const struct place *place = &index->set.places[p];
        size_t all = 0, found = 0;
        if (place->source.kind != SOURCE_REPORT || !place->row_text) {
            continue;
        }
        for (size_t k = 0; k + 1 < place->folded.n && place->folded.chars[k] != '('; k++) {
            uint64_t pair = pair_at(&place->folded, k);
            all += pair != 0;
            for (size_t i = m->subject_start; pair && i + 1 < m->subject_end; i++) {
                if (pair_at(text, i) == pair) {
                    found++;
                    break;
                }
            }
        }
        struct claim *claim =
            all && found * 5 >= all * 3 ? scan_claim(scan, CLAIM_NEGATION, m->start, m->end) : NULL;
        if (claim) {
            claim_refuse(claim, "记录中有这项检查的报告");
            claim->has_source = true;
            claim->source = place->source;
            return true;
        }
    }
    return false;
}

// What is denied, cut to what the record can know: 明显心脏病史 -> the finding or diagnosis in it.
static void judge_denied(struct sentence_scan *scan, const struct mention *m) {
    size_t from = m->subject_start, to = m->subject_end;
    const struct folded_text *text = &scan->folded;
    while (to > from && !character_is_han(text->chars[to - 1]) &&
           !character_is_latin(text->chars[to - 1])) {
        to--;
    }
    for (size_t i = from; i + 1 < to; i++) { // the longest known word in it
        struct word word =
            lexicon_word_at(scan->verifier->lexicon, text, i, WORD_FINDING | WORD_DIAGNOSIS);
        if (word.concept >= 0 && i + word.length <= to) {
            judge(scan, i, i + word.length, true, true);
            return;
        }
    }
    if (was_examined(scan, m)) {
        return;
    }
    if (to - from >= 3) { // two characters are met by chance
        judge(scan, from, to - from > 8 ? from + 8 : to, true, false);
    }
}

// 感染科会诊 tells of no infection.
static bool is_department(const struct folded_text *text, size_t end) {
    return text->chars[end] == 0x79D1; // 科
}

// Findings that stand in the sentence undenied and that the record denies somewhere.
static void judge_affirmed(struct sentence_scan *scan) {
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0; i < text->n && !scan->is_out_of_memory;) {
        struct word word = lexicon_word_at(scan->verifier->lexicon, text, i, WORD_FINDING);
        if (word.concept < 0) {
            i++;
            continue;
        }
        if (!is_department(text, i + word.length) && !is_denied_here(scan, i) &&
            !stands_in_condition(text, i)) {
            judge(scan, i, i + word.length, false, true);
        }
        i += word.length;
    }
}

// X阳性 / X阴性, 耐药 / 敏感, 正常 / 异常: the word behind the same name must be the same.
struct result_poll {
    const struct sentence_scan *scan;
    int64_t day;
    const char *word, *opposite;
    double own, against;
    uint32_t own_place, against_place;
};

// 较前明显吸收: what tells how much, or since when, belongs to no name.
static size_t name_end(const struct folded_text *text, size_t from, size_t at) {
    static const char *const words[] = {"较前", "明显", "已", "逐渐", "稍", "显著", "基本", "大部",
                                        "有所", "略",   "均", "呈",   "为", "控制", "不"};
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            for (size_t n = 1; n <= 2 && at >= from + n; n++) {
                if (folded_match(text, at - n, words[i]) == n) {
                    at -= n;
                    again = true;
                }
            }
        }
    }
    return at;
}

// How far a result may stand behind its name: to the clause's end, and over a comma that the result
// follows at once (微小结节约4 mm，同前).
static size_t result_end(const struct folded_text *text, size_t at,
                         const struct result_poll *poll) {
    size_t to = at;
    while (to < text->n && to < at + 40 && text->chars[to] != '+' &&
           !character_ends_sentence(text->chars[to])) {
        size_t near = to + 8 < text->n ? to + 8 : text->n;
        bool follows = folded_find(text, to, near, poll->word) < near ||
                       folded_find(text, to, near, poll->opposite) < near;
        if (text->chars[to] == ',' && !follows) {
            return to;
        }
        to++;
    }
    return to;
}

static bool vote_result(void *user, uint32_t p, size_t at) {
    struct result_poll *poll = user;
    const struct place *place = &poll->scan->verifier->index.set.places[p];
    const struct folded_text *text = &place->folded;
    size_t to = result_end(text, at, poll), marked = to;
    bool plus = to < text->n && text->chars[to] == '+'; // 尿糖3+ is positive
    size_t own = folded_find(text, at, to, poll->word);
    size_t against = folded_find(text, at, to, poll->opposite);
    bool not_so = against < to && text->chars[against - 1] == 0x4E0D && own < against;
    against = not_so ? to : against; // "不敏感" holds 敏感
    double score =
        0.1 + place_fit(poll->scan, p) + time_fit(poll->scan, poll->day, place, place->day);
    own = own == to && plus && strcmp(poll->word, "阳性") == 0 ? marked - 1 : own;
    against = against == to && plus && strcmp(poll->word, "阴性") == 0 ? marked - 1 : against;
    if (own < to && own <= against && score > poll->own) {
        poll->own = score;
        poll->own_place = p;
    } else if (against < to && against < own && score > poll->against) {
        poll->against = score;
        poll->against_place = p;
    }
    return true;
}

// The name that a result belongs to: up to six characters before it in its clause.
static void judge_result(struct sentence_scan *scan, size_t from, size_t at, const char *word,
                         const char *opposite) {
    size_t length = folded_match(&scan->folded, at, word);
    struct result_poll poll = {
        .scan = scan, .day = day_at(scan, at), .word = word, .opposite = opposite};
    size_t end = name_end(&scan->folded, from, at);
    for (size_t start = from; start + 2 <= end && poll.own <= 0 && poll.against <= 0; start++) {
        index_each_place(&scan->verifier->index, &scan->folded, start, end, vote_result, &poll);
    }
    if (poll.own <= 0 && poll.against <= 0) {
        return;
    }
    struct claim *claim = scan_claim(scan, CLAIM_NEGATION, at, at + length);
    if (claim && poll.own > 0 && poll.own + MARGIN >= poll.against) {
        claim_support(scan, claim, poll.own_place);
    } else if (claim) {
        const struct place *place = &scan->verifier->index.set.places[poll.against_place];
        claim_refuse(claim, "与记录相反：记录中为“%s”", opposite);
        claim->has_source = true;
        claim->source = place->source;
    }
}

static void judge_results(struct sentence_scan *scan) {
    static const char *const pairs[][2] = {
        {"阳性", "阴性"}, {"阴性", "阳性"}, {"耐药", "敏感"}, {"敏感", "耐药"}, {"增多", "吸收"},
        {"增多", "减少"}, {"进展", "吸收"}, {"增大", "同前"}, {"增大", "缩小"}, {"吸收", "同前"},
        {"恶性", "良性"}, {"良好", "不佳"}, {"稳定", "进展"}, {"缩小", "增大"}};
    const struct folded_text *text = &scan->folded;
    size_t clause = 0;
    for (size_t i = 0; i < text->n && !scan->is_out_of_memory; i++) {
        if (character_ends_clause(text->chars[i]) || text->chars[i] == 0x3001 ||
            text->chars[i] == '/') {
            clause = i + 1;
        }
        for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++) {
            bool turned = i > 0 && text->chars[i - 1] == 0x4E0D; // 不敏感 is 耐药
            if (turned && folded_match(text, i, "敏感") && folded_match(text, i, pairs[p][0])) {
                judge_result(scan, i > clause + 9 ? i - 9 : clause, i - 1, "不敏感", "敏感");
            } else if (folded_match(text, i, pairs[p][0])) {
                size_t from = i > clause + 8 ? i - 8 : clause;
                judge_result(scan, from, i, pairs[p][0], pairs[p][1]);
            }
        }
    }
}

// The same words stand again, denied: 须做青霉素皮试，皮试阴性.
static bool denies_too(const struct sentence_scan *scan, size_t at, const struct place *place,
                       const struct mention *m) {
    struct place here = {.folded = scan->folded};
    for (; place_has(&here, &place->folded, m->subject_start, m->subject_end, &at); at++) {
        if (is_denied_here(scan, at)) {
            return true;
        }
    }
    return false;
}

// 无明显好转 of one day does not deny 好转 of another.
static bool is_change(const struct folded_text *text, size_t at, size_t end) {
    static const char *const words[] = {"好转", "缓解", "改善", "变化", "下降", "升高",
                                        "加重", "异常", "增大", "减轻", "正常", "效"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (folded_find(text, at, end, words[i]) < end) {
            return true;
        }
    }
    return false;
}

static bool is_affirmed(const struct sentence_scan *scan, size_t at, size_t end) {
    const struct folded_text *text = &scan->folded;
    return !is_denied_here(scan, at) && !stands_in_condition(text, at) &&
           !is_judged(scan, at, end) && !is_department(text, end) && !is_change(text, at, end);
}

// What the places most like the sentence deny and the sentence says without denying it.
static void judge_against_sources(struct sentence_scan *scan) {
    const struct record_index *index = &scan->verifier->index;
    for (size_t i = 0; i < index->n_touched && !scan->is_out_of_memory; i++) {
        uint32_t p = index->touched[i];
        const struct place *place = &index->set.places[p];
        for (size_t k = 0; place_fit(scan, p) > 0.6 && k < place->n_mentions; k++) {
            const struct mention *m = &index->set.mentions.items[place->first_mention + k];
            size_t n = m->subject_end - m->subject_start;
            struct place here = {.folded = scan->folded};
            size_t at = 0;
            bool here_too = m->kind == MENTION_NEGATION && n >= 2 && n <= 8 &&
                            place_has(&here, &place->folded, m->subject_start, m->subject_end, &at);
            if (here_too && !denies_too(scan, at + n, place, m) && is_affirmed(scan, at, at + n)) {
                judge(scan, at, at + n, false, true);
            }
        }
    }
}

// 大量积液 where the record has 少量积液 only.
static void judge_amounts(struct sentence_scan *scan) {
    static const char *const pairs[][2] = {{"大量", "少量"}, {"大量", "少许"}, {"少量", "大量"},
                                           {"重度", "轻度"}, {"轻度", "重度"}, {"重度", "中度"},
                                           {"中度", "重度"}, {"中度", "轻度"}, {"轻度", "中度"}};
    const struct folded_text *text = &scan->folded;
    const struct record_index *index = &scan->verifier->index;
    for (size_t i = 0; i + 4 <= text->n && !scan->is_out_of_memory; i++) {
        bool own = false, other = false;
        const char *opposite = "";
        uint32_t other_place = 0;
        for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++) {
            if (!folded_match(text, i, pairs[p][0]) || !character_is_han(text->chars[i + 3])) {
                continue;
            }
            for (size_t k = 0; k < index->n_touched; k++) {
                const struct place *place = &index->set.places[index->touched[k]];
                size_t at = 0;
                own = own || (place->is_trusted && place_has(place, text, i, i + 4, &at));
                for (at = 0; place_has(place, text, i + 2, i + 4, &at); at++) {
                    if (at >= 2 && folded_match(&place->folded, at - 2, pairs[p][1])) {
                        other = true;
                        opposite = pairs[p][1];
                        other_place = index->touched[k];
                    }
                }
            }
        }
        struct claim *claim = other && !own ? scan_claim(scan, CLAIM_NEGATION, i, i + 4) : NULL;
        if (claim) {
            claim_refuse(claim, "记录中为“%s”", opposite);
            claim->has_source = true;
            claim->source = index->set.places[other_place].source;
        }
    }
}

void check_polarity(struct sentence_scan *scan) {
    size_t n = scan->mentions.count;
    for (size_t i = 0; i < n && !scan->is_out_of_memory; i++) {
        struct mention m = scan->mentions.items[i];
        bool conditional = stands_in_condition(&scan->folded, m.start);
        if (m.kind == MENTION_NEGATION && !conditional) {
            judge_denied(scan, &m);
        }
    }
    judge_affirmed(scan);
    if (scan->time != TIME_ORDERS) { // advice says what shall be, not what is
        judge_against_sources(scan);
    }
    judge_results(scan);
    judge_amounts(scan);
}
