// SPDX-License-Identifier: Apache-2.0
// From OpenAI's messages and tools to the prompt that the model's own template makes of them. A
// template that knows nothing of tools gets them as text of the system message, in the same form.
#ifndef XL_SERVER_CHAT_PROMPT_H
#define XL_SERVER_CHAT_PROMPT_H

#include "server/model_host.h"
#include "server/openai_error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum tool_choice { TOOLS_NONE, TOOLS_AUTO, TOOLS_REQUIRED, TOOLS_NAMED };

struct chat_prompt_request {
    const json_t *messages, *tools, *template_arguments; // the last two may be NULL
    const json_t *tool_choice, *chosen;                  // chosen: the one named tool, set by read
    enum tool_choice choice;                             // set by chat_prompt_read_tools
    int thinking;                                        // 1, 0, or -1: as the template likes
    bool no_generation_prompt;
};

struct chat_prompt {
    char *text; // free()
    size_t text_bytes;
    bool is_thinking; // ends inside <think>
    bool is_calling;  // ends inside <tool_call>
};

// Looks at tools and tool_choice.
bool chat_prompt_read_tools(struct chat_prompt_request *request, struct openai_error *error);
bool chat_prompt_make(const struct model_host *host, const struct chat_prompt_request *request,
                      bool schema_follows, struct chat_prompt *prompt, struct openai_error *error);
void chat_prompt_free(struct chat_prompt *prompt);
// JSON Schema of one call of the tools that may be called; free(). NULL: no memory.
char *chat_prompt_call_schema(const struct chat_prompt_request *request);

#endif
