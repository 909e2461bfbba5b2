// SPDX-License-Identifier: Apache-2.0
// One exchange that generates: its sequences from submission to the last token, what they say so
// far, and what they cost. How that looks as JSON is the business of a format: chat_reply,
// completion_reply, responses_reply.
#ifndef XL_SERVER_ANSWER_H
#define XL_SERVER_ANSWER_H

#include "server/answer_splitter.h"
#include "server/exchange.h"
#include "server/sampling_fields.h"
#include "server/structured_output.h"
#include "server/token_feed.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct answer;

struct answer_choice {
    struct answer *answer;
    int index;
    struct answer_splitter splitter;
    struct json_writer content, reasoning; // so far; of a stream: of this record
    struct json_writer calls;              // so far: objects with commas between
    struct json_writer logprobs;           // entries with commas between, not yet sent
    bool has_begun, has_ended, said_content;
    int n_calls, reasoning_tokens;
    int64_t text_offset; // characters so far, for completions
    double last_s;       // of its last token
    struct feed_record end;
};

// A format writes to exchange->out: pieces of a stream, or the whole reply in `finish`.
struct answer_format {
    const char *id_prefix;
    bool splits; // parts of the text go through the splitter
    // A part of a choice's text; of a tool call its name and arguments.
    void (*part)(struct answer_choice *choice, enum answer_part part, const char *text,
                 size_t text_bytes, const char *tool_name);
    // A token's log probability; may be NULL.
    void (*logprob)(struct answer_choice *choice, const struct feed_record *record);
    void (*record_done)(struct answer_choice *choice); // all parts of one record are given
    void (*choice_done)(struct answer_choice *choice);
    void (*finish)(struct answer *answer); // the end of the stream, or the whole reply
    void (*fail)(struct answer *answer);   // exchange->error ends a stream that has begun
};

struct answer {
    struct exchange *exchange;
    const struct answer_format *format;
    json_t *body; // the request; strings of it are in use until all is submitted
    struct sampling sampling;
    struct output_wish wish;
    struct answer_splitter begins; // how every choice's splitter begins
    bool stream, include_usage, must_call, may_say_nothing, failed;
    const json_t *stream_options;
    const char *model;
    int64_t n_logprobs; // < 0: none
    char id[48];
    int64_t created;
    struct token_feed *feed;
    int n_prompts, n_choices, n_ended;
    struct answer_choice *choices; // [n_choices]; prompt p has n from p · n on
    int *prompt_tokens;            // [n_prompts]
    int generated_tokens, cached_tokens, all_prompt_tokens, reasoning_tokens;
    double submitted_s;
    void *extra; // of the format, freed with free()
};

// The exchange's work from now on; its destruction is the exchange's. NULL: no memory, replied.
struct answer *answer_create(struct exchange *exchange, const struct answer_format *format);
// Parses the body by the tables into `target`.
bool answer_read(struct answer *answer, const struct field_table *tables, size_t n_tables,
                 void *target);
// model, stream and stream_options, once they are set.
bool answer_check(struct answer *answer);
// Submits n sequences for each prompt; tokens[p] are the engine's and freed here, also on failure.
// Then the exchange streams or follows; on failure it has failed.
struct answer_prompts {
    int32_t **tokens;
    size_t *n_tokens;
    int n_prompts;
};
void answer_submit(struct answer *answer, struct answer_prompts *prompts);
void answer_prompts_free(struct answer_prompts *prompts);
// "stop", "length", "tool_calls"
const char *answer_finish_reason(const struct answer_choice *choice);
void answer_write_usage(const struct answer *answer, struct json_writer *writer);

#endif
