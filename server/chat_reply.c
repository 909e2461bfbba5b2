// SPDX-License-Identifier: Apache-2.0
#include "server/chat_reply.h"

#include "server/http_server.h"
#include "server/model_host.h"
#include "server/random_id.h"
#include "server/serving_parts.h"
#include "server/sse_stream.h"
#include "server/token_texts.h"

#include <string.h>

static struct json_writer *out_of(const struct answer *answer) {
    return &answer->exchange->out;
}

static void write_head(const struct answer *answer, struct json_writer *w, const char *object) {
    const struct model_host *host = answer->exchange->server->host;
    put_open(w, '{');
    put_key_text(w, "id", answer->id);
    put_key_text(w, "object", object);
    put_key_int(w, "created", answer->created);
    put_key_text(w, "model", host->name);
    put_key_text(w, "system_fingerprint", host->fingerprint);
}

static void put_token(struct answer *answer, struct json_writer *w, int32_t token, float logprob) {
    const struct http_server *server = answer->exchange->server;
    size_t size;
    const char *text = token_texts_get(server->parts->texts, server->host->engine,
                                       server->host->info.n_vocab, token, &size);
    put_key_string(w, "token", text, size);
    put_key_number(w, "logprob", logprob);
    put_key(w, "bytes");
    put_open(w, '[');
    for (size_t i = 0; i < size; i++)
        put_int(w, (unsigned char)text[i]);
    put_close(w, ']');
}

void chat_reply_logprob(struct answer *answer, const struct feed_record *record,
                        struct json_writer *w) {
    put_open(w, '{');
    put_token(answer, w, record->token, record->logprob);
    put_key(w, "top_logprobs");
    put_open(w, '[');
    for (int i = 0; i < record->n_logprobs; i++) {
        put_open(w, '{');
        put_token(answer, w, record->logprobs[i].token, record->logprobs[i].logprob);
        put_close(w, '}');
    }
    put_close(w, ']');
    put_close(w, '}');
}

static void put_logprobs(struct answer_choice *choice, struct json_writer *w) {
    put_key(w, "logprobs");
    if (choice->answer->n_logprobs < 0) {
        put_null(w);
        return;
    }
    put_open(w, '{');
    put_key(w, "content");
    put_open(w, '[');
    put_raw(w, choice->logprobs.data, choice->logprobs.size);
    put_close(w, ']');
    put_key_null(w, "refusal");
    put_close(w, '}');
    writer_clear(&choice->logprobs);
}

static void begin_chunk(struct answer_choice *choice) {
    struct json_writer *w = out_of(choice->answer);
    sse_begin(w, NULL);
    write_head(choice->answer, w, "chat.completion.chunk");
    put_key(w, "choices");
    put_open(w, '[');
    put_open(w, '{');
    put_key_int(w, "index", choice->index);
    put_key(w, "delta");
    put_open(w, '{');
}

static void end_chunk(struct answer_choice *choice, const char *finish) {
    struct json_writer *w = out_of(choice->answer);
    put_close(w, '}');
    put_logprobs(choice, w);
    put_key_text(w, "finish_reason", finish);
    put_close(w, '}');
    put_close(w, ']');
    if (choice->answer->include_usage) put_key_null(w, "usage");
    put_close(w, '}');
    sse_end(w);
}

static void begin(struct answer_choice *choice) {
    if (choice->has_begun) return;
    choice->has_begun = true;
    begin_chunk(choice);
    put_key_text(out_of(choice->answer), "role", "assistant");
    put_key_text(out_of(choice->answer), "content", "");
    end_chunk(choice, NULL);
}

static void put_call(struct answer_choice *choice, struct json_writer *w, const char *arguments,
                     size_t arguments_bytes, const char *name, bool has_index) {
    char id[32];
    random_id_write(id, sizeof id, "call_");
    put_open(w, '{');
    if (has_index) put_key_int(w, "index", choice->n_calls - 1);
    put_key_text(w, "id", id);
    put_key_text(w, "type", "function");
    put_key(w, "function");
    put_open(w, '{');
    put_key_text(w, "name", name);
    put_key_string(w, "arguments", arguments, arguments_bytes);
    put_close(w, '}');
    put_close(w, '}');
}

