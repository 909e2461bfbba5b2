// SPDX-License-Identifier: Apache-2.0
// What the option table looks like as text: --help and --print-config.
#include "server/config.h"

#include <stdlib.h>
#include <string.h>

extern char **environ;

enum { HELP_COLUMN = 32, VALUE_BYTES_MAX = 4096 };

static void spell_list(const struct settings_list *list, char *text, size_t text_bytes) {
    size_t used = 0;
    for (int i = 0; i < list->n_items && used < text_bytes; i++) {
        int n = snprintf(text + used, text_bytes - used, "%s%s", i ? ", " : "", list->items[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

void config_spell(const struct config_option *option, const struct server_settings *settings,
                  char *text, size_t text_bytes) {
    const void *field = (const char *)settings + option->offset;
    const char *value;
    *text = '\0';
    switch (option->kind) {
    case CONFIG_SWITCH:
        snprintf(text, text_bytes, "%s", *(const int *)field ? "yes" : "no");
        break;
    case CONFIG_TEXT:
    case CONFIG_PATH:
        value = *(const char *const *)field;
        if (!value) break;
        bool needs_quotes =
            *value == ' ' || *value == '"' || (*value && strchr(" \t", value[strlen(value) - 1]));
        snprintf(text, text_bytes, needs_quotes ? "\"%s\"" : "%s", value);
        break;
    case CONFIG_INT:
        snprintf(text, text_bytes, "%d", *(const int *)field);
        break;
    case CONFIG_NUMBER:
        snprintf(text, text_bytes, "%g", (double)*(const float *)field);
        break;
    case CONFIG_LIST:
        spell_list(field, text, text_bytes);
        break;
    }
}

static void write_row(FILE *out, char short_name, const char *name, const char *argument,
                      const char *help) {
    char left[96];
    int n = snprintf(left, sizeof left, "  %c%c%s--%s%s%s", short_name ? '-' : ' ',
                     short_name ? short_name : ' ', short_name ? ", " : "  ", name,
                     argument ? " " : "", argument ? argument : "");
    if (n >= HELP_COLUMN) fprintf(out, "%s\n%*s%s", left, HELP_COLUMN, "", help);
    if (n < HELP_COLUMN) fprintf(out, "%-*s%s", HELP_COLUMN, left, help);
}

void config_write_help(FILE *out, const char *command) {
    struct server_settings defaults;
    settings_default(&defaults);
    fprintf(out,
            "usage: %s [flags] -m MODEL\n\n"
            "Serves a model over HTTP as OpenAI's API. Every flag is also a variable of the\n"
            "environment (--kv-memory-mib: XINGLIN_KV_MEMORY_MIB) and a line of the configuration\n"
            "file (kv-memory-mib = 8192). Flags win over the environment, that over the file.\n",
            command);
    for (size_t i = 0; i < n_config_options; i++) {
        const struct config_option *option = &config_options[i];
        if (!option->name) {
            fprintf(out, "\n%s:\n", option->help);
            continue;
        }
        char value[256];
        config_spell(option, &defaults, value, sizeof value);
        write_row(out, option->short_name, option->name, option->argument, option->help);
        bool has_default = *value && option->kind != CONFIG_SWITCH;
        fprintf(out, has_default ? " (%s)\n" : "\n", value);
    }
    fprintf(out, "\nOther:\n");
    for (size_t i = 0; i < n_config_flags; i++) {
        write_row(out, 0, config_flags[i].name, config_flags[i].argument, config_flags[i].help);
        fprintf(out, "\n");
    }
    fprintf(out, "\nExit status: 0 done, 1 failed while running, 2 usage, 3 bad input file,\n"
                 "4 out of memory or disk.\n");
}

static void write_origin(const struct config *config, size_t row, FILE *out) {
    char variable[CONFIG_VARIABLE_BYTES];
    switch (config->origins[row]) {
    case CONFIG_DEFAULT:
        fprintf(out, "# default\n");
        break;
    case CONFIG_FROM_FILE:
        fprintf(out, "# %s, line %d\n", config->file, config->lines[row]);
        break;
    case CONFIG_FROM_ENVIRONMENT:
        config_variable(&config_options[row], variable);
        fprintf(out, "# environment variable %s\n", variable);
        break;
    case CONFIG_FROM_FLAG:
        fprintf(out, "# flag\n");
        break;
    }
}

// Variables that look like ours and mean nothing are probably misspelt.
static void write_unknown_variables(FILE *out) {
    static const char *const others[] = {"XINGLIN_CONFIG", "XINGLIN_CACHE"};
    for (char **item = environ; *item; item++) {
        bool is_known = strncmp(*item, "XINGLIN_", 8) != 0;
        size_t n = strcspn(*item, "=");
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            is_known |= strlen(others[i]) == n && strncmp(others[i], *item, n) == 0;
        for (size_t i = 0; i < n_config_options && !is_known; i++) {
            char name[CONFIG_VARIABLE_BYTES];
            if (!config_options[i].name) continue;
            config_variable(&config_options[i], name);
            is_known = strlen(name) == n && strncmp(name, *item, n) == 0;
        }
        if (!is_known) fprintf(out, "# not a variable of the server: %.*s\n", (int)n, *item);
    }
}

void config_write_values(const struct config *config, FILE *out) {
    for (size_t i = 0; i < n_config_options; i++) {
        const struct config_option *option = &config_options[i];
        if (!option->name) {
            fprintf(out, "%s# ---- %s\n", i ? "\n" : "", option->help);
            continue;
        }
        char value[VALUE_BYTES_MAX];
        config_spell(option, &config->settings, value, sizeof value);
        write_origin(config, i, out);
        bool is_unset = !*value && config->origins[i] == CONFIG_DEFAULT;
        fprintf(out, "%s%s = %s\n", is_unset ? "# " : "", option->name, value);
    }
    write_unknown_variables(out);
}
