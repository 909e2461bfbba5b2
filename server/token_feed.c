// SPDX-License-Identifier: Apache-2.0
#include "server/token_feed.h"

#include "server/clock_seconds.h"
#include "server/exchange.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Every sequence's end must fit behind a full queue.
enum { LAST_BYTES = 1024 };

struct feed_sequence {
    struct token_feed *feed;
    xl_request *request; // NULL: not submitted or released
    int index;
};

struct token_feed {
    pthread_mutex_t mutex;
    struct exchange *exchange; // NULL: closed
    unsigned char *queue;
    size_t begin, end, capacity, bytes_max;
    char *text; // of the record given out last
    size_t text_capacity;
    bool every_token, overflowed, lost_memory;
    int n_sequences, n_ended;
    int references;
    struct feed_sequence sequences[];
};

struct record_head {
    int32_t sequence, token, n_logprobs;
    float logprob;
    double at_s;
    uint32_t text_bytes;
    bool is_last;
};

struct record_end {
    xl_status status;
    xl_finish finish;
    char message[FEED_MESSAGE_BYTES];
    int prompt_tokens, memory_tokens, disk_tokens, generated_tokens;
    double waited_s, first_token_s, total_s;
};

struct token_feed *token_feed_create(struct exchange *exchange, int n_sequences, size_t bytes_max,
                                     bool every_token) {
    size_t bytes = sizeof(struct token_feed) + (size_t)n_sequences * sizeof(struct feed_sequence);
    struct token_feed *feed = calloc(1, bytes);
    if (!feed) return NULL;
    pthread_mutex_init(&feed->mutex, NULL);
    feed->exchange = exchange;
    feed->bytes_max = bytes_max;
    feed->every_token = every_token;
    feed->n_sequences = n_sequences;
    feed->references = 1;
    for (int i = 0; i < n_sequences; i++)
        feed->sequences[i] = (struct feed_sequence){.feed = feed, .index = i};
    return feed;
}

static void forget(struct token_feed *feed) {
    if (feed->queue) explicit_bzero(feed->queue, feed->capacity);
    if (feed->text) explicit_bzero(feed->text, feed->text_capacity);
    free(feed->queue);
    free(feed->text);
    feed->queue = NULL;
    feed->text = NULL;
    feed->begin = feed->end = feed->capacity = feed->text_capacity = 0;
}

// With the mutex held; it is given back.
static void release(struct token_feed *feed) {
    bool is_last = --feed->references == 0;
    pthread_mutex_unlock(&feed->mutex);
    if (!is_last) return;
    forget(feed);
    pthread_mutex_destroy(&feed->mutex);
    free(feed);
}

static bool reserve(struct token_feed *feed, size_t n_bytes) {
    if (feed->capacity - feed->end >= n_bytes) return true;
    size_t used = feed->end - feed->begin, capacity = feed->capacity ? feed->capacity : 4096;
    while (capacity - used < n_bytes)
        capacity *= 2;
    unsigned char *grown = malloc(capacity);
    if (!grown) return false;
    if (used) memcpy(grown, feed->queue + feed->begin, used);
    if (feed->queue) explicit_bzero(feed->queue, feed->capacity);
    free(feed->queue);
    feed->queue = grown;
    feed->capacity = capacity;
    feed->begin = 0;
    feed->end = used;
    return true;
}

static void append(struct token_feed *feed, const void *bytes, size_t n_bytes) {
    if (n_bytes) memcpy(feed->queue + feed->end, bytes, n_bytes);
    feed->end += n_bytes;
}

static void append_event(struct token_feed *feed, int sequence, const xl_request_event *event) {
    int n_logprobs = event->n_logprobs < FEED_LOGPROBS_MAX ? event->n_logprobs : FEED_LOGPROBS_MAX;
    struct record_head head = {.sequence = sequence,
                               .token = event->token,
                               .n_logprobs = event->logprobs && n_logprobs > 0 ? n_logprobs : 0,
                               .logprob = event->logprob,
                               .at_s = clock_seconds(),
                               .text_bytes = (uint32_t)event->text_bytes,
                               .is_last = event->is_last};
    size_t logprob_bytes = (size_t)head.n_logprobs * sizeof(xl_token_logprob);
    size_t bytes = sizeof head + logprob_bytes + head.text_bytes +
                   (head.is_last ? sizeof(struct record_end) : 0);
    size_t max = feed->bytes_max + (size_t)feed->n_sequences * LAST_BYTES;
    if (!head.is_last && feed->end - feed->begin + bytes > feed->bytes_max) feed->overflowed = true;
    feed->overflowed = feed->overflowed || feed->end - feed->begin + bytes > max;
    if (feed->overflowed) return;
    if (!reserve(feed, bytes)) {
        feed->overflowed = feed->lost_memory = true;
        return;
    }
    append(feed, &head, sizeof head);
    append(feed, event->logprobs, logprob_bytes);
    append(feed, event->text, head.text_bytes);
    if (!head.is_last) return;
    struct record_end end = {.status = event->status,
                             .finish = event->finish,
                             .prompt_tokens = event->prompt_tokens,
                             .memory_tokens = event->memory_tokens,
                             .disk_tokens = event->disk_tokens,
                             .generated_tokens = event->generated_tokens,
                             .waited_s = event->waited_s,
                             .first_token_s = event->first_token_s,
                             .total_s = event->total_s};
    snprintf(end.message, sizeof end.message, "%s",
             event->error_message ? event->error_message : "");
    append(feed, &end, sizeof end);
}

