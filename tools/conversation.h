// SPDX-License-Identifier: Apache-2.0
// Messages, and the session that holds as much of their rendered text as possible.
#ifndef XL_TOOLS_CONVERSATION_H
#define XL_TOOLS_CONVERSATION_H

#include "xinglin/xinglin.h"

#include <stdbool.h>

struct conversation {
    xl_engine *engine;
    xl_session *session;
    xl_message *messages; // role: static text; content: owned
    size_t n_messages, capacity;
    int32_t *held; // ids that the session holds, as far as they are known
    size_t n_held, held_capacity;
    // While an answer is written:
    char *answer;
    size_t answer_bytes;
    const xl_generate_options *options;
};

// XL_NOT_FOUND if the model has no chat template. close also after a failure.
xl_status conversation_open(struct conversation *c, const char *model,
                            const xl_engine_options *options, const char *system, xl_error *error);
void conversation_close(struct conversation *c);
void conversation_reset(struct conversation *c); // the system message stays
bool conversation_set_system(struct conversation *c, const char *text);
int conversation_tokens(const struct conversation *c);
int conversation_context(const struct conversation *c);
// Adds the message, generates the answer through options->on_text and keeps both. On failure the
// message is taken back; a cancelled answer is kept as far as it was written.
xl_status conversation_answer(struct conversation *c, const char *message,
                              const xl_generate_options *options, xl_generate_result *result,
                              xl_error *error);

#endif
