// SPDX-License-Identifier: Apache-2.0
// Between the engine's worker and the I/O thread: the tokens of the one or several sequences of an
// exchange, as records in a bounded queue. The worker's thread only appends and wakes; a queue that
// overflows, because its client does not read, ends the exchange.
#ifndef XL_SERVER_TOKEN_FEED_H
#define XL_SERVER_TOKEN_FEED_H

#include "xinglin/xinglin.h"

#include <stdbool.h>
#include <stddef.h>

struct exchange;
struct token_feed;

enum { FEED_LOGPROBS_MAX = 20, FEED_MESSAGE_BYTES = 256 };

// One token or, if is_last, a sequence's end.
struct feed_record {
    int sequence;
    bool is_last;
    int32_t token;
    float logprob;
    int n_logprobs;
    xl_token_logprob logprobs[FEED_LOGPROBS_MAX];
    const char *text; // until the next call of token_feed_next
    size_t text_bytes;
    double at_s;
    // Of the end.
    xl_status status;
    xl_finish finish;
    char message[FEED_MESSAGE_BYTES];
    int prompt_tokens, memory_tokens, disk_tokens, generated_tokens;
    double waited_s, first_token_s, total_s;
};

// `every_token`: wake the exchange for each record, else for the last one only. NULL: no memory.
struct token_feed *token_feed_create(struct exchange *exchange, int n_sequences, size_t bytes_max,
                                     bool every_token);
// Begins sequence `index`; options' callback fields are filled here.
xl_status token_feed_submit(struct token_feed *feed, int index, xl_worker *worker,
                            xl_request_options *options, xl_error *error);
// The next record; false if there is none now.
bool token_feed_next(struct token_feed *feed, struct feed_record *record);
bool token_feed_overflowed(struct token_feed *feed);
bool token_feed_lost_memory(struct token_feed *feed); // that is why it overflowed
// Cancels what runs; nobody is woken any more. The feed lives on until the worker is done with it.
void token_feed_close(struct token_feed *feed);

#endif
