// SPDX-License-Identifier: Apache-2.0
// See fact_told.h. Words are compared as pairs of neighbouring characters: Chinese has no blanks to
// cut at, and a pair is the shortest thing that means something.
#define _GNU_SOURCE // memmem
#include "clinic/facts/fact_told.h"

#include "clinic/facts/clause.h"
#include "clinic/facts/drug_stem.h"
#include "clinic/facts/note_class.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FACT_PAIRS_MAX 160
#define FACT_NUMBERS_MAX 24

struct window {
    const char *text;
    size_t bytes;
};

static bool is_sentence_mark(const char *text) {
    return *text == '\n' || strncmp(text, "。", strlen("。")) == 0;
}

bool told_text_init(struct told_text *told, const char *text, struct clinic_error *error) {
    size_t bytes = strnlen(text, TOLD_BYTES_MAX), kept = 0;
    *told = (struct told_text){0};
    told->text = malloc(bytes + 1);
    told->ends = malloc((bytes + 2) * sizeof *told->ends);
    if (!told->text || !told->ends) {
        told_text_deinit(told);
        return clinic_fail_memory(error);
    }
    for (size_t at = 0; at < bytes;) {
        size_t length = character_length(text + at);
        if (length == 0 || at + length > bytes) break;
        if (text[at] != ' ') {
            memcpy(told->text + kept, text + at, length);
            kept += length;
        }
        if (is_sentence_mark(text + at)) told->ends[told->n_sentences++] = kept;
        at += length;
    }
    told->text[kept] = '\0';
    if (!told->n_sentences || told->ends[told->n_sentences - 1] < kept)
        told->ends[told->n_sentences++] = kept;
    return true;
}

void told_text_deinit(struct told_text *told) {
    free(told->text);
    free(told->ends);
    *told = (struct told_text){0};
}

static bool window_has_bytes(const struct window *window, const char *needle, size_t bytes) {
    return bytes && memmem(window->text, window->bytes, needle, bytes) != NULL;
}

static bool window_has(const struct window *window, const char *needle) {
    return window_has_bytes(window, needle, strlen(needle));
}

static bool window_has_any(const struct window *window, const char *const *needles) {
    for (int i = 0; needles[i]; i++) {
        if (window_has(window, needles[i])) return true;
    }
    return false;
}

// A number equal to this one stands in the window.
static bool window_has_number(const struct window *window, double value) {
    for (size_t at = 0; at < window->bytes;) {
        size_t digits = number_length(window->text + at);
        if (!digits) {
            at++;
            continue;
        }
        if (fabs(strtod(window->text + at, NULL) - value) < 1e-9) return true;
        at += digits;
    }
    return false;
}

static bool is_word_character(const char *text) {
    unsigned char lead = (unsigned char)*text;
    if (lead < 0x80) return (lead >= 'A' && lead <= 'Z') || (lead >= 'a' && lead <= 'z');
    // CJK punctuation (E3 80) and full-width forms (EF BC) hold words apart.
    if (lead == 0xe3 && (unsigned char)text[1] == 0x80) return false;
    return lead != 0xef && lead != 0xe2;
}

struct pairs {
    const char *at[FACT_PAIRS_MAX];
    size_t bytes[FACT_PAIRS_MAX];
    int n;
};

static void find_pairs(const char *text, size_t text_bytes, struct pairs *pairs) {
    pairs->n = 0;
    for (size_t at = 0; at < text_bytes && pairs->n < FACT_PAIRS_MAX;) {
        size_t first = character_length(text + at);
        size_t second = at + first < text_bytes ? character_length(text + at + first) : 0;
        if (second && is_word_character(text + at) && is_word_character(text + at + first)) {
            pairs->at[pairs->n] = text + at;
            pairs->bytes[pairs->n++] = first + second;
        }
        at += first;
    }
}

static double coverage(const struct window *window, const struct pairs *pairs) {
    int found = 0;
    for (int i = 0; i < pairs->n; i++)
        found += window_has_bytes(window, pairs->at[i], pairs->bytes[i]);
    return pairs->n ? (double)found / pairs->n : 1;
}

// Numbers with a unit: a bare number in a fact's text is a list's or a name's.
static int find_numbers(const char *text, double numbers[FACT_NUMBERS_MAX]) {
    int n = 0;
    for (size_t at = 0; text[at] && n < FACT_NUMBERS_MAX;) {
        size_t digits = number_length(text + at);
        bool is_date = digits && (strncmp(text + at + digits, "月", 3) == 0 ||
                                  strncmp(text + at + digits, "年", 3) == 0 ||
                                  strncmp(text + at + digits, "时", 3) == 0);
        if (digits && !is_date) numbers[n++] = strtod(text + at, NULL);
        at += digits ? digits : character_length(text + at);
    }
    return n;
}

static double numbers_found(const struct window *window, const char *text) {
    double numbers[FACT_NUMBERS_MAX];
    int n = find_numbers(text, numbers), found = 0;
    for (int i = 0; i < n; i++)
        found += window_has_number(window, numbers[i]);
    return n ? (double)found / n : 1;
}

// --- by class
// -------------------------------------------------------------------------------------

static bool has_stem(const struct window *window, const char *stem) {
    if (window_has(window, stem)) return true;
    size_t short_bytes = 12; // four characters: 哌拉西林 of 哌拉西林钠他唑巴坦
    return strlen(stem) > short_bytes && (unsigned char)stem[0] >= 0xe4 &&
           window_has_bytes(window, stem, short_bytes);
}

