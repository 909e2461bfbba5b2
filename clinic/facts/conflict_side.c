// SPDX-License-Identifier: Apache-2.0
// Left and right (X06). A phrase behind 左 or 右 that the record says of one side again and again
// and of the other side hardly ever, and never of both in one place, was written on the wrong side
// once. Operations and diagnoses of the tables weigh more than a note.
#include "clinic/facts/conflict_search.h"

#include <stdlib.h>
#include <string.h>

#define PHRASES_MAX 20000
#define PHRASE_CHARACTERS 4
#define PHRASE_CHARACTERS_MIN 3
#define TABLE_WEIGHT 3
#define MAJORITY 3 // times as often as the other side

struct phrase {
    char words[20]; // without 侧
    char side;      // 'L', 'R'
    int weight;
    struct source source;
};

struct phrases {
    struct phrase *phrases;
    int n;
};

static bool is_han(const char *text) {
    unsigned char lead = (unsigned char)text[0];
    return lead >= 0xe4 && lead <= 0xe9;
}

// The phrase behind the side's character; false: too short to be one.
static bool read_phrase(const char *text, struct phrase *phrase, size_t *end) {
    size_t at = 0, bytes = 0;
    int n = 0;
    if (strncmp(text, "侧", strlen("侧")) == 0) at += strlen("侧");
    while (n < PHRASE_CHARACTERS && is_han(text + at)) {
        size_t length = character_length(text + at);
        memcpy(phrase->words + bytes, text + at, length);
        bytes += length;
        at += length;
        n++;
    }
    phrase->words[bytes] = '\0';
    *end = at;
    return n >= PHRASE_CHARACTERS_MIN;
}

static void collect_text(struct phrases *phrases, const char *text, struct source source,
                         int weight) {
    for (size_t at = 0; text[at] && phrases->n < PHRASES_MAX; at += character_length(text + at)) {
        bool is_left = strncmp(text + at, "左", 3) == 0,
             is_right = strncmp(text + at, "右", 3) == 0;
        if (!is_left && !is_right) continue;
        struct phrase phrase = {.side = is_left ? 'L' : 'R', .weight = weight, .source = source};
        size_t bytes;
        if (!read_phrase(text + at + 3, &phrase, &bytes)) continue;
        if (source.kind == SOURCE_DOC || source.kind == SOURCE_REPORT) {
            phrase.source.start = at;
            phrase.source.end = at + 3 + bytes;
        }
        phrases->phrases[phrases->n++] = phrase;
    }
}

static void collect(struct phrases *phrases, const struct episode *episode) {
    struct note_place place = {.section_row = -1};
    for (int i = 0; i < episode->n_operations; i++)
        collect_text(phrases, episode->operations[i].name,
                     (struct source){.kind = SOURCE_OPERATION, .row = i}, TABLE_WEIGHT);
    for (int i = 0; i < episode->n_diagnoses; i++)
        collect_text(phrases, episode->diagnoses[i].name,
                     (struct source){.kind = SOURCE_DIAGNOSIS, .row = i}, TABLE_WEIGHT);
    for (int i = 0; i < episode->n_reports; i++) {
        const struct report *report = &episode->reports[i];
        collect_text(phrases, report->findings.text,
                     (struct source){.kind = SOURCE_REPORT, .row = i}, 1);
        collect_text(phrases, report->conclusion.text,
                     (struct source){.kind = SOURCE_REPORT, .row = i, .section = 1}, 1);
    }
    while (note_place_next(episode, &place))
        collect_text(phrases, place.section->text, note_place_source(&place, 0, 0), 1);
}

static int compare_phrases(const void *left, const void *right) {
    const struct phrase *a = left, *b = right;
    int by_words = strcmp(a->words, b->words);
    if (by_words) return by_words;
    if (a->side != b->side) return a->side - b->side;
    if (a->source.kind != b->source.kind) return (int)a->source.kind - (int)b->source.kind;
    if (a->source.row != b->source.row) return a->source.row - b->source.row;
    if (a->source.section != b->source.section) return a->source.section - b->source.section;
    return a->source.start < b->source.start ? -1 : a->source.start > b->source.start;
}

