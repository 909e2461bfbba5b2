// SPDX-License-Identifier: Apache-2.0
#include "server/responses_route.h"

#include "server/chat_route.h"
#include "server/http_server.h"
#include "server/responses_input.h"
#include "server/responses_reply.h"

#include <stdlib.h>
#include <string.h>

struct responses_request {
    const char *model, *instructions;
    bool stream, parallel_tool_calls;
    int64_t max_output_tokens, top_logprobs;
    const json_t *input, *text, *tools, *tool_choice, *reasoning, *include, *stream_options,
        *instructions_json, *metadata;
    struct sampling sampling;
};

#define AT(member) offsetof(struct responses_request, member)

static const struct json_field fields[] = {
    {"model", FIELD_TEXT, AT(model), 0, 512, NULL, "the model's name", NULL},
    {"input", FIELD_JSON, AT(input), 0, 0, NULL, "a text, or items", NULL},
    {"instructions", FIELD_JSON, AT(instructions_json), 0, 0, NULL, "the system message",
     "{\"type\":\"string\"}"},
    {"stream", FIELD_BOOL, AT(stream), 0, 0, NULL, "server-sent events", NULL},
    {"stream_options", FIELD_IGNORED, 0, 0, 0, NULL, "ignored; usage is always sent", NULL},
    {"max_output_tokens", FIELD_INT, AT(max_output_tokens), 1, 1e7, NULL,
     "generated at most, reasoning included", NULL},
    {"top_logprobs", FIELD_INT, AT(top_logprobs), 0, FEED_LOGPROBS_MAX, NULL,
     "of the likeliest besides", NULL},
    {"text", FIELD_JSON, AT(text), 0, 0, NULL, "format: text, json_object or json_schema",
     "{\"type\":\"object\"}"},
    {"tools", FIELD_JSON, AT(tools), 0, 0, NULL, "functions", "{\"type\":\"array\"}"},
    {"tool_choice", FIELD_JSON, AT(tool_choice), 0, 0, NULL, "none, auto, required or a function",
     NULL},
    {"parallel_tool_calls", FIELD_BOOL, AT(parallel_tool_calls), 0, 0, NULL,
     "one call is made at a time in any case", NULL},
    {"reasoning", FIELD_JSON, AT(reasoning), 0, 0, NULL, "effort: none turns thinking off",
     "{\"type\":\"object\"}"},
    {"include", FIELD_JSON, AT(include), 0, 0, NULL, "message.output_text.logprobs",
     "{\"type\":\"array\"}"},
    {"metadata", FIELD_JSON, AT(metadata), 0, 0, NULL, "given back", "{\"type\":\"object\"}"},
    {"truncation", FIELD_ONLY, 0, 0, 0, "\"disabled\"", "nothing is cut off silently", NULL},
    {"store", FIELD_IGNORED, 0, 0, 0, NULL, "nothing is stored, and the answer says so", NULL},
    {"background", FIELD_ONLY, 0, 0, 0, "false", "nothing is stored", NULL},
    {"previous_response_id", FIELD_ONLY, 0, 0, 0, "null", "nothing is stored; send the items",
     NULL},
    {"conversation", FIELD_ONLY, 0, 0, 0, "null", "nothing is stored; send the items", NULL},
    {"prompt", FIELD_ONLY, 0, 0, 0, "null", "there are no stored prompts", NULL},
    {"max_tool_calls", FIELD_IGNORED, 0, 0, 0, NULL, "ignored; there are no built-in tools", NULL},
    {"n", FIELD_ONLY, 0, 0, 0, "1", "one answer", NULL},
};

#undef AT

const struct field_table responses_route_tables[] = {
    {fields, sizeof fields / sizeof fields[0], 0},
    {sampling_fields, SAMPLING_FIELDS, offsetof(struct responses_request, sampling)}};
const size_t responses_route_n_tables = 2;

static bool check_members(const json_t *object, const char *const *known, const char *param,
                          struct openai_error *error) {
    const char *key;
    json_t *value;
    if (object && !json_is_object(object))
        return openai_error_set(error, 400, "invalid_type", param, "%s must be an object", param);
    json_object_foreach((json_t *)object, key, value) {
        bool is_known = json_is_null(value);
        for (size_t i = 0; known[i]; i++)
            is_known = is_known || strcmp(known[i], key) == 0;
        if (!is_known)
            return openai_error_set(error, 400, "unknown_field", param,
                                    "%s has a field that this server does not know", param);
    }
    return true;
}

