// SPDX-License-Identifier: Apache-2.0
// See request_log.h.
#include "request_log.h"

#include <stdio.h>
#include <string.h>

void request_log_init(struct request_log *log) {
    memset(log, 0, sizeof *log);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->ended, NULL);
}

void request_log_deinit(struct request_log *log) {
    pthread_cond_destroy(&log->ended);
    pthread_mutex_destroy(&log->lock);
}

static void add_text(struct request_log *log, const char *text, size_t text_bytes) {
    if (text_bytes > LOG_TEXT_MAX - log->text_bytes) {
        log->is_overfull = true;
        return;
    }
    memcpy(log->text + log->text_bytes, text, text_bytes);
    log->text_bytes += text_bytes;
}

static void add_token(struct request_log *log, int32_t token, float logprob) {
    if (log->n_tokens == LOG_TOKENS_MAX) {
        log->is_overfull = true;
        return;
    }
    log->logprobs[log->n_tokens] = logprob;
    log->tokens[log->n_tokens++] = token;
}

void request_log_event(void *user_data, const xl_request_event *event) {
    struct request_log *log = user_data;
    bool ends = false;
    pthread_mutex_lock(&log->lock);
    if (log->n_ends > 0) log->is_late = true;
    add_text(log, event->text, event->text_bytes);
    if (event->is_last) {
        log->last = *event;
        snprintf(log->message, sizeof log->message, "%s", event->error_message);
        log->n_ends++;
        pthread_cond_broadcast(&log->ended);
    } else {
        add_token(log, event->token, event->logprob);
        ends = log->n_tokens == log->n_tokens_max;
    }
    pthread_mutex_unlock(&log->lock);
    if (ends) xl_request_cancel(log->request);
}

void request_log_wait(struct request_log *log) {
    pthread_mutex_lock(&log->lock);
    while (log->n_ends == 0)
        pthread_cond_wait(&log->ended, &log->lock);
    pthread_mutex_unlock(&log->lock);
}

int request_log_tokens(struct request_log *log) {
    pthread_mutex_lock(&log->lock);
    int n = log->n_tokens;
    pthread_mutex_unlock(&log->lock);
    return n;
}

struct alone {
    struct request_log *log;
    xl_engine *engine;
    bool ignore_end;
};

static int keep_token(void *user, int32_t token) {
    struct alone *alone = user;
    if (alone->ignore_end || !xl_token_is_end(alone->engine, token))
        add_token(alone->log, token, 0);
    return 0;
}

static int keep_text(void *user, const char *text, size_t text_bytes) {
    struct alone *alone = user;
    add_text(alone->log, text, text_bytes);
    return 0;
}

bool request_log_alone(struct request_log *log, xl_engine *engine,
                       const xl_request_options *options) {
    xl_generate_options generate =
        options->generate ? *options->generate : xl_generate_options_default();
    struct alone alone = {log, engine, generate.ignore_end};
    xl_generate_result result = {.size = sizeof result};
    xl_session *session = NULL;
    xl_error error = {0};
    generate.on_token = keep_token;
    generate.on_text = keep_text;
    generate.user = &alone;
    if (xl_session_open(engine, &session, &error) != XL_OK) return false;
    log->last.status = xl_session_generate_tokens(session, options->prompt, options->n_prompt,
                                                  &generate, &result, &error);
    snprintf(log->message, sizeof log->message, "%s", error.message);
    if (result.finish == XL_FINISH_END && log->n_tokens > 0 &&
        xl_token_is_end(engine, log->tokens[log->n_tokens - 1]))
        log->n_tokens--; // a grammar ends there whatever the caller ignores
    log->last.finish = result.finish;
    log->last.generated_tokens = result.generated_tokens;
    log->n_ends = 1;
    xl_session_close(session);
    return true;
}

bool request_log_begins(struct request_log *alone, struct request_log *other) {
    int n = other->n_tokens;
    return n <= alone->n_tokens && other->text_bytes <= alone->text_bytes &&
           memcmp(alone->tokens, other->tokens, (size_t)n * sizeof *alone->tokens) == 0 &&
           memcmp(alone->text, other->text, other->text_bytes) == 0;
}

bool request_log_same(struct request_log *alone, struct request_log *other) {
    if (request_log_begins(alone, other) && alone->n_tokens == other->n_tokens &&
        alone->text_bytes == other->text_bytes && other->n_ends == 1 && !other->is_late &&
        !other->is_overfull && alone->last.status == other->last.status &&
        alone->last.finish == other->last.finish &&
        alone->last.generated_tokens == other->last.generated_tokens)
        return true;
    printf("    alone: %d tokens, %zu bytes, status %d, finish %d, %s\n"
           "    other: %d tokens, %zu bytes, status %d, finish %d, %d ends, %s\n",
           alone->n_tokens, alone->text_bytes, alone->last.status, alone->last.finish,
           alone->message, other->n_tokens, other->text_bytes, other->last.status,
           other->last.finish, other->n_ends, other->message);
    return false;
}
