// SPDX-License-Identifier: Apache-2.0
// Negations and how far they reach (无咳痰、胸痛; 未见出血; 抗体阴性), sides and their sites, and
// diagnoses, denied ones marked.
#include "clinic/text/mention_scan.h"

#include <string.h>

#define LIST_COMMA 0x3001 // 、
#define SITE_CHARACTERS 5

struct cue {
    const char *word;
    bool backwards; // what is denied stands before it
};

// Longer cues first where one begins with another.
static const struct cue CUES[] = {
    {"未闻及", false}, {"未触及", false},   {"未发现", false}, {"未引出", false}, {"未扪及", false},
    {"未探及", false}, {"未检出", false},   {"未出现", false}, {"未见", false},   {"未及", false},
    {"未查及", false}, {"未再", false},     {"否认", false},   {"没有", false},   {"并无", false},
    {"暂无", false},   {"无", false},       {"不伴", false},   {"未诉", false},   {"阴性", true},
    {"(-)", true},     {"未再出现", false}, {"未", false},     {"排除", false},   {"不予", false},
    {"不行", false},   {"不宜", false},     {"不考虑", false}};

// Words that begin like a cue and deny nothing of a patient.
static const char *const NO_CUES[] = {
    "无创",     "无菌",     "无效",   "无痛胃镜", "无痛肠镜", "无法",   "无需",   "无论",
    "无名",     "无线",     "无偿",   "无负压",   "未婚",     "未来",   "未成年", "未定",
    "未知",     "未必",     "未免",   "无关",     "无溶",     "无害",   "无水乙", "无水酒",
    "阴性杆菌", "阴性球菌", "阴性菌", "无机",     "无碍",     "无诱因", "未经",   "无绝对"};

// Fillers between a cue and what it denies.
static const char *const FILLERS[] = {"明显", "再",   "出现", "显著", "特殊", "诉",
                                      "伴",   "见",   "发",   "有",   "既往", "任何",
                                      "新发", "发生", "确切", "行",   "予",   "应用"};

static bool ends_scope(uint32_t c) {
    return c == ',' || c == ')' || c == '(' || c == 0x201C || c == 0x201D ||
           character_ends_sentence(c);
}

static void negate(struct mention_scan *scan, size_t from, size_t to, size_t cue_start,
                   size_t cue_end) {
    const struct folded_text *text = scan->text;
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < sizeof FILLERS / sizeof FILLERS[0]; i++) {
            size_t n = folded_match(text, from, FILLERS[i]);
            if (n && from + n + 1 < to) {
                from += n;
                again = true;
            }
        }
    }
    if (to <= from) {
        return;
    }
    memset(scan->negated + from, 1, to - from);
    struct mention m = mention_make(MENTION_NEGATION, cue_start < from ? cue_start : from,
                                    cue_end > to ? cue_end : to);
    m.subject_start = from;
    m.subject_end = to;
    m.is_negative = true;
    scan_keep(scan, &m);
}

// An item that tells how much of a thing there is is not denied.
static bool says_much(const struct folded_text *text, size_t item) {
    static const char *const words[] = {"少量", "少许", "大量", "多发",
                                        "中量", "可见", "轻度", "散在"};
    size_t to = item + 6 < text->n ? item + 6 : text->n;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (folded_find(text, item, to, words[i]) < to) {
            return true;
        }
    }
    return false;
}

// 和, 与 between two things; not 饱和度, 有关与否.
static bool is_and(const struct folded_text *text, size_t at) {
    uint32_t c = text->chars[at], next = text->chars[at + 1];
    return (c == 0x548C || c == 0x4E0E) && next != 0x5EA6 && next != 0x5426 &&
           text->chars[at - 1] != 0x9971 && text->chars[at - 1] != 0x7F13;
}

// Every item of the list behind a cue: 无咳痰、胸痛及气促.
static void negate_forwards(struct mention_scan *scan, size_t cue, size_t from) {
    const struct folded_text *text = scan->text;
    size_t item = from, i = from;
    for (; !ends_scope(text->chars[i]); i++) {
        size_t parts = text->chars[i] == LIST_COMMA || text->chars[i] == 0x6216; // 、或
        parts = parts && i > item ? 1 : 0;
        if (folded_match(text, i, "及") && i > item + 1 && text->chars[i + 1] != LIST_COMMA) {
            parts = 1;
        }
        if (is_and(text, i) && i > item + 1) {
            parts = 1;
        }
        if (folded_match(text, i, "但") && i > from) {
            break;
        }
        if (parts) {
            negate(scan, item, i, item == from ? cue : item, i);
            item = i + 1;
            if (says_much(text, item)) {
                return; // 未见血肿、盆腔少量积液
            }
        }
    }
    negate(scan, item, i, item == from ? cue : item, i);
}

