// SPDX-License-Identifier: Apache-2.0
// Answers check_schemas.py: what a grammar makes of a model that chooses at random.
//     grammar_tool MODEL < requests
// A request is a line {"schema" or "gbnf": text, "instances": [text …], "samples": n, "seed": n};
// the answer is a line {"status": name, "message", "accepted": [bool …], "samples": [text or null
// if it did not end …], "compile_ms"}. Only the tokenizer of MODEL is used. Random logits go
// through the masks exactly as in a generation; what closes a value gets likelier with every token.
#include "base/buffer.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "engine/grammar.h"
#include "sampler/random_stream.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 1500, SAMPLE_BYTES_MAX = 1 << 20 };

static int n_vocab;
static uint64_t *allowed;

static int32_t *candidates; // [n_vocab]
static uint8_t *liked;      // [n_vocab] tokens of instances that were accepted

static float *bases;  // [n_vocab] how likely a token is at the first step
static float *slopes; // [n_vocab] how much likelier with every step

// Marks what ends strings, lists and objects, and what opens more of them.
static void learn_tokens(const struct xl_engine *engine) {
    for (int32_t token = 0; token < n_vocab; token++) {
        size_t size_bytes = 0;
        const char *piece = tokenizer_piece(engine->tokenizer, token, false, &size_bytes);
        if (size_bytes == 0) { // an end token
            slopes[token] = 1;
            continue;
        }
        bases[token] = -(float)size_bytes / 4;
        if (strcspn(piece, "{[") < size_bytes) slopes[token] = -0.25f;
        if (strspn(piece, "\"}],:") < size_bytes) continue;
        bases[token] += 2;
        slopes[token] = *piece == '"' ? 0.25f : size_bytes == 1 ? 0.125f : 0.0625f;
    }
}

// The best allowed token by random logits, out of some dozens; -1: none.
static int32_t choose(struct random_stream *random, int step) {
    enum { ENOUGH = 64 };
    int32_t best = -1, n = 0;
    double best_logit = -INFINITY;
    for (int32_t token = 0; token < n_vocab; token++)
        if (grammar_mask_has(allowed, token)) candidates[n++] = token;
    for (int32_t i = 0; i < n; i++) {
        int32_t token = candidates[i];
        if (n > 4 * ENOUGH && !liked[token] && random_stream_next(random) % (uint64_t)n >= ENOUGH &&
            slopes[token] <= 0)
            continue;
        double noise = -log(-log(random_stream_uniform(random) * 0.999998 + 1e-6));
        double logit = 2 * noise + (double)(bases[token] + slopes[token] * (float)step);
        if (liked[token]) logit += 3;
        if (logit <= best_logit) continue;
        best_logit = logit;
        best = token;
    }
    return best;
}

// Text of one random generation; NULL: it did not end.
static json_t *sample(const struct xl_engine *engine, const xl_grammar *grammar,
                      struct random_stream *random, struct error *err) {
    struct grammar_guide *guide;
    struct buffer text;
    json_t *result = NULL;
    if (grammar_guide_create(&guide, engine, grammar, NULL, err) != STATUS_OK) return NULL;
    buffer_init(&text, SAMPLE_BYTES_MAX);
    for (int step = 0; step < STEPS_MAX; step++) {
        bool ends = grammar_guide_is_done(guide);
        if (!ends && grammar_guide_mask(guide, allowed, n_vocab, err) != STATUS_OK) break;
        int32_t token = ends ? -1 : choose(random, step);
        if (token < 0 || tokenizer_is_end(engine->tokenizer, token)) {
            result = json_stringn(text.data ? text.data : "", text.size_bytes);
            if (!result) result = json_string("(not UTF-8)");
            break;
        }
        size_t size_bytes = 0;
        const char *piece = tokenizer_piece(engine->tokenizer, token, false, &size_bytes);
        buffer_append(&text, piece, size_bytes);
        if (grammar_guide_accept(guide, token, err) != STATUS_OK) {
            result = json_string("(a token of the mask was refused)");
            break;
        }
    }
    buffer_deinit(&text);
    grammar_guide_destroy(guide);
    return result;
}