static bool read_include(struct answer *answer, const struct responses_request *request) {
    size_t i;
    json_t *item;
    if (request->top_logprobs > 0) answer->n_logprobs = request->top_logprobs;
    json_array_foreach((json_t *)request->include, i, item) {
        const char *name = json_string_value(item);
        if (name && strcmp(name, "message.output_text.logprobs") == 0)
            answer->n_logprobs = request->top_logprobs;
        else if (!name || strcmp(name, "reasoning.encrypted_content") != 0)
            return openai_error_set(&answer->exchange->error, 400, "unsupported_value", "include",
                                    "include takes message.output_text.logprobs only");
    }
    return true;
}

static bool read_forms(struct answer *answer, const struct responses_request *request,
                       struct chat_prompt_request *prompt) {
    static const char *const text_members[] = {"format", "verbosity", NULL};
    static const char *const reasoning_members[] = {"effort", "summary", "generate_summary", NULL};
    struct openai_error *error = &answer->exchange->error;
    const json_t *format = json_object_get(request->text, "format");
    const json_t *verbosity = json_object_get(request->text, "verbosity");
    const char *degree = json_string_value(verbosity);
    const char *effort = json_string_value(json_object_get(request->reasoning, "effort"));
    prompt->thinking = effort ? strcmp(effort, "none") != 0 : -1;
    if (!check_members(request->text, text_members, "text", error)) return false;
    if (verbosity && !json_is_null(verbosity) && (!degree || strcmp(degree, "medium") != 0))
        return openai_error_set(error, 400, "unsupported_value", "text",
                                "text.verbosity is supported only as \"medium\"");
    if (!check_members(request->reasoning, reasoning_members, "reasoning", error)) return false;
    return !format || json_is_null(format) ||
           output_wish_read(&answer->wish, format, "text.format", error);
}

static bool keep_extra(struct answer *answer, const struct responses_request *request) {
    struct responses_extra *extra = calloc(1, sizeof *extra);
    if (!extra) return openai_error_no_memory(&answer->exchange->error);
    extra->instructions = request->instructions_json;
    extra->tools = request->tools;
    extra->tool_choice = request->tool_choice;
    extra->text = request->text;
    extra->metadata = request->metadata;
    extra->max_output_tokens = request->max_output_tokens;
    answer->extra = extra;
    return true;
}

static bool read_request(struct answer *answer, struct responses_request *request) {
    struct openai_error *error = &answer->exchange->error;
    *request = (struct responses_request){.max_output_tokens = -1};
    sampling_default(&request->sampling, answer->exchange->server->settings);
    if (!answer_read(answer, responses_route_tables, responses_route_n_tables, request))
        return false;
    answer->stream = request->stream;
    answer->model = request->model;
    answer->sampling = request->sampling;
    if (request->max_output_tokens >= 0) answer->sampling.max_tokens = request->max_output_tokens;
    if (request->instructions_json && !json_is_string(request->instructions_json))
        return openai_error_set(error, 400, "invalid_type", "instructions",
                                "instructions must be a string");
    request->instructions = json_string_value(request->instructions_json);
    return answer_check(answer) && read_include(answer, request) && keep_extra(answer, request);
}

static void run(struct exchange *exchange) {
    struct responses_request request;
    struct chat_prompt_request prompt = {0};
    struct answer *answer = answer_create(exchange, &responses_reply_format);
    if (!answer) return;
    struct openai_error *error = &exchange->error;
    json_t *messages = NULL, *tools = NULL;
    bool is_read = read_request(answer, &request) && read_forms(answer, &request, &prompt);
    if (is_read) messages = responses_input_messages(request.input, request.instructions, error);
    if (messages) tools = responses_input_tools(request.tools, error);
    prompt.messages = messages;
    prompt.tools = tools;
    prompt.tool_choice = request.tool_choice;
    if (messages && !error->http_status && chat_prompt_read_tools(&prompt, error))
        chat_route_run(answer, &prompt);
    else
        exchange_fail(exchange);
    json_decref(messages);
    json_decref(tools);
}

void responses_route_handle(struct exchange *exchange) {
    exchange_start_job(exchange, exchange->server->prepare, run);
}
