// SPDX-License-Identifier: Apache-2.0
// See config.h. What is weaker is applied first: defaults, file, environment, flags; so the flags
// are looked through twice, the first time for --config alone.
#include "server/config.h"

#include "server/config_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void config_variable(const struct config_option *option, char name[CONFIG_VARIABLE_BYTES]) {
    int n = snprintf(name, CONFIG_VARIABLE_BYTES, "XINGLIN_%s", option->name);
    for (int i = 0; i < n && i < CONFIG_VARIABLE_BYTES - 1; i++)
        name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
}

static bool read_environment(struct config *config) {
    for (size_t i = 0; i < n_config_options; i++) {
        char name[CONFIG_VARIABLE_BYTES];
        if (!config_options[i].name) continue;
        config_variable(&config_options[i], name);
        const char *value = getenv(name);
        if (!value || !*value) continue; // empty is unset, as in files of services
        if (config_set(config, i, value, CONFIG_FROM_ENVIRONMENT)) continue;
        char why[CONFIG_MESSAGE_BYTES];
        snprintf(why, sizeof why, "%s", config->message);
        return config_fail(config, "environment variable %s: %s", name, why);
    }
    return true;
}

// One argument taken apart: "--name=value", "--name value", "-mVALUE" or "-m VALUE".
struct argument {
    const char *name; // [n_name] without dashes
    size_t n_name;
    const char *value; // NULL: none was attached
    char short_name;   // instead of a name
};

static struct argument take_apart(const char *text) {
    struct argument argument = {0};
    if (text[1] != '-') {
        argument.short_name = text[1];
        if (text[1] && text[2]) argument.value = text + 2;
        return argument;
    }
    argument.name = text + 2;
    argument.n_name = strcspn(argument.name, "=");
    if (argument.name[argument.n_name]) argument.value = argument.name + argument.n_name + 1;
    return argument;
}

static size_t option_row(const struct argument *argument) {
    if (argument->name) return config_row(argument->name, argument->n_name);
    for (size_t i = 0; i < n_config_options; i++)
        if (argument->short_name && config_options[i].short_name == argument->short_name) return i;
    return n_config_options;
}

static size_t flag_row(const struct argument *argument) {
    const char *name = argument->name;
    size_t n = argument->n_name;
    if (argument->short_name == 'h') {
        name = "help";
        n = 4;
    }
    for (size_t i = 0; name && i < n_config_flags; i++)
        if (strlen(config_flags[i].name) == n && strncmp(config_flags[i].name, name, n) == 0)
            return i;
    return n_config_flags;
}

static bool unknown_flag(struct config *config, const char *text) {
    size_t dashes = strspn(text, "-"), n = strcspn(text + dashes, "=");
    const char *nearest = n > 1 ? config_nearest(text + dashes, n, true) : NULL;
    if (text[0] != '-') return config_fail(config, "unexpected argument \"%.60s\"", text);
    return config_fail(config, "unknown flag \"%.60s\"%s%s%s", text,
                       nearest ? " (did you mean --" : "", nearest ? nearest : "",
                       nearest ? "?)" : "");
}

// The value of an argument, or the argument after it.
static bool take_value(struct config *config, const struct argument *argument, int argc,
                       char **argv, int *at, const char **value) {
    *value = argument->value;
    if (*value) return true;
    if (*at >= argc)
        return config_fail(config, "a value is missing after \"%.60s\"", argv[*at - 1]);
    *value = argv[(*at)++];
    return true;
}

