// SPDX-License-Identifier: Apache-2.0
// Words that turn a finding round without denying it: 阳性 / 阴性, 耐药 / 敏感, 增多 / 吸收, 大量 /
// 少量. The record must have the same word behind the same name.
#include "clinic/verify/polarity_poll.h"

#include <string.h>

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
                                        "有所", "略",   "均", "呈",   "为", "控制", "不",   NULL};
    return folded_trim_end(text, from, at, words);
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
        .scan = scan, .day = polarity_day(scan, at), .word = word, .opposite = opposite};
    size_t end = name_end(&scan->folded, from, at);
    for (size_t start = from; start + 2 <= end && poll.own <= 0 && poll.against <= 0; start++) {
        index_each_place(&scan->verifier->index, &scan->folded, start, end, vote_result, &poll);
    }
    if (poll.own <= 0 && poll.against <= 0) {
        return;
    }
    struct claim *claim = scan_claim(scan, CLAIM_NEGATION, at, at + length);
    if (claim && poll.own > 0 && poll.own + POLARITY_MARGIN >= poll.against) {
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

void check_results(struct sentence_scan *scan) {
    judge_results(scan);
    judge_amounts(scan);
}
