// SPDX-License-Identifier: Apache-2.0
// See operation_told.h.
#define _GNU_SOURCE // memmem
#include "clinic/facts/operation_told.h"

#include "clinic/facts/clause.h"

#include <stdlib.h>
#include <string.h>

#define NAME_PAIRS_MIN 0.6 // of the name's pairs of characters

// The last words of an operation's name: "栓塞术" of
// "骨盆动脉造影、左侧髂内动脉分支栓塞术（急诊）".
static const char *operation_tail(const char *name, size_t *bytes) {
    const char *note = strstr(name, "（");
    const char *end = note && note > name ? note : name + strlen(name);
    size_t whole = (size_t)(end - name);
    *bytes = whole < strlen("切除术") ? whole : strlen("切除术");
    return end - *bytes;
}

static bool has_alike(const struct operation *operation, const struct episode *episode) {
    size_t bytes;
    const char *tail = operation_tail(operation->name, &bytes);
    for (int i = 0; i < episode->n_operations; i++) {
        size_t other_bytes;
        const char *other = operation_tail(episode->operations[i].name, &other_bytes);
        if (&episode->operations[i] != operation && other_bytes == bytes &&
            memcmp(other, tail, bytes) == 0)
            return true;
    }
    return false;
}

struct month_day {
    int month, day; // 0: no date so far
};

// "8月13日", at the start of the text.
static bool read_month_day(const char *text, struct month_day *date) {
    size_t digits = number_length(text);
    const char *behind = text + digits + strlen("月");
    if (!digits || digits > 2 || strncmp(text + digits, "月", strlen("月")) != 0) return false;
    size_t day_digits = number_length(behind);
    if (!day_digits || day_digits > 2) return false;
    *date = (struct month_day){(int)strtol(text, NULL, 10), (int)strtol(behind, NULL, 10)};
    return true;
}

// Whether the clause names the day; *last becomes the last date that it names.
static bool clause_has_date(const struct clause *clause, const struct month_day *wanted,
                            struct month_day *last) {
    bool is_found = false;
    for (size_t at = clause->start; at < clause->end;) {
        struct month_day date;
        size_t digits = number_length(clause->text + at);
        if (read_month_day(clause->text + at, &date)) {
            is_found = is_found || (date.month == wanted->month && date.day == wanted->day);
            *last = date;
        }
        at += digits ? digits : character_length(clause->text + at);
    }
    return is_found;
}

// The tail itself; "置换术后" tells that an operation was, not that it was done now, unless 行 says
// so.
static bool has_tail(const struct clause *clause, const char *tail, size_t bytes) {
    const char *at = clause->text + clause->start, *end = clause->text + clause->end;
    while ((at = memmem(at, (size_t)(end - at), tail, bytes)) != NULL) {
        at += bytes;
        if (strncmp(at, "后", strlen("后")) != 0 || clause_has(clause, "行")) return true;
    }
    return false;
}

// Share of the pairs of neighbouring characters of the name that stand in the clause.
static double pairs_found(const struct clause *clause, const char *name) {
    int all = 0, found = 0;
    for (size_t at = 0; name[at];) {
        size_t first = character_length(name + at);
        size_t second = character_length(name + at + first);
        if (!second) break;
        all++;
        found += memmem(clause->text + clause->start, clause->end - clause->start, name + at,
                        first + second) != NULL;
        at += first;
    }
    return all ? (double)found / all : 0;
}

bool operation_is_told(const struct operation *operation, const struct episode *episode,
                       const char *text) {
    struct calendar_day day = moment_day(operation->start);
    struct month_day wanted = {day.month, day.day}, last = {0, 0};
    bool is_alike = has_alike(operation, episode);
    struct clause clause;
    size_t position = 0, bytes, text_bytes = strlen(text);
    const char *tail = operation_tail(operation->name, &bytes);
    while (clause_next(text, text_bytes, CLAUSE_CLAUSE, &position, &clause)) {
        bool is_day = clause_has_date(&clause, &wanted, &last) ||
                      (last.month == wanted.month && last.day == wanted.day);
        if ((is_day || !is_alike) && has_tail(&clause, tail, bytes) &&
            pairs_found(&clause, operation->name) >= NAME_PAIRS_MIN)
            return true;
    }
    return false;
}
