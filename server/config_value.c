// SPDX-License-Identifier: Apache-2.0
// See config_value.h. Numbers are read in full or not at all; what is out of range is refused with
// the range.
#include "server/config_value.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_CHARS = 40 };

bool config_fail(struct config *config, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(config->message, sizeof config->message, format, arguments);
    va_end(arguments);
    for (char *c = config->message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
    return false;
}

size_t config_row(const char *name, size_t n) {
    for (size_t i = 0; i < n_config_options; i++) {
        const char *own = config_options[i].name;
        if (own && strlen(own) == n && strncmp(own, name, n) == 0) return i;
    }
    return n_config_options;
}

// Letters to change, add or drop so that a[n_a] becomes b.
static size_t distance(const char *a, size_t n_a, const char *b) {
    size_t n_b = strlen(b), row[NAME_MAX_CHARS + 1];
    if (n_a > NAME_MAX_CHARS || n_b > NAME_MAX_CHARS) return NAME_MAX_CHARS + 1;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n_b];
}

static void consider(const char *candidate, const char *name, size_t n, const char **nearest,
                     size_t *least) {
    if (!candidate) return;
    size_t d = n > 2 && strncmp(candidate, name, n) == 0 ? 1 : distance(name, n, candidate);
    if (d >= *least) return;
    *least = d;
    *nearest = candidate;
}

const char *config_nearest(const char *name, size_t n, bool also_flags) {
    const char *nearest = NULL;
    size_t least = 2 + n / 3;
    for (size_t i = 0; i < n_config_options; i++)
        consider(config_options[i].name, name, n, &nearest, &least);
    for (size_t i = 0; also_flags && i < n_config_flags; i++)
        consider(config_flags[i].name, name, n, &nearest, &least);
    return nearest;
}

static bool parse_switch(const char *text, int *value) {
    static const char *const words[2][4] = {{"no", "false", "0", "off"},
                                            {"yes", "true", "1", "on"}};
    for (int v = 0; v < 2; v++)
        for (size_t i = 0; i < 4; i++)
            if (strcasecmp(text, words[v][i]) == 0) {
                *value = v;
                return true;
            }
    return false;
}

static bool parse_int(const struct config_option *option, const char *text, int *value) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < option->min || number > option->max) return false;
    *value = (int)number;
    return true;
}

static bool parse_number(const struct config_option *option, const char *text, float *value) {
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number)) return false;
    if (number < option->min || number > option->max) return false;
    *value = (float)number;
    return true;
}

static bool add_items(struct config *config, size_t row, const char *text,
                      struct settings_list *list) {
    const char *before = config->texts[row] ? config->texts[row] : "";
    size_t size = strlen(before) + strlen(text) + 2;
    char *joined = malloc(size);
    if (!joined) return config_fail(config, "out of memory");
    snprintf(joined, size, "%s%s%s", before, *before ? "," : "", text);
    free(config->texts[row]);
    config->texts[row] = joined;
    *list = (struct settings_list){.n_items = 0};
    // The items are cut in a copy behind the text, which stays whole for the next line.
    char *copy = realloc(joined, 2 * size);
    if (!copy) return config_fail(config, "out of memory");
    config->texts[row] = copy;
    char *item = memcpy(copy + size, copy, size);
    for (char *next; item; item = next) {
        next = strchr(item, ',');
        if (next) *next++ = '\0';
        item += strspn(item, " \t");
        for (size_t n = strlen(item); n > 0 && strchr(" \t", item[n - 1]); n--)
            item[n - 1] = '\0';
        if (!*item) continue;
        if (list->n_items == SETTINGS_LIST_MAX)
            return config_fail(config, "%s: at most %d items", config_options[row].name,
                               SETTINGS_LIST_MAX);
        list->items[list->n_items++] = item;
    }
    return true;
}

static bool refuse_value(struct config *config, const struct config_option *option,
                         const char *text) {
    if (option->kind == CONFIG_SWITCH)
        return config_fail(config, "%s: \"%.60s\" is neither yes nor no", option->name, text);
    return config_fail(config, "%s: \"%.60s\" is no %snumber from %.10g to %.10g", option->name,
                       text, option->kind == CONFIG_INT ? "whole " : "", option->min, option->max);
}

bool config_set(struct config *config, size_t row, const char *text, enum config_origin origin) {
    const struct config_option *option = &config_options[row];
    void *field = (char *)&config->settings + option->offset;
    bool ok = true;
    if (option->kind == CONFIG_LIST) {
        if (config->origins[row] != origin) {
            free(config->texts[row]);
            config->texts[row] = NULL;
        }
        config->origins[row] = origin;
        return add_items(config, row, text, field);
    }
    if (option->kind == CONFIG_TEXT || option->kind == CONFIG_PATH)
        *(const char **)field = *text ? text : NULL;
    else if (option->kind == CONFIG_SWITCH)
        ok = parse_switch(text, field);
    else if (option->kind == CONFIG_INT)
        ok = parse_int(option, text, field);
    else
        ok = parse_number(option, text, field);
    config->origins[row] = origin;
    return ok ? true : refuse_value(config, option, text);
}
