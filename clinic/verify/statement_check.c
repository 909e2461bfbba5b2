// SPDX-License-Identifier: Apache-2.0
// Whether a sentence or an item of it has words that nothing in the record is like: a run of
// characters that the record lacks, or pairs most of which no one place has.
#include "clinic/verify/sentence_scan.h"

#define NEWS_CHARACTERS 7 // a run of so many Han characters that the record lacks wholly
#define NEWS_CHARACTERS_ADVICE 11
#define NEWS_CHARACTERS_BARE_ADVICE 6
#define LAST_DAYS 2     // how it was at discharge is told in the notes of so many days before
#define NEWS_SHARE 0.62 // or so much of a sentence

// Words that every discharge record has and no record need support.
static bool is_formal(const struct folded_text *text, size_t at, size_t *length) {
    static const char *const words[] = {
        "入院后", "完善", "相关",   "检查", "予以", "患者",     "立即就诊",   "出院",
        "门诊",   "随诊", "复查",   "好转", "治愈", "定期",     "注意",       "休息",
        "避免",   "如有", "不适",   "及时", "积极", "治疗",     "对症",       "支持",
        "处理",   "病情", "稳定",   "给予", "目前", "现",       "一般情况可", "准予",
        "同意",   "今日", "遵医嘱", "告知", "家属", "经治疗后", "此后",       "继续",
        "加强",   "保持", "期间",   "根据", "建议", "按时",     "服药",       "情况"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = folded_match(text, at, words[i]);
        if (n) {
            *length = n;
            return true;
        }
    }
    return false;
}

struct news {
    size_t run_start, run_end; // the longest run that the record lacks
    size_t lacked, words;
};

// Characters no pair of which stands anywhere in the record.
static struct news find_news(const struct sentence_scan *scan, size_t from, size_t to) {
    const struct folded_text *text = &scan->folded;
    const struct record_index *index = &scan->verifier->index;
    struct news news = {0};
    size_t run = 0;
    bool before_known = true;
    for (size_t i = from; i < to; i++) {
        size_t count = 0, formal = 0;
        uint64_t pair = pair_at(text, i);
        if (pair) {
            index_find(index, pair, &count);
        }
        bool han = character_is_han(text->chars[i]);
        bool known = count > 0 || !han || (i > from && before_known && pair_at(text, i - 1));
        before_known = count > 0;
        if (is_formal(text, i, &formal)) {
            news.words += formal;
            i += formal - 1;
            run = 0;
            before_known = false;
            continue;
        }
        news.words += han;
        news.lacked += !known;
        run = known ? 0 : run + 1;
        if (run > news.run_end - news.run_start) {
            news.run_start = i + 1 - run;
            news.run_end = i + 1;
        }
    }
    return news;
}

#define TELLING_MAX 256
#define LONG_ITEM 5 // pairs; of a shorter item one is enough: doctors paraphrase

// The largest share of the telling pairs of [from, to) that one place has; 1 if it has none.
static double best_share(const struct sentence_scan *scan, size_t from, size_t to) {
    const struct folded_text *text = &scan->folded;
    uint64_t pairs[TELLING_MAX];
    size_t n = 0, formal;
    for (size_t i = from; i + 1 < to && n < TELLING_MAX; i++) {
        if (is_formal(text, i, &formal)) {
            i += formal - 1;
        } else if (pair_at(text, i) && !is_formal(text, i + 1, &formal)) {
            pairs[n++] = pair_at(text, i);
        }
    }
    return n ? (double)index_most_pairs(&scan->verifier->index, pairs, n, ANY_DAY) / (double)n : 1;
}

static void refuse(struct sentence_scan *scan, size_t from, size_t to, const char *why) {
    struct claim *claim = scan_claim(scan, CLAIM_STATEMENT, from, to);
    if (claim) {
        claim_refuse(claim, "%s", why);
    }
}

static struct day_span days_of_end(const struct sentence_scan *scan) {
    return (struct day_span){scan->verifier->last_day - LAST_DAYS, INT64_MAX};
}

// Characters that join words and tell nothing themselves.
static bool is_joint(uint32_t c) {
    static const uint32_t joints[] = {
        0x672A, 0x65E0, 0x4E0D, 0x5DF2, 0x4ECD, 0x8F83, 0x7EA6, 0x4E88, 0x884C, 0x4E8E,
        0x4E3A, 0x7684, 0x4E86, 0x53CA, 0x5E76, 0x4E0E, 0x5728, 0x81F3, 0x540E, 0x524D,
        0x65F6, 0x7ECF, 0x56E0, 0x7531, 0x518D, 0x8D77, 0x793A, 0x672F, 0x5E74, 0x6708,
        0x65E5, 0x5929, 0x5468, 0x6B21, 0x505C, 0x7528, 0x52A0, 0x4F34, 0x8BC9, 0x6709,
        0x5747, 0x548C, 0x4F7F, 0x597D, 0x5DEE, 0x4F73};
    for (size_t i = 0; i < sizeof joints / sizeof joints[0]; i++) {
        if (c == joints[i]) {
            return true;
        }
    }
    return character_is_digit(
        c); // 未无不已仍较约予行于为的了及并与在至后前时经因由再起示术年月日天周次停用加伴诉有均和使好差佳
}

