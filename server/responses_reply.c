// SPDX-License-Identifier: Apache-2.0
#include "server/responses_reply.h"

#include "server/chat_reply.h"
#include "server/http_server.h"
#include "server/json_dump.h"
#include "server/model_host.h"
#include "server/random_id.h"
#include "server/sse_stream.h"

#include <stdlib.h>
#include <string.h>

// Of the choice's writers, `content` is the text of the open item and `calls` the items so far.

static struct responses_extra *extra_of(const struct answer_choice *choice) {
    return choice->answer->extra;
}

static struct json_writer *begin_event(struct answer *answer, const char *name) {
    struct responses_extra *extra = answer->extra;
    struct json_writer *w = &answer->exchange->out;
    sse_begin(w, name);
    put_open(w, '{');
    put_key_text(w, "type", name);
    put_key_int(w, "sequence_number", extra->sequence++);
    return w;
}

static void end_event(struct json_writer *w) {
    put_close(w, '}');
    sse_end(w);
}

static void put_echo(struct json_writer *w, const char *key, const json_t *value,
                     const char *otherwise) {
    char *text = value ? json_dump(value) : NULL;
    const char *shown = text ? text : otherwise;
    put_key(w, key);
    put_json(w, shown, strlen(shown));
    if (text) explicit_bzero(text, strlen(text));
    free(text);
}

static void put_usage(const struct answer *answer, struct json_writer *w) {
    put_key(w, "usage");
    put_open(w, '{');
    put_key_int(w, "input_tokens", answer->all_prompt_tokens);
    put_key(w, "input_tokens_details");
    put_open(w, '{');
    put_key_int(w, "cached_tokens", answer->cached_tokens);
    put_close(w, '}');
    put_key_int(w, "output_tokens", answer->generated_tokens);
    put_key(w, "output_tokens_details");
    put_open(w, '{');
    put_key_int(w, "reasoning_tokens", answer->reasoning_tokens);
    put_close(w, '}');
    put_key_int(w, "total_tokens", answer->all_prompt_tokens + answer->generated_tokens);
    put_close(w, '}');
}

static void put_request(const struct answer *answer, struct json_writer *w) {
    const struct responses_extra *extra = answer->extra;
    put_echo(w, "instructions", extra->instructions, "null");
    put_key(w, "max_output_tokens");
    if (extra->max_output_tokens < 0)
        put_null(w);
    else
        put_int(w, extra->max_output_tokens);
    put_echo(w, "metadata", extra->metadata, "{}");
    put_key_bool(w, "parallel_tool_calls", false);
    put_key_null(w, "previous_response_id");
    put_key_bool(w, "store", false);
    put_key_number(w, "temperature", answer->sampling.temperature);
    put_key_number(w, "top_p", answer->sampling.top_p);
    put_echo(w, "text", extra->text, "{\"format\":{\"type\":\"text\"}}");
    put_echo(w, "tools", extra->tools, "[]");
    put_echo(w, "tool_choice", extra->tool_choice, "\"auto\"");
    put_key_text(w, "truncation", "disabled");
}

static void put_response(struct answer *answer, struct json_writer *w, const char *status) {
    struct answer_choice *choice = &answer->choices[0];
    bool is_incomplete = strcmp(status, "incomplete") == 0,
         is_failed = strcmp(status, "failed") == 0;
    put_open(w, '{');
    put_key_text(w, "id", answer->id);
    put_key_text(w, "object", "response");
    put_key_int(w, "created_at", answer->created);
    put_key_text(w, "status", status);
    put_key_text(w, "model", answer->exchange->server->host->name);
    put_key(w, "error");
    if (is_failed) {
        put_open(w, '{');
        put_key_text(w, "code", "server_error");
        put_key_text(w, "message", answer->exchange->error.message);
        put_close(w, '}');
    } else
        put_null(w);
    put_key(w, "incomplete_details");
    if (is_incomplete) {
        put_open(w, '{');
        put_key_text(w, "reason", "max_output_tokens");
        put_close(w, '}');
    } else
        put_null(w);
    put_key(w, "output");
    put_open(w, '[');
    put_raw(w, choice->calls.data, choice->calls.size);
    put_close(w, ']');
    put_request(answer, w);
    if (strcmp(status, "in_progress") == 0)
        put_key_null(w, "usage");
    else
        put_usage(answer, w);
    put_close(w, '}');
}

