// SPDX-License-Identifier: Apache-2.0
#include "server/answer.h"

#include "server/api_keys.h"
#include "server/audit_log.h"
#include "server/clock_seconds.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/model_host.h"
#include "server/random_id.h"
#include "server/serving_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPLY_BYTES_MAX = 64 << 20 };

static bool more(void *work);
static void cancel(void *work);
static void destroy(void *work);
static const struct exchange_work answer_work = {more, cancel, destroy};

struct answer *answer_create(struct exchange *exchange, const struct answer_format *format) {
    struct answer *answer = calloc(1, sizeof *answer);
    if (!answer) {
        openai_error_no_memory(&exchange->error);
        exchange_fail(exchange);
        return NULL;
    }
    answer->exchange = exchange;
    answer->format = format;
    answer->n_logprobs = -1;
    answer->created = (int64_t)time(NULL);
    random_id_write(answer->id, sizeof answer->id - 12, format->id_prefix);
    sampling_default(&answer->sampling, exchange->server->settings);
    exchange->work = answer;
    exchange->work_kind = &answer_work;
    return answer;
}

static void close_feed(struct answer *answer) {
    if (answer->feed) token_feed_close(answer->feed);
    answer->feed = NULL;
}

static void destroy(void *work) {
    struct answer *answer = work;
    close_feed(answer);
    for (int i = 0; answer->choices && i < answer->n_choices; i++) {
        struct answer_choice *choice = &answer->choices[i];
        answer_splitter_free(&choice->splitter);
        writer_free(&choice->content);
        writer_free(&choice->reasoning);
        writer_free(&choice->calls);
        writer_free(&choice->logprobs);
    }
    free(answer->choices);
    free(answer->prompt_tokens);
    free(answer->extra);
    sampling_free(&answer->sampling);
    output_wish_free(&answer->wish);
    json_decref(answer->body);
    free(answer);
}

bool answer_read(struct answer *answer, const struct field_table *tables, size_t n_tables,
                 void *target) {
    struct exchange *exchange = answer->exchange;
    answer->body = request_body_parse(&exchange->body, &exchange->error);
    return answer->body &&
           json_reader_read(answer->body, tables, n_tables, target, "", &exchange->error);
}

bool answer_check(struct answer *answer) {
    const struct model_host *host = answer->exchange->server->host;
    struct openai_error *error = &answer->exchange->error;
    if (answer->model && !model_host_is_named(host, answer->model))
        return openai_error_set(error, 404, "model_not_found", "model",
                                "this server has the model \"%s\" and no other", host->name);
    if (host->is_encoder)
        return openai_error_set(error, 400, "unsupported_model", "model",
                                "the model makes vectors of texts and no text; use /v1/embeddings");
    const json_t *usage = json_object_get(answer->stream_options, "include_usage");
    answer->include_usage = json_is_true(usage);
    if (answer->stream_options && !answer->stream)
        return openai_error_set(error, 400, "invalid_value", "stream_options",
                                "stream_options needs stream: true");
    return true;
}

void answer_prompts_free(struct answer_prompts *prompts) {
    for (int i = 0; prompts->tokens && i < prompts->n_prompts; i++)
        xl_free(prompts->tokens[i]);
    free(prompts->tokens);
    free(prompts->n_tokens);
    *prompts = (struct answer_prompts){0};
}

static void on_part(void *user, enum answer_part part, const char *text, size_t text_bytes,
                    const char *tool_name) {
    struct answer_choice *choice = user;
    if (part == PART_TOOL_CALL) choice->n_calls++;
    if (part == PART_CONTENT) choice->said_content = true;
    choice->answer->format->part(choice, part, text, text_bytes, tool_name);
}

static bool check_length(struct answer *answer, size_t n_tokens) {
    const struct model_host *host = answer->exchange->server->host;
    const char *param = answer->format->splits ? "messages" : "prompt";
    if (n_tokens == 0)
        return openai_error_set(&answer->exchange->error, 400, "invalid_value", param,
                                "the prompt has no tokens");
    return n_tokens < (size_t)host->info.context ||
           openai_error_set(&answer->exchange->error, 400, "context_length_exceeded", param,
                            "the prompt has %zu tokens; the context holds %d, with at least one "
                            "for the answer",
                            n_tokens, host->info.context);
}

static bool make_choices(struct answer *answer, const struct answer_prompts *prompts) {
    int64_t n_choices = prompts->n_prompts * answer->sampling.n;
    struct exchange *exchange = answer->exchange;
    size_t queued = (size_t)exchange->server->settings->queued_kib << 10;
    if (n_choices > exchange->server->settings->n_max)
        return openai_error_set(&exchange->error, 400, "invalid_value", "n",
                                "%lld sequences in one request; %d are allowed",
                                (long long)n_choices, exchange->server->settings->n_max);
    answer->n_prompts = prompts->n_prompts;
    answer->n_choices = (int)n_choices;
    answer->choices = calloc((size_t)n_choices, sizeof *answer->choices);
    answer->prompt_tokens = calloc((size_t)prompts->n_prompts, sizeof *answer->prompt_tokens);
    answer->feed = token_feed_create(exchange, answer->n_choices,
                                     answer->stream ? queued : REPLY_BYTES_MAX, answer->stream);
    if (!answer->choices || !answer->prompt_tokens || !answer->feed)
        return openai_error_no_memory(&exchange->error);
    for (int i = 0; i < answer->n_choices; i++) {
        answer->choices[i].answer = answer;
        answer->choices[i].index = i;
        answer->choices[i].splitter = answer->begins;
        answer->choices[i].splitter.on_part = on_part;
        answer->choices[i].splitter.user = &answer->choices[i];
    }
    return true;
}

