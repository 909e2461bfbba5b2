// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/draft_words.h"

#include "clinic/draft/text_difference.h"

#include <string.h>

static const char *const stops[] = {"，", "；", "、", "。", "："};
// Words that only connect what stands on both sides of them.
static const char *const connecting[] = {"提示", "显示", "示", "回报", "报告", "检查",
                                         "结果", "为",   "见", "查",   "同时", "另",
                                         "并",   "以及", "及", "和",   "治疗"};
// Others do so in one place: behind some words and before others.
static const struct {
    const char *before, *words, *after;
} in_place[] = {{"停", "用", ""},
                {"日入院", "，入院", "后"},
                {"日", "入院，", "入院后"},
                {"会诊", "意见", "："}};
// Where the piece of the day of admission begins.
static const char opening[] = "患者于", admission[] = "日入院";
// A reason, a doubt, a change or an outcome: the record says whether it was so, not the style.
static const char *const claiming[] = {"因",   "由于", "故",   "遂",   "导致", "所致", "引起",
                                       "考虑", "可能", "疑",   "改",   "继续", "仍",   "好转",
                                       "恢复", "稳定", "顺利", "痊愈", "死",   "必要", "未",
                                       "无",   "停",   "换",   "加",   "减",   "复查", "再次"};

enum { MOVED_BYTES_MIN = 12 }; // four characters: shorter ones stand anywhere

struct span {
    const char *text;
    size_t bytes;
};

// Bytes of the first of the words that the text begins with; 0: none.
static size_t word_at(const char *text, size_t bytes, const char *const *words, size_t n_words) {
    for (size_t i = 0; i < n_words; i++) {
        size_t n = strlen(words[i]);
        if (n <= bytes && memcmp(text, words[i], n) == 0) return n;
    }
    return 0;
}

#define WORD_AT(text, bytes, words) word_at(text, bytes, words, sizeof(words) / sizeof *(words))

static bool has_word(struct span span, const char *const *words, size_t n_words) {
    for (size_t at = 0; at < span.bytes; at++)
        if (word_at(span.text + at, span.bytes - at, words, n_words)) return true;
    return false;
}

// Without the stops and blanks at both ends.
static struct span inner(struct span span) {
    for (size_t n;
         span.bytes && (n = *span.text == ' ' ? 1 : WORD_AT(span.text, span.bytes, stops));
         span.bytes -= n)
        span.text += n;
    for (size_t n = 1; span.bytes && n;) {
        const char *last = span.text + span.bytes;
        n = last[-1] == ' ' ? 1 : span.bytes >= 3 && WORD_AT(last - 3, (size_t)3, stops) ? 3 : 0;
        span.bytes -= n;
    }
    return span;
}

static bool says(struct span span, const char *word) {
    return span.bytes == strlen(word) && memcmp(span.text, word, span.bytes) == 0;
}

// Connecting words, with commas and semicolons among them.
static bool only_connects(struct span span) {
    while (span.bytes) {
        size_t n = WORD_AT(span.text, span.bytes, connecting);
        bool is_stop = !n && (n = WORD_AT(span.text, span.bytes, stops)) > 0;
        if (!n || (is_stop && (memcmp(span.text, "。", n) == 0 || memcmp(span.text, "：", n) == 0)))
            return false;
        span.text += n;
        span.bytes -= n;
    }
    return true;
}

static bool ends_with(const char *text, size_t bytes, const char *end) {
    size_t n = strlen(end);
    return bytes >= n && memcmp(text + bytes - n, end, n) == 0;
}

static bool begins_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static bool contains(struct span in, struct span wanted) {
    for (size_t at = 0; at + wanted.bytes <= in.bytes; at++)
        if (memcmp(in.text + at, wanted.text, wanted.bytes) == 0) return true;
    return false;
}

static struct span gone(const char *piece, const struct text_hunk *hunk) {
    return (struct span){piece + hunk->from_start, hunk->from_end - hunk->from_start};
}

static struct span come(const char *text, const struct text_hunk *hunk) {
    return (struct span){text + hunk->to_start, hunk->to_end - hunk->to_start};
}

static bool has_moved(const char *text, const struct text_difference *difference,
                      struct span words) {
    if (words.bytes < MOVED_BYTES_MIN) return false;
    for (int i = 0; i < difference->n_hunks; i++)
        if (contains(come(text, &difference->hunks[i]), words)) return true;
    return false;
}

// "11月4日，尿糖" may lose its comma, "积液，左肺" may not.
static bool is_comma_of_day(const char *piece, const struct text_hunk *hunk, struct span stop) {
    return says(stop, "，") && ends_with(piece, hunk->from_start, "日");
}

static bool may_go(const char *piece, const char *text, const struct text_difference *difference,
                   const struct text_hunk *hunk) {
    struct span all = gone(piece, hunk), words = inner(all);
    if (words.bytes) return has_moved(text, difference, words);
    return all.bytes == 0 || hunk->to_end > hunk->to_start || is_comma_of_day(piece, hunk, all);
}

static bool is_in_place(const char *piece, const struct text_hunk *hunk, struct span words) {
    if (hunk->from_start == 0) return says(words, opening) && strstr(piece, admission);
    for (size_t i = 0; i < sizeof in_place / sizeof in_place[0]; i++)
        if (says(words, in_place[i].words) &&
            ends_with(piece, hunk->from_start, in_place[i].before) &&
            begins_with(piece + hunk->from_end, in_place[i].after))
            return true;
    return false;
}

// Whether the difference leaves every word of the piece, and adds nothing but connections.
static bool is_smoothing(const char *piece, const char *text, const struct text_hunk *hunk) {
    struct span old = gone(piece, hunk), new = come(text, hunk);
    bool has_words = inner(new).bytes > 0;
    if (old.bytes == 0 && is_in_place(piece, hunk, new)) return true;
    if (inner(old).bytes || says(old, "。") || !only_connects(new)) return false;
    if (new.bytes == 0) return is_comma_of_day(piece, hunk, old);
    if (old.bytes == 0) return has_words || is_comma_of_day(piece, hunk, new);
    if (says(old, "：")) return has_words && inner(new).bytes == new.bytes;
    return has_words || !(says(old, "；") && says(new, "、"));
}

bool draft_words_count_faults(const char *piece, const char *text, int *n_faults,
                              struct clinic_error *error) {
    struct text_difference difference = {0};
    *n_faults = 0;
    if (!text_difference_make(piece, text, &difference, error)) return false;
    for (int i = 0; i < difference.n_hunks; i++) {
        const struct text_hunk *hunk = &difference.hunks[i];
        *n_faults += !may_go(piece, text, &difference, hunk) ||
                     has_word(come(text, hunk), claiming, sizeof claiming / sizeof *claiming);
    }
    text_difference_deinit(&difference);
    return true;
}

bool draft_words_merge(const char *piece, const char *text, struct text_buffer *merged,
                       struct clinic_error *error) {
    struct text_difference difference = {0};
    size_t at = 0;
    if (!text_difference_make(piece, text, &difference, error)) return false;
    for (int i = 0; i < difference.n_hunks; i++) {
        const struct text_hunk *hunk = &difference.hunks[i];
        struct span here = is_smoothing(piece, text, hunk) ? come(text, hunk) : gone(piece, hunk);
        text_buffer_add_bytes(merged, piece + at, hunk->from_start - at);
        text_buffer_add_bytes(merged, here.text, here.bytes);
        at = hunk->from_end;
    }
    text_buffer_add(merged, piece + at);
    text_difference_deinit(&difference);
    return !merged->has_failed || clinic_fail_memory(error);
}
