// SPDX-License-Identifier: Apache-2.0
// Command lines as tables: one row an option gives its parsing, its checking and its line of
// --help.
#ifndef XL_TOOLS_OPTION_TABLE_H
#define XL_TOOLS_OPTION_TABLE_H

#include <stddef.h>

enum option_kind {
    OPTION_FLAG,   // int: set to 1
    OPTION_TEXT,   // const char *
    OPTION_INT,    // int, min .. max
    OPTION_U64,    // uint64_t
    OPTION_NUMBER, // float, min .. max
    OPTION_INTS,   // struct option_ints: "32,512,2048", each min .. max
    OPTION_TEXTS,  // struct option_texts: "a,b" or given several times
    OPTION_REPEAT, // struct option_texts: taken whole, given several times
    OPTION_SECTION // a line of --help: `help` as a heading
};

enum { OPTION_ITEMS_MAX = 64 };

struct option_ints {
    int items[OPTION_ITEMS_MAX];
    int n_items;
};

struct option_texts {
    const char *items[OPTION_ITEMS_MAX]; // pointers into argv
    int n_items;
};

struct option_row {
    char short_name;       // 0: none
    const char *long_name; // without dashes; NULL: none
    enum option_kind kind;
    void *target;         // of the kind's type, set to the default beforehand
    const char *argument; // how --help names the value: "FILE"
    const char *help;     // one line
    double min, max;      // of numbers; both 0: any
};

struct command_line {
    const char *usage;   // after the command's name: "[flags] -m MODEL -f TEXT"
    const char *summary; // what the command does, for --help
    const struct option_row *rows;
    size_t n_rows;
    const char **positionals; // [n_positionals_max], filled
    int n_positionals_min, n_positionals_max;
    int n_positionals;
};

enum { OPTIONS_GO_ON = -1 };

// OPTIONS_GO_ON, or the exit status to end with: 0 after --help or --version, 2 after a mistake, of
// which it has told the user in one line. argv[0] is the command's name for messages; argv is
// modified where lists are cut. "--" ends the options; "--name=value" and "-nVALUE" work.
int options_parse(struct command_line *line, int argc, char **argv);
// For what is made of the tables (man pages, completions): from now on options_parse() hands every
// table to `visit` and ends with 0.
void options_visit(void (*visit)(const struct command_line *line));

#endif