static bool submit_prompt(struct answer *answer, int prompt, const struct answer_prompts *prompts,
                          const char *user) {
    struct sampling *sampling = &answer->sampling;
    struct exchange *exchange = answer->exchange;
    xl_request_options options = xl_request_options_default();
    const char *tier = sampling->service_tier;
    bool is_background = tier && (strcmp(tier, "flex") == 0 || strcmp(tier, "background") == 0);
    xl_error error;
    options.prompt = prompts->tokens[prompt];
    options.n_prompt = prompts->n_tokens[prompt];
    options.generate = &sampling->generate;
    options.user = user;
    options.priority = is_background ? XL_BACKGROUND : XL_INTERACTIVE;
    options.n_logprobs = (int)answer->n_logprobs;
    options.no_prefix = !sampling->cache_prompt;
    options.save_prefix = sampling->save_prefix;
    answer->prompt_tokens[prompt] = (int)options.n_prompt;
    answer->all_prompt_tokens += (int)options.n_prompt;
    for (int64_t i = 0; i < sampling->n; i++) {
        sampling->generate.seed = sampling->first_seed + (uint64_t)i;
        int index = (int)(prompt * sampling->n + i);
        if (token_feed_submit(answer->feed, index, exchange->server->host->worker, &options,
                              &error) != XL_OK) {
            bool is_full = error.status == XL_NO_MEMORY;
            openai_error_from_engine(&exchange->error, &error, NULL);
            if (is_full) exchange->error.retry_after = 2;
            return false;
        }
    }
    return true;
}

// Keys take turns, and addresses where there are no keys. What a client calls its user counts for
// nothing: a new name for each request would be a turn for each.
static const char *turn_of(const struct exchange *exchange) {
    return exchange->key ? exchange->key->name : exchange->address;
}

static bool submit(struct answer *answer, const struct answer_prompts *prompts) {
    struct http_server *server = answer->exchange->server;
    struct grammar_cache *cache = server->parts->grammars;
    struct kept_grammar *kept = NULL;
    for (int p = 0; p < prompts->n_prompts; p++)
        if (!check_length(answer, prompts->n_tokens[p])) return false;
    if (!make_choices(answer, prompts)) return false;
    if (answer->wish.form != OUTPUT_TEXT) {
        kept =
            grammar_cache_get(cache, server->host->engine, &answer->wish, &answer->exchange->error);
        if (!kept) return false;
        answer->sampling.generate.grammar = kept_grammar_use(kept);
    }
    answer->submitted_s = clock_seconds();
    bool is_submitted = audit_log_begin(answer->exchange);
    for (int p = 0; is_submitted && p < prompts->n_prompts; p++)
        is_submitted = submit_prompt(answer, p, prompts, turn_of(answer->exchange));
    kept_grammar_release(cache, kept);
    return is_submitted;
}

void answer_submit(struct answer *answer, struct answer_prompts *prompts) {
    bool is_submitted = submit(answer, prompts);
    answer_prompts_free(prompts);
    if (!is_submitted) {
        close_feed(answer);
        exchange_fail(answer->exchange);
        return;
    }
    // Patient text is not kept longer than needed. `body` stays: strings in it are in use.
    request_body_free(&answer->exchange->body);
    if (answer->stream)
        exchange_stream(answer->exchange);
    else
        exchange_follow(answer->exchange);
}

const char *answer_finish_reason(const struct answer_choice *choice) {
    bool is_cut = choice->end.finish == XL_FINISH_LENGTH || choice->end.finish == XL_FINISH_CONTEXT;
    if (is_cut) return "length";
    return choice->n_calls > 0 ? "tool_calls" : "stop";
}

void answer_write_usage(const struct answer *answer, struct json_writer *writer) {
    put_open(writer, '{');
    put_key_int(writer, "prompt_tokens", answer->all_prompt_tokens);
    put_key_int(writer, "completion_tokens", answer->generated_tokens);
    put_key_int(writer, "total_tokens", answer->all_prompt_tokens + answer->generated_tokens);
    put_key(writer, "prompt_tokens_details");
    put_open(writer, '{');
    put_key_int(writer, "cached_tokens", answer->cached_tokens);
    put_close(writer, '}');
    put_key(writer, "completion_tokens_details");
    put_open(writer, '{');
    put_key_int(writer, "reasoning_tokens", answer->reasoning_tokens);
    put_close(writer, '}');
    put_close(writer, '}');
}

