// SPDX-License-Identifier: Apache-2.0
#include "server/chat_route.h"

#include "server/audit_log.h"
#include "server/chat_reply.h"
#include "server/http_server.h"
#include "server/model_host.h"
#include "server/prompt_input.h"
#include "server/special_guard.h"

#include <stdlib.h>
#include <string.h>

struct chat_request {
    const char *model, *reasoning_effort, *grammar;
    bool stream, logprobs, parallel_tool_calls, add_generation_prompt;
    int64_t top_logprobs, max_completion_tokens;
    const json_t *stream_options, *response_format, *json_schema;
    struct chat_prompt_request prompt;
    struct sampling sampling;
};

#define AT(member) offsetof(struct chat_request, member)

static const struct json_field fields[] = {
    {"model", FIELD_TEXT, AT(model), 0, 512, NULL, "the model's name", NULL},
    {"messages", FIELD_JSON, AT(prompt.messages), 0, 0, NULL, "the conversation",
     "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"role\"]},\"minItems\":1}"},
    {"stream", FIELD_BOOL, AT(stream), 0, 0, NULL, "server-sent events", NULL},
    {"stream_options", FIELD_JSON, AT(stream_options), 0, 0, NULL, "include_usage",
     "{\"type\":\"object\"}"},
    {"max_completion_tokens", FIELD_INT, AT(max_completion_tokens), 0, 1e7, NULL,
     "generated at most, reasoning included", NULL},
    {"logprobs", FIELD_BOOL, AT(logprobs), 0, 0, NULL, "of the chosen tokens", NULL},
    {"top_logprobs", FIELD_INT, AT(top_logprobs), 0, FEED_LOGPROBS_MAX, NULL,
     "of the likeliest besides", NULL},
    {"response_format", FIELD_JSON, AT(response_format), 0, 0, NULL,
     "text, json_object or json_schema", "{\"type\":\"object\",\"required\":[\"type\"]}"},
    {"json_schema", FIELD_JSON, AT(json_schema), 0, 0, NULL, "a schema alone", NULL},
    {"grammar", FIELD_TEXT, AT(grammar), 0, 1 << 20, NULL, "GBNF", NULL},
    {"tools", FIELD_JSON, AT(prompt.tools), 0, 0, NULL, "functions", "{\"type\":\"array\"}"},
    {"tool_choice", FIELD_JSON, AT(prompt.tool_choice), 0, 0, NULL,
     "none, auto, required or a function", NULL},
    {"parallel_tool_calls", FIELD_BOOL, AT(parallel_tool_calls), 0, 0, NULL,
     "one call is made at a time in any case", NULL},
    {"reasoning_effort", FIELD_TEXT, AT(reasoning_effort), 0, 16, NULL,
     "none: without thinking; else with it, if the template can", NULL},
    {"chat_template_kwargs", FIELD_JSON, AT(prompt.template_arguments), 0, 0, NULL,
     "more variables of the template", "{\"type\":\"object\"}"},
    {"add_generation_prompt", FIELD_BOOL, AT(add_generation_prompt), 0, 0, NULL,
     "false: the template ends behind the messages", NULL},
    {"modalities", FIELD_ONLY, 0, 0, 0, "[\"text\"]", "text only", NULL},
    {"audio", FIELD_ONLY, 0, 0, 0, "null", "text only", NULL},
    {"functions", FIELD_ONLY, 0, 0, 0, "[]", "use tools", NULL},
    {"function_call", FIELD_ONLY, 0, 0, 0, "\"none\"", "use tool_choice", NULL},
    {"web_search_options", FIELD_ONLY, 0, 0, 0, "null", "the server has no network", NULL},
    {"store", FIELD_ONLY, 0, 0, 0, "false", "nothing is stored", NULL},
    {"prediction", FIELD_IGNORED, 0, 0, 0, NULL, "ignored; copied text is guessed by itself", NULL},
    {"verbosity", FIELD_ONLY, 0, 0, 0, "\"medium\"", "not supported", NULL},
};

#undef AT

const struct field_table chat_route_tables[] = {
    {fields, sizeof fields / sizeof fields[0], 0},
    {sampling_fields, SAMPLING_FIELDS, offsetof(struct chat_request, sampling)}};
const size_t chat_route_n_tables = 2;

static void read_thinking(struct chat_prompt_request *prompt, const char *effort) {
    const json_t *wish = json_object_get(prompt->template_arguments, "enable_thinking");
    prompt->thinking = -1;
    if (json_is_boolean(wish)) prompt->thinking = json_is_true(wish);
    if (effort) prompt->thinking = strcmp(effort, "none") != 0;
}

static bool read_logprobs(struct answer *answer, const struct chat_request *request) {
    if (request->top_logprobs > 0 && !request->logprobs)
        return openai_error_set(&answer->exchange->error, 400, "invalid_value", "top_logprobs",
                                "top_logprobs needs logprobs: true");
    answer->n_logprobs = request->logprobs ? request->top_logprobs : -1;
    return true;
}

static bool read_request(struct answer *answer, struct chat_request *request) {
    struct exchange *exchange = answer->exchange;
    struct http_server *server = exchange->server;
    *request = (struct chat_request){.max_completion_tokens = -1, .add_generation_prompt = true};
    sampling_default(&request->sampling, server->settings);
    if (!answer_read(answer, chat_route_tables, chat_route_n_tables, request)) return false;
    answer->stream = request->stream;
    answer->stream_options = request->stream_options;
    answer->model = request->model;
    answer->sampling = request->sampling;
    if (request->max_completion_tokens >= 0)
        answer->sampling.max_tokens = request->max_completion_tokens;
    read_thinking(&request->prompt, request->reasoning_effort);
    request->prompt.no_generation_prompt = !request->add_generation_prompt;
    return answer_check(answer) && chat_prompt_read_tools(&request->prompt, &exchange->error) &&
           output_wish_read_fields(&answer->wish, request->response_format, request->json_schema,
                                   request->grammar, &exchange->error) &&
           read_logprobs(answer, request);
}