static void send_response(struct answer *answer, const char *event, const char *status) {
    struct json_writer *w = begin_event(answer, event);
    put_key(w, "response");
    put_response(answer, w, status);
    end_event(w);
}

static void begin(struct answer *answer) {
    struct responses_extra *extra = answer->extra;
    if (extra->has_created || !answer->stream) return;
    extra->has_created = true;
    send_response(answer, "response.created", "in_progress");
    send_response(answer, "response.in_progress", "in_progress");
}

static void put_part(struct answer_choice *choice, struct json_writer *w, bool is_done) {
    bool is_message = extra_of(choice)->open == ITEM_MESSAGE;
    put_open(w, '{');
    put_key_text(w, "type", is_message ? "output_text" : "reasoning_text");
    put_key_string(w, "text", choice->content.data, is_done ? choice->content.size : 0);
    if (is_message) {
        put_key(w, "annotations");
        put_json(w, "[]", 2);
        put_key(w, "logprobs");
        put_open(w, '[');
        if (is_done) put_raw(w, choice->logprobs.data, choice->logprobs.size);
        put_close(w, ']');
    }
    put_close(w, '}');
}

static void put_item(struct answer_choice *choice, struct json_writer *w, bool is_done) {
    const struct responses_extra *extra = extra_of(choice);
    bool is_message = extra->open == ITEM_MESSAGE;
    put_open(w, '{');
    put_key_text(w, "id", extra->item_id);
    put_key_text(w, "type", is_message ? "message" : "reasoning");
    put_key_text(w, "status", is_done ? "completed" : "in_progress");
    if (is_message)
        put_key_text(w, "role", "assistant");
    else {
        put_key(w, "summary");
        put_json(w, "[]", 2);
    }
    put_key(w, "content");
    put_open(w, '[');
    if (is_done) put_part(choice, w, true);
    put_close(w, ']');
    put_close(w, '}');
}

static void send_item(struct answer_choice *choice, bool is_done) {
    struct json_writer *w = begin_event(choice->answer, is_done ? "response.output_item.done"
                                                                : "response.output_item.added");
    put_key_int(w, "output_index", extra_of(choice)->n_items);
    put_key(w, "item");
    put_item(choice, w, is_done);
    end_event(w);
}

static struct json_writer *begin_part_event(struct answer_choice *choice, const char *name) {
    struct json_writer *w = begin_event(choice->answer, name);
    put_key_text(w, "item_id", extra_of(choice)->item_id);
    put_key_int(w, "output_index", extra_of(choice)->n_items);
    put_key_int(w, "content_index", 0);
    return w;
}

static void open_item(struct answer_choice *choice, enum responses_item item) {
    struct responses_extra *extra = extra_of(choice);
    extra->open = item;
    random_id_write(extra->item_id, sizeof extra->item_id, item == ITEM_MESSAGE ? "msg_" : "rs_");
    if (!choice->answer->stream) return;
    send_item(choice, false);
    struct json_writer *w = begin_part_event(choice, "response.content_part.added");
    put_key(w, "part");
    put_part(choice, w, false);
    end_event(w);
}

static void close_item(struct answer_choice *choice) {
    struct responses_extra *extra = extra_of(choice);
    bool is_message = extra->open == ITEM_MESSAGE;
    if (extra->open == ITEM_NONE) return;
    if (choice->answer->stream) {
        struct json_writer *w = begin_part_event(
            choice, is_message ? "response.output_text.done" : "response.reasoning_text.done");
        put_key_string(w, "text", choice->content.data, choice->content.size);
        if (is_message) {
            put_key(w, "logprobs");
            put_json(w, "[]", 2);
        }
        end_event(w);
        w = begin_part_event(choice, "response.content_part.done");
        put_key(w, "part");
        put_part(choice, w, true);
        end_event(w);
        send_item(choice, true);
    }
    put_item(choice, &choice->calls, true);
    writer_clear(&choice->content);
    writer_clear(&choice->logprobs);
    extra->open = ITEM_NONE;
    extra->n_items++;
}

