// SPDX-License-Identifier: Apache-2.0
// How a thing is: 肝功能正常, 心电图未见异常, 精神、食欲差. The record must call the same thing as
// good or as bad; that something is normal is not told by silence.
#include "clinic/verify/polarity_poll.h"

#include <string.h>

#define NAME_CHARACTERS 10
#define REACH 20       // how far behind its name a quality may stand
#define NAME_SHARE 0.6 // so much of the name must stand in the place

struct quality_word {
    const char *word;
    bool is_good, ends; // ends: only before the end of an item (好, but not 好转)
};

static const struct quality_word WORDS[] = {{"未见明显异常", true, false},
                                            {"未见异常", true, false},
                                            {"无明显异常", true, false},
                                            {"无异常", true, false},
                                            {"未见特殊", true, false},
                                            {"正常", true, false},
                                            {"良好", true, false},
                                            {"不佳", false, false},
                                            {"欠佳", false, false},
                                            {"不良", false, true},
                                            {"异常", false, true},
                                            {"紊乱", false, true},
                                            {"较差", false, true},
                                            {"差", false, true},
                                            {"佳", true, true},
                                            {"好", true, true},
                                            {"可", true, true},
                                            {"通畅", true, true},
                                            {"5级", true, true}};

static bool ends_item(const struct folded_text *text, size_t at) {
    return character_ends_clause(text->chars[at]) || text->chars[at] == 0x3001 ||
           text->chars[at] == '(' || text->chars[at] == ')';
}

// Characters of a word of quality at `at`; 0: none.
static size_t quality_at(const struct folded_text *text, size_t at, bool *is_good) {
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        size_t n = folded_match(text, at, WORDS[i].word);
        if (n && (!WORDS[i].ends || ends_item(text, at + n))) {
            bool turned = at > 0 && text->chars[at - 1] == 0x4E0D; // 不
            *is_good = WORDS[i].is_good != turned;
            return n;
        }
    }
    return 0;
}

// 正常值, 正常时间, 正常饮食 say nothing of how a thing is.
static bool is_attribute(const struct folded_text *text, size_t at) {
    static const uint32_t behind[] = {0x503C, 0x4E0A, 0x65F6, 0x8303, 0x9AD8, 0x996E,
                                      0x8FDB, 0x6D3B, 0x751F, 0x4E0B, 0x4F4E, 0x4EBA};
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        if (text->chars[at] == behind[i]) { // 值上时范高饮进活生下低人
            return true;
        }
    }
    return false;
}

struct name_poll {
    const struct sentence_scan *scan;
    size_t from, to; // the name
    struct polarity_side good, bad;
    bool is_named;
};

static double share_of_name(const struct name_poll *poll, const struct place *place) {
    const struct folded_text *text = &place->folded;
    return pair_share(&poll->scan->folded, poll->from, poll->to, text, 0, text->n);
}

static bool vote(void *user, uint32_t p, size_t at) {
    struct name_poll *poll = user;
    const struct place *place = &poll->scan->verifier->index.set.places[p];
    const struct folded_text *text = &place->folded;
    bool is_good = false;
    size_t n = 0;
    if (share_of_name(poll, place) < NAME_SHARE || stands_in_condition(text, at)) {
        return true;
    }
    poll->is_named = true;
    for (size_t i = at; n == 0 && i < text->n && i < at + REACH; i++) {
        if (text->chars[i] == ',' || character_ends_sentence(text->chars[i])) {
            break;
        }
        n = quality_at(text, i, &is_good);
        n = n && is_attribute(text, i + n) ? 0 : n;
    }
    size_t begin = at + 2 >= poll->to - poll->from ? at + 2 - (poll->to - poll->from) : 0;
    if (n == 0 && begin >= 2 && folded_match(text, begin - 2, "正常")) { // 正常心电图
        n = 2;
        is_good = true;
    }
    if (n) {
        struct polarity_side *side = is_good ? &poll->good : &poll->bad;
        double fit = time_fit(poll->scan, DAY_UNKNOWN, place, place->day);
        side->timely = fit > side->timely ? fit : side->timely;
        side->is_verbatim = side->is_verbatim || p == poll->scan->verbatim;
        side->best += 1;
        side->place = p;
    }
    return true;
}

