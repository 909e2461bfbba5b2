// SPDX-License-Identifier: Apache-2.0
// What is said to be awaited (结果尚未回报) must be awaited: by an order that has no result yet, or
// in words of the record of that time. And what an order still waits for has no result to be told.
#include "clinic/verify/sentence_scan.h"

#include <string.h>

#define NAME_CHARACTERS 24
#define NAME_SHARE 0.6 // so much of the name must stand there
#define NEAR_DAYS 2

static const char *const AWAITED[] = {"尚未回报", "未回报",   "待回报", "未回",     "待报告",
                                      "待结果",   "未出报告", "待回",   "未出结果", NULL};

// Where one of the words stands in [from, to); `to`: nowhere.
static size_t find_any(const struct folded_text *text, size_t from, size_t to,
                       const char *const *words, size_t *length) {
    size_t first = to;
    for (size_t i = 0; words[i]; i++) {
        size_t at = folded_find(text, from, to, words[i]);
        if (at < first) {
            first = at;
            *length = folded_match(text, at, words[i]);
        }
    }
    return first;
}

static bool is_item_end(uint32_t c) {
    return character_ends_clause(c) || c == 0x3001 || c == '(' || c == ')'; // 、
}

// The name that stands before `at` in its item: [*from, at) without 结果, 尚, 仍, 已….
static size_t name_before(const struct folded_text *text, size_t at, size_t *from) {
    static const char *const words[] = {"结果", "报告", "检查", "尚", "仍",
                                        "目前", "均",   "已",   "为", NULL};
    at = folded_trim_end(text, 0, at, words);
    *from = at;
    while (*from > 0 && at - *from < NAME_CHARACTERS && !is_item_end(text->chars[*from - 1])) {
        (*from)--;
    }
    return at;
}

static bool is_named(const struct folded_text *text, size_t from, size_t to, const char *name) {
    struct folded_text folded;
    if (!name || name[0] == 0 || !folded_init(&folded, name, strlen(name))) {
        return false;
    }
    bool same = pair_share(text, from, to, &folded, 0, folded.n) >= NAME_SHARE ||
                pair_share(&folded, 0, folded.n, text, from, to) >= NAME_SHARE;
    folded_deinit(&folded);
    return same;
}

// The order that waits for what [from, to) names; NULL: none.
static const struct order *waiting_order(const struct sentence_scan *scan, size_t from, size_t to) {
    const struct episode *episode = scan->verifier->episode;
    for (int i = 0; i < episode->n_orders; i++) {
        const struct order *order = &episode->orders[i];
        if (order->is_pending && (is_named(&scan->folded, from, to, order->pending_name) ||
                                  is_named(&scan->folded, from, to, order->name))) {
            return order;
        }
    }
    return NULL;
}

// The day that a sentence tells before `at`, or that the field told last.
static int64_t day_before(const struct sentence_scan *scan, size_t at) {
    int64_t day = scan->carried_day;
    for (size_t i = 0; i < scan->mentions.count && scan->mentions.items[i].start < at; i++) {
        day = scan->days[i] != DAY_UNKNOWN ? scan->days[i] : day;
    }
    return day;
}

// The place whose words say that it was awaited on that day, or at the end of the stay; UINT32_MAX.
static uint32_t waiting_place(const struct sentence_scan *scan, size_t from, size_t to) {
    const struct record_index *index = &scan->verifier->index;
    int64_t told = scan->time == TIME_ANY ? day_before(scan, from) : DAY_UNKNOWN;
    bool is_end = told == DAY_UNKNOWN;
    int64_t day = is_end ? scan->verifier->last_day : told;
    for (size_t p = 0; p < index->set.count; p++) {
        const struct place *place = &index->set.places[p];
        const struct folded_text *text = &place->folded;
        size_t length = 0;
        bool is_near = place->day != DAY_UNKNOWN && place->day + NEAR_DAYS >= day &&
                       (is_end || place->day <= day + NEAR_DAYS);
        if (is_near && place->is_trusted &&
            find_any(text, 0, text->n, AWAITED, &length) < text->n &&
            pair_share(&scan->folded, from, to, text, 0, text->n) >= NAME_SHARE) {
            return (uint32_t)p;
        }
    }
    return UINT32_MAX;
}

static void check_awaited(struct sentence_scan *scan, size_t at, size_t end) {
    size_t from, to = name_before(&scan->folded, at, &from);
    if (to - from < 2) {
        return;
    }
    struct claim *claim = scan_claim(scan, CLAIM_STATEMENT, from, end);
    uint32_t place = claim ? waiting_place(scan, from, to) : UINT32_MAX;
    if (place != UINT32_MAX) {
        claim_support(scan, claim, place);
    } else if (claim && (scan->verbatim != UINT32_MAX || waiting_order(scan, from, to))) {
        claim->is_supported = true;
    } else if (claim) {
        claim_refuse(claim, "记录中没有尚待回报的这项检查");
    }
}

// "…抗体阴性": of what an order waits for, nothing can be told.
static void check_told(struct sentence_scan *scan, size_t at, size_t end) {
    size_t from, to = name_before(&scan->folded, at, &from);
    const struct order *order = to - from >= 2 ? waiting_order(scan, from, to) : NULL;
    struct claim *claim =
        order && scan->verbatim == UINT32_MAX ? scan_claim(scan, CLAIM_STATEMENT, from, end) : NULL;
    if (claim) {
        claim_refuse(claim, "记录中该结果尚未回报");
    }
}

void check_pending(struct sentence_scan *scan) {
    static const char *const told[] = {"阴性",     "阳性", "未见异常", "已回报",
                                       "结果正常", "正常", NULL};
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0; i < text->n && !scan->is_out_of_memory;) {
        size_t length = 0, to = i;
        while (to < text->n && !character_ends_clause(text->chars[to])) {
            to++;
        }
        size_t at = find_any(text, i, to, AWAITED, &length);
        if (at < to) {
            check_awaited(scan, at, at + length);
        } else if ((at = find_any(text, i, to, told, &length)) < to) {
            check_told(scan, at, at + length);
        }
        i = to + 1;
    }
}
