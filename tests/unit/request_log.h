// SPDX-License-Identifier: Apache-2.0
// What a caller sees of one generation, by a session or by a worker's request, to compare them.
#ifndef XL_TESTS_REQUEST_LOG_H
#define XL_TESTS_REQUEST_LOG_H

#include "xinglin/xinglin.h"

#include <pthread.h>
#include <stdbool.h>

enum { LOG_TOKENS_MAX = 512, LOG_TEXT_MAX = 4096 };

struct request_log {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int32_t tokens[LOG_TOKENS_MAX]; // without an end token
    float logprobs[LOG_TOKENS_MAX];
    char text[LOG_TEXT_MAX];
    size_t text_bytes;
    int n_tokens, n_ends;      // n_ends: how often is_last came
    bool is_overfull, is_late; // is_late: something came behind the end
    xl_request *request;       // cancelled by the log itself after n_tokens_max tokens
    int n_tokens_max;          // 0: never
    xl_request_event last;     // its pointers are not valid
    char message[512];
};

void request_log_init(struct request_log *log);
void request_log_deinit(struct request_log *log);
// on_event of requests; user_data is the log.
void request_log_event(void *user_data, const xl_request_event *event);
void request_log_wait(struct request_log *log);  // for the end
int request_log_tokens(struct request_log *log); // so far
// The same generation by a session of its own.
bool request_log_alone(struct request_log *log, xl_engine *engine,
                       const xl_request_options *options);
// Same tokens, text, finish and status. Says what differs.
bool request_log_same(struct request_log *alone, struct request_log *other);
// other, which was cancelled, saw the beginning of alone.
bool request_log_begins(struct request_log *alone, struct request_log *other);

#endif
