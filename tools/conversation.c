// SPDX-License-Identifier: Apache-2.0
#include "tools/conversation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static xl_status no_memory(xl_error *error) {
    snprintf(error->message, sizeof error->message, "out of memory for the conversation");
    return error->status = XL_NO_MEMORY;
}

static bool add_message(struct conversation *c, const char *role, const char *content) {
    if (c->n_messages == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 16;
        xl_message *grown = realloc(c->messages, capacity * sizeof *grown);
        if (!grown) return false;
        c->messages = grown;
        c->capacity = capacity;
    }
    char *copy = strdup(content);
    if (!copy) return false;
    c->messages[c->n_messages++] = (xl_message){.role = role, .content = copy};
    return true;
}

static void drop_messages(struct conversation *c, size_t n_kept) {
    while (c->n_messages > n_kept)
        free((char *)c->messages[--c->n_messages].content);
}

static size_t n_system(const struct conversation *c) {
    return c->n_messages > 0 && strcmp(c->messages[0].role, "system") == 0;
}

xl_status conversation_open(struct conversation *c, const char *model,
                            const xl_engine_options *options, const char *system, xl_error *error) {
    memset(c, 0, sizeof *c);
    xl_status status = xl_engine_open(model, options, &c->engine, error);
    if (status != XL_OK) return status;
    xl_engine_info info = {.size = sizeof info};
    xl_engine_describe(c->engine, &info);
    if (!info.has_chat_template) {
        snprintf(error->message, sizeof error->message,
                 "%s: has no chat template, so it is no chat model; use llm-cli", model);
        return error->status = XL_NOT_FOUND;
    }
    if (system && !add_message(c, "system", system)) return no_memory(error);
    return xl_session_open(c->engine, &c->session, error);
}

void conversation_close(struct conversation *c) {
    drop_messages(c, 0);
    free(c->messages);
    free(c->held);
    free(c->answer);
    xl_session_close(c->session);
    xl_engine_close(c->engine);
    memset(c, 0, sizeof *c);
}

void conversation_reset(struct conversation *c) {
    drop_messages(c, n_system(c));
    c->n_held = 0;
    xl_session_rewind(c->session, 0, NULL);
}

bool conversation_set_system(struct conversation *c, const char *text) {
    drop_messages(c, 0);
    conversation_reset(c);
    return add_message(c, "system", text);
}

int conversation_tokens(const struct conversation *c) {
    return xl_session_position(c->session);
}

int conversation_context(const struct conversation *c) {
    xl_engine_info info = {.size = sizeof info};
    xl_engine_describe(c->engine, &info);
    return info.context;
}

static bool hold(struct conversation *c, const int32_t *tokens, size_t n_tokens) {
    if (c->n_held + n_tokens > c->held_capacity) {
        size_t capacity = 2 * c->held_capacity + n_tokens + 64;
        int32_t *grown = realloc(c->held, capacity * sizeof *grown);
        if (!grown) return false;
        c->held = grown;
        c->held_capacity = capacity;
    }
    if (n_tokens) memcpy(c->held + c->n_held, tokens, n_tokens * sizeof *tokens);
    c->n_held += n_tokens;
    return true;
}

static int keep_token(void *user, int32_t token) {
    return !hold(user, &token, 1);
}

static int keep_text(void *user, const char *text, size_t size) {
    struct conversation *c = user;
    char *grown = realloc(c->answer, c->answer_bytes + size + 1);
    if (!grown) return 1;
    c->answer = grown;
    memcpy(c->answer + c->answer_bytes, text, size);
    c->answer_bytes += size;
    c->answer[c->answer_bytes] = '\0';
    return c->options->on_text ? c->options->on_text(c->options->user, text, size) : 0;
}

// Ids of all messages with the opening of the answer.
static xl_status render(struct conversation *c, int32_t **tokens, size_t *n_tokens,
                        xl_error *error) {
    char *text;
    size_t size;
    xl_status status =
        xl_chat_format(c->engine, NULL, c->messages, c->n_messages, true, &text, &size, error);
    if (status != XL_OK) return status;
    // The template writes the begin token itself.
    status = xl_tokenize(c->engine, text, size, false, true, tokens, n_tokens, error);
    xl_free(text);
    return status;
}

// Rewinds the session to what it shares with `tokens`, leaving at least one token to feed.
static xl_status rewind_to_common(struct conversation *c, const int32_t *tokens, size_t n_tokens,
                                  xl_error *error) {
    size_t position = (size_t)xl_session_position(c->session);
    size_t known = c->n_held < position ? c->n_held : position, common = 0;
    while (common < known && common + 1 < n_tokens && c->held[common] == tokens[common])
        common++;
    c->n_held = common;
    return xl_session_rewind(c->session, (int)common, error);
}

static xl_status generate(struct conversation *c, const xl_generate_options *options,
                          xl_generate_result *result, xl_error *error) {
    int32_t *tokens;
    size_t n_tokens;
    xl_status status = render(c, &tokens, &n_tokens, error);
    if (status != XL_OK) return status;
    status = rewind_to_common(c, tokens, n_tokens, error);
    size_t n_common = c->n_held;
    if (status == XL_OK && !hold(c, tokens + n_common, n_tokens - n_common))
        status = no_memory(error);
    if (status == XL_OK) {
        xl_generate_options inner = *options;
        c->options = options;
        inner.on_text = keep_text;
        inner.on_token = keep_token;
        inner.user = c;
        result->size = sizeof *result;
        status = xl_session_generate_tokens(c->session, tokens + n_common, n_tokens - n_common,
                                            &inner, result, error);
    }
    xl_free(tokens);
    return status;
}

xl_status conversation_answer(struct conversation *c, const char *message,
                              const xl_generate_options *options, xl_generate_result *result,
                              xl_error *error) {
    size_t n_before = c->n_messages;
    if (!add_message(c, "user", message)) return no_memory(error);
    c->answer_bytes = 0;
    xl_status status = generate(c, options, result, error);
    if (status == XL_OK || status == XL_CANCELLED) {
        if (add_message(c, "assistant", c->answer_bytes ? c->answer : "")) return status;
        status = no_memory(error);
    }
    drop_messages(c, n_before);
    return status;
}
