// SPDX-License-Identifier: Apache-2.0
// A session: one timeline of tokens, its KV cache and its last logits. Everything is allocated when
// it opens and wiped when it closes. A forward pass that fails half-way breaks the session until it
// is rewound to 0.
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

static enum status session_allocate(struct xl_session *session, struct error *err) {
    struct xl_engine *engine = session->engine;
    const struct model_config *config = model_configuration(engine->model);
    size_t token_bytes = (size_t)engine->context * sizeof *session->tokens;
    size_t logit_bytes = (size_t)config->n_vocab * sizeof *session->logits;
    session->tokens = malloc(token_bytes);
    if (!session->tokens) return error_no_memory(err, "a session's tokens", token_bytes);
    session->logits = malloc(logit_bytes);
    if (!session->logits) return error_no_memory(err, "a session's logits", logit_bytes);
    TRY(kv_cache_init(&session->cache, engine->kv_dtype, config->n_layers, config->n_kv_heads,
                      config->head_dim, engine->context, err));
    TRY(forward_workspace_create(&session->workspace, engine->model, &engine->kernels, engine->pool,
                                 engine->chunk, engine->context, err));
    forward_workspace_set_threads(session->workspace, engine->n_threads, engine->n_threads_batch);
    forward_workspace_set_cancel(session->workspace, &session->cancel);
    return STATUS_OK;
}

xl_status xl_session_open(xl_engine *engine, xl_session **session, xl_error *error) {
    struct error err = {0};
    if (!engine || !session)
        return engine_report(error, error_set(&err, STATUS_USAGE, "no engine to open a session on"),
                             &err);
    *session = NULL;
    enum status status = engine_require_model(engine, &err);
    if (status != STATUS_OK) return engine_report(error, status, &err);
    struct xl_session *opened = calloc(1, sizeof *opened);
    if (!opened)
        return engine_report(error, error_no_memory(&err, "a session", sizeof *opened), &err);
    opened->engine = engine;
    opened->unfed = -1;
    status = session_allocate(opened, &err);
    if (status != STATUS_OK)
        xl_session_close(opened);
    else
        *session = opened;
    return engine_report(error, status, &err);
}

void xl_session_close(xl_session *session) {
    if (!session) return;
    const struct model_config *config = model_configuration(session->engine->model);
    if (session->tokens)
        explicit_bzero(session->tokens, (size_t)session->engine->context * sizeof(int32_t));
    if (session->logits) explicit_bzero(session->logits, (size_t)config->n_vocab * sizeof(float));
    free(session->tokens);
    free(session->logits);
    forward_workspace_destroy(session->workspace);
    kv_cache_deinit(&session->cache);
    free(session);
}

static enum status check_feed(const struct xl_session *session, const int32_t *tokens,
                              size_t n_tokens, struct error *err) {
    int n_vocab = model_configuration(session->engine->model)->n_vocab;
    int used = session->cache.n_used, context = session->engine->context;
    if (session->is_broken)
        return error_set(err, STATUS_USAGE,
                         "the session broke in an earlier call; rewind it to 0 first");
    if (n_tokens > 0 && !tokens) return error_set(err, STATUS_USAGE, "no tokens to feed");
    if (n_tokens > (size_t)(context - used)) {
        if (used == 0)
            return error_set(err, STATUS_CONTEXT_FULL,
                             "the prompt has %zu tokens, but the context holds %d; raise the "
                             "context (-c) or shorten the text",
                             n_tokens, context);
        return error_set(err, STATUS_CONTEXT_FULL,
                         "%zu more tokens after the %d already there, but the context holds %d; "
                         "raise the context (-c) or shorten the text",
                         n_tokens, used, context);
    }
    for (size_t i = 0; i < n_tokens; i++)
        if (tokens[i] < 0 || tokens[i] >= n_vocab)
            return error_set(err, STATUS_USAGE,
                             "token %zu of the input is %d; the model knows 0 to %d", i, tokens[i],
                             n_vocab - 1);
    return STATUS_OK;
}