// Is a whole text derived? Byte by byte, through the tokens of single bytes or longer ones.
static bool accepts(const struct xl_engine *engine, const xl_grammar *grammar, const char *text) {
    struct token_list list = {0};
    struct grammar_guide *guide;
    struct error err;
    bool good =
        tokenizer_encode(engine->tokenizer, text, strlen(text), 0, &list, &err) == STATUS_OK;
    if (grammar_guide_create(&guide, engine, grammar, NULL, &err) != STATUS_OK) return false;
    for (size_t i = 0; i < list.n_tokens && good; i++) {
        // The mask and acceptance must agree.
        bool offered = grammar_guide_mask(guide, allowed, n_vocab, &err) == STATUS_OK &&
                       grammar_mask_has(allowed, list.ids[i]);
        good = grammar_guide_accept(guide, list.ids[i], &err) == STATUS_OK;
        if (good != offered) {
            fprintf(stderr, "mask and acceptance differ in %s\n", text);
            exit(1);
        }
    }
    good = good && grammar_guide_may_end(guide);
    for (size_t i = 0; i < list.n_tokens && good; i++)
        liked[list.ids[i]] = 1;
    grammar_guide_destroy(guide);
    free(list.ids);
    return good;
}

static void add_samples(json_t *answer, const struct xl_engine *engine, const xl_grammar *grammar,
                        const json_t *request) {
    struct random_stream random;
    struct error err = {0};
    json_t *samples = json_array();
    random_stream_init(&random, (uint64_t)json_integer_value(json_object_get(request, "seed")));
    json_int_t wanted = json_integer_value(json_object_get(request, "samples")), tries = 3 * wanted;
    for (json_int_t ended = 0; ended < wanted && tries > 0; tries--) {
        json_t *one = sample(engine, grammar, &random, &err);
        if (one) ended++;
        json_array_append_new(samples, one ? one : json_null());
    }
    json_object_set_new(answer, "samples", samples);
    if (err.status != STATUS_OK) json_object_set_new(answer, "trouble", json_string(err.message));
}

static json_t *answer_to(struct xl_engine *engine, const json_t *request) {
    const char *schema = json_string_value(json_object_get(request, "schema"));
    const char *gbnf = json_string_value(json_object_get(request, "gbnf"));
    xl_grammar *grammar = NULL;
    xl_error error = {0};
    json_t *answer = json_object(), *accepted = json_array(), *instance;
    size_t i;
    double start = clock_seconds();
    xl_status status =
        schema ? xl_grammar_from_json_schema(engine, schema, strlen(schema), &grammar, &error)
               : xl_grammar_from_gbnf(engine, gbnf ? gbnf : "", gbnf ? strlen(gbnf) : 0, &grammar,
                                      &error);
    json_object_set_new(answer, "compile_ms", json_real((clock_seconds() - start) * 1e3));
    json_object_set_new(answer, "status", json_string(xl_status_name(status)));
    json_object_set_new(answer, "message", json_string(error.message));
    memset(liked, 0, (size_t)n_vocab);
    if (status == XL_OK) {
        json_array_foreach(json_object_get(request, "instances"), i, instance)
            json_array_append_new(
                accepted, json_boolean(accepts(engine, grammar, json_string_value(instance))));
        add_samples(answer, engine, grammar, request);
    }
    json_object_set_new(answer, "accepted", accepted);
    xl_grammar_close(grammar);
    return answer;
}

int main(int argc, char **argv) {
    xl_engine_options options = xl_engine_options_default();
    options.tokenizer_only = true;
    xl_engine *engine;
    xl_error error;
    char *line = NULL;
    size_t capacity = 0;
    if (argc != 2) return 2;
    if (xl_engine_open(argv[1], &options, &engine, &error) != XL_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    n_vocab = tokenizer_vocabulary(engine->tokenizer)->n_tokens;
    allowed = calloc(grammar_mask_words(n_vocab), sizeof *allowed);
    candidates = calloc((size_t)n_vocab, sizeof *candidates);
    liked = calloc((size_t)n_vocab, 1);
    bases = calloc((size_t)n_vocab, sizeof *bases);
    slopes = calloc((size_t)n_vocab, sizeof *slopes);
    if (!allowed || !candidates || !liked || !bases || !slopes) return 1;
    learn_tokens(engine);
    while (getline(&line, &capacity, stdin) > 0) {
        json_t *request = json_loads(line, 0, NULL), *answer = answer_to(engine, request);
        char *text = json_dumps(answer, JSON_COMPACT);
        printf("%s\n", text ? text : "{}");
        fflush(stdout);
        free(text);
        json_decref(answer);
        json_decref(request);
    }
    free(line);
    free(allowed);
    free(candidates);
    free(liked);
    free(bases);
    free(slopes);
    xl_engine_close(engine);
    return 0;
}
