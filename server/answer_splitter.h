// SPDX-License-Identifier: Apache-2.0
// Cuts a model's text, as it comes, into what it thinks (<think>…</think>), what it says and which
// tools it calls (<tool_call>{"name", "arguments"}</tool_call>). What could be the beginning of a
// mark waits until it is certain.
#ifndef XL_SERVER_ANSWER_SPLITTER_H
#define XL_SERVER_ANSWER_SPLITTER_H

#include "server/json_writer.h"

#include <stdbool.h>
#include <stddef.h>

enum answer_part { PART_REASONING, PART_CONTENT, PART_TOOL_CALL };

struct answer_splitter {
    // How it begins; set by the caller.
    bool thinks;      // <think> may come first
    bool is_thinking; // the prompt ends inside <think>
    bool calls_tools; // <tool_call> may come
    bool is_calling;  // the prompt ends inside <tool_call>
    // Text of a part; of a tool call its name and its arguments as JSON.
    void (*on_part)(void *user, enum answer_part part, const char *text, size_t text_bytes,
                    const char *tool_name);
    void *user;
    // As it goes.
    struct json_writer pending;
    bool has_begun, skips_space;
    int n_calls;
};

void answer_splitter_add(struct answer_splitter *splitter, const char *text, size_t text_bytes);
void answer_splitter_end(struct answer_splitter *splitter); // nothing comes any more
void answer_splitter_free(struct answer_splitter *splitter);

#endif
