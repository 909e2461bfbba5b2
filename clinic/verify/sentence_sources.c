// SPDX-License-Identifier: Apache-2.0
// Where a sentence comes from: the places its claims stand on and those that share the most telling
// words with it, each adding something; and whether it has words that nothing in the record is
// like.
#include "clinic/verify/sentence_scan.h"

#include <string.h>

#define NEWS_CHARACTERS 7 // a run of so many Han characters that the record lacks wholly
#define NEWS_CHARACTERS_ADVICE 11
#define NEWS_CHARACTERS_BARE_ADVICE 6
#define NEWS_SHARE 0.62 // or so much of a sentence
#define LIKENESS_LEAST 4.0f

static bool same_source(const struct source *a, const struct source *b) {
    return a->kind == b->kind && a->row == b->row && a->section == b->section &&
           a->start == b->start && a->end == b->end;
}

static bool add_source(struct sentence_check *check, const struct source *source) {
    for (int i = 0; i < check->n_sources; i++) {
        if (same_source(&check->sources[i], source)) {
            return false;
        }
    }
    if (check->n_sources == SENTENCE_SOURCES) {
        return false;
    }
    check->sources[check->n_sources++] = *source;
    return true;
}

// The best place that is not taken yet; time that fits counts.
static bool next_place(const struct sentence_scan *scan, uint32_t *out, double *score) {
    const struct record_index *index = &scan->verifier->index;
    *score = 0;
    for (size_t i = 0; i < index->n_touched; i++) {
        uint32_t p = index->touched[i];
        const struct place *place = &index->set.places[p];
        double fit = place_fit(scan, p) +
                     0.2 * time_fit(scan, scan->carried_day, place, place->day) +
                     (place->row_text ? 0 : 0.05);
        bool taken = false;
        for (int s = 0; s < scan->check->n_sources; s++) {
            taken = taken || same_source(&scan->check->sources[s], &place->source);
        }
        if (!taken && index->scores[p] > 0 && fit > *score) {
            *score = fit;
            *out = p;
        }
    }
    return *score > 0;
}

void find_sources(struct sentence_scan *scan) {
    struct sentence_check *check = scan->check;
    uint32_t p;
    double score;
    if (scan->verifier->index.best_score >= LIKENESS_LEAST && next_place(scan, &p, &score)) {
        add_source(check, &scan->verifier->index.set.places[p].source);
    }
    for (int i = 0; i < check->n_claims; i++) {
        const struct claim *claim = &check->claims[i];
        if (claim->is_supported && claim->has_source && claim->kind != CLAIM_NEGATION) {
            add_source(check, &claim->source);
        }
    }
    while (check->n_sources > 0 && check->n_sources < SENTENCE_SOURCES &&
           next_place(scan, &p, &score) && score > 0.75) {
        add_source(check, &scan->verifier->index.set.places[p].source);
    }
}

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
static struct news find_news(const struct sentence_scan *scan) {
    const struct folded_text *text = &scan->folded;
    const struct record_index *index = &scan->verifier->index;
    struct news news = {0};
    size_t run = 0;
    bool before_known = true;
    for (size_t i = 0; i < text->n; i++) {
        size_t count = 0, formal = 0;
        uint64_t pair = pair_at(text, i);
        if (pair) {
            index_find(index, pair, &count);
        }
        bool han = character_is_han(text->chars[i]);
        bool known = count > 0 || !han || (i > 0 && before_known && pair_at(text, i - 1));
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

// The largest share of the sentence's telling pairs that one place has; 1 if it has none.
static double best_share(const struct sentence_scan *scan) {
    const struct record_index *index = &scan->verifier->index;
    const struct folded_text *text = &scan->folded;
    uint64_t pairs[TELLING_MAX];
    size_t n = 0, formal;
    for (size_t i = 0; i + 1 < text->n && n < TELLING_MAX; i++) {
        if (is_formal(text, i, &formal)) {
            i += formal - 1;
        } else if (pair_at(text, i) && !is_formal(text, i + 1, &formal)) {
            pairs[n++] = pair_at(text, i);
        }
    }
    double best = n ? 0 : 1;
    for (size_t p = 0; n && p < index->n_touched; p++) {
        const struct place *place = &index->set.places[index->touched[p]];
        size_t found = 0;
        for (size_t i = 0; i < n; i++) {
            size_t k = 0;
            while (k + 1 < place->folded.n && pair_at(&place->folded, k) != pairs[i]) {
                k++;
            }
            found += k + 1 < place->folded.n;
        }
        best = (double)found / (double)n > best ? (double)found / (double)n : best;
    }
    return best;
}

void check_statement(struct sentence_scan *scan) {
    struct news news = find_news(scan);
    bool bare = scan->check->n_claims == 0; // nothing else would stop it
    size_t most = bare ? 2 : scan->time == TIME_ORDERS ? NEWS_CHARACTERS_ADVICE : NEWS_CHARACTERS;
    if (bare && scan->time == TIME_ORDERS) {
        most = NEWS_CHARACTERS_BARE_ADVICE;
    }
    bool long_run = news.run_end - news.run_start >= most;
    bool large_part = news.words >= 6 && (double)news.lacked >= NEWS_SHARE * (double)news.words;
    bool unlike = bare && scan->time != TIME_ORDERS && news.words >= 2 && best_share(scan) < 0.5;
    if (long_run || large_part || unlike) {
        size_t from = long_run ? news.run_start : 0;
        size_t to = long_run ? news.run_end : scan->folded.n;
        struct claim *claim = scan_claim(scan, CLAIM_STATEMENT, from, to);
        if (claim) {
            claim_refuse(claim, "记录中没有找到依据");
        }
    }
}
