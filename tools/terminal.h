// SPDX-License-Identifier: Apache-2.0
// What the commands say beside their output: one-line errors, and progress that only a terminal
// sees. Everything goes to stderr.
#ifndef XL_TOOLS_TERMINAL_H
#define XL_TOOLS_TERMINAL_H

#include "xinglin/xinglin.h"

// "command: message"; returns the exit status that belongs to error->status.
int terminal_fail(const char *command, const xl_error *error);
// The same with a message of our own and an exit status.
int terminal_fail_text(const char *command, int exit_status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Flushes stdout; returns exit_status, or tells of a failed write and returns 4 (a full disk) or 1.
int terminal_finish(const char *command, int exit_status);
// A bar for 0 <= done <= 1 with a word beside it, redrawn at most ten times a second; nothing if
// stderr is no terminal.
void terminal_progress(double done, const char *what);
void terminal_progress_end(void); // wipes the bar

#endif
