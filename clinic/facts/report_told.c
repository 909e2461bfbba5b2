// SPDX-License-Identifier: Apache-2.0
// See report_told.h.
#include "clinic/facts/report_told.h"

#include "clinic/facts/clause.h"

#include <stdlib.h>
#include <string.h>

#define REPORT_ITEM_BYTES 600
#define QUOTE_BYTES 120 // behind the name of an examination
#define QUOTE_PAIRS_MIN 3
#define QUOTE_SHARE 0.75

// By what a record names an examination: "头颅CT" and "CT" both name 头颅CT平扫. The first place in
// the window behind such a name; NULL: there is none.
static const char *behind_examination(const struct window *window, const char *name) {
    static const char *const WAYS[][3] = {{"超声心动图", "超声心动图", "射血分数"},
                                          {"动态心电图", "动态心电图", NULL},
                                          {"心电图", "心电图", "导联"},
                                          {"冰冻", "冰冻", NULL},
                                          {"石蜡", "石蜡", NULL},
                                          {"病理", "病理", NULL},
                                          {"培养", "培养", NULL},
                                          {"磁共振", "磁共振", "MRI"},
                                          {"MRI", "MRI", "磁共振"},
                                          {"X线", "X线", "胸片"},
                                          {"造影", "造影", NULL},
                                          {"骨密度", "骨密度", "T值"},
                                          {"CT", "CT", NULL},
                                          {"超声", "超声", "B超"},
                                          {"镜", "镜", NULL}};
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        if (!strstr(name, WAYS[i][0])) continue;
        for (int k = 1; k < 3; k++) {
            const char *at = WAYS[i][k] ? window_find(window, WAYS[i][k]) : NULL;
            if (at) return at + strlen(WAYS[i][k]);
        }
        return NULL;
    }
    return window->text;
}

static size_t report_item_bytes(const char *item) {
    const char *comma = strstr(item, "，"), *half = strstr(item, "；");
    const char *end = comma && (!half || comma < half) ? comma : half;
    return end ? (size_t)(end - item) : strlen(item);
}

static bool has_any(const char *text, const char *const *words) {
    for (int i = 0; words[i]; i++) {
        if (strstr(text, words[i])) return true;
    }
    return false;
}

struct report_count {
    int items, told, well_told; // what is abnormal, and how much of it stands there
    int changes, changes_told;  // what is better or worse than before
};

// 增大 and 缩小 alone describe an organ ("心影增大", "双肾缩小"), no change.
static void count_item(const struct window *window, const char *words, struct report_count *count) {
    static const char *const CHANGES[] = {"吸收", "再通", "较前", "好转", "进展", NULL};
    static const char *const USUAL[] = {"窦性心律", "正常", "通畅", "同前", NULL};
    struct pairs pairs;
    pairs_find(&pairs, words, strlen(words));
    if (pairs.n == 0 || has_any(words, USUAL)) return;
    double share = window_coverage(window, &pairs);
    bool is_told = share >= 0.6 && window_numbers(window, words) >= 0.5;
    bool is_change = has_any(words, CHANGES);
    count->items++;
    count->told += is_told;
    count->well_told += is_told && share >= 0.8;
    count->changes += is_change;
    count->changes_told += is_change && is_told;
}

static void count_items(const struct window *window, const char *text, struct report_count *count) {
    const char *item = strstr(text, "：");
    for (item = item ? item + strlen("：") : text; *item;) {
        size_t bytes = report_item_bytes(item);
        char words[REPORT_ITEM_BYTES];
        size_t kept = bytes < sizeof words ? bytes : sizeof words - 1;
        memcpy(words, item, kept);
        words[kept] = '\0';
        count_item(window, words, count);
        item += bytes;
        if (*item) item += strlen("，");
    }
}