static void note_time(struct answer *answer, struct answer_choice *choice,
                      const struct feed_record *record) {
    struct metrics *metrics = answer->exchange->server->metrics;
    if (record->is_last) return;
    if (choice->last_s == 0)
        metrics_first_token(metrics, record->at_s - answer->submitted_s);
    else
        metrics_next_token(metrics, record->at_s - choice->last_s);
    choice->last_s = record->at_s;
}

// A sequence that ends before what it had to be is there has failed, whatever it said.
static bool check_end(struct answer *answer, const struct answer_choice *choice) {
    const struct feed_record *end = &choice->end;
    struct openai_error *error = &answer->exchange->error;
    if (end->status != XL_OK) {
        xl_error engine_error = {.status = end->status};
        snprintf(engine_error.message, sizeof engine_error.message, "%s", end->message);
        if (end->status == XL_CANCELLED)
            return openai_error_set(error, 503, "cancelled", NULL, "the server ended this request");
        openai_error_from_engine(error, &engine_error, NULL);
        if (error->http_status == 400) error->http_status = 500; // it was checked before
        return false;
    }
    bool is_cut = end->finish == XL_FINISH_LENGTH || end->finish == XL_FINISH_CONTEXT;
    bool is_missing = choice->splitter.is_thinking || (answer->must_call && choice->n_calls == 0);
    if (is_cut || !is_missing || answer->may_say_nothing || answer->wish.form == OUTPUT_TEXT)
        return true;
    return openai_error_set(error, 500, "structured_output_failed", NULL,
                            "the model ended before the answer in the wanted form began");
}

// A text that lost a piece for want of memory is not given out.
static bool check_whole(struct answer_choice *choice) {
    bool is_lost = choice->content.failed || choice->reasoning.failed || choice->calls.failed ||
                   choice->logprobs.failed || choice->splitter.pending.failed;
    return !is_lost || openai_error_no_memory(&choice->answer->exchange->error);
}

static bool end_choice(struct answer *answer, struct answer_choice *choice,
                       const struct feed_record *record) {
    struct exchange *exchange = answer->exchange;
    choice->end = *record;
    choice->has_ended = true;
    answer->n_ended++;
    if (answer->format->splits) answer_splitter_end(&choice->splitter);
    if (choice->index % answer->sampling.n == 0)
        answer->cached_tokens += record->memory_tokens + record->disk_tokens;
    answer->reasoning_tokens += choice->reasoning_tokens;
    metrics_queued(exchange->server->metrics, record->waited_s);
    if (!check_end(answer, choice) || !check_whole(choice)) return false;
    answer->format->record_done(choice);
    answer->format->choice_done(choice);
    return true;
}

static bool take_record(struct answer *answer, const struct feed_record *record) {
    struct answer_choice *choice = &answer->choices[record->sequence];
    note_time(answer, choice, record);
    if (!record->is_last) {
        answer->generated_tokens++;
        if (choice->splitter.is_thinking) choice->reasoning_tokens++;
        if (answer->n_logprobs >= 0 && answer->format->logprob)
            answer->format->logprob(choice, record);
    }
    if (answer->format->splits)
        answer_splitter_add(&choice->splitter, record->text, record->text_bytes);
    else if (record->text_bytes)
        on_part(choice, PART_CONTENT, record->text, record->text_bytes, NULL);
    if (record->is_last) return end_choice(answer, choice, record);
    if (!check_whole(choice)) return false;
    answer->format->record_done(choice);
    return true;
}

static void settle(struct answer *answer, const char *finish) {
    struct exchange *exchange = answer->exchange;
    exchange->usage.prompt_tokens = answer->all_prompt_tokens;
    exchange->usage.cached_tokens = answer->cached_tokens;
    exchange->usage.generated_tokens = answer->generated_tokens;
    exchange->usage.finish = finish;
}

// The client is gone: what was computed still counts.
static void cancel(void *work) {
    struct answer *answer = work;
    close_feed(answer);
    bool is_refused = answer->exchange->http_status >= 400;
    if (!answer->exchange->usage.finish && !is_refused) settle(answer, "cancelled");
}

static void fail(struct answer *answer) {
    close_feed(answer);
    answer->failed = true;
    settle(answer, "error");
    if (answer->stream)
        answer->format->fail(answer);
    else
        exchange_fail(answer->exchange);
}

static bool more(void *work) {
    struct answer *answer = work;
    struct feed_record record;
    if (answer->failed || !answer->feed) return false;
    while (token_feed_next(answer->feed, &record))
        if (!take_record(answer, &record)) {
            fail(answer);
            return false;
        }
    if (token_feed_overflowed(answer->feed)) {
        if (token_feed_lost_memory(answer->feed))
            openai_error_no_memory(&answer->exchange->error);
        else {
            metrics_count_overflow(answer->exchange->server->metrics);
            openai_error_set(&answer->exchange->error, 503, "slow_client", NULL,
                             "the answer was cancelled because it was not read in time");
        }
        fail(answer);
        return false;
    }
    if (answer->n_ended < answer->n_choices) return true;
    settle(answer, answer_finish_reason(&answer->choices[0]));
    answer->format->finish(answer);
    return false;
}