// Results of the laboratory by that name, or by a name that ends so; one of them within its limits.
static bool is_within_limits(const struct sentence_scan *scan, size_t from, size_t to,
                             bool *has_results) {
    const struct episode *episode = scan->verifier->episode;
    struct word word = lexicon_word_at(scan->verifier->lexicon, &scan->folded, from, WORD_QUANTITY);
    bool within = false, whole = word.concept >= 0 && from + word.length == to;
    for (int i = 0; i < episode->n_labs; i++) {
        struct place name = {0};
        if (!folded_init(&name.folded, episode->labs[i].name, strlen(episode->labs[i].name))) {
            continue;
        }
        struct word other =
            lexicon_word_at(scan->verifier->lexicon, &name.folded, 0, WORD_QUANTITY);
        size_t at = name.folded.n > to - from ? name.folded.n - (to - from) : 0;
        bool same = (whole && other.concept == word.concept) ||
                    (to - from >= 3 && place_has(&name, &scan->folded, from, to, &at));
        folded_deinit(&name.folded);
        if (same) {
            const char *flag = episode->labs[i].flag;
            *has_results = true;
            within = within || !flag || (flag[0] != 'H' && flag[0] != 'L');
        }
    }
    return within;
}

static void judge_name(struct sentence_scan *scan, size_t from, size_t to, bool is_good,
                       bool is_normal) {
    struct name_poll poll = {.scan = scan, .from = from, .to = to};
    bool has_results = false;
    if (to < from + 2 || is_within_limits(scan, from, to, &has_results)) {
        return;
    }
    index_each_place(&scan->verifier->index, &scan->folded, to - 2, to, vote, &poll);
    const struct polarity_side *own = is_good ? &poll.good : &poll.bad;
    const struct polarity_side *against = is_good ? &poll.bad : &poll.good;
    bool timed = scan->time == TIME_ADMISSION || scan->time == TIME_DISCHARGE;
    bool contrary =
        against->best > 0 && (own->best <= 0 || (timed && own->timely <= 0 && against->timely > 0));
    bool untold = own->best <= 0 && is_normal;
    struct claim *claim = !own->is_verbatim && (contrary || untold)
                              ? scan_claim(scan, CLAIM_NEGATION, from, to)
                              : NULL;
    if (claim && contrary) {
        claim_refuse(claim, is_good ? "记录中并非正常或良好" : "记录中为正常或良好");
        claim->has_source = true;
        claim->source = scan->verifier->index.set.places[against->place].source;
    } else if (claim) {
        claim_refuse(claim, poll.is_named || has_results ? "记录中没有写明正常" : "记录中没有提到");
    }
}

// Where the name of an item ends: before 已, 均, 恢复, 基本, 大致, 较前 ….
static size_t bare_end(const struct folded_text *text, size_t from, size_t to) {
    static const char *const words[] = {"恢复", "基本", "大致", "均",   "已", "仍", "较",   "尚",
                                        "亦",   "也",   "为",   "至",   "降", "都", "检查", "结果",
                                        "示",   "一般", "转",   "逐渐", "渐", NULL};
    return folded_trim_end(text, from, to, words);
}

// Every item of the list before a quality: 精神、食欲差.
static void judge_list(struct sentence_scan *scan, size_t at, bool is_good, bool is_normal) {
    const struct folded_text *text = &scan->folded;
    size_t to = at;
    for (bool more = true; more && !scan->is_out_of_memory;) {
        size_t from = to;
        while (from > 0 && to - from < NAME_CHARACTERS &&
               (character_is_han(text->chars[from - 1]) ||
                character_is_latin(text->chars[from - 1]))) {
            from--;
        }
        size_t end = bare_end(text, from, to);
        size_t begin = from; // 换药后体温: the quantity alone
        for (size_t i = from; i < end; i++) {
            struct word word = lexicon_word_at(scan->verifier->lexicon, text, i, WORD_QUANTITY);
            begin = word.concept >= 0 && i + word.length == end && begin == from ? i : begin;
        }
        bool starts = from == 0 || ends_item(text, from - 1);
        if (end >= from + 2 && starts && !stands_in_condition(text, from)) {
            judge_name(scan, begin, end, is_good, is_normal);
        }
        more = starts && from > 1 && text->chars[from - 1] == 0x3001; // 、
        to = more ? from - 1 : to;
    }
}

void check_qualities(struct sentence_scan *scan) {
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0; i < text->n && scan->time != TIME_ORDERS && !scan->is_out_of_memory; i++) {
        bool is_good = false;
        size_t n = quality_at(text, i, &is_good);
        if (n && ends_item(text, i + n)) {
            bool is_normal = folded_match(text, i, "正常") > 0 || n >= 3;
            judge_list(scan, i, is_good, is_normal);
        }
        i += n ? n - 1 : 0;
    }
}
