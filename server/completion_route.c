// SPDX-License-Identifier: Apache-2.0
#include "server/completion_route.h"

#include "server/audit_log.h"
#include "server/completion_reply.h"
#include "server/http_server.h"
#include "server/model_host.h"
#include "server/prompt_input.h"

#include <stdlib.h>
#include <string.h>

struct completion_request {
    const char *model, *grammar;
    bool stream, echo;
    int64_t logprobs;
    const json_t *prompt, *stream_options, *response_format, *json_schema;
    struct sampling sampling;
};

#define AT(member) offsetof(struct completion_request, member)

static const struct json_field fields[] = {
    {"model", FIELD_TEXT, AT(model), 0, 512, NULL, "the model's name", NULL},
    {"prompt", FIELD_JSON, AT(prompt), 0, 0, NULL,
     "a text, an array of texts, token ids, or an array of those", NULL},
    {"stream", FIELD_BOOL, AT(stream), 0, 0, NULL, "server-sent events", NULL},
    {"stream_options", FIELD_JSON, AT(stream_options), 0, 0, NULL, "include_usage",
     "{\"type\":\"object\"}"},
    {"logprobs", FIELD_INT, AT(logprobs), 0, FEED_LOGPROBS_MAX, NULL,
     "of the chosen tokens, and of as many of the likeliest", NULL},
    {"echo", FIELD_BOOL, AT(echo), 0, 0, NULL, "the prompt comes before its continuation", NULL},
    {"response_format", FIELD_JSON, AT(response_format), 0, 0, NULL,
     "text, json_object or json_schema", "{\"type\":\"object\",\"required\":[\"type\"]}"},
    {"json_schema", FIELD_JSON, AT(json_schema), 0, 0, NULL, "a schema alone", NULL},
    {"grammar", FIELD_TEXT, AT(grammar), 0, 1 << 20, NULL, "GBNF", NULL},
    {"suffix", FIELD_ONLY, 0, 0, 0, "\"\"", "text is continued, not filled in", NULL},
    {"best_of", FIELD_ONLY, 0, 0, 0, "1", "use n", NULL},
};

#undef AT

const struct field_table completion_route_tables[] = {
    {fields, sizeof fields / sizeof fields[0], 0},
    {sampling_fields, SAMPLING_FIELDS, offsetof(struct completion_request, sampling)}};
const size_t completion_route_n_tables = 2;

static bool read_request(struct answer *answer, struct completion_request *request) {
    const struct http_server *server = answer->exchange->server;
    *request = (struct completion_request){.logprobs = -1};
    sampling_default(&request->sampling, server->settings);
    request->sampling.max_tokens = -2; // not said
    if (!answer_read(answer, completion_route_tables, completion_route_n_tables, request))
        return false;
    answer->stream = request->stream;
    answer->stream_options = request->stream_options;
    answer->model = request->model;
    answer->n_logprobs = request->logprobs;
    // OpenAI's default of this route; a client that wants all the room says -1 elsewhere.
    if (request->sampling.max_tokens == -2) request->sampling.max_tokens = 16;
    answer->sampling = request->sampling;
    if (!request->prompt)
        return openai_error_set(&answer->exchange->error, 400, "missing_field", "prompt",
                                "prompt is missing");
    return answer_check(answer) &&
           output_wish_read_fields(&answer->wish, request->response_format, request->json_schema,
                                   request->grammar, &answer->exchange->error) &&
           sampling_finish(&answer->sampling, server->settings, server->host->info.n_vocab,
                           &answer->exchange->error);
}

// The prompts' texts behind the struct, in one piece of memory.
static bool keep_texts(struct answer *answer, const struct completion_request *request,
                       const struct answer_prompts *prompts) {
    const struct model_host *host = answer->exchange->server->host;
    size_t n = (size_t)prompts->n_prompts, bytes = 0;
    char **texts = calloc(n, sizeof *texts);
    bool is_well = texts != NULL;
    for (size_t i = 0; is_well && request->echo && i < n; i++) {
        is_well = xl_detokenize(host->engine, prompts->tokens[i], prompts->n_tokens[i], false,
                                &texts[i], NULL, NULL) == XL_OK;
        if (is_well) bytes += strlen(texts[i]) + 1;
    }
    struct completion_extra *extra =
        is_well ? calloc(1, sizeof *extra + n * sizeof(char *) + bytes) : NULL;
    char *at = extra ? (char *)&extra->prompts[n] : NULL;
    for (size_t i = 0; texts && i < n; i++) {
        if (extra && texts[i]) {
            size_t size = strlen(texts[i]) + 1;
            memcpy(at, texts[i], size);
            extra->prompts[i] = at;
            at += size;
        }
        xl_free(texts[i]);
    }
    free(texts);
    if (extra) extra->echo = request->echo;
    answer->extra = extra;
    return extra || openai_error_no_memory(&answer->exchange->error);
}

static void note_digest(const struct answer *answer, const struct answer_prompts *prompts) {
    struct exchange *exchange = answer->exchange;
    if (!exchange->server->audit_log) return;
    // One digest over all prompts' tokens.
    struct json_writer all = {0};
    for (int i = 0; i < prompts->n_prompts; i++)
        put_raw(&all, (const char *)prompts->tokens[i],
                prompts->n_tokens[i] * sizeof *prompts->tokens[i]);
    audit_log_digest(exchange->server->audit_log, all.data ? all.data : "", all.size,
                     exchange->usage.prompt_digest);
    writer_free(&all);
}

static void run(struct exchange *exchange) {
    struct completion_request request;
    struct answer_prompts prompts = {0};
    struct answer *answer = answer_create(exchange, &completion_reply_format);
    if (!answer) return;
    size_t max = (size_t)exchange->server->settings->n_max;
    bool is_ready = read_request(answer, &request) &&
                    prompt_input_read(exchange->server->host, request.prompt, "prompt", max, true,
                                      &prompts, &exchange->error) &&
                    keep_texts(answer, &request, &prompts);
    if (is_ready) {
        note_digest(answer, &prompts);
        answer_submit(answer, &prompts);
        return;
    }
    answer_prompts_free(&prompts);
    exchange_fail(exchange);
}

void completion_route_handle(struct exchange *exchange) {
    exchange_start_job(exchange, exchange->server->prepare, run);
}
