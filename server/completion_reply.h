// SPDX-License-Identifier: Apache-2.0
// What /v1/completions answers: one object, or chunks of text.
#ifndef XL_SERVER_COMPLETION_REPLY_H
#define XL_SERVER_COMPLETION_REPLY_H

#include "server/answer.h"

// answer->extra of this format.
struct completion_extra {
    bool echo;
    char *prompts[]; // [n_prompts] the prompts' texts, if echo; malloc
};

extern const struct answer_format completion_reply_format;

#endif
