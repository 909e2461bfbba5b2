// SPDX-License-Identifier: Apache-2.0
// One table of everything that an operator of a server can choose; from it come the flags
// (--kv-memory-mib), the environment (XINGLIN_KV_MEMORY_MIB), the configuration file
// (kv-memory-mib = 8192), --help, --print-config, man pages, completions and docs/SERVER.md. A flag
// beats the environment, that the file, that the default. Secrets come by the path of a file only.
//
// Configuration file: "name = value" a line; # or ; begins a comment line; a value may stand in
// double quotes; lists are "a, b" or several lines; switches are yes or no. An unknown name, a
// second value or a bad one is an error with file and line.
#ifndef XL_SERVER_CONFIG_H
#define XL_SERVER_CONFIG_H

#include "server/settings.h"

#include <stdio.h>

enum config_kind {
    CONFIG_SWITCH, // int 0 or 1
    CONFIG_TEXT,   // const char *
    CONFIG_PATH,   // const char *, of a file or directory
    CONFIG_INT,    // int, min .. max
    CONFIG_NUMBER, // float, min .. max
    CONFIG_LIST    // struct settings_list
};

struct config_option {
    char short_name;  // 0: none
    const char *name; // "kv-memory-mib"
    enum config_kind kind;
    size_t offset;        // of its field in struct server_settings
    const char *argument; // "MIB"; NULL for switches
    const char *help;     // one line
    double min, max;      // of numbers
};

// A heading is a row without a name.
extern const struct config_option config_options[];
extern const size_t n_config_options;

// Flags that do something else than serve, and exist as flags only.
struct config_flag {
    const char *name, *argument, *help;
};
extern const struct config_flag config_flags[];
extern const size_t n_config_flags;

enum config_origin { CONFIG_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENVIRONMENT, CONFIG_FROM_FLAG };

enum config_action {
    CONFIG_SERVE,
    CONFIG_MISTAKE,       // message says which: exit status 2
    CONFIG_HELP,          // config_write_help(), exit status 0
    CONFIG_VERSION,       // exit status 0
    CONFIG_PRINT,         // config_write_values(), exit status 0
    CONFIG_CHECK,         // all is well: exit status 0
    CONFIG_NEW_KEY,       // api_keys_create(new_key, key_limits)
    CONFIG_NEW_PREFIX_KEY // xl_prefix_key_create(new_prefix_key)
};

enum { CONFIG_OPTIONS_MAX = 96, CONFIG_MESSAGE_BYTES = 512 };

struct config {
    struct server_settings settings;
    const char *file;                               // NULL: none was read
    const char *new_key, *key_limits;               // of CONFIG_NEW_KEY; key_limits may be NULL
    const char *new_prefix_key;                     // of CONFIG_NEW_PREFIX_KEY
    enum config_origin origins[CONFIG_OPTIONS_MAX]; // by the option's row
    int lines[CONFIG_OPTIONS_MAX];                  // of the file, where the origin is the file
    char *texts[CONFIG_OPTIONS_MAX];                // owned: what lists are cut from
    char *file_text;                                // owned: what the file's values point into
    char message[CONFIG_MESSAGE_BYTES];
};

// Reads argv, the environment and the file; checks with settings_check() except for help, version
// and keys. The settings live as long as argv and the config; close it after any action.
enum config_action config_read(struct config *config, int argc, char **argv);
void config_close(struct config *config);
void config_write_help(FILE *out, const char *command);
// The effective values as a configuration file, each with where it came from.
void config_write_values(const struct config *config, FILE *out);

// "XINGLIN_KV_MEMORY_MIB" of an option.
enum { CONFIG_VARIABLE_BYTES = 64 };
void config_variable(const struct config_option *option, char name[CONFIG_VARIABLE_BYTES]);
// An option's value in these settings as the file spells it ("" for none).
void config_spell(const struct config_option *option, const struct server_settings *settings,
                  char *text, size_t text_bytes);

#endif
