// SPDX-License-Identifier: Apache-2.0
// See option_table.h.
#include "tools/option_table.h"

#include "xinglin/xinglin.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, HELP_COLUMN = 30, FLAG_MAX = 40 };

static int mistake(const char *command, const char *what, const char *which, const char *more) {
    fprintf(stderr, "%s: %s \"%.100s\"%s; see %s --help\n", command, what, which, more, command);
    return EXIT_USAGE;
}

static void print_row(const struct option_row *row) {
    char left[80];
    if (row->kind == OPTION_SECTION) {
        printf("\n%s:\n", row->help);
        return;
    }
    int n = snprintf(left, sizeof left, "  %c%c%s%s%s%s%s", row->short_name ? '-' : ' ',
                     row->short_name ? row->short_name : ' ',
                     row->short_name && row->long_name ? ", "
                     : row->long_name                  ? "  "
                                                       : "",
                     row->long_name ? "--" : "", row->long_name ? row->long_name : "",
                     row->argument ? " " : "", row->argument ? row->argument : "");
    if (n >= HELP_COLUMN) printf("%s\n%*s%s\n", left, HELP_COLUMN, "", row->help);
    if (n < HELP_COLUMN) printf("%-*s%s\n", HELP_COLUMN, left, row->help);
}

static int print_help(const struct command_line *line, const char *command) {
    bool begins_with_heading = line->n_rows > 0 && line->rows[0].kind == OPTION_SECTION;
    printf("usage: %s %s\n\n%s\n%s", command, line->usage, line->summary,
           begins_with_heading ? "" : "\n");
    for (size_t i = 0; i < line->n_rows; i++)
        print_row(&line->rows[i]);
    printf("  -h, --help                  this text\n"
           "      --version               the version\n");
    return 0;
}

static bool in_range(const struct option_row *row, double value) {
    return (row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max);
}

static bool parse_int(const struct option_row *row, const char *text, int *value) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < INT32_MIN || number > INT32_MAX) return false;
    *value = (int)number;
    return in_range(row, (double)number);
}

static bool parse_ints(const struct option_row *row, char *text, struct option_ints *list) {
    list->n_items = 0; // replaces the default
    for (char *next = text; next; text = next) {
        next = strchr(text, ',');
        if (next) *next++ = '\0';
        if (list->n_items == OPTION_ITEMS_MAX) return false;
        if (!parse_int(row, text, &list->items[list->n_items++])) return false;
    }
    return true;
}

static bool add_text(const char *text, struct option_texts *list) {
    if (list->n_items == OPTION_ITEMS_MAX || !*text) return false;
    list->items[list->n_items++] = text;
    return true;
}

static bool parse_texts(char *text, struct option_texts *list) {
    for (char *next = text; next; text = next) {
        next = strchr(text, ',');
        if (next) *next++ = '\0';
        if (!add_text(text, list)) return false;
    }
    return true;
}

static bool parse_number(const struct option_row *row, const char *text, float *value) {
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number)) return false;
    *value = (float)number;
    return in_range(row, number);
}

static bool parse_u64(const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9') return false;
    *value = strtoull(text, &end, 10);
    return end != text && !*end && !errno;
}

static bool set_value(const struct option_row *row, char *text) {
    switch (row->kind) {
    case OPTION_TEXT:
        *(const char **)row->target = text;
        return true;
    case OPTION_INT:
        return parse_int(row, text, row->target);
    case OPTION_U64:
        return parse_u64(text, row->target);
    case OPTION_NUMBER:
        return parse_number(row, text, row->target);
    case OPTION_INTS:
        return parse_ints(row, text, row->target);
    case OPTION_TEXTS:
        return parse_texts(text, row->target);
    case OPTION_REPEAT:
        return add_text(text, row->target);
    default:
        return false;
    }
}

static const struct option_row *find_row(const struct command_line *line, const char *argument,
                                         char **value) {
    *value = NULL;
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    for (size_t i = 0; i < line->n_rows; i++) {
        const struct option_row *row = &line->rows[i];
        if (row->kind == OPTION_SECTION) continue;
        if (argument[1] != '-' && row->short_name == argument[1]) {
            if (argument[2]) *value = (char *)argument + 2;
            return row;
        }
        if (argument[1] == '-' && row->long_name && strlen(row->long_name) == length &&
            strncmp(row->long_name, name, length) == 0) {
            if (name[length]) *value = (char *)name + length + 1;
            return row;
        }
    }
    return NULL;
}

