// SPDX-License-Identifier: Apache-2.0
// What the files of `xinglin clinic` share: the parsed command line and how failures are told.
#ifndef XL_TOOLS_CLINIC_COMMAND_H
#define XL_TOOLS_CLINIC_COMMAND_H

#include "clinic/store/store.h"
#include "tools/option_table.h"

enum { CLINIC_EXIT_USAGE = 2, CLINIC_EXIT_INPUT = 3, CLINIC_EXIT_BROKEN = 5 };

struct clinic_options {
    const char *command;    // "xinglin clinic", for messages
    const char **arguments; // behind the subcommand: the store first
    int n_arguments;
    const char *display, *role, *password_file; // user
    struct option_texts departments;
    const char *text, *state; // list
    int limit, as_json;
    const char *expect;          // verify-audit
    const char *format, *output; // export-audit
};

// The actor of everything that is done from a shell: the system's user, as "system:NAME".
struct actor clinic_shell_actor(void);
// The store named first. 0, or the exit status after it told why.
int clinic_open(const struct clinic_options *options, struct store **store);
// Tells the error in one line; returns the exit status that belongs to it.
int clinic_fail_command(const struct clinic_options *options, const char *where,
                        const struct clinic_error *error);
// Text of the store for a terminal: without control characters.
void clinic_print_text(const char *text);

int clinic_user(const struct clinic_options *options);
int clinic_import(const struct clinic_options *options);

#endif
