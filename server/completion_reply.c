// SPDX-License-Identifier: Apache-2.0
#include "server/completion_reply.h"

#include "server/http_server.h"
#include "server/model_host.h"
#include "server/serving_parts.h"
#include "server/sse_stream.h"
#include "server/token_texts.h"

#include <string.h>

static struct json_writer *out_of(const struct answer *answer) {
    return &answer->exchange->out;
}

static void write_head(const struct answer *answer, struct json_writer *w) {
    const struct model_host *host = answer->exchange->server->host;
    put_open(w, '{');
    put_key_text(w, "id", answer->id);
    put_key_text(w, "object", "text_completion");
    put_key_int(w, "created", answer->created);
    put_key_text(w, "model", host->name);
    put_key_text(w, "system_fingerprint", host->fingerprint);
}

static const char *prompt_text(const struct answer_choice *choice) {
    const struct completion_extra *extra = choice->answer->extra;
    return extra->echo ? extra->prompts[choice->index / choice->answer->sampling.n] : "";
}

// Four arrays side by side; each collects in a writer of the choice until it is sent: tokens in
// `logprobs`, their numbers in `calls`, top ones in `reasoning`, offsets in `pending`.
static void logprob(struct answer_choice *choice, const struct feed_record *record) {
    const struct http_server *server = choice->answer->exchange->server;
    struct token_texts *texts = server->parts->texts;
    const struct model_host *host = server->host;
    size_t size;
    const char *text =
        token_texts_get(texts, host->engine, host->info.n_vocab, record->token, &size);
    if (choice->text_offset == 0) choice->text_offset = (int64_t)strlen(prompt_text(choice));
    put_string(&choice->logprobs, text, size);
    put_number(&choice->calls, record->logprob);
    put_int(&choice->splitter.pending, choice->text_offset);
    put_open(&choice->reasoning, '{');
    for (int i = 0; i < record->n_logprobs; i++) {
        size_t top_size;
        const char *top = token_texts_get(texts, host->engine, host->info.n_vocab,
                                          record->logprobs[i].token, &top_size);
        put_string(&choice->reasoning, top, top_size);
        put_raw(&choice->reasoning, ":", 1);
        choice->reasoning.comma = false;
        put_number(&choice->reasoning, record->logprobs[i].logprob);
    }
    put_close(&choice->reasoning, '}');
    choice->text_offset += (int64_t)size;
}

static void put_array(struct json_writer *w, const char *key, struct json_writer *from) {
    put_key(w, key);
    put_open(w, '[');
    put_raw(w, from->data, from->size);
    put_close(w, ']');
    writer_clear(from);
}

static void put_logprobs(struct answer_choice *choice, struct json_writer *w) {
    put_key(w, "logprobs");
    if (choice->answer->n_logprobs < 0) {
        put_null(w);
        return;
    }
    put_open(w, '{');
    put_array(w, "tokens", &choice->logprobs);
    put_array(w, "token_logprobs", &choice->calls);
    put_array(w, "top_logprobs", &choice->reasoning);
    put_array(w, "text_offset", &choice->splitter.pending);
    put_close(w, '}');
}

static void put_choice(struct answer_choice *choice, struct json_writer *w, const char *finish) {
    const char *prompt = choice->has_begun ? "" : prompt_text(choice);
    choice->has_begun = true;
    put_open(w, '{');
    put_key(w, "text");
    put_quote(w);
    put_escaped(w, prompt, strlen(prompt));
    put_escaped(w, choice->content.data, choice->content.size);
    put_quote_end(w);
    writer_clear(&choice->content);
    put_key_int(w, "index", choice->index);
    put_logprobs(choice, w);
    put_key_text(w, "finish_reason", finish);
    put_close(w, '}');
}

static void part(struct answer_choice *choice, enum answer_part part, const char *text,
                 size_t text_bytes, const char *tool_name) {
    (void)part, (void)tool_name;
    put_raw(&choice->content, text, text_bytes);
}

static void send_chunk(struct answer_choice *choice, const char *finish) {
    const struct answer *answer = choice->answer;
    struct json_writer *w = out_of(answer);
    sse_begin(w, NULL);
    write_head(answer, w);
    put_key(w, "choices");
    put_open(w, '[');
    put_choice(choice, w, finish);
    put_close(w, ']');
    if (answer->include_usage) put_key_null(w, "usage");
    put_close(w, '}');
    sse_end(w);
}

static void record_done(struct answer_choice *choice) {
    if (choice->answer->stream && !choice->has_ended && choice->content.size > 0)
        send_chunk(choice, NULL);
}

static void choice_done(struct answer_choice *choice) {
    if (choice->answer->stream) send_chunk(choice, answer_finish_reason(choice));
}

static void finish(struct answer *answer) {
    struct json_writer *w = out_of(answer);
    bool ends_stream = answer->stream;
    if (ends_stream && !answer->include_usage) {
        sse_done(w);
        return;
    }
    if (ends_stream) sse_begin(w, NULL);
    write_head(answer, w);
    put_key(w, "choices");
    put_open(w, '[');
    for (int i = 0; !ends_stream && i < answer->n_choices; i++)
        put_choice(&answer->choices[i], w, answer_finish_reason(&answer->choices[i]));
    put_close(w, ']');
    put_key(w, "usage");
    answer_write_usage(answer, w);
    put_close(w, '}');
    if (ends_stream) {
        sse_end(w);
        sse_done(w);
    } else
        exchange_reply(answer->exchange, 200, "application/json");
}

static void fail(struct answer *answer) {
    sse_error(out_of(answer), &answer->exchange->error);
}

const struct answer_format completion_reply_format = {
    .id_prefix = "cmpl-",
    .splits = false,
    .part = part,
    .logprob = logprob,
    .record_done = record_done,
    .choice_done = choice_done,
    .finish = finish,
    .fail = fail,
};