// Stems of the drugs that a fact is about: of its order, else what its own words name.
static int fact_stems(const struct episode *episode, const struct fact *fact,
                      char stems[FACT_SOURCES_MAX][DRUG_STEM_BYTES]) {
    int n = 0;
    for (int i = 0; i < fact->n_sources; i++) {
        const struct source *source = &fact->sources[i];
        if (source->kind == SOURCE_ORDER && strstr(fact->text, episode->orders[source->row].name))
            drug_stem(episode->orders[source->row].name, stems[n++]);
    }
    for (int i = 0; n == 0 && i < episode->n_orders; i++) {
        if (strcmp(episode->orders[i].order_class, "drug") != 0) continue;
        drug_stem(episode->orders[i].name, stems[0]);
        if (strstr(fact->text, stems[0])) n = 1;
    }
    return n;
}

static bool is_stop(const struct fact *fact) {
    return strncmp(fact->text, "停", strlen("停")) == 0;
}

static bool tells_drug(const struct window *window, const struct episode *episode,
                       const struct fact *fact, const struct pairs *pairs) {
    static const char *const STOPPED[] = {"停", "改", "换", "至", "不再", "用到", NULL};
    char stems[FACT_SOURCES_MAX][DRUG_STEM_BYTES];
    int n = fact_stems(episode, fact, stems);
    if (n == 0) return coverage(window, pairs) >= 0.5 && numbers_found(window, fact->text) >= 0.5;
    for (int i = 0; i < n; i++) {
        if (!has_stem(window, stems[i])) return false;
    }
    if (is_stop(fact)) return window_has_any(window, STOPPED);
    double numbers[FACT_NUMBERS_MAX];
    if (fact->value) // the dose is the first number
        return find_numbers(fact->value, numbers) == 0 || window_has_number(window, numbers[0]);
    return numbers_found(window, fact->text) >= 0.5 && coverage(window, pairs) >= 0.3;
}

static const struct lab *fact_lab(const struct episode *episode, const struct fact *fact) {
    return fact->n_sources && fact->sources[0].kind == SOURCE_LAB
               ? &episode->labs[fact->sources[0].row]
               : NULL;
}

static bool tells_lab(const struct window *window, const struct lab *lab) {
    size_t bytes = strcspn(lab->name, "\xef"); // up to "（"
    bool is_named = window_has_bytes(window, lab->name, bytes) ||
                    (lab->code && window_has(window, lab->code)) ||
                    (strstr(lab->name, "葡萄糖") && window_has(window, "血糖"));
    if (!is_named) return false;
    return lab->is_number ? window_has_number(window, lab->value) : window_has(window, lab->text);
}

static bool tells_consult(const struct window *window, const struct fact *fact) {
    const char *name = fact->value ? fact->value : fact->text;
    const char *end = strstr(name, "科会诊");
    if (!end) end = strstr(name, "会诊");
    size_t bytes = end ? (size_t)(end - name) : strlen(name);
    return window_has(window, "会诊") && window_has_bytes(window, name, bytes);
}

static bool tells_pending(const struct window *window, const struct fact *fact) {
    static const char *const WAITING[] = {"未回报", "待回报", "尚未",   "未报告", "待报告", "未归",
                                          "取病理", "取报告", "结果未", "待结果", NULL};
    const char *value = fact->value ? fact->value : strstr(fact->text, "病理") ? "病理" : NULL;
    return window_has_any(window, WAITING) && (!value || window_has(window, value));
}

static bool tells_words(const struct window *window, const struct fact *fact,
                        const struct pairs *pairs, double words, double numbers) {
    const char *checked = fact->value ? fact->value : fact->text;
    return coverage(window, pairs) >= words && numbers_found(window, checked) >= numbers;
}

static bool tells(const struct window *window, const struct episode *episode,
                  const struct fact *fact, const struct pairs *pairs) {
    const struct lab *lab = fact_lab(episode, fact);
    if (lab) return tells_lab(window, lab);
    switch (fact->fact_class) {
    case FACT_DRUG:
        return tells_drug(window, episode, fact, pairs);
    case FACT_CONSULT:
        return tells_consult(window, fact);
    case FACT_PENDING:
        return tells_pending(window, fact);
    case FACT_OPERATION:
        return tells_words(window, fact, pairs, 0.55, 0.5);
    case FACT_DIAGNOSIS:
        return tells_words(window, fact, pairs, 0.6, 0.5);
    case FACT_FOLLOWUP:
        return tells_words(window, fact, pairs, 0.4, 0.6);
    default:
        return tells_words(window, fact, pairs, 0.45, 0.5);
    }
}

bool told_text_has(const struct told_text *told, const struct episode *episode,
                   const struct fact *fact) {
    struct pairs pairs;
    const char *words =
        fact->fact_class == FACT_OPERATION && fact->value ? fact->value : fact->text;
    find_pairs(words, strlen(words), &pairs);
    for (int i = 0; i < told->n_sentences; i++) {
        size_t start = i ? told->ends[i - 1] : 0;
        for (int k = i; k < told->n_sentences && k < i + 2; k++) {
            struct window window = {.text = told->text + start, .bytes = told->ends[k] - start};
            if (tells(&window, episode, fact, &pairs)) return true;
        }
    }
    return false;
}

bool fact_is_told(const struct episode *episode, const struct fact *fact, const char *text) {
    struct told_text told;
    if (!told_text_init(&told, text, NULL)) return false;
    bool is_told = told_text_has(&told, episode, fact);
    told_text_deinit(&told);
    return is_told;
}
