// SPDX-License-Identifier: Apache-2.0
// "行…术": a procedure is done where the record tells it as done. Where all that it says of it is a
// plan, an advice or a risk, the sentence does not hold, however like the words are.
#include "clinic/verify/sentence_scan.h"

#define NAME_LEAST 3
#define NAME_SHARE 0.6 // so much of the name, from its beginning, makes it the same procedure
#define REACH 14

// Words before or behind a procedure that is not done yet.
static bool is_planned(const struct folded_text *text, size_t from, size_t to) {
    static const char *const words[] = {
        "拟",   "评估", "计划", "建议", "择期",   "待",       "是否",   "可行", "必要时", "不宜",
        "未行", "考虑", "替代", "准备", "需",     "有无指征", "适应证", "指征", "预约",   "等待",
        "安排", "如",   "后期", "以后", "再决定", "暂不",     "不行",   "拒绝", "风险",   "可能"};
    size_t low = from > REACH ? from - REACH : 0;
    for (size_t i = from; i > low; i--) { // only its own clause counts
        if (character_ends_sentence(text->chars[i - 1])) {
            low = i;
        }
    }
    size_t high = to;
    while (high < text->n && high < to + REACH && !character_ends_clause(text->chars[high])) {
        high++;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (folded_find(text, low, from, words[i]) < from ||
            folded_find(text, to, high, words[i]) < high) {
            return true;
        }
    }
    return stands_in_condition(text, from);
}

struct poll {
    const struct record_index *index;
    size_t length; // of the stretch that is looked for
    bool is_done, is_told;
    uint32_t place; // the last that tells it
};

static bool note_procedure(void *user, uint32_t p, size_t at) {
    struct poll *poll = user;
    const struct place *place = &poll->index->set.places[p];
    if (!place->is_trusted) {
        return true;
    }
    poll->is_told = true;
    poll->place = p;
    bool might = place->is_warning || is_planned(&place->folded, at, at + poll->length);
    poll->is_done = !might && !place_denies(poll->index, place, at);
    return !poll->is_done;
}

// The name after 行: [from, end), to its 术; 0: none.
static size_t name_end(const struct folded_text *text, size_t from) {
    for (size_t i = from; i < text->n && i < from + 24 && !character_ends_clause(text->chars[i]);
         i++) {
        if (text->chars[i] == 0x672F && i - from >= NAME_LEAST) { // 术
            return i + 1;
        }
    }
    return 0;
}

static void check_procedure(struct sentence_scan *scan, size_t from, size_t end) {
    const struct folded_text *text = &scan->folded;
    struct poll poll = {.index = &scan->verifier->index};
    size_t least = (size_t)(NAME_SHARE * (double)(end - from));
    least = least < NAME_LEAST ? NAME_LEAST : least;
    for (size_t to = end; to >= from + least && !poll.is_told; to--) {
        poll.length = to - from;
        index_each_place(poll.index, text, from, to, note_procedure, &poll);
    }
    struct claim *claim =
        poll.is_told && !poll.is_done ? scan_claim(scan, CLAIM_STATEMENT, from, end) : NULL;
    if (claim) {
        claim_refuse(claim, "记录中只是计划、建议或风险");
        claim->has_source = true;
        claim->source = poll.index->set.places[poll.place].source;
    }
}

void check_procedures(struct sentence_scan *scan) {
    const struct folded_text *text = &scan->folded;
    for (size_t i = 0; i < text->n && scan->verbatim == UINT32_MAX; i++) {
        bool done = text->chars[i] == 0x884C && !is_planned(text, i, i + 1); // 行
        size_t end = done ? name_end(text, i + 1) : 0;
        if (end) {
            check_procedure(scan, i + 1, end);
            i = end;
        }
    }
}
