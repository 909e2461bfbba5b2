// SPDX-License-Identifier: Apache-2.0
// strftime in English and UTC, whatever the locale of the process is.
#include "template/jinja_run.h"

#include <stdio.h>
#include <time.h>

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

static int hour_of_half_day(const struct tm *tm) {
    return tm->tm_hour % 12 == 0 ? 12 : tm->tm_hour % 12;
}

// Weeks of the year whose first one begins with its first Sunday (0) or Monday (1).
static int week_of_year(const struct tm *tm, int first_day) {
    return (tm->tm_yday + 7 - (tm->tm_wday - first_day + 7) % 7) / 7;
}

static bool append_number(char letter, const struct tm *tm, long long unix_s, bool padded,
                          char text[32]) {
    int value, width = 2;
    switch (letter) {
    case 'm':
        value = tm->tm_mon + 1;
        break;
    case 'd':
        value = tm->tm_mday;
        break;
    case 'H':
        value = tm->tm_hour;
        break;
    case 'I':
        value = hour_of_half_day(tm);
        break;
    case 'M':
        value = tm->tm_min;
        break;
    case 'S':
        value = tm->tm_sec;
        break;
    case 'y':
        value = (tm->tm_year + 1900) % 100;
        break;
    case 'U':
        value = week_of_year(tm, 0);
        break;
    case 'W':
        value = week_of_year(tm, 1);
        break;
    case 'j':
        value = tm->tm_yday + 1, width = 3;
        break;
    case 'w':
        value = tm->tm_wday, width = 1;
        break;
    case 'u':
        value = tm->tm_wday ? tm->tm_wday : 7, width = 1;
        break;
    case 'Y':
        value = tm->tm_year + 1900, width = 1;
        break;
    case 'f':
        value = 0, width = 6;
        break;
    case 's':
        snprintf(text, 32, "%lld", unix_s);
        return true;
    default:
        return false;
    }
    snprintf(text, 32, "%0*d", padded ? width : 1, value);
    return true;
}

static enum status append_directive(struct run *run, struct text_builder *builder, char letter,
                                    bool padded, const struct tm *tm) {
    char text[32];
    if (append_number(letter, tm, run->now_unix_s, padded, text)) {
        builder_append_literal(builder, text);
        return STATUS_OK;
    }
    const char *compound = NULL;
    switch (letter) {
    case 'B':
        builder_append_literal(builder, months[tm->tm_mon]);
        return STATUS_OK;
    case 'b':
    case 'h':
        builder_append(builder, months[tm->tm_mon], 3);
        return STATUS_OK;
    case 'A':
        builder_append_literal(builder, days[tm->tm_wday]);
        return STATUS_OK;
    case 'a':
        builder_append(builder, days[tm->tm_wday], 3);
        return STATUS_OK;
    case 'p':
        builder_append_literal(builder, tm->tm_hour < 12 ? "AM" : "PM");
        return STATUS_OK;
    case 'e':
        snprintf(text, sizeof text, "%2d", tm->tm_mday);
        break;
    case 'Z':
    case 'z':
        return STATUS_OK; // a time without a zone shows none
    case '%':
        builder_append_literal(builder, "%");
        return STATUS_OK;
    case 'n':
        builder_append_literal(builder, "\n");
        return STATUS_OK;
    case 't':
        builder_append_literal(builder, "\t");
        return STATUS_OK;
    case 'D':
    case 'x':
        compound = "%m/%d/%y";
        break;
    case 'F':
        compound = "%Y-%m-%d";
        break;
    case 'T':
    case 'X':
        compound = "%H:%M:%S";
        break;
    case 'R':
        compound = "%H:%M";
        break;
    case 'c':
        compound = "%a %b %e %H:%M:%S %Y";
        break;
    default:
        return run_fail(run, STATUS_UNSUPPORTED, "strftime: unknown directive");
    }
    if (!compound) {
        builder_append_literal(builder, text);
        return STATUS_OK;
    }
    for (const char *at = compound; *at; at++) {
        if (*at != '%')
            builder_append(builder, at, 1);
        else
            TRY(append_directive(run, builder, *++at, true, tm));
    }
    return STATUS_OK;
}

enum status format_time(struct run *run, const struct text *format, struct value *result) {
    struct tm tm;
    time_t now = (time_t)run->now_unix_s;
    if (!gmtime_r(&now, &tm)) return run_fail(run, STATUS_BAD_INPUT, "the time is out of range");
    struct text_builder builder;
    builder_init(&builder, &run->arena, run->arena.max_bytes);
    TRY(run_steps(run, 1 + format->size_bytes));
    for (size_t i = 0; i < format->size_bytes; i++) {
        if (format->data[i] != '%' || i + 1 == format->size_bytes) {
            builder_append(&builder, format->data + i, 1);
            continue;
        }
        bool padded = format->data[++i] != '-';
        if (!padded && ++i == format->size_bytes) break;
        TRY(append_directive(run, &builder, format->data[i], padded, &tm));
    }
    return run_built(run, &builder, result);
}
