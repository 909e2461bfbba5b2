// SPDX-License-Identifier: Apache-2.0
// Dates (2025年11月3日, 2025-11-03, 11月3日, 11-03, 11月8日至10日), times (9时40分, 09:40) and days
// told from the day of writing (昨日, 今晨, 明日).
#include "clinic/text/mention_scan.h"

#define YEAR_SIGN 0x5E74  // 年
#define MONTH_SIGN 0x6708 // 月
#define DAY_SIGN 0x65E5   // 日
#define HAO_SIGN 0x53F7   // 号
#define HOUR_SIGN 0x65F6  // 时
#define POINT_SIGN 0x70B9 // 点
#define MINUTE_SIGN 0x5206

static bool is_day(int month, int day) {
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool is_range_mark(uint32_t c) {
    return c == '~' || c == '-' || c == 0x81F3 || c == 0x5230;
}

// Digits of the expected widths behind `at`; characters, 0: no.
static size_t field(const struct folded_text *text, size_t at, int *value, size_t least,
                    size_t most) {
    size_t n = scan_digits(text, at, value);
    return n >= least && n <= most ? n : 0;
}

// 11月3日 or 11月 at `at`.
static size_t month_day(const struct folded_text *text, size_t at, struct mention *m) {
    size_t n = field(text, at, &m->month, 1, 2);
    if (n == 0 || text->chars[at + n] != MONTH_SIGN || m->month < 1 || m->month > 12) {
        return 0;
    }
    n++;
    size_t digits = field(text, at + n, &m->day, 1, 2);
    uint32_t sign = text->chars[at + n + digits];
    if (digits && (sign == DAY_SIGN || sign == HAO_SIGN) && is_day(m->month, m->day)) {
        return n + digits + 1;
    }
    m->day = 0;
    return n;
}

// 2025年[11月[3日]]
static size_t year_first(const struct folded_text *text, size_t at, struct mention *m) {
    size_t n = field(text, at, &m->year, 4, 4);
    if (n == 0 || text->chars[at + n] != YEAR_SIGN || m->year < 1880 || m->year > 2200) {
        return 0;
    }
    n++;
    return n + month_day(text, at + n, m);
}

// 2025-11-03, 2025/11/3, 2025.11.3
static size_t parted(const struct folded_text *text, size_t at, struct mention *m) {
    size_t n = field(text, at, &m->year, 4, 4);
    uint32_t mark = text->chars[at + n];
    if (n == 0 || (mark != '-' && mark != '/' && mark != '.') || m->year < 1880 || m->year > 2200) {
        return 0;
    }
    size_t more = field(text, at + n + 1, &m->month, 1, 2);
    if (more == 0 || text->chars[at + n + 1 + more] != mark) {
        return 0;
    }
    n += 1 + more + 1;
    more = field(text, at + n, &m->day, 1, 2);
    return more && is_day(m->month, m->day) ? n + more : 0;
}

// 11-03, two digits each, not part of a longer number.
static size_t short_date(const struct folded_text *text, size_t at, struct mention *m) {
    size_t n = field(text, at, &m->month, 2, 2);
    if (n == 0 || text->chars[at + n] != '-') {
        return 0;
    }
    size_t more = field(text, at + n + 1, &m->day, 2, 2);
    uint32_t behind = text->chars[at + n + 1 + more];
    bool free_standing = !character_is_latin(behind) && behind != '.' && behind != '%' &&
                         behind != 0x2103 && behind != '-' && behind != HOUR_SIGN;
    bool looks = text->chars[at] <= '1' && is_day(m->month, m->day);
    return more && looks && free_standing ? n + 1 + more : 0;
}

// "至10日" behind a date: the same month.
static size_t second_day(const struct folded_text *text, size_t at, const struct mention *first,
                         struct mention *m) {
    if (!is_range_mark(text->chars[at])) {
        return 0;
    }
    *m = *first;
    size_t n = field(text, at + 1, &m->day, 1, 2);
    uint32_t sign = text->chars[at + 1 + n];
    return n && (sign == DAY_SIGN || sign == HAO_SIGN) && is_day(m->month, m->day) ? n + 2 : 0;
}

// Behind a month without a day: 3月龄, 1月后, 2月内 are lengths of time.
static bool is_length(const struct folded_text *text, size_t at) {
    static const char *const words[] = {"龄", "后", "内", "余", "以内", "左右", "以后", "之内"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (folded_match(text, at, words[i])) {
            return true;
        }
    }
    return false;
}

static size_t date_at(struct mention_scan *scan, size_t at) {
    const struct folded_text *text = scan->text;
    if (at > 0 && (character_is_digit(text->chars[at - 1]) || text->chars[at - 1] == '.')) {
        return 0;
    }
    static size_t (*const forms[])(const struct folded_text *, size_t,
                                   struct mention *) = {year_first, parted, month_day, short_date};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct mention m = mention_make(MENTION_DATE, at, at), second;
        size_t n = forms[i](text, at, &m);
        if (n == 0) {
            continue;
        }
        if (m.year == 0 && m.day == 0 && is_length(text, at + n)) {
            return 0;
        }
        m.end = at + n;
        scan_take(scan, &m);
        size_t more = m.day ? second_day(text, m.end, &m, &second) : 0;
        if (more) {
            second.start = m.end + 1;
            second.end = m.end + more;
            scan_take(scan, &second);
        }
        return n + more;
    }
    return 0;
}