static void put_call(struct json_writer *w, const char *item_id, const char *call_id,
                     const char *name, const char *arguments, size_t n_bytes, bool is_done) {
    put_open(w, '{');
    put_key_text(w, "id", item_id);
    put_key_text(w, "type", "function_call");
    put_key_text(w, "status", is_done ? "completed" : "in_progress");
    put_key_text(w, "call_id", call_id);
    put_key_text(w, "name", name);
    put_key_string(w, "arguments", arguments, is_done ? n_bytes : 0);
    put_close(w, '}');
}

static void send_call(struct answer_choice *choice, const char *event, const char *item_id,
                      const char *call_id, const char *name, const char *arguments,
                      size_t n_bytes) {
    struct json_writer *w = begin_event(choice->answer, event);
    put_key_int(w, "output_index", extra_of(choice)->n_items);
    if (call_id) {
        put_key(w, "item");
        put_call(w, item_id, call_id, name, arguments, n_bytes,
                 strcmp(event, "response.output_item.done") == 0);
    } else {
        bool is_delta = strcmp(event, "response.function_call_arguments.delta") == 0;
        put_key_text(w, "item_id", item_id);
        put_key_string(w, is_delta ? "delta" : "arguments", arguments, n_bytes);
        if (!is_delta) put_key_text(w, "name", name);
    }
    end_event(w);
}

static void call_part(struct answer_choice *choice, const char *arguments, size_t n_bytes,
                      const char *name) {
    char item_id[32], call_id[32];
    close_item(choice);
    random_id_write(item_id, sizeof item_id, "fc_");
    random_id_write(call_id, sizeof call_id, "call_");
    if (choice->answer->stream) {
        send_call(choice, "response.output_item.added", item_id, call_id, name, arguments, n_bytes);
        send_call(choice, "response.function_call_arguments.delta", item_id, NULL, name, arguments,
                  n_bytes);
        send_call(choice, "response.function_call_arguments.done", item_id, NULL, name, arguments,
                  n_bytes);
        send_call(choice, "response.output_item.done", item_id, call_id, name, arguments, n_bytes);
    }
    put_call(&choice->calls, item_id, call_id, name, arguments, n_bytes, true);
    extra_of(choice)->n_items++;
}

static void part(struct answer_choice *choice, enum answer_part part, const char *text,
                 size_t text_bytes, const char *tool_name) {
    begin(choice->answer);
    if (part == PART_TOOL_CALL) {
        call_part(choice, text, text_bytes, tool_name);
        return;
    }
    enum responses_item item = part == PART_CONTENT ? ITEM_MESSAGE : ITEM_REASONING;
    if (extra_of(choice)->open != item) {
        close_item(choice);
        open_item(choice, item);
    }
    put_raw(&choice->content, text, text_bytes);
    if (!choice->answer->stream) return;
    struct json_writer *w =
        begin_part_event(choice, item == ITEM_MESSAGE ? "response.output_text.delta"
                                                      : "response.reasoning_text.delta");
    put_key_string(w, "delta", text, text_bytes);
    if (item == ITEM_MESSAGE) {
        put_key(w, "logprobs");
        put_json(w, "[]", 2);
    }
    end_event(w);
}

static void logprob(struct answer_choice *choice, const struct feed_record *record) {
    chat_reply_logprob(choice->answer, record, &choice->logprobs);
}

static void record_done(struct answer_choice *choice) {
    begin(choice->answer);
}

static void finish(struct answer *answer) {
    bool is_cut = strcmp(answer_finish_reason(&answer->choices[0]), "length") == 0;
    const char *status = is_cut ? "incomplete" : "completed";
    if (answer->stream)
        send_response(answer, is_cut ? "response.incomplete" : "response.completed", status);
    else {
        put_response(answer, &answer->exchange->out, status);
        exchange_reply(answer->exchange, 200, "application/json");
    }
}

static void fail(struct answer *answer) {
    begin(answer);
    send_response(answer, "response.failed", "failed");
}

const struct answer_format responses_reply_format = {
    .id_prefix = "resp_",
    .splits = true,
    .part = part,
    .logprob = logprob,
    .record_done = record_done,
    .choice_done = close_item,
    .finish = finish,
    .fail = fail,
};