// Letters to change, add, drop or swap so that a[n_a] becomes b; FLAG_MAX + 1 for long texts.
static size_t distance(const char *a, size_t n_a, const char *b) {
    size_t n_b = strlen(b), rows[3][FLAG_MAX + 1];
    if (n_a > FLAG_MAX || n_b > FLAG_MAX) return FLAG_MAX + 1;
    for (size_t j = 0; j <= n_b; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best) best = before[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && earlier[j - 2] + 1 < best) best = earlier[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[n_a % 3][n_b];
}

// The long name that was probably meant; NULL if none is near.
static const char *nearest_name(const struct command_line *line, const char *argument) {
    if (argument[1] != '-' && !argument[2]) return NULL; // "-q" is near everything
    const char *name = argument + strspn(argument, "-"), *nearest = NULL;
    size_t length = strcspn(name, "="), least = 1 + length / 3;
    for (size_t i = 0; i < line->n_rows; i++) {
        const char *candidate = line->rows[i].long_name;
        size_t d = candidate ? distance(name, length, candidate) : FLAG_MAX;
        bool is_start = candidate && length > 2 && strncmp(candidate, name, length) == 0;
        if (is_start) d = 1;
        if (d > least || (nearest && d == least)) continue;
        least = d;
        nearest = candidate;
    }
    return nearest;
}

static int unknown_flag(const struct command_line *line, const char *command,
                        const char *argument) {
    char suggestion[FLAG_MAX + 32] = "";
    const char *nearest = nearest_name(line, argument);
    if (nearest) snprintf(suggestion, sizeof suggestion, " (did you mean --%s?)", nearest);
    return mistake(command, "unknown flag", argument, suggestion);
}

// One option and its value; *at is moved past what was used. 0 or an exit status.
static int take_option(struct command_line *line, int argc, char **argv, int *at) {
    char *argument = argv[(*at)++], *value, before[128];
    const struct option_row *row = find_row(line, argument, &value);
    if (!row) return unknown_flag(line, argv[0], argument);
    if (row->kind == OPTION_FLAG) {
        if (value) return mistake(argv[0], "this flag takes no value:", argument, "");
        *(int *)row->target = 1;
        return 0;
    }
    if (!value) {
        if (*at >= argc) return mistake(argv[0], "a value is missing after", argument, "");
        value = argv[(*at)++];
    }
    snprintf(before, sizeof before, "%s", value);
    if (set_value(row, value)) return 0;
    char range[160] = "";
    if (row->min != 0 || row->max != 0)
        snprintf(range, sizeof range, " for %.40s (%.10g to %.10g)",
                 row->long_name ? row->long_name : "", row->min, row->max);
    else
        snprintf(range, sizeof range, " for %.40s", row->long_name ? row->long_name : argument);
    return mistake(argv[0], "bad value", before, range);
}

static void (*visitor)(const struct command_line *line);

void options_visit(void (*visit)(const struct command_line *line)) {
    visitor = visit;
}

int options_parse(struct command_line *line, int argc, char **argv) {
    bool options_ended = false;
    if (visitor) {
        visitor(line);
        return 0;
    }
    line->n_positionals = 0;
    for (int at = 1; at < argc;) {
        const char *argument = argv[at];
        if (!options_ended && strcmp(argument, "--") == 0) {
            options_ended = true;
            at++;
        } else if (!options_ended && argument[0] == '-' && argument[1]) {
            if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
                return print_help(line, argv[0]);
            if (strcmp(argument, "--version") == 0) {
                printf("xinglin %s\n", xl_version());
                return 0;
            }
            int status = take_option(line, argc, argv, &at);
            if (status != 0) return status;
        } else if (line->n_positionals < line->n_positionals_max) {
            line->positionals[line->n_positionals++] = argument;
            at++;
        } else if (line->n_positionals_max == 0) { // perhaps a prompt: not repeated here
            fprintf(stderr,
                    "%s: argument %d belongs to no flag (are quotes missing around the prompt?); "
                    "see %s --help\n",
                    argv[0], at, argv[0]);
            return EXIT_USAGE;
        } else
            return mistake(argv[0], "unexpected argument", argument, "");
    }
    if (line->n_positionals < line->n_positionals_min) {
        fprintf(stderr, "%s: usage: %s %s; see %s --help\n", argv[0], argv[0], line->usage,
                argv[0]);
        return EXIT_USAGE;
    }
    return OPTIONS_GO_ON;
}