static bool is_one_place(const struct source *a, const struct source *b) {
    return a->kind == b->kind && a->row == b->row;
}

// Both sides in one document: it compares them.
static bool is_compared(const struct phrase *left, int n_left, const struct phrase *right,
                        int n_right) {
    if ((int64_t)n_left * n_right > 40000) return true;
    for (int i = 0; i < n_left; i++) {
        for (int k = 0; k < n_right; k++) {
            if (is_one_place(&left[i].source, &right[k].source)) return true;
        }
    }
    return false;
}

static int weight_of(const struct phrase *phrases, int n) {
    int weight = 0;
    for (int i = 0; i < n; i++)
        weight += phrases[i].weight;
    return weight;
}

// The wrong side stands in one place only.
static bool is_lonely(const struct phrase *phrases, int n) {
    for (int i = 1; i < n; i++) {
        if (!is_one_place(&phrases[0].source, &phrases[i].source)) return false;
    }
    return true;
}

static void add_place(struct wording *words, const struct episode *episode,
                      const struct source *source) {
    switch (source->kind) {
    case SOURCE_DOC:
        wording_add_note(words, &episode->docs[source->row]);
        break;
    case SOURCE_REPORT:
        wording_add(words, episode->reports[source->row].name);
        break;
    case SOURCE_OPERATION:
        wording_add(words, "手术登记");
        break;
    default:
        wording_add(words, "诊断");
        break;
    }
}

static void report_side(struct conflict_search *search, const struct phrase *wrong,
                        const struct phrase *right) {
    struct wording words = {0};
    const char *wrong_side = wrong->side == 'L' ? "左侧" : "右侧";
    const char *right_side = right->side == 'L' ? "左侧" : "右侧";
    add_place(&words, search->episode, &wrong->source);
    wording_add(&words, "写");
    wording_add(&words, wrong_side);
    wording_add(&words, wrong->words);
    wording_add(&words, "，其余记录为");
    wording_add(&words, right_side);
    wording_add(&words, "，如");
    add_place(&words, search->episode, &right->source);
    wording_add(&words, "。");
    conflict_report(search, CONFLICT_SIDE, SEVERITY_VETO, &words, &wrong->source, &right->source);
}

// left and right: the same words of both sides.
static void judge(struct conflict_search *search, const struct phrase *left, int n_left,
                  const struct phrase *right, int n_right) {
    if (n_left == 0 || n_right == 0) return;
    int weight_left = weight_of(left, n_left), weight_right = weight_of(right, n_right);
    bool left_is_wrong = weight_right >= MAJORITY * weight_left && is_lonely(left, n_left);
    bool right_is_wrong = weight_left >= MAJORITY * weight_right && is_lonely(right, n_right);
    if ((!left_is_wrong && !right_is_wrong) || is_compared(left, n_left, right, n_right)) return;
    report_side(search, left_is_wrong ? left : right, left_is_wrong ? right : left);
}

void conflicts_of_sides(struct conflict_search *search) {
    struct phrases phrases = {.phrases = calloc(PHRASES_MAX, sizeof *phrases.phrases)};
    if (!phrases.phrases) {
        search->failed = true;
        return;
    }
    collect(&phrases, search->episode);
    qsort(phrases.phrases, (size_t)phrases.n, sizeof *phrases.phrases, compare_phrases);
    for (int begin = 0, end; begin < phrases.n; begin = end) {
        int right = begin;
        for (end = begin; end < phrases.n &&
                          strcmp(phrases.phrases[end].words, phrases.phrases[begin].words) == 0;
             end++)
            right += phrases.phrases[end].side == 'L';
        judge(search, phrases.phrases + begin, right - begin, phrases.phrases + right, end - right);
        if (conflict_search_is_over(search)) break;
    }
    free(phrases.phrases);
}
