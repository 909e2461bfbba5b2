// SPDX-License-Identifier: Apache-2.0
// Something is there, or is not. What a sentence denies must be denied in the record, and what it
// affirms must be affirmed there. Where the record has both (fever at first, none at the end), the
// time and the site that the sentence speaks of and the words around decide which of them it
// repeats. No word has to be known: what stands behind 无, 否认, 可见, 出现 … is a thing.
#include "clinic/verify/polarity_poll.h"

#include <string.h>

#define ITEM_CHARACTERS 16
#define LEAD_TELLING 3 // characters of a site that tell it from others

static bool is_denied_here(const struct sentence_scan *scan, size_t at) {
    if (at > 0 && scan->folded.chars[at - 1] == 0x4E0D) { // 不影响
        return true;
    }
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *m = &scan->mentions.items[i];
        if (m->kind == MENTION_NEGATION && at >= m->subject_start && at < m->subject_end) {
            return true;
        }
    }
    return false;
}

// 无尿 of 无尿痛: the word ends inside what is denied.
static bool is_cue_of_denial(const struct sentence_scan *scan, size_t at, size_t end) {
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *m = &scan->mentions.items[i];
        if (m->kind == MENTION_NEGATION && m->start == at && m->subject_start > at &&
            m->subject_end > end) {
            return true;
        }
    }
    return false;
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
    if (strcmp(scan->field_id, "course") != 0 || polarity_day(scan, at) != DAY_UNKNOWN) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (folded_find(&scan->folded, 0, scan->folded.n, words[i]) < scan->folded.n) {
            return false;
        }
    }
    return true;
}

// The contrary was said of the time or of the very site that the sentence speaks of, and what it
// says was not.
static bool fits_contrary(const struct polarity_poll *poll, const struct polarity_side *own,
                          const struct polarity_side *against) {
    if (own->is_verbatim || against->best <= 0) {
        return false;
    }
    if (poll->has_time && (own->timely > 0) != (against->timely > 0)) {
        return against->timely > 0;
    }
    return against->lead >= LEAD_TELLING && own->lead * 2 < against->lead;
}

enum finding { HOLDS, CONTRARY, ELSEWHERE, ONLY_POSSIBLE, NOT_TOLD };

static enum finding weigh(const struct polarity_poll *poll, bool denies, bool known) {
    const struct polarity_side *own = denies ? &poll->no : &poll->yes;
    const struct polarity_side *against = denies ? &poll->yes : &poll->no;
    if (own->best <= 0) {
        return against->best > 0                 ? CONTRARY
               : !denies && poll->maybe.best > 0 ? ONLY_POSSIBLE
                                                 : NOT_TOLD;
    }
    if (fits_contrary(poll, own, against)) {
        return CONTRARY;
    }
    bool other_site = poll->site > 0 && own->site == 0 && !own->is_verbatim;
    if (other_site && (!poll->is_site_known || (poll->has_cue && poll->site >= 2))) {
        return ELSEWHERE; // 头颅CT未见出血, 切口感染
    }
    return !known || own->best + POLARITY_MARGIN >= against->best ? HOLDS : CONTRARY;
}

// Claims what was found. `known`: a finding or a diagnosis; of other words the record must only not
// say the contrary.
static void claim_finding(struct sentence_scan *scan, size_t from, size_t to, bool denies,
                          bool known, const struct polarity_poll *poll, enum finding found) {
    const struct polarity_side *against = denies ? &poll->yes : &poll->no;
    bool told = found == HOLDS || found == CONTRARY;
    if (!told && (!known || scan->time == TIME_ORDERS || scan->verbatim != UINT32_MAX)) {
        return; // in other words or not at all: others look after that
    }
    struct claim *claim = scan_claim(scan, CLAIM_NEGATION, from, to);
    if (!claim) {
        return;
    }
    if (found == ONLY_POSSIBLE) {
        claim_refuse(claim, "记录中仅作为可能提到");
        claim->has_source = true;
        claim->source = scan->verifier->index.set.places[poll->maybe.place].source;
    } else if (found == ELSEWHERE) {
        claim_refuse(claim, "记录中没有提到这一部位或检查有此项");
    } else if (found == NOT_TOLD) {
        claim_refuse(claim, "记录中没有提到");
    } else if (denies && known && is_undated(scan, from) && poll->yes.best > 0.5) {
        claim_refuse(claim, "记录中曾有此项，请写明时间");
        claim->has_source = true;
        claim->source = scan->verifier->index.set.places[poll->yes.place].source;
    } else if (found == HOLDS) {
        claim_support(scan, claim, denies ? poll->no.place : poll->yes.place);
    } else {
        refuse(scan, claim, against->place, against->at, poll->length);
    }
}

static void judge(struct sentence_scan *scan, size_t from, size_t to, bool denies, bool known) {
    struct polarity_poll poll = polarity_poll(scan, from, to);
    claim_finding(scan, from, to, denies, known, &poll, weigh(&poll, denies, known));
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
           !is_part_of_other(text, at, end);
}

static bool stop_at_first(void *user, uint32_t place, size_t at) {
    (void)place;
    (void)at;
    *(bool *)user = true;
    return false;
}

