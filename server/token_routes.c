// SPDX-License-Identifier: Apache-2.0
#include "server/token_routes.h"

#include "server/chat_route.h"
#include "server/exchange.h"
#include "server/http_server.h"
#include "server/model_host.h"
#include "server/prompt_input.h"
#include "server/special_guard.h"

#include <string.h>

enum { TOKENIZE_BYTES_MAX = 1 << 20 };

struct tokenize_request {
    const json_t *content;
    bool add_special, parse_special, with_pieces;
};

struct detokenize_request {
    const json_t *tokens;
    bool with_special;
};

#define AT(member) offsetof(struct tokenize_request, member)

static const struct json_field tokenize_fields[] = {
    {"content", FIELD_JSON, AT(content), 0, 0, NULL, "the text", "{\"type\":\"string\"}"},
    {"prompt", FIELD_JSON, AT(content), 0, 0, NULL, "another name of content",
     "{\"type\":\"string\"}"},
    {"add_special", FIELD_BOOL, AT(add_special), 0, 0, NULL, "with begin and end tokens", NULL},
    {"parse_special", FIELD_BOOL, AT(parse_special), 0, 0, NULL,
     "texts like <|im_end|> become control tokens", NULL},
    {"with_pieces", FIELD_BOOL, AT(with_pieces), 0, 0, NULL, "each token with its text", NULL},
    {"model", FIELD_IGNORED, 0, 0, 0, NULL, "there is one", NULL},
};

#undef AT
#define AT(member) offsetof(struct detokenize_request, member)

static const struct json_field detokenize_fields[] = {
    {"tokens", FIELD_JSON, AT(tokens), 0, 0, NULL, "token ids",
     "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}"},
    {"with_special", FIELD_BOOL, AT(with_special), 0, 0, NULL, "shows control tokens", NULL},
    {"model", FIELD_IGNORED, 0, 0, 0, NULL, "there is one", NULL},
};

#undef AT

const struct field_table tokenize_route_tables[] = {
    {tokenize_fields, sizeof tokenize_fields / sizeof tokenize_fields[0], 0}};
const size_t tokenize_route_n_tables = 1;
const struct field_table detokenize_route_tables[] = {
    {detokenize_fields, sizeof detokenize_fields / sizeof detokenize_fields[0], 0}};
const size_t detokenize_route_n_tables = 1;

static bool put_piece(struct exchange *exchange, int32_t token) {
    xl_error error;
    char *text;
    size_t size;
    if (xl_token_text(exchange->server->host->engine, token, &text, &size, &error) != XL_OK)
        return openai_error_from_engine(&exchange->error, &error, NULL);
    put_open(&exchange->out, '{');
    put_key_int(&exchange->out, "id", token);
    put_key_string(&exchange->out, "piece", text, size);
    put_close(&exchange->out, '}');
    xl_free(text);
    return true;
}

static bool tokenize(struct exchange *exchange, const json_t *body) {
    struct tokenize_request request = {0};
    struct openai_error *error = &exchange->error;
    struct json_writer *w = &exchange->out;
    int32_t *tokens;
    size_t n_tokens;
    xl_error engine_error;
    if (!json_reader_read(body, tokenize_route_tables, 1, &request, "", error)) return false;
    if (!json_is_string(request.content))
        return openai_error_set(error, 400, "invalid_type", "content", "content must be a string");
    if (json_string_length(request.content) > TOKENIZE_BYTES_MAX)
        return openai_error_set(error, 400, "text_too_long", "content",
                                "content has %zu bytes; %d are taken at most",
                                json_string_length(request.content), (int)TOKENIZE_BYTES_MAX);
    if (xl_tokenize(exchange->server->host->engine, json_string_value(request.content),
                    json_string_length(request.content), request.add_special, request.parse_special,
                    &tokens, &n_tokens, &engine_error) != XL_OK)
        return openai_error_from_engine(error, &engine_error, "content");
    bool is_well = true;
    put_open(w, '{');
    put_key_int(w, "count", (int64_t)n_tokens);
    put_key_int(w, "max_model_len", exchange->server->host->info.context);
    put_key(w, "tokens");
    put_open(w, '[');
    for (size_t i = 0; is_well && i < n_tokens; i++) {
        if (request.with_pieces)
            is_well = put_piece(exchange, tokens[i]);
        else
            put_int(w, tokens[i]);
    }
    put_close(w, ']');
    put_close(w, '}');
    xl_free(tokens);
    return is_well;
}

static bool detokenize(struct exchange *exchange, const json_t *body) {
    struct detokenize_request request = {0};
    struct openai_error *error = &exchange->error;
    int32_t *tokens;
    size_t n_tokens, size;
    char *text;
    xl_error engine_error;
    if (!json_reader_read(body, detokenize_route_tables, 1, &request, "", error)) return false;
    if (!json_is_array(request.tokens))
        return openai_error_set(error, 400, "invalid_type", "tokens",
                                "tokens must be an array of token ids");
    if (!prompt_input_ids(exchange->server->host, request.tokens, "tokens", &tokens, &n_tokens,
                          error))
        return false;
    xl_status status = xl_detokenize(exchange->server->host->engine, tokens, n_tokens,
                                     request.with_special, &text, &size, &engine_error);
    xl_free(tokens);
    if (status != XL_OK) return openai_error_from_engine(error, &engine_error, "tokens");
    put_open(&exchange->out, '{');
    put_key_string(&exchange->out, "content", text, size);
    put_close(&exchange->out, '}');
    xl_free(text);
    return true;
}

static bool apply_template(struct exchange *exchange, const json_t *body) {
    struct chat_prompt_request request;
    struct chat_prompt prompt;
    if (!chat_route_read_prompt(exchange, body, &request) ||
        !chat_prompt_make(exchange->server->host, &request, false, &prompt, &exchange->error))
        return false;
    put_open(&exchange->out, '{');
    struct json_writer plain = {0};
    special_guard_unmark(exchange->server->host->guard, prompt.text, prompt.text_bytes, &plain);
    put_key_string(&exchange->out, "prompt", plain.data, plain.size);
    writer_free(&plain);
    put_close(&exchange->out, '}');
    chat_prompt_free(&prompt);
    return true;
}

static void run_tokenize(struct exchange *exchange) {
    exchange_answer_body(exchange, tokenize);
}

static void run_detokenize(struct exchange *exchange) {
    exchange_answer_body(exchange, detokenize);
}

static void run_apply_template(struct exchange *exchange) {
    exchange_answer_body(exchange, apply_template);
}

void tokenize_route_handle(struct exchange *exchange) {
    exchange_start_job(exchange, exchange->server->prepare, run_tokenize);
}

void detokenize_route_handle(struct exchange *exchange) {
    exchange_start_job(exchange, exchange->server->prepare, run_detokenize);
}

void apply_template_route_handle(struct exchange *exchange) {
    exchange_start_job(exchange, exchange->server->prepare, run_apply_template);
}
