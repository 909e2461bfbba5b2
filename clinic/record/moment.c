// SPDX-License-Identifier: Apache-2.0
// Times of the record: "2025-11-03T09:40:00+08:00" and back, and the calendar day that the
// hospital's own clock showed. Arithmetic of the proleptic Gregorian calendar, no time zones of the
// machine.
#include "clinic/record/episode.h"
#include "clinic/record/member_table.h"

#include <stdio.h>
#include <string.h>

enum { YEAR_MIN = 1800, YEAR_MAX = 2200, OFFSET_MINUTES_MAX = 14 * 60 };

// Days since 1970-01-01; years count from March, so that the leap day is a year's last.
static int64_t days_from_date(int year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct calendar_day date_from_days(int64_t days) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct calendar_day day = {.day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
                               .month = (int)(month < 10 ? month + 3 : month - 9)};
    day.year = (int)(year_of_era + era * 400 + (day.month <= 2));
    return day;
}

// Exactly `width` digits; < 0: they are not there.
static int read_digits(const char **text, int width) {
    int value = 0;
    for (int i = 0; i < width; i++, (*text)++) {
        if (**text < '0' || **text > '9') return -1;
        value = value * 10 + (**text - '0');
    }
    return value;
}

static bool read_sign(const char **text, char sign) {
    if (**text != sign) return false;
    (*text)++;
    return true;
}

static bool read_date(const char **text, struct calendar_day *date) {
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    date->year = read_digits(text, 4);
    if (date->year < YEAR_MIN || date->year > YEAR_MAX || !read_sign(text, '-')) return false;
    date->month = read_digits(text, 2);
    if (date->month < 1 || date->month > 12 || !read_sign(text, '-')) return false;
    date->day = read_digits(text, 2);
    bool is_leap = (date->year % 4 == 0 && date->year % 100 != 0) || date->year % 400 == 0;
    return date->day >= 1 && date->day <= days[date->month - 1] + (date->month == 2 && is_leap);
}

// Minutes of "Z", "+08:00" or "-03:30".
static bool read_offset(const char **text, int *minutes) {
    *minutes = 0;
    if (read_sign(text, 'Z')) return true;
    int sign = **text == '+' ? 1 : **text == '-' ? -1 : 0;
    if (sign == 0) return false;
    (*text)++;
    int hours = read_digits(text, 2);
    if (hours < 0 || !read_sign(text, ':')) return false;
    int rest = read_digits(text, 2);
    if (rest < 0 || rest > 59 || hours * 60 + rest > OFFSET_MINUTES_MAX) return false;
    *minutes = sign * (hours * 60 + rest);
    return true;
}

bool calendar_day_parse(const char *text, struct calendar_day *day) {
    return text && read_date(&text, day) && *text == '\0';
}

bool moment_parse(const char *text, struct moment *moment) {
    *moment = (struct moment){.seconds = MOMENT_UNKNOWN};
    struct calendar_day date;
    if (!text || !read_date(&text, &date) || !read_sign(&text, 'T')) return false;
    int hour = read_digits(&text, 2);
    if (hour < 0 || hour > 23 || !read_sign(&text, ':')) return false;
    int minute = read_digits(&text, 2), second = 0, offset;
    if (minute < 0 || minute > 59) return false;
    if (read_sign(&text, ':')) {
        second = read_digits(&text, 2);
        if (second < 0 || second > 59) return false;
        if (read_sign(&text, '.')) { // parts of a second are read over
            if (read_digits(&text, 1) < 0) return false;
            text += strspn(text, "0123456789");
        }
    }
    if (!read_offset(&text, &offset) || *text != '\0') return false;
    moment->seconds = days_from_date(date.year, date.month, date.day) * 86400 + hour * 3600 +
                      minute * 60 + second - (int64_t)offset * 60;
    moment->offset_minutes = offset;
    return true;
}

int64_t moment_day_number(struct moment moment) {
    if (moment.seconds == MOMENT_UNKNOWN) return INT64_MIN;
    int64_t local = moment.seconds + (int64_t)moment.offset_minutes * 60;
    return local >= 0 ? local / 86400 : -((-local + 86399) / 86400);
}

struct calendar_day moment_day(struct moment moment) {
    if (moment.seconds == MOMENT_UNKNOWN) return (struct calendar_day){0};
    return date_from_days(moment_day_number(moment));
}

void moment_write(struct moment moment, char text[32]) {
    text[0] = '\0';
    if (moment.seconds == MOMENT_UNKNOWN) return;
    struct calendar_day day = moment_day(moment);
    int64_t local = moment.seconds + (int64_t)moment.offset_minutes * 60;
    unsigned rest = (unsigned)(local - moment_day_number(moment) * 86400);
    unsigned offset =
        (unsigned)(moment.offset_minutes < 0 ? -moment.offset_minutes : moment.offset_minutes);
    snprintf(text, 32, "%04u-%02u-%02uT%02u:%02u:%02u%c%02u:%02u", (unsigned)day.year % 10000,
             (unsigned)day.month % 100, (unsigned)day.day % 100, rest / 3600 % 100, rest / 60 % 60,
             rest % 60, moment.offset_minutes < 0 ? '-' : '+', offset / 60 % 100, offset % 60);
}