// Words that only tell how or when.
static bool is_manner(const struct folded_text *text, size_t at, size_t *length) {
    static const char *const words[] = {"查体",     "讨论", "当日", "次日", "医嘱", "改为",
                                        "逐渐",     "逐步", "恢复", "正常", "服用", "其他",
                                        "自行",     "复诊", "确定", "坚持", "每日", "长期",
                                        "生命体征", "平稳", "入院", "重新", "接触", "明显"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        *length = folded_match(text, at, words[i]);
        if (*length) {
            return true;
        }
    }
    return is_formal(text, at, length);
}

static bool is_denial(const struct sentence_scan *scan, size_t from, size_t to) {
    for (size_t i = 0; i < scan->mentions.count; i++) {
        const struct mention *m = &scan->mentions.items[i];
        if (m->kind == MENTION_NEGATION && m->start < to && from < m->end) {
            return true;
        }
    }
    return false;
}

// "感染科会诊意见：" only leads in; check_terms looks whether the record has the department.
static bool is_lead_in(const struct folded_text *text, size_t from, size_t to) {
    while (to < text->n && !character_ends_clause(text->chars[to])) {
        to++;
    }
    return to < text->n && text->chars[to] == ':' && folded_find(text, from, to, "会诊") < to;
}

// An item of a clause: some place must have a third of what it tells.
static void check_item(struct sentence_scan *scan, size_t from, size_t to) {
    const struct folded_text *text = &scan->folded;
    uint64_t pairs[TELLING_MAX];
    size_t n = 0, skip = 0;
    if (is_lead_in(text, from, to)) {
        return;
    }
    for (size_t i = from; i + 1 < to && n < TELLING_MAX; i++) {
        if (is_manner(text, i, &skip)) {
            i += skip - 1;
        } else if (character_is_han(text->chars[i]) && pair_at(text, i) &&
                   !is_joint(text->chars[i]) && !is_joint(text->chars[i + 1]) &&
                   !is_manner(text, i + 1, &skip)) {
            pairs[n++] = pair_at(text, i);
        }
    }
    struct record_index *index = &scan->verifier->index;
    size_t most = n >= 2 ? index_most_pairs(index, pairs, n, ANY_DAY) : n;
    bool warns = scan->time == TIME_ORDERS && stands_in_condition(text, from);
    if (n && (n < LONG_ITEM ? most == 0 : most * 3 < n) && !warns) {
        refuse(scan, from, to, "记录中没有找到依据");
    } else if (n >= 4 && scan->time == TIME_DISCHARGE && !is_denial(scan, from, to) &&
               scan->verbatim == UINT32_MAX &&
               index_most_pairs(index, pairs, n, days_of_end(scan)) * 3 < n) {
        refuse(scan, from, to, "出院前的记录中没有找到依据");
    }
}

static void check_items(struct sentence_scan *scan) {
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0, from = 0; i <= text->n && !scan->is_out_of_memory; i++) {
        if (i == text->n || character_ends_clause(text->chars[i]) || text->chars[i] == 0x3001) {
            check_item(scan, from, i);
            from = i + 1; // 、
        }
    }
}

void check_statement(struct sentence_scan *scan) {
    struct news news = find_news(scan, 0, scan->folded.n);
    bool advice = scan->time == TIME_ORDERS;
    bool bare = scan->check->n_claims == 0; // nothing else would stop it
    size_t most = bare ? 2 : advice ? NEWS_CHARACTERS_ADVICE : NEWS_CHARACTERS;
    if (bare && advice) {
        most = NEWS_CHARACTERS_BARE_ADVICE;
    }
    bool long_run =
        news.run_end - news.run_start >= most &&
        !is_lead_in(&scan->folded, news.run_start, news.run_end) &&
        folded_find(&scan->folded, news.run_start, news.run_end, "科会诊") >= news.run_end;
    bool large_part = news.words >= 6 && (double)news.lacked >= NEWS_SHARE * (double)news.words;
    bool unlike = bare && !advice && news.words >= 2 && best_share(scan, 0, scan->folded.n) < 0.5;
    if (long_run) {
        refuse(scan, news.run_start, news.run_end, "记录中没有找到依据");
    } else if (large_part || unlike) {
        refuse(scan, 0, scan->folded.n, "记录中没有找到依据");
    } else {
        check_items(scan);
    }
}