static void part(struct answer_choice *choice, enum answer_part part, const char *text,
                 size_t text_bytes, const char *tool_name) {
    struct json_writer *w = out_of(choice->answer);
    if (!choice->answer->stream) {
        if (part == PART_TOOL_CALL)
            put_call(choice, &choice->calls, text, text_bytes, tool_name, false);
        else
            put_raw(part == PART_CONTENT ? &choice->content : &choice->reasoning, text, text_bytes);
        return;
    }
    begin(choice);
    begin_chunk(choice);
    if (part == PART_TOOL_CALL) {
        put_key(w, "tool_calls");
        put_open(w, '[');
        put_call(choice, w, text, text_bytes, tool_name, true);
        put_close(w, ']');
    } else
        put_key_string(w, part == PART_CONTENT ? "content" : "reasoning_content", text, text_bytes);
    end_chunk(choice, NULL);
}

static void logprob(struct answer_choice *choice, const struct feed_record *record) {
    chat_reply_logprob(choice->answer, record, &choice->logprobs);
}

static void record_done(struct answer_choice *choice) {
    if (choice->answer->stream) begin(choice);
}

static void choice_done(struct answer_choice *choice) {
    if (!choice->answer->stream) return;
    begin_chunk(choice);
    end_chunk(choice, answer_finish_reason(choice));
}

static void put_message(struct answer_choice *choice, struct json_writer *w) {
    put_key(w, "message");
    put_open(w, '{');
    put_key_text(w, "role", "assistant");
    if (choice->content.size == 0 && choice->n_calls > 0)
        put_key_null(w, "content");
    else
        put_key_string(w, "content", choice->content.data, choice->content.size);
    put_key_null(w, "refusal");
    if (choice->reasoning.size > 0)
        put_key_string(w, "reasoning_content", choice->reasoning.data, choice->reasoning.size);
    if (choice->n_calls > 0) {
        put_key(w, "tool_calls");
        put_open(w, '[');
        put_raw(w, choice->calls.data, choice->calls.size);
        put_close(w, ']');
    }
    put_close(w, '}');
}

static void finish_whole(struct answer *answer) {
    struct json_writer *w = out_of(answer);
    write_head(answer, w, "chat.completion");
    put_key(w, "choices");
    put_open(w, '[');
    for (int i = 0; i < answer->n_choices; i++) {
        struct answer_choice *choice = &answer->choices[i];
        put_open(w, '{');
        put_key_int(w, "index", i);
        put_message(choice, w);
        put_logprobs(choice, w);
        put_key_text(w, "finish_reason", answer_finish_reason(choice));
        put_close(w, '}');
    }
    put_close(w, ']');
    put_key(w, "usage");
    answer_write_usage(answer, w);
    put_close(w, '}');
    exchange_reply(answer->exchange, 200, "application/json");
}

static void finish(struct answer *answer) {
    struct json_writer *w = out_of(answer);
    if (!answer->stream) {
        finish_whole(answer);
        return;
    }
    if (answer->include_usage) {
        sse_begin(w, NULL);
        write_head(answer, w, "chat.completion.chunk");
        put_key(w, "choices");
        put_open(w, '[');
        put_close(w, ']');
        put_key(w, "usage");
        answer_write_usage(answer, w);
        put_close(w, '}');
        sse_end(w);
    }
    sse_done(w);
}

static void fail(struct answer *answer) {
    sse_error(out_of(answer), &answer->exchange->error);
}

const struct answer_format chat_reply_format = {
    .id_prefix = "chatcmpl-",
    .splits = true,
    .part = part,
    .logprob = logprob,
    .record_done = record_done,
    .choice_done = choice_done,
    .finish = finish,
    .fail = fail,
};