static bool obey_flag(struct config *config, size_t row, const char *value, bool first_pass,
                      enum config_action *action) {
    const struct {
        const char *name;
        enum config_action action;
        const char **target;
    } meanings[] = {
        {"config", CONFIG_SERVE, &config->file},
        {"print-config", CONFIG_PRINT, NULL},
        {"check-config", CONFIG_CHECK, NULL},
        {"new-key", CONFIG_NEW_KEY, &config->new_key},
        {"key-limits", CONFIG_SERVE, &config->key_limits},
        {"new-prefix-key", CONFIG_NEW_PREFIX_KEY, &config->new_prefix_key},
        {"help", CONFIG_HELP, NULL},
        {"version", CONFIG_VERSION, NULL},
    };
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (strcmp(meanings[i].name, config_flags[row].name) != 0) continue;
        if (meanings[i].target && !*value)
            return config_fail(config, "--%s needs a value", meanings[i].name);
        if (meanings[i].target && (i > 0 || first_pass)) *meanings[i].target = value;
        if (meanings[i].action == CONFIG_SERVE) return true;
        bool is_other = *action != CONFIG_SERVE && *action != meanings[i].action;
        if (is_other && *action != CONFIG_HELP && meanings[i].action != CONFIG_HELP)
            return config_fail(config,
                               "--%s and another flag that ends the program do not go "
                               "together",
                               meanings[i].name);
        if (*action != CONFIG_HELP) *action = meanings[i].action;
    }
    return true;
}

// The first pass looks for what is to be done and the file's name; the second sets values.
static bool read_flags(struct config *config, int argc, char **argv, bool first_pass,
                       enum config_action *action) {
    for (int at = 1; at < argc;) {
        const char *text = argv[at++], *value = NULL;
        if (text[0] != '-' || !text[1]) return unknown_flag(config, text);
        struct argument argument = take_apart(text);
        size_t row = option_row(&argument), flag = flag_row(&argument);
        if (row == n_config_options && flag == n_config_flags) return unknown_flag(config, text);
        bool takes_value = row < n_config_options ? config_options[row].kind != CONFIG_SWITCH
                                                  : config_flags[flag].argument != NULL;
        if (takes_value && !take_value(config, &argument, argc, argv, &at, &value)) return false;
        if (!takes_value) value = argument.value ? argument.value : "yes";
        if (flag < n_config_flags && !takes_value && argument.value)
            return config_fail(config, "--%s takes no value", config_flags[flag].name);
        if (flag < n_config_flags && !obey_flag(config, flag, value, first_pass, action))
            return false;
        if (row < n_config_options && !first_pass &&
            !config_set(config, row, value, CONFIG_FROM_FLAG)) {
            char why[CONFIG_MESSAGE_BYTES];
            snprintf(why, sizeof why, "%s", config->message);
            return config_fail(config, "--%s", why);
        }
    }
    return true;
}

static bool read_all(struct config *config, int argc, char **argv, enum config_action *action) {
    if (!read_flags(config, argc, argv, true, action)) return false;
    if (*action == CONFIG_HELP || *action == CONFIG_VERSION) return true;
    if (!config->file) config->file = getenv("XINGLIN_CONFIG");
    if (config->file && !*config->file) config->file = NULL;
    if (config->file && !config_read_file(config)) return false;
    if (!read_environment(config)) return false;
    if (!read_flags(config, argc, argv, false, action)) return false;
    if (*action == CONFIG_NEW_PREFIX_KEY) return true;
    if (*action == CONFIG_NEW_KEY)
        return config->settings.api_key_file ? true
                                             : config_fail(config, "--new-key needs "
                                                                   "--api-key-file FILE");
    if (config->key_limits) return config_fail(config, "--key-limits belongs to --new-key");
    if (*action == CONFIG_PRINT) return true; // shows also what does not fit together
    return settings_check(&config->settings, config->message, sizeof config->message);
}

enum config_action config_read(struct config *config, int argc, char **argv) {
    enum config_action action = CONFIG_SERVE;
    *config = (struct config){0};
    settings_default(&config->settings);
    return read_all(config, argc, argv, &action) ? action : CONFIG_MISTAKE;
}

void config_close(struct config *config) {
    for (size_t i = 0; i < CONFIG_OPTIONS_MAX; i++)
        free(config->texts[i]);
    free(config->file_text);
    *config = (struct config){0};
}