// 9时40分, 15时, 20时30, 09:40[:00]
static size_t time_at(struct mention_scan *scan, size_t at) {
    const struct folded_text *text = scan->text;
    struct mention m = mention_make(MENTION_TIME, at, at);
    size_t n = field(text, at, &m.hour, 1, 2), more;
    uint32_t sign = text->chars[at + n];
    if (n == 0 || m.hour > 24 || (at > 0 && character_is_digit(text->chars[at - 1]))) {
        return 0;
    }
    if (sign == ':') {
        more = field(text, at + n + 1, &m.minute, 2, 2);
        n = more && m.minute < 60 ? n + 1 + more : 0;
        if (n && text->chars[at + n] == ':' && field(text, at + n + 1, &(int){0}, 2, 2)) {
            n += 3;
        }
    } else if (sign == HOUR_SIGN || sign == POINT_SIGN) {
        n++;
        more = field(text, at + n, &m.minute, 1, 2);
        bool minutes = more && text->chars[at + n + more] == MINUTE_SIGN && m.minute < 60;
        m.minute = minutes ? m.minute : 0;
        n += minutes ? more + 1 : 0;
    } else {
        n = 0;
    }
    if (n) {
        m.end = at + n;
        scan_take(scan, &m);
    }
    return n;
}

static size_t relative_at(struct mention_scan *scan, size_t at) {
    static const struct {
        const char *word;
        int offset;
    } words[] = {{"昨日", -1}, {"昨晚", -1}, {"昨夜", -1}, {"昨天", -1}, {"昨晨", -1},
                 {"昨", -1},   {"前日", -2}, {"前天", -2}, {"今日", 0},  {"今晨", 0},
                 {"今天", 0},  {"今晚", 0},  {"明日", 1},  {"明晨", 1},  {"明天", 1}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = folded_match(scan->text, at, words[i].word);
        if (n) {
            struct mention m = mention_make(MENTION_RELATIVE, at, at + n);
            m.day_offset = words[i].offset;
            scan_keep(scan, &m);
            return n;
        }
    }
    return 0;
}

void scan_dates(struct mention_scan *scan) {
    const struct folded_text *text = scan->text;
    for (size_t i = 0; i < text->n;) {
        size_t n = 0;
        if (character_is_digit(text->chars[i])) {
            n = date_at(scan, i);
            n = n ? n : time_at(scan, i);
            while (n == 0 && character_is_digit(text->chars[i + 1])) {
                i++; // no date begins inside a number
            }
        } else if (text->chars[i] == 0x6628 || text->chars[i] == 0x524D ||
                   text->chars[i] == 0x4ECA || text->chars[i] == 0x660E) {
            n = relative_at(scan, i); // 昨 前 今 明
        }
        i += n ? n : 1;
    }
}
