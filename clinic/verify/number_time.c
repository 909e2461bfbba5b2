// SPDX-License-Identifier: Apache-2.0
// See number_time.h. Signs change within hours, so an undated one must be of its days; a result of
// the laboratory stays the last one until the next, so it may be older, if nothing came after it.
#include "clinic/verify/number_time.h"

#include <string.h>

static bool has_word(const struct folded_text *text, size_t from, size_t to,
                     const char *const *words) {
    for (size_t i = 0; words[i]; i++) {
        if (folded_find(text, from, to, words[i]) < to) {
            return true;
        }
    }
    return false;
}

enum field_time number_time(const struct sentence_scan *scan, const struct mention *number) {
    static const struct {
        const char *word;
        enum field_time time;
    } words[] = {{"出院时", TIME_DISCHARGE},   {"出院当日", TIME_DISCHARGE},
                 {"出院查", TIME_DISCHARGE},   {"入院时", TIME_ADMISSION},
                 {"入院当日", TIME_ADMISSION}, {"入院查", TIME_ADMISSION},
                 {"入院体温", TIME_ADMISSION}, {"复查", TIME_ANY},
                 {"治疗后", TIME_ANY},         {"此后", TIME_ANY}};
    for (size_t at = number->start; at > 0; at--) { // the nearest one before it
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            if (folded_match(&scan->folded, at - 1, words[i].word)) {
                return words[i].time != TIME_ANY ? words[i].time : scan->time;
            }
        }
    }
    return scan->time;
}

bool number_is_timely(const struct sentence_scan *scan, enum field_time time,
                      struct evidence evidence) {
    const struct record_index *index = &scan->verifier->index;
    const struct place *place = evidence_place(index, evidence);
    int64_t day = index->set.mention_days[evidence.mention];
    if (time == TIME_DISCHARGE) {
        return day != DAY_UNKNOWN && day + 2 >= scan->verifier->last_day;
    }
    bool early = day != DAY_UNKNOWN && day <= scan->verifier->admit_day + 1;
    return time == TIME_ADMISSION && (early || place->day <= scan->verifier->admit_day + 1);
}

// A sign that is taken every day.
static bool is_sign(const char *name) {
    static const char *const signs[] = {"体温", "脉搏",         "呼吸",     "血压",
                                        "心率", "指脉氧饱和度", "空腹血糖", "餐后2小时血糖"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (strcmp(name, signs[i]) == 0) {
            return true;
        }
    }
    return false;
}

// The first and the last day of the stay on which the record gives the quantity any value, and
// those on which it gives this one.
struct days_told {
    int64_t first, last, own_first, own_last;
};

static void widen(int64_t *first, int64_t *last, int64_t day) {
    *first = *first == DAY_UNKNOWN || day < *first ? day : *first;
    *last = *last == DAY_UNKNOWN || day > *last ? day : *last;
}

static struct days_told days_of_quantity(const struct sentence_scan *scan,
                                         const struct mention *number) {
    const struct record_index *index = &scan->verifier->index;
    struct days_told days = {DAY_UNKNOWN, DAY_UNKNOWN, DAY_UNKNOWN, DAY_UNKNOWN};
    for (size_t i = 0; i < index->n_by_kind[MENTION_NUMBER]; i++) {
        struct evidence evidence = index->by_kind[MENTION_NUMBER][i];
        const struct mention *told = evidence_mention(index, evidence);
        int64_t day = index->set.mention_days[evidence.mention];
        if (told->n_concepts == 0 || told->concepts[0] != number->concepts[0] ||
            strcmp(told->unit, number->unit) != 0 || day < scan->verifier->admit_day ||
            evidence_place(index, evidence)->is_warning) { // DAY_UNKNOWN is before every day
            continue;
        }
        widen(&days.first, &days.last, day);
        if (values_equal(told->value, number->value)) {
            widen(&days.own_first, &days.own_last, day);
        }
    }
    return days;
}

// 由142.6降至9.2, 最高39.0, 较前…: other times are told on purpose.
static bool is_compared(const struct sentence_scan *scan, const struct mention *number) {
    static const char *const before[] = {"由", "从", "最高", "最低", "峰值", "曾",
                                         "较", "自", "既往", "平素", NULL};
    static const char *const behind[] = {"降至", "升至", "降到", "升到", "降为",   "升为",
                                         "→",    "减至", "增至", "转为", "恢复至", NULL};
    const struct folded_text *text = &scan->folded;
    size_t from = number->start > 10 ? number->start - 10 : 0;
    size_t to = number->end + 8 < text->n ? number->end + 8 : text->n;
    return has_word(text, from, number->start, before) || has_word(text, number->end, to, behind);
}

bool number_is_out_of_time(const struct sentence_scan *scan, size_t mention) {
    const struct mention *number = &scan->mentions.items[mention];
    enum field_time time = number_time(scan, number);
    if ((time != TIME_DISCHARGE && time != TIME_ADMISSION) || number->n_concepts == 0) {
        return false;
    }
    if (is_sign(lexicon_concept_name(scan->verifier->lexicon, number->concepts[0]))) {
        return true;
    }
    struct days_told days = days_of_quantity(scan, number);
    if (days.own_first == DAY_UNKNOWN || days.first == days.last || is_compared(scan, number)) {
        return false;
    }
    return time == TIME_DISCHARGE ? days.own_last < days.last : days.own_first > days.first;
}