// The grammar of a call that must come, or that may come behind <tool_call>.
static bool bind_tools(struct answer *answer, const struct chat_prompt_request *request) {
    struct openai_error *error = &answer->exchange->error;
    if (request->choice == TOOLS_NONE) return true;
    bool must_call = request->choice != TOOLS_AUTO;
    if (answer->wish.form != OUTPUT_TEXT)
        return openai_error_set(error, 400, "invalid_value", "tools",
                                "an answer is either a call of a tool or in the form of %s; send "
                                "tool_choice \"none\" with a form",
                                answer->wish.param);
    char *schema = chat_prompt_call_schema(request);
    if (!schema) return openai_error_no_memory(error);
    bool is_set = output_wish_set(&answer->wish, OUTPUT_SCHEMA, schema, "tools", error);
    free(schema);
    answer->must_call = must_call;
    return is_set;
}

static void prepare_splitters(struct answer *answer, const struct chat_prompt_request *request,
                              const struct chat_prompt *prompt) {
    const struct model_host *host = answer->exchange->server->host;
    bool binds = answer->wish.form != OUTPUT_TEXT && request->choice != TOOLS_AUTO;
    answer->begins = (struct answer_splitter){
        .thinks = host->template_thinks,
        .is_thinking = prompt->is_thinking,
        .calls_tools = request->choice != TOOLS_NONE,
        .is_calling = prompt->is_calling,
        // What a form binds begins with no <think>.
        .has_begun = prompt->is_calling || binds,
    };
    answer->may_say_nothing = request->choice == TOOLS_AUTO;
    if (answer->wish.form == OUTPUT_TEXT) return;
    if (prompt->is_thinking) answer->sampling.generate.grammar_begin = "</think>";
    if (request->choice == TOOLS_AUTO) answer->sampling.generate.grammar_begin = "<tool_call>";
}

static bool make_prompts(struct answer *answer, const struct chat_prompt *prompt,
                         struct answer_prompts *prompts) {
    struct exchange *exchange = answer->exchange;
    xl_error error;
    if (!prompt_input_check_bytes(exchange->server->host, prompt->text_bytes, "messages",
                                  &exchange->error))
        return false;
    prompts->tokens = calloc(1, sizeof *prompts->tokens);
    prompts->n_tokens = calloc(1, sizeof *prompts->n_tokens);
    if (!prompts->tokens || !prompts->n_tokens) return openai_error_no_memory(&exchange->error);
    prompts->n_prompts = 1;
    // The template writes the begin token itself.
    const struct model_host *host = exchange->server->host;
    if (special_guard_tokenize(host->guard, host->engine, prompt->text, prompt->text_bytes,
                               &prompts->tokens[0], &prompts->n_tokens[0], &error) != XL_OK)
        return openai_error_from_engine(&exchange->error, &error, "messages");
    if (exchange->server->audit_log)
        audit_log_digest(exchange->server->audit_log, prompts->tokens[0],
                         prompts->n_tokens[0] * sizeof *prompts->tokens[0],
                         exchange->usage.prompt_digest);
    return true;
}

void chat_route_run(struct answer *answer, struct chat_prompt_request *request) {
    struct exchange *exchange = answer->exchange;
    struct http_server *server = exchange->server;
    struct chat_prompt prompt = {0};
    struct answer_prompts prompts = {0};
    bool is_ready =
        sampling_finish(&answer->sampling, server->settings, server->host->info.n_vocab,
                        &exchange->error) &&
        bind_tools(answer, request) &&
        chat_prompt_make(server->host, request,
                         answer->wish.form != OUTPUT_TEXT && request->choice != TOOLS_AUTO, &prompt,
                         &exchange->error) &&
        make_prompts(answer, &prompt, &prompts);
    if (is_ready) prepare_splitters(answer, request, &prompt);
    chat_prompt_free(&prompt);
    if (is_ready) {
        answer_submit(answer, &prompts);
        return;
    }
    answer_prompts_free(&prompts);
    exchange_fail(exchange);
}

bool chat_route_read_prompt(struct exchange *exchange, const json_t *body,
                            struct chat_prompt_request *prompt) {
    struct chat_request request = {.add_generation_prompt = true};
    sampling_default(&request.sampling, exchange->server->settings);
    if (!json_reader_read(body, chat_route_tables, chat_route_n_tables, &request, "",
                          &exchange->error))
        return false;
    read_thinking(&request.prompt, request.reasoning_effort);
    request.prompt.no_generation_prompt = !request.add_generation_prompt;
    *prompt = request.prompt;
    return chat_prompt_read_tools(prompt, &exchange->error);
}

static void run(struct exchange *exchange) {
    struct chat_request request;
    struct answer *answer = answer_create(exchange, &chat_reply_format);
    if (!answer) return;
    if (read_request(answer, &request))
        chat_route_run(answer, &request.prompt);
    else
        exchange_fail(exchange);
}

void chat_route_handle(struct exchange *exchange) {
    exchange_start_job(exchange, exchange->server->prepare, run);
}
