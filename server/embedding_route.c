// SPDX-License-Identifier: Apache-2.0
#include "server/embedding_route.h"

#include "server/audit_log.h"
#include "server/http_server.h"
#include "server/model_host.h"
#include "server/prompt_input.h"
#include "server/text_vectors.h"

#include <stdlib.h>
#include <string.h>

struct embedding_request {
    const char *model, *encoding_format;
    const json_t *input;
    int64_t dimensions;
};

struct rerank_request {
    const char *model, *query;
    const json_t *documents;
    int64_t top_n;
    bool return_documents;
};

#define AT(member) offsetof(struct embedding_request, member)

static const struct json_field embedding_fields[] = {
    {"model", FIELD_TEXT, AT(model), 0, 512, NULL, "the model's name", NULL},
    {"input", FIELD_JSON, AT(input), 0, 0, NULL,
     "a text, an array of texts, token ids, or an array of those", NULL},
    {"encoding_format", FIELD_TEXT, AT(encoding_format), 0, 16, NULL, "float or base64", NULL},
    {"dimensions", FIELD_INT, AT(dimensions), 1, 1e6, NULL, "the model's own number only", NULL},
    {"user", FIELD_IGNORED, 0, 0, 0, NULL, "ignored", NULL},
};

#undef AT
#define AT(member) offsetof(struct rerank_request, member)

static const struct json_field rerank_fields[] = {
    {"model", FIELD_TEXT, AT(model), 0, 512, NULL, "the model's name", NULL},
    {"query", FIELD_TEXT, AT(query), 0, 1 << 24, NULL, "the text to compare with", NULL},
    {"documents", FIELD_JSON, AT(documents), 0, 0, NULL, "texts",
     "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
    {"top_n", FIELD_INT, AT(top_n), 1, 1e6, NULL, "results at most", NULL},
    {"return_documents", FIELD_BOOL, AT(return_documents), 0, 0, NULL, "with their texts", NULL},
};

#undef AT

const struct field_table embedding_route_tables[] = {
    {embedding_fields, sizeof embedding_fields / sizeof embedding_fields[0], 0}};
const size_t embedding_route_n_tables = 1;
const struct field_table rerank_route_tables[] = {
    {rerank_fields, sizeof rerank_fields / sizeof rerank_fields[0], 0}};
const size_t rerank_route_n_tables = 1;

static bool check_model(struct exchange *exchange, const char *model) {
    const struct model_host *host = exchange->server->host;
    return !model || model_host_is_named(host, model) ||
           openai_error_set(&exchange->error, 404, "model_not_found", "model",
                            "this server has the model \"%s\" and no other", host->name);
}

static void put_base64(struct json_writer *w, const unsigned char *bytes, size_t n_bytes) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    put_quote(w);
    for (size_t i = 0; i < n_bytes; i += 3) {
        unsigned n = n_bytes - i < 3 ? (unsigned)(n_bytes - i) : 3;
        unsigned long group = (unsigned long)bytes[i] << 16;
        if (n > 1) group |= (unsigned long)bytes[i + 1] << 8;
        if (n > 2) group |= bytes[i + 2];
        char four[4] = {letters[group >> 18 & 63], letters[group >> 12 & 63],
                        n > 1 ? letters[group >> 6 & 63] : '=', n > 2 ? letters[group & 63] : '='};
        put_raw(w, four, sizeof four);
    }
    put_quote_end(w);
}

static void put_vector(struct json_writer *w, const float *values, size_t n, bool is_base64) {
    put_key(w, "embedding");
    if (is_base64) {
        put_base64(w, (const unsigned char *)values, n * sizeof *values);
        return;
    }
    put_open(w, '[');
    for (size_t i = 0; i < n; i++)
        put_number(w, (double)values[i]);
    put_close(w, ']');
}

static void put_usage(struct exchange *exchange, size_t n_tokens) {
    struct json_writer *w = &exchange->out;
    put_key(w, "usage");
    put_open(w, '{');
    put_key_int(w, "prompt_tokens", (int64_t)n_tokens);
    put_key_int(w, "total_tokens", (int64_t)n_tokens);
    put_close(w, '}');
    exchange->usage.prompt_tokens = (int)n_tokens;
    exchange->usage.finish = "stop";
}

static void write_embeddings(struct exchange *exchange, const struct text_vectors *vectors,
                             bool is_base64) {
    struct json_writer *w = &exchange->out;
    put_open(w, '{');
    put_key_text(w, "object", "list");
    put_key_text(w, "model", exchange->server->host->name);
    put_key(w, "data");
    put_open(w, '[');
    for (size_t i = 0; i < vectors->n_texts; i++) {
        put_open(w, '{');
        put_key_text(w, "object", "embedding");
        put_key_int(w, "index", (int64_t)i);
        put_vector(w, vectors->values + i * vectors->n_embd, vectors->n_embd, is_base64);
        put_close(w, '}');
    }
    put_close(w, ']');
    put_usage(exchange, vectors->n_tokens);
    put_close(w, '}');
}