// Told in one number or one name: the ejection fraction, the organism of a culture.
static bool tells_result(const struct window *window, const struct report *report) {
    const char *fraction = strstr(report->conclusion.text, "射血分数");
    if (fraction && window_has(window, "射血分数")) {
        const char *number = fraction + strlen("射血分数");
        return number_length(number) && window_has_number(window, strtod(number, NULL));
    }
    static const char *const GROWN[] = {"培养", "耐药", "敏感", "检出", NULL};
    static const char *const SPECIMENS[] = {"灌洗液", "痰", "分泌物", "引流液", "腹水",
                                            "脓液",   "尿", "骨组织", NULL};
    if (!report->organism || !report->organism[0] || !window_has(window, report->organism))
        return false;
    for (int i = 0; SPECIMENS[i]; i++) {
        if (strstr(report->name, SPECIMENS[i]) && window_has(window, SPECIMENS[i])) return true;
    }
    return window_has_any(window, GROWN);
}

// Share of the pairs that stand in the report; 0 for less than a finding.
static double share_of_report(const struct report *report, const char *text, size_t bytes) {
    struct window findings = {report->findings.text, report->findings.text_bytes};
    struct window conclusion = {report->conclusion.text, report->conclusion.text_bytes};
    struct pairs pairs;
    int found = 0;
    pairs_find(&pairs, text, bytes);
    for (int i = 0; i < pairs.n; i++)
        found += window_has_bytes(&findings, pairs.at[i], pairs.bytes[i]) ||
                 window_has_bytes(&conclusion, pairs.at[i], pairs.bytes[i]);
    return pairs.n >= QUOTE_PAIRS_MIN ? (double)found / pairs.n : 0;
}

// What follows the examination's name, up to a mark, is the report's: a finding or its conclusion.
static bool quotes_report(const struct window *window, const struct report *report,
                          const char *behind) {
    static const char *const MARKS[] = {"，", "；", "。", NULL};
    const char *end = window->text + window->bytes;
    for (const char *at = behind; at < end && at - behind < QUOTE_BYTES;
         at += character_length(at)) {
        for (int i = 0; MARKS[i]; i++) {
            if (strncmp(at, MARKS[i], strlen(MARKS[i])) != 0) continue;
            if (share_of_report(report, behind, (size_t)(at - behind)) >= QUOTE_SHARE) return true;
            if (i > 0) return false;
        }
    }
    return false;
}

// The same name once more, behind this place: "超声心动图：…；肾脏超声：…".
static const char *next_examination(const struct window *window, const char *name,
                                    const char *behind) {
    if (behind == window->text) return NULL; // an examination without a way of naming it
    struct window rest = {.text = behind, .bytes = window->bytes - (size_t)(behind - window->text)};
    return behind_examination(&rest, name);
}

static bool is_dated(const struct window *window, const struct report *report) {
    return window_has_day(window, report->report) || window_has_day(window, report->exam);
}

// "2. 子宫平滑肌瘤；": what a list of diagnoses names need not be what an examination found.
static bool is_list_item(const struct window *window) {
    size_t digits = number_length(window->text);
    return digits && digits < window->bytes && window->text[digits] == '.';
}

// A report is told when half of what it concludes is, or what stands behind its name is its own;
// and a change, if it found one, where the day does not tell it from the report before. What stands
// word for word needs no name of the examination, but in a list of diagnoses.
bool report_is_told(const struct window *window, const struct episode *episode,
                    const struct fact *fact) {
    const struct report *report = &episode->reports[fact->sources[0].row];
    struct report_count count = {0};
    if (tells_result(window, report)) return true;
    const char *behind = behind_examination(window, report->name);
    bool is_named = false;
    count_items(window, fact->text, &count);
    if (count.items == 0) return behind != NULL;
    if (count.changes && !count.changes_told && !(behind && is_dated(window, report))) return false;
    for (; behind; behind = next_examination(window, report->name, behind)) {
        if (count.told * 2 >= count.items || quotes_report(window, report, behind)) return true;
        is_named = true;
    }
    if (is_named) return false;
    return count.well_told == count.items && !is_list_item(window);
}
