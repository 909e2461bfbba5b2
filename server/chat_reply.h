// SPDX-License-Identifier: Apache-2.0
// What /v1/chat/completions answers: one object, or chunks.
#ifndef XL_SERVER_CHAT_REPLY_H
#define XL_SERVER_CHAT_REPLY_H

#include "server/answer.h"

extern const struct answer_format chat_reply_format;

// One entry of logprobs.content, also used by /v1/responses.
void chat_reply_logprob(struct answer *answer, const struct feed_record *record,
                        struct json_writer *writer);

#endif
