// SPDX-License-Identifier: Apache-2.0
// See terminal.h.
#include "tools/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_COLUMNS = 30 };

static bool bar_is_shown;
static double drawn_at_s;

int terminal_fail(const char *command, const xl_error *error) {
    terminal_progress_end();
    fprintf(stderr, "%s: %s\n", command, error->message);
    return xl_status_exit_code(error->status);
}

int terminal_fail_text(const char *command, int exit_status, const char *format, ...) {
    va_list arguments;
    terminal_progress_end();
    fprintf(stderr, "%s: ", command);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return exit_status;
}

int terminal_finish(const char *command, int exit_status) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return exit_status;
    int reason = errno;
    return terminal_fail_text(command, reason == ENOSPC || reason == EDQUOT ? 4 : 1,
                              "cannot write the output: %s", reason ? strerror(reason) : "failed");
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void terminal_progress(double done, const char *what) {
    char bar[BAR_COLUMNS + 1];
    if (!isatty(STDERR_FILENO)) return;
    double now = now_s();
    if (bar_is_shown && done < 1 && now - drawn_at_s < 0.1) return;
    int filled = done < 0 ? 0 : done > 1 ? BAR_COLUMNS : (int)(done * BAR_COLUMNS);
    memset(bar, ' ', BAR_COLUMNS);
    memset(bar, '=', (size_t)filled);
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr, "\r[%s] %3d%% %.40s\033[K", bar, (int)(done * 100), what ? what : "");
    fflush(stderr);
    bar_is_shown = true;
    drawn_at_s = now;
}

void terminal_progress_end(void) {
    if (!bar_is_shown) return;
    fputs("\r\033[K", stderr);
    bar_is_shown = false;
}