static bool embed(struct exchange *exchange, const json_t *body) {
    struct embedding_request request = {0};
    struct openai_error *error = &exchange->error;
    const struct model_host *host = exchange->server->host;
    if (!json_reader_read(body, embedding_route_tables, 1, &request, "", error) ||
        !check_model(exchange, request.model))
        return false;
    const char *format = request.encoding_format ? request.encoding_format : "float";
    bool is_base64 = strcmp(format, "base64") == 0;
    if (!is_base64 && strcmp(format, "float") != 0)
        return openai_error_set(error, 400, "unsupported_value", "encoding_format",
                                "encoding_format must be float or base64");
    if (request.dimensions > 0 && request.dimensions != host->info.n_embd)
        return openai_error_set(error, 400, "unsupported_value", "dimensions",
                                "the model's vectors have %d dimensions and are not shortened",
                                host->info.n_embd);
    if (!request.input)
        return openai_error_set(error, 400, "missing_field", "input", "input is missing");
    struct answer_prompts inputs = {0};
    struct text_vectors vectors = {0};
    bool is_made =
        prompt_input_read(host, request.input, "input", TEXTS_MAX, true, &inputs, error) &&
        text_vectors_make(exchange, &inputs, "input", &vectors);
    if (is_made) write_embeddings(exchange, &vectors, is_base64);
    answer_prompts_free(&inputs);
    text_vectors_free(&vectors);
    return is_made;
}

struct rank {
    size_t index;
    double score;
};

static int by_score(const void *a, const void *b) {
    const struct rank *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

// Vectors have length 1, so the cosine is their product.
static void write_ranks(struct exchange *exchange, const struct rerank_request *request,
                        const struct text_vectors *vectors, struct rank *ranks) {
    struct json_writer *w = &exchange->out;
    size_t n = vectors->n_texts - 1;
    for (size_t i = 0; i < n; i++) {
        const float *row = vectors->values + (i + 1) * vectors->n_embd;
        ranks[i] = (struct rank){.index = i};
        for (size_t j = 0; j < vectors->n_embd; j++)
            ranks[i].score += (double)vectors->values[j] * (double)row[j];
    }
    qsort(ranks, n, sizeof *ranks, by_score);
    if (request->top_n > 0 && (size_t)request->top_n < n) n = (size_t)request->top_n;
    put_open(w, '{');
    put_key_text(w, "object", "list");
    put_key_text(w, "model", exchange->server->host->name);
    put_key(w, "results");
    put_open(w, '[');
    for (size_t i = 0; i < n; i++) {
        put_open(w, '{');
        put_key_int(w, "index", (int64_t)ranks[i].index);
        put_key_number(w, "relevance_score", ranks[i].score);
        if (request->return_documents) {
            put_key(w, "document");
            put_open(w, '{');
            const json_t *text = json_array_get(request->documents, ranks[i].index);
            put_key_string(w, "text", json_string_value(text), json_string_length(text));
            put_close(w, '}');
        }
        put_close(w, '}');
    }
    put_close(w, ']');
    put_usage(exchange, vectors->n_tokens);
    put_close(w, '}');
}

static bool rank(struct exchange *exchange, const struct rerank_request *request) {
    struct openai_error *error = &exchange->error;
    json_t *texts = json_array(), *text;
    size_t i;
    bool is_good = texts && json_array_append_new(texts, json_string(request->query)) == 0;
    json_array_foreach((json_t *)request->documents, i, text) {
        is_good = is_good && json_is_string(text) && json_array_append(texts, text) == 0;
    }
    struct answer_prompts inputs = {0};
    struct text_vectors vectors = {0};
    struct rank *ranks = calloc(json_array_size(texts) + 1, sizeof *ranks);
    if (!is_good || json_array_size(texts) < 2)
        openai_error_set(error, 400, "invalid_type", "documents",
                         "documents must be an array of texts");
    else if (!ranks)
        openai_error_no_memory(error);
    else if (prompt_input_read(exchange->server->host, texts, "documents", TEXTS_MAX, true, &inputs,
                               error) &&
             text_vectors_make(exchange, &inputs, "documents", &vectors))
        write_ranks(exchange, request, &vectors, ranks);
    free(ranks);
    answer_prompts_free(&inputs);
    text_vectors_free(&vectors);
    json_decref(texts);
    return error->http_status == 0;
}

static bool rerank(struct exchange *exchange, const json_t *body) {
    struct rerank_request request = {0};
    struct openai_error *error = &exchange->error;
    if (!json_reader_read(body, rerank_route_tables, 1, &request, "", error) ||
        !check_model(exchange, request.model))
        return false;
    if (!exchange->server->host->is_encoder)
        return openai_error_set(error, 400, "unsupported_model", "model",
                                "likeness is measured with an embedding model; this server has a "
                                "model that writes text");
    if (!request.query || !json_is_array(request.documents))
        return openai_error_set(error, 400, "missing_field", request.query ? "documents" : "query",
                                "query and documents are needed");
    return rank(exchange, &request);
}

static void run(struct exchange *exchange, bool (*fill)(struct exchange *, const json_t *)) {
    struct audit_log *audit = exchange->server->audit_log;
    if (audit && exchange->body.size)
        audit_log_digest(audit, exchange->body.data, exchange->body.size,
                         exchange->usage.prompt_digest);
    exchange_answer_body(exchange, fill);
}

static void run_embed(struct exchange *exchange) {
    run(exchange, embed);
}

static void run_rerank(struct exchange *exchange) {
    run(exchange, rerank);
}

void embedding_route_handle(struct exchange *exchange) {
    exchange_start_job(exchange, exchange->server->embed, run_embed);
}

void rerank_route_handle(struct exchange *exchange) {
    exchange_start_job(exchange, exchange->server->embed, run_rerank);
}