// Where the longest end of an item begins that stands anywhere in the record (造影剂外溢 of
// 小片造影剂外溢); `to` if none does.
static size_t told_tail(const struct sentence_scan *scan, size_t from, size_t to) {
    size_t word_end =
        from; // no tail begins inside a known word (病史 of 冠心病病史 may, 病病史 not)
    for (size_t i = to > from + ITEM_CHARACTERS ? to - ITEM_CHARACTERS : from; i + 2 <= to; i++) {
        bool found = false;
        if (i < word_end) {
            continue;
        }
        struct word word = lexicon_word_at(scan->verifier->lexicon, &scan->folded, i,
                                           WORD_FINDING | WORD_DIAGNOSIS);
        word_end = word.concept >= 0 ? i + word.length : i;
        index_each_place(&scan->verifier->index, &scan->folded, i, to, stop_at_first, &found);
        if (found) {
            return i;
        }
    }
    return to;
}

// An item as a whole, whatever its words: the record must not only say the contrary of it.
static void judge_item(struct sentence_scan *scan, size_t from, size_t to, bool denies) {
    size_t tail = told_tail(scan, from, to);
    size_t n = to - tail;
    if (n < 2 || (n < 3 && tail > from) || is_change(&scan->folded, tail, to)) {
        return; // two characters of a longer item are met by chance
    }
    struct polarity_poll poll = polarity_poll(scan, tail, to);
    enum finding found = weigh(&poll, denies, false);
    if (found == CONTRARY) {
        claim_finding(scan, tail, to, denies, false, &poll, found);
    }
}

// What is denied: the item as a whole, then the findings and diagnoses in it (明显心脏病史).
static void judge_denied(struct sentence_scan *scan, const struct mention *m) {
    size_t from = m->subject_start, to = m->subject_end;
    const struct folded_text *text = &scan->folded;
    while (to > from && !character_is_han(text->chars[to - 1]) &&
           !character_is_latin(text->chars[to - 1])) {
        to--;
    }
    if (was_examined(scan, m)) {
        return;
    }
    int before = scan->check->n_claims;
    bool culture = to >= from + 2 && folded_match(text, to - 2, "培养") > 0;
    if (!m->is_result || culture) { // of other results check_results looks at the words
        judge_item(scan, from, to, true);
    }
    for (size_t i = from; i + 1 < to && scan->check->n_claims == before;) {
        struct word word =
            lexicon_word_at(scan->verifier->lexicon, text, i, WORD_FINDING | WORD_DIAGNOSIS);
        bool whole = word.concept >= 0 && i + word.length <= to;
        if (whole && !is_part_of_other(text, i, i + word.length)) {
            judge(scan, i, i + word.length, true, true);
        }
        i += whole ? word.length : 1;
    }
}

// Findings that stand in the sentence undenied.
static void judge_findings(struct sentence_scan *scan) {
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0; i < text->n && !scan->is_out_of_memory;) {
        struct word word = lexicon_word_at(scan->verifier->lexicon, text, i, WORD_FINDING);
        if (word.concept < 0) {
            i++;
            continue;
        }
        if (is_affirmed(scan, i, i + word.length) && !is_cue_of_denial(scan, i, i + word.length)) {
            judge(scan, i, i + word.length, false, true);
        }
        i += word.length;
    }
}

// Items of the list behind a word that affirms: 可见结石、扩张及狭窄.
static void judge_affirmed_items(struct sentence_scan *scan) {
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0; i < text->n && !scan->is_out_of_memory; i++) {
        size_t n = affirming_cue(text, i), item = i + n, k = item;
        for (; n && item < text->n; k++) {
            bool ends = k == text->n || character_ends_clause(text->chars[k]) ||
                        text->chars[k] == '(' || text->chars[k] == ')';
            bool parts = text->chars[k] == 0x3001 || text->chars[k] == 0x6216 ||
                         (text->chars[k] == 0x53CA && k > item + 1); // 、或及
            if ((ends || parts) && k >= item + 2 && is_affirmed(scan, item, k) &&
                !is_judged(scan, item, k)) {
                judge_item(scan, item, k, false);
            }
            if (ends) {
                break;
            }
            item = parts ? k + 1 : item;
        }
        i = n ? k - 1 : i;
    }
}

// What the record denies somewhere and the sentence says without denying it.
static void judge_denied_elsewhere(struct sentence_scan *scan) {
    const struct record_index *index = &scan->verifier->index;
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0; i + 1 < text->n && !scan->is_out_of_memory; i++) {
        size_t n = index_denied_at(index, text, i);
        if (n && is_affirmed(scan, i, i + n) && !is_judged(scan, i, i + n) &&
            !is_change(text, i, i + n)) {
            struct polarity_poll poll = polarity_poll(scan, i, i + n);
            enum finding found = weigh(&poll, false, true);
            if (found == CONTRARY) {
                claim_finding(scan, i, i + n, false, false, &poll, found);
            }
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
    judge_findings(scan);
    judge_affirmed_items(scan);
    if (scan->time != TIME_ORDERS) { // advice says what shall be, not what is
        judge_denied_elsewhere(scan);
    }
}
