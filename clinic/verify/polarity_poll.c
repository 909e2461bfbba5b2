// SPDX-License-Identifier: Apache-2.0
// See polarity_poll.h. A place that speaks of what might come affirms nothing. The site of a thing
// is the run of characters before it in its clause, but for the word that affirms or denies it:
// 双下肢静脉 of "双下肢静脉未见血栓".
#include "clinic/verify/polarity_poll.h"

#include <string.h>

#define WINDOW 16
#define LEAD_CHARACTERS 8
#define LEAD_REACH 24

// One of the characters of `list` (three bytes each) stands there.
static bool is_one_of(const struct folded_text *text, size_t at, const char *list) {
    for (; *list; list += 3) {
        char one[4] = {list[0], list[1], list[2], 0};
        if (folded_match(text, at, one)) {
            return true;
        }
    }
    return false;
}

size_t affirming_cue(const struct folded_text *text, size_t at) {
    static const char *const words[] = {
        "可闻及", "可触及", "可扪及", "可探及", "可引出", "可见", "可及", "闻及", "触及",
        "扪及",   "探及",   "伴有",   "仍有",   "再发",   "出现", "发生", "提示", "显示",
        "发现",   "合并",   "并发",   "伴",     "有",     "诉",   "见"};
    size_t n = 0;
    for (size_t i = 0; n == 0 && i < sizeof words / sizeof words[0]; i++) {
        n = folded_match(text, at, words[i]);
    }
    bool denied = n && at > 0 && is_one_of(text, at - 1, "没未无不否"); // 没有, 未见, 否认有
    bool other = n == 1 && (is_one_of(text, at + 1, "效关创限助机序时力待意利害望") ||    // 有效
                            (at > 0 && is_one_of(text, at - 1, "所具如持含享罕少多常"))); // 所有
    return denied || other ? 0 : n;
}

static size_t denying_cue(const struct folded_text *text, size_t at) {
    static const char *const words[] = {"未闻及", "未触及", "未扪及", "未探及", "未引出", "未发现",
                                        "未出现", "未检出", "未见",   "未及",   "未诉",   "未再",
                                        "否认",   "没有",   "不伴",   "暂无",   "并无",   "无"};
    size_t n = 0;
    for (size_t i = 0; n == 0 && i < sizeof words / sizeof words[0]; i++) {
        n = folded_match(text, at, words[i]);
    }
    return n;
}

// Where the characters end that tell the site of what stands at `at`; *start: where they begin.
static size_t lead_of(const struct folded_text *text, size_t at, size_t *start) {
    size_t from = at, end = at;
    while (from > 0 && at - from < LEAD_REACH && !character_ends_clause(text->chars[from - 1]) &&
           text->chars[from - 1] != '(' && text->chars[from - 1] != ')') {
        from--;
    }
    for (size_t i = from; i < at; i++) {
        size_t n = denying_cue(text, i);
        n = n ? n : affirming_cue(text, i);
        if (n && i + n <= at) {
            end = i;
            i += n - 1;
        }
    }
    while (end > from && is_one_of(text, end - 1, "均仍亦也")) {
        end--;
    }
    *start = from;
    return end;
}

struct ballot {
    const struct sentence_scan *scan;
    struct surroundings near;
    int64_t day, own_day; // carried on; told by the sentence itself
    size_t lead_start, lead_end;
    uint64_t site[LEAD_REACH];
    struct polarity_poll poll;
};

// The pairs of the site, but for words that tell when or who.
static void note_site(struct ballot *ballot) {
    static const char *const words[] = {"患者", "患儿", "目前", "复查", "术后", "入院", "住院",
                                        "期间", "出院", "今日", "经治", "治疗", "此后", "查体",
                                        "起病", "以来", "病程", "偶有", "仍有", "现无"};
    const struct folded_text *text = &ballot->scan->folded;
    for (size_t i = ballot->lead_start; i + 1 < ballot->lead_end; i++) {
        size_t skip = 0;
        for (size_t w = 0; w < sizeof words / sizeof words[0] && !skip; w++) {
            skip = folded_match(text, i, words[w]);
        }
        uint64_t pair = pair_at(text, i);
        if (skip) {
            i += skip - 1;
        } else if (pair && !is_one_of(text, i, "年月日天时") &&
                   !is_one_of(text, i + 1, "年月日天时") && !character_is_digit(text->chars[i]) &&
                   !character_is_digit(text->chars[i + 1]) && ballot->poll.site < LEAD_REACH) {
            size_t count;
            index_find(&ballot->scan->verifier->index, pair, &count);
            ballot->site[ballot->poll.site++] = pair;
            ballot->poll.is_site_known = ballot->poll.is_site_known || count > 0;
        }
    }
}

static size_t shared_site(const struct ballot *ballot, const struct folded_text *there) {
    size_t n = 0;
    for (size_t i = 0; i < ballot->poll.site; i++) {
        for (size_t k = 0; k + 1 < there->n; k++) {
            if (pair_at(there, k) == ballot->site[i]) {
                n++;
                break;
            }
        }
    }
    return n;
}

static size_t shared_lead(const struct ballot *ballot, const struct folded_text *there, size_t at) {
    const struct folded_text *here = &ballot->scan->folded;
    size_t start, end = lead_of(there, at, &start), n = 0;
    while (n < LEAD_CHARACTERS && ballot->lead_end > ballot->lead_start + n && end > start + n &&
           here->chars[ballot->lead_end - 1 - n] == there->chars[end - 1 - n]) {
        n++;
    }
    return n;
}