// In the worker's thread.
static void on_event(void *user_data, const xl_request_event *event) {
    struct feed_sequence *sequence = user_data;
    struct token_feed *feed = sequence->feed;
    pthread_mutex_lock(&feed->mutex);
    if (event->is_last) feed->n_ended++;
    if (feed->exchange) {
        append_event(feed, sequence->index, event);
        if (feed->every_token || feed->overflowed || feed->n_ended == feed->n_sequences)
            exchange_wake(feed->exchange);
    }
    if (event->is_last)
        release(feed);
    else
        pthread_mutex_unlock(&feed->mutex);
}

xl_status token_feed_submit(struct token_feed *feed, int index, xl_worker *worker,
                            xl_request_options *options, xl_error *error) {
    xl_request *request;
    options->on_event = on_event;
    options->user_data = &feed->sequences[index];
    pthread_mutex_lock(&feed->mutex);
    feed->references++; // until the end is reported, which may be before submit returns
    pthread_mutex_unlock(&feed->mutex);
    xl_status status = xl_request_submit(worker, options, &request, error);
    pthread_mutex_lock(&feed->mutex);
    if (status != XL_OK) {
        release(feed);
        return status;
    }
    feed->sequences[index].request = request;
    pthread_mutex_unlock(&feed->mutex);
    return XL_OK;
}

static void take(struct token_feed *feed, void *target, size_t n_bytes) {
    if (n_bytes) memcpy(target, feed->queue + feed->begin, n_bytes);
    feed->begin += n_bytes;
}

static bool take_text(struct token_feed *feed, size_t n_bytes) {
    if (n_bytes <= feed->text_capacity) return true;
    char *grown = malloc(2 * n_bytes);
    if (!grown) return false;
    if (feed->text) explicit_bzero(feed->text, feed->text_capacity);
    free(feed->text);
    feed->text = grown;
    feed->text_capacity = 2 * n_bytes;
    return true;
}

static void take_end(struct token_feed *feed, struct feed_record *record) {
    struct record_end end;
    take(feed, &end, sizeof end);
    record->status = end.status;
    record->finish = end.finish;
    memcpy(record->message, end.message, sizeof record->message);
    record->prompt_tokens = end.prompt_tokens;
    record->memory_tokens = end.memory_tokens;
    record->disk_tokens = end.disk_tokens;
    record->generated_tokens = end.generated_tokens;
    record->waited_s = end.waited_s;
    record->first_token_s = end.first_token_s;
    record->total_s = end.total_s;
}

bool token_feed_next(struct token_feed *feed, struct feed_record *record) {
    struct record_head head;
    pthread_mutex_lock(&feed->mutex);
    bool is_there = feed->begin < feed->end;
    if (is_there) memcpy(&head, feed->queue + feed->begin, sizeof head);
    if (!is_there || !take_text(feed, head.text_bytes)) {
        feed->overflowed = feed->overflowed || is_there;
        feed->lost_memory = feed->lost_memory || is_there;
        pthread_mutex_unlock(&feed->mutex);
        return false;
    }
    feed->begin += sizeof head;
    record->sequence = head.sequence;
    record->is_last = head.is_last;
    record->token = head.token;
    record->logprob = head.logprob;
    record->n_logprobs = head.n_logprobs;
    record->at_s = head.at_s;
    take(feed, record->logprobs, (size_t)head.n_logprobs * sizeof(xl_token_logprob));
    take(feed, feed->text, head.text_bytes);
    record->text = feed->text;
    record->text_bytes = head.text_bytes;
    if (head.is_last) take_end(feed, record);
    if (feed->begin == feed->end) feed->begin = feed->end = 0;
    pthread_mutex_unlock(&feed->mutex);
    return true;
}

bool token_feed_overflowed(struct token_feed *feed) {
    pthread_mutex_lock(&feed->mutex);
    bool overflowed = feed->overflowed;
    pthread_mutex_unlock(&feed->mutex);
    return overflowed;
}

bool token_feed_lost_memory(struct token_feed *feed) {
    pthread_mutex_lock(&feed->mutex);
    bool lost_memory = feed->lost_memory;
    pthread_mutex_unlock(&feed->mutex);
    return lost_memory;
}

void token_feed_close(struct token_feed *feed) {
    pthread_mutex_lock(&feed->mutex);
    feed->exchange = NULL;
    forget(feed);
    pthread_mutex_unlock(&feed->mutex);
    for (int i = 0; i < feed->n_sequences; i++) {
        xl_request_release(feed->sequences[i].request);
        feed->sequences[i].request = NULL;
    }
    pthread_mutex_lock(&feed->mutex);
    release(feed);
}
