// SPDX-License-Identifier: Apache-2.0
#include "tools/chat_input.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <editline/readline.h>

enum { LINE_BYTES_MAX = 16 << 20 };

void chat_input_open(struct chat_input *input, const char *history_path) {
    input->interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    input->history_path = history_path;
    if (!input->interactive) return;
    setlocale(LC_CTYPE, ""); // so that libedit counts characters, not bytes
    if (history_path) {
        // The file may hold what doctors typed: nobody else may read it.
        int fd = open(history_path, O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
        if (fd >= 0) close(fd);
        using_history();
        read_history(history_path);
    }
}

void chat_input_close(struct chat_input *input) {
    if (input->interactive && input->history_path) write_history(input->history_path);
}

static char *read_line(const struct chat_input *input, const char *prompt) {
    if (input->interactive) return readline(prompt);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n = getline(&line, &capacity, stdin);
    if (n < 0) {
        free(line);
        return NULL;
    }
    if (n > 0 && line[n - 1] == '\n') line[--n] = '\0';
    for (ssize_t i = 0; i < n; i++) // or the rest of the line would be lost without a word
        if (line[i] == '\0') line[i] = ' ';
    return line;
}

char *chat_input_read(struct chat_input *input) {
    char *message = read_line(input, "> ");
    while (message) {
        size_t length = strlen(message);
        if (length == 0 || message[length - 1] != '\\' || length > LINE_BYTES_MAX) break;
        char *next = read_line(input, "| ");
        size_t more = next ? strlen(next) : 0;
        char *joined = realloc(message, length + more + 1);
        if (!joined) {
            free(next);
            break;
        }
        message = joined;
        message[length - 1] = '\n';
        memcpy(message + length, next ? next : "", more + 1);
        free(next);
        if (!next) break;
    }
    if (message && *message && input->interactive && input->history_path) add_history(message);
    return message;
}
