// SPDX-License-Identifier: Apache-2.0
// The configuration file (config.h says what it looks like), read whole, cut in place.
#include "server/config_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20 };

static char *trim(char *text) {
    text += strspn(text, " \t\r");
    for (size_t n = strlen(text); n > 0 && strchr(" \t\r", text[n - 1]); n--)
        text[n - 1] = '\0';
    return text;
}

// Reads the file into config->file_text.
static bool load(struct config *config) {
    FILE *file = fopen(config->file, "rbe");
    if (!file)
        return config_fail(config, "%.200s: cannot open the configuration file: %s", config->file,
                           strerror(errno));
    char *text = malloc(FILE_BYTES_MAX + 1);
    size_t n = text ? fread(text, 1, FILE_BYTES_MAX, file) : 0;
    bool is_whole = text && !ferror(file) && fgetc(file) == EOF && !ferror(file);
    fclose(file);
    if (text) text[n] = '\0';
    config->file_text = text;
    if (!text) return config_fail(config, "out of memory");
    if (!is_whole || strlen(text) != n)
        return config_fail(config, "%.200s: no configuration file: %s", config->file,
                           is_whole ? "it holds zero bytes"
                                    : "it cannot be read or is larger than 1 MiB");
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) memset(text, ' ', 3); // a byte order mark
    return true;
}

static bool complain(struct config *config, int number, const char *why) {
    char reason[CONFIG_MESSAGE_BYTES];
    snprintf(reason, sizeof reason, "%s", why);
    return config_fail(config, "%.200s:%d: %s", config->file, number, reason);
}

static bool unknown_name(struct config *config, int number, const char *name) {
    char text[200];
    const char *nearest = config_nearest(name, strlen(name), false);
    snprintf(text, sizeof text, "unknown name \"%.60s\"%s%s%s", name,
             nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    return complain(config, number, text);
}

// In a file _ is as good as -, as it is in the environment.
static void use_dashes(char *name) {
    for (; *name; name++)
        if (*name == '_') *name = '-';
}

static bool read_line(struct config *config, int number, char *line) {
    line = trim(line);
    if (!*line || *line == '#' || *line == ';') return true;
    char *equals = strchr(line, '=');
    if (!equals) return complain(config, number, "this is not \"name = value\"");
    *equals = '\0';
    char *name = trim(line), *value = trim(equals + 1);
    size_t length = strlen(value);
    if (*value == '"') {
        if (length < 2 || value[length - 1] != '"')
            return complain(config, number, "a quotation mark is not closed");
        value[length - 1] = '\0';
        value++;
    }
    use_dashes(name);
    size_t row = config_row(name, strlen(name));
    if (row == n_config_options) return unknown_name(config, number, name);
    if (config->lines[row] && config_options[row].kind != CONFIG_LIST) {
        char text[120];
        snprintf(text, sizeof text, "\"%s\" has a value already, in line %d", name,
                 config->lines[row]);
        return complain(config, number, text);
    }
    config->lines[row] = number;
    if (config_set(config, row, value, CONFIG_FROM_FILE)) return true;
    return complain(config, number, config->message);
}

bool config_read_file(struct config *config) {
    if (!load(config)) return false;
    char *line = config->file_text;
    for (int number = 1; line; number++) {
        char *next = strchr(line, '\n');
        if (next) *next++ = '\0';
        if (!read_line(config, number, line)) return false;
        line = next;
    }
    return true;
}