// Every item of the list before a cue: 支原体抗体、军团菌尿抗原均阴性.
static void negate_backwards(struct mention_scan *scan, size_t cue, size_t end) {
    const struct folded_text *text = scan->text;
    size_t to = cue;
    while (to > 0 && (text->chars[to - 1] == 0x5747 || text->chars[to - 1] == 0x5448 ||
                      text->chars[to - 1] == 0x4E3A || text->chars[to - 1] == ':')) {
        to--; // 均 呈 为
    }
    for (size_t i = to, item_end = to;; i--) {
        bool stops = i == 0 || ends_scope(text->chars[i - 1]) || text->chars[i - 1] == ':' ||
                     text->chars[i - 1] == '+'; // 尿糖3+、尿酮体阴性
        bool parts = !stops && (text->chars[i - 1] == LIST_COMMA || text->chars[i - 1] == 0x53CA);
        if (stops || parts) {
            if (item_end > i) {
                negate(scan, i, item_end, i, item_end == to ? end : item_end);
            }
            item_end = i ? i - 1 : 0;
        }
        if (stops) {
            return;
        }
    }
}

static bool is_no_cue(const struct folded_text *text, size_t at) {
    for (size_t i = 0; i < sizeof NO_CUES / sizeof NO_CUES[0]; i++) {
        if (folded_match(text, at, NO_CUES[i])) {
            return true;
        }
    }
    return false;
}

void scan_negations(struct mention_scan *scan) {
    const struct folded_text *text = scan->text;
    for (size_t i = 0; i < text->n; i++) {
        uint32_t c = text->chars[i];
        bool may = c == 0x672A || c == 0x65E0 || c == 0x5426 || c == 0x6CA1 || c == 0x5E76 ||
                   c == 0x6682 || c == 0x4E0D || c == 0x9634 || c == '(' || c == 0x6392;
        if (!may || is_no_cue(text, i)) {
            continue; // 未 无 否 没 并 暂 不 阴 排
        }
        for (size_t k = 0; k < sizeof CUES / sizeof CUES[0]; k++) {
            size_t n = folded_match(text, i, CUES[k].word);
            if (n == 0) {
                continue;
            }
            if (CUES[k].backwards) {
                size_t first = scan->list->count;
                negate_backwards(scan, i, i + n);
                for (size_t m = first; m < scan->list->count; m++) {
                    scan->list->items[m].is_result = true;
                }
            } else {
                negate_forwards(scan, i, i + n);
            }
            i += n - 1;
            break;
        }
    }
}

// 左 右 双 before a site; 左右 (about) and drugs (左氧氟沙星) are none.
static char side_at(const struct folded_text *text, size_t at) {
    uint32_t c = text->chars[at], next = text->chars[at + 1];
    static const uint32_t both_sites[] = {0x4FA7, 0x80BA, 0x4E0B, 0x4E0A, 0x8DB3, 0x773C,
                                          0x8033, 0x624B, 0x819D, 0x9ACB, 0x80BE, 0x77B3,
                                          0x4E73, 0x9644, 0x8E1D, 0x80A9}; // 侧肺下上足眼耳手…
    if (c == 0x5DE6) {
        return next == 0x53F3 || next == 0x65CB ? 0 : 'L';
    }
    if (c == 0x53F3) {
        return at > 0 && text->chars[at - 1] == 0x5DE6 ? 0 : next == 0x65CB ? 0 : 'R';
    }
    if (c == 0x53CC || (c == 0x4E24 && next == 0x4FA7)) {
        for (size_t i = 0; i < sizeof both_sites / sizeof both_sites[0]; i++) {
            if (next == both_sites[i]) {
                return 'B';
            }
        }
    }
    return 0;
}

void scan_sides(struct mention_scan *scan) {
    const struct folded_text *text = scan->text;
    for (size_t i = 0; i < text->n; i++) {
        char side = scan->taken[i] ? 0 : side_at(text, i);
        if (!side) {
            continue;
        }
        struct mention m = mention_make(MENTION_SIDE, i, i + 1);
        m.side = side;
        m.is_negative = scan->negated[i];
        size_t at = i + 1 + (text->chars[i + 1] == 0x4FA7); // 侧
        m.subject_start = m.subject_end = at;
        while (m.subject_end < at + SITE_CHARACTERS &&
               character_is_han(text->chars[m.subject_end])) {
            m.subject_end++;
        }
        m.end = m.subject_end;
        bool leans = text->chars[i + 1] == 0x504F && i >= 2; // 伸舌左偏: the site stands before
        if (leans) {
            m.subject_start = i - 2;
            m.subject_end = i;
            m.end = i + 2;
        }
        scan_keep(scan, &m);
    }
}

// Words of some kinds, each a mention; a longer word hides those inside it.
static void scan_words(struct mention_scan *scan, int kinds, enum mention_kind kind) {
    const struct folded_text *text = scan->text;
    for (size_t i = 0; i < text->n;) {
        struct word word = lexicon_word_at(scan->lexicon, text, i, kinds);
        if (word.concept < 0) {
            i++;
            continue;
        }
        struct mention m = mention_make(kind, i, i + word.length);
        m.concepts[0] = word.concept;
        m.n_concepts = 1;
        m.is_organism = word.kind == WORD_ORGANISM;
        m.is_negative = scan->negated[i];
        scan_keep(scan, &m);
        i += word.length;
    }
}

void scan_diagnoses(struct mention_scan *scan) {
    scan_words(scan, WORD_DIAGNOSIS, MENTION_DIAGNOSIS);
}

void scan_terms(struct mention_scan *scan) {
    scan_words(scan, WORD_MEASURE | WORD_ORGANISM, MENTION_TERM);
}
