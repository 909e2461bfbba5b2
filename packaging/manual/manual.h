// SPDX-License-Identifier: Apache-2.0
// The commands and their options in one form, whatever table they come from, for everything that is
// generated of them. Texts are copies.
#ifndef XL_PACKAGING_MANUAL_H
#define XL_PACKAGING_MANUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { MANUAL_OPTIONS_MAX = 96 };

struct manual_option {
    char short_name;
    char *name, *argument, *help; // name NULL: `help` is a heading; argument NULL: a switch
    char *fallback;               // default value, "" for none; NULL: help says it itself
    bool is_configurable;         // also a variable and a line of the configuration file
};

struct manual_command {
    const char *name;  // "run"
    const char *alias; // "llm-cli"; NULL: "xinglin run" only
    const char *brief; // for NAME and lists
    char *usage, *summary;
    struct manual_option options[MANUAL_OPTIONS_MAX];
    size_t n_options;
};

extern struct manual_command manual_commands[];
extern const size_t n_manual_commands;

bool manual_collect(void); // fills manual_commands from the tables

// "llm-cli", or "xinglin inspect" with `separator` between.
const char *manual_name(const struct manual_command *command, char separator, char *name,
                        size_t name_bytes);
// Words that an option takes, blank-separated; NULL: anything; "" is a file.
const char *manual_words(const struct manual_option *option);

// Writers of one file each. `more` is text of the page's own, roff, or NULL.
void page_write_command(FILE *out, const struct manual_command *command, const char *more);
void page_write_config(FILE *out, const struct manual_command *serve, const char *more);
void page_write_frame(FILE *out, const char *name, int section, const char *brief,
                      const char *more);
void table_write_options(FILE *out, const struct manual_command *serve);
void completion_write_bash(FILE *out);
void completion_write_zsh(FILE *out);
void completion_write_fish(FILE *out);

#endif