static enum status feed_chunk(struct xl_session *session, const int32_t *tokens, int n_tokens,
                              bool all_logits, float *logits, struct error *err) {
    struct xl_engine *engine = session->engine;
    int first = session->cache.n_used;
    fair_lock_take(&engine->turn);
    enum status status = model_forward(engine->model, &session->cache, session->workspace, tokens,
                                       n_tokens, all_logits, logits, err);
    fair_lock_give(&engine->turn);
    if (status == STATUS_CANCELLED) return status; // the chunk was not fed
    if (status != STATUS_OK) {
        session->is_broken = true;
        session->has_logits = false;
        return status;
    }
    memcpy(session->tokens + first, tokens, (size_t)n_tokens * sizeof *tokens);
    return STATUS_OK;
}

enum status session_feed(struct xl_session *session, const int32_t *tokens, size_t n_tokens,
                         float *all_logits, struct error *err) {
    TRY(check_feed(session, tokens, n_tokens, err));
    size_t n_vocab = (size_t)model_configuration(session->engine->model)->n_vocab;
    size_t chunk = (size_t)session->engine->chunk;
    if (n_tokens == 0) return STATUS_OK;
    session->unfed = -1;
    session->has_logits = false;
    for (size_t done = 0; done < n_tokens;) {
        size_t n = n_tokens - done < chunk ? n_tokens - done : chunk;
        bool last = done + n == n_tokens;
        float *logits = all_logits ? all_logits + done * n_vocab : last ? session->logits : NULL;
        enum status status = STATUS_CANCELLED;
        if (!session_cancelled(session))
            status = feed_chunk(session, tokens + done, (int)n, all_logits != NULL, logits, err);
        if (status == STATUS_CANCELLED)
            return error_set(err, status, "cancelled after %zu of %zu tokens", done, n_tokens);
        TRY(status);
        done += n;
    }
    if (all_logits)
        memcpy(session->logits, all_logits + (n_tokens - 1) * n_vocab, n_vocab * sizeof(float));
    session->has_logits = true;
    return STATUS_OK;
}

static xl_status feed(xl_session *session, const int32_t *tokens, size_t n_tokens, float *logits,
                      xl_error *error) {
    struct error err = {0};
    if (!session)
        return engine_report(error, error_set(&err, STATUS_USAGE, "no session to feed"), &err);
    session_set_cancel(session, false);
    return engine_report(error, session_feed(session, tokens, n_tokens, logits, &err), &err);
}

xl_status xl_session_feed(xl_session *session, const int32_t *tokens, size_t n_tokens,
                          xl_error *error) {
    return feed(session, tokens, n_tokens, NULL, error);
}

xl_status xl_session_feed_all(xl_session *session, const int32_t *tokens, size_t n_tokens,
                              float *logits, xl_error *error) {
    if (!logits) {
        struct error err;
        error_set(&err, STATUS_USAGE, "nowhere to write the logits");
        return engine_report(error, err.status, &err);
    }
    return feed(session, tokens, n_tokens, logits, error);
}

const float *xl_session_logits(const xl_session *session) {
    return session && session->has_logits ? session->logits : NULL;
}

int xl_session_position(const xl_session *session) {
    return session ? session->cache.n_used : 0;
}

xl_status xl_session_rewind(xl_session *session, int position, xl_error *error) {
    struct error err = {0};
    enum status status = STATUS_OK;
    if (!session)
        status = error_set(&err, STATUS_USAGE, "no session to rewind");
    else if (position < 0 || position > session->cache.n_used)
        status = error_set(&err, STATUS_USAGE, "cannot rewind to %d; the session holds %d tokens",
                           position, session->cache.n_used);
    else if (session->is_broken && position != 0)
        status = error_set(&err, STATUS_USAGE, "a broken session can only be rewound to 0");
    if (status != STATUS_OK) return engine_report(error, status, &err);
    kv_cache_rewind(&session->cache, position);
    session->has_logits = false;
    session->is_broken = false;
    session->unfed = -1;
    return engine_report(error, STATUS_OK, NULL);
}

void xl_session_cancel(xl_session *session) {
    if (session) session_set_cancel(session, true);
}
