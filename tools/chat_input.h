// SPDX-License-Identifier: Apache-2.0
// Lines from a person (edited with libedit) or from a pipe.
#ifndef XL_TOOLS_CHAT_INPUT_H
#define XL_TOOLS_CHAT_INPUT_H

struct chat_input {
    int interactive;
    const char *history_path; // NULL: nothing is remembered, not even in memory
};

void chat_input_open(struct chat_input *input, const char *history_path);
// The next message without its newline; lines that end with a backslash go on in the next one. NULL
// at the end. free() it.
char *chat_input_read(struct chat_input *input);
void chat_input_close(struct chat_input *input);

#endif
