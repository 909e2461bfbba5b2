// SPDX-License-Identifier: Apache-2.0
// What /v1/responses answers: a response with its output items, or the events of its making.
#ifndef XL_SERVER_RESPONSES_REPLY_H
#define XL_SERVER_RESPONSES_REPLY_H

#include "server/answer.h"

enum responses_item { ITEM_NONE, ITEM_MESSAGE, ITEM_REASONING };

// answer->extra of this format. JSON belongs to answer->body.
struct responses_extra {
    const json_t *instructions, *tools, *tool_choice, *text, *metadata;
    int64_t max_output_tokens; // < 0: not said
    int sequence, n_items;
    enum responses_item open; // the item that text goes to
    char item_id[32];
    bool has_created;
};

extern const struct answer_format responses_reply_format;

#endif