// The day of what stands there: the last one told before it in its place.
static int64_t day_there(const struct record_index *index, const struct place *place, size_t at) {
    int64_t day = place->day;
    for (size_t k = 0; k < place->n_mentions; k++) {
        size_t m = place->first_mention + k;
        if (index->set.mentions.items[m].start > at) {
            break;
        }
        day = index->set.mention_days[m];
    }
    return day;
}

static double timely(const struct ballot *ballot, const struct place *place, size_t at) {
    const struct sentence_scan *scan = ballot->scan;
    double told =
        time_fit(scan, ballot->own_day, place, day_there(&scan->verifier->index, place, at));
    double written = time_fit(scan, ballot->own_day, place, place->day);
    return told > written ? told : written;
}

bool is_part_of_other(const struct folded_text *text, size_t at, size_t end) {
    return is_one_of(text, end, "科") || (at > 0 && is_one_of(text, at - 1, "抗止防"));
}

// A culture that grew nothing: 血培养2套5天无细菌生长 is what 血培养阴性 says.
static bool is_sterile(const struct folded_text *text, size_t end) {
    static const char *const words[] = {"无细菌生长", "无菌生长", "无致病菌", "阴性", "未检出"};
    size_t to = end + LEAD_REACH < text->n ? end + LEAD_REACH : text->n;
    bool culture = end >= 2 && folded_match(text, end - 2, "培养") > 0;
    for (size_t i = 0; culture && i < sizeof words / sizeof words[0]; i++) {
        if (folded_find(text, end, to, words[i]) < to) {
            return true;
        }
    }
    return false;
}

static bool vote(void *user, uint32_t p, size_t at) {
    struct ballot *ballot = user;
    const struct sentence_scan *scan = ballot->scan;
    const struct record_index *index = &scan->verifier->index;
    const struct place *place = &index->set.places[p];
    size_t from = at > WINDOW ? at - WINDOW : 0;
    size_t to = at + ballot->poll.length + WINDOW;
    to = to < place->folded.n ? to : place->folded.n;
    struct surroundings there = surroundings_of(&place->folded, from, to);
    double alike = ballot->near.count
                       ? (double)surroundings_shared(&ballot->near, &there) / ballot->near.count
                       : 0;
    double score = 0.05 + alike + 0.6 * place_fit(scan, p) +
                   time_fit(scan, ballot->day, place, place->day) + (p == scan->verbatim ? 4 : 0);
    if (is_part_of_other(&place->folded, at, at + ballot->poll.length)) {
        return true;
    }
    bool denied = place_denies(index, place, at) ||
                  (at > 0 && is_one_of(&place->folded, at - 1, "不")) || // 胰管不扩张
                  is_sterile(&place->folded, at + ballot->poll.length);
    bool might = !denied && (place->is_warning || stands_in_condition(&place->folded, at));
    struct polarity_side *side = denied  ? &ballot->poll.no
                                 : might ? &ballot->poll.maybe
                                         : &ballot->poll.yes;
    double fit = timely(ballot, place, at);
    size_t lead = shared_lead(ballot, &place->folded, at);
    side->timely = fit > side->timely ? fit : side->timely;
    side->lead = lead > side->lead ? lead : side->lead;
    side->site = side->site ? side->site : shared_site(ballot, &place->folded);
    side->is_verbatim = side->is_verbatim || p == scan->verbatim;
    if (score > side->best) {
        side->best = score;
        side->place = p;
        side->at = at;
    }
    return true;
}

int64_t polarity_day(const struct sentence_scan *scan, size_t at) {
    int64_t day = DAY_UNKNOWN;
    for (size_t i = 0; i < scan->mentions.count; i++) {
        if (scan->mentions.items[i].start <= at && scan->days[i] != DAY_UNKNOWN) {
            day = scan->days[i];
        }
    }
    return day != DAY_UNKNOWN ? day : scan->carried_day;
}

// The date that the sentence tells before it, unless time goes on between them (此后, 起) or the
// date stands in brackets of its own.
static int64_t own_day(const struct sentence_scan *scan, size_t at) {
    static const char *const words[] = {"此后", "随后", "以来", "逐渐", "之后", "起", "至", "后",
                                        "现",   "目前", ")",    "今",   "次日", "曾", "前", "术"};
    int64_t day = DAY_UNKNOWN;
    size_t from = 0;
    for (size_t i = 0; i < scan->mentions.count && scan->mentions.items[i].start < at; i++) {
        const struct mention *m = &scan->mentions.items[i];
        if (m->kind == MENTION_DATE && m->day) {
            day = scan->days[i];
            from = m->end;
        }
    }
    for (size_t i = 0; day != DAY_UNKNOWN && i < sizeof words / sizeof words[0]; i++) {
        day = folded_find(&scan->folded, from, at, words[i]) < at ? DAY_UNKNOWN : day;
    }
    return day;
}

struct polarity_poll polarity_poll(const struct sentence_scan *scan, size_t from, size_t to) {
    size_t first = from > WINDOW ? from - WINDOW : 0;
    size_t last = to + WINDOW < scan->folded.n ? to + WINDOW : scan->folded.n;
    struct ballot ballot = {.scan = scan,
                            .day = polarity_day(scan, from),
                            .own_day = own_day(scan, from),
                            .poll = {.length = to - from}};
    ballot.near = surroundings_of(&scan->folded, first, last);
    ballot.lead_end = lead_of(&scan->folded, from, &ballot.lead_start);
    note_site(&ballot);
    ballot.poll.has_cue = ballot.lead_end < from;
    ballot.poll.has_time = ballot.own_day != DAY_UNKNOWN || scan->time == TIME_ADMISSION ||
                           scan->time == TIME_DISCHARGE;
    index_each_place(&scan->verifier->index, &scan->folded, from, to, vote, &ballot);
    return ballot.poll;
}
