// SPDX-License-Identifier: Apache-2.0
// What a grammar costs: grammar_cost MODEL SCHEMA PROMPT [ROUNDS]. The same prompt with the schema
// (the first time nothing is remembered), and as many tokens without it, in turn; greedy, without
// guessed tokens. Times are of a token after the first: mean and median.
#include "xinglin/xinglin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outcome {
    double mean_ms, median_ms;
    int n_tokens;
};

static int generate(xl_engine *engine, const char *prompt, const xl_grammar *grammar,
                    int max_tokens, struct outcome *outcome) {
    xl_error error;
    xl_session *session;
    xl_generate_options options = xl_generate_options_default();
    xl_generate_result result = {.size = sizeof result};
    options.grammar = grammar;
    options.max_tokens = max_tokens;
    options.ignore_end = true;
    options.draft_max = 0;
    options.add_special = false;
    if (xl_session_open(engine, &session, &error) != XL_OK) return 1;
    xl_status status = xl_session_generate(session, prompt, &options, &result, &error);
    xl_session_close(session);
    if (status != XL_OK) fprintf(stderr, "%s\n", error.message);
    *outcome = (struct outcome){result.next_token_mean_s * 1e3, result.next_token_p50_s * 1e3,
                                result.generated_tokens};
    return status != XL_OK;
}

static char *read_file(const char *path) {
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(path, "rb");
    size_t n = file && text ? fread(text, 1, (1 << 20) - 1, file) : 0;
    if (file) fclose(file);
    if (n > 0) return text;
    free(text);
    return NULL;
}

int main(int argc, char **argv) {
    xl_engine_options options = xl_engine_options_default();
    xl_engine *engine;
    xl_grammar *grammar;
    xl_error error;
    struct outcome with, without;
    long n_rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 3;
    if (argc < 4) {
        fprintf(stderr, "grammar_cost MODEL SCHEMA PROMPT [ROUNDS]\n");
        return 2;
    }
    char *schema = read_file(argv[2]);
    if (!schema || xl_engine_open(argv[1], &options, &engine, &error) != XL_OK) {
        fprintf(stderr, "%s\n", schema ? error.message : "no schema");
        return 1;
    }
    if (xl_grammar_from_json_schema(engine, schema, strlen(schema), &grammar, &error) != XL_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    int failed = generate(engine, argv[3], NULL, 4, &without); // caches, page faults
    for (long round = 0; round < n_rounds && !failed; round++) {
        failed = generate(engine, argv[3], grammar, 400, &with) ||
                 generate(engine, argv[3], NULL, with.n_tokens, &without);
        printf("%s: %d tokens; mean %.3f ms with the schema, %.3f without: %+.2f %%; "
               "median %.3f, %.3f: %+.2f %%\n",
               round == 0 ? "cold" : "warm", with.n_tokens, with.mean_ms, without.mean_ms,
               (with.mean_ms / without.mean_ms - 1) * 100, with.median_ms, without.median_ms,
               (with.median_ms / without.median_ms - 1) * 100);
    }
    xl_grammar_close(grammar);
    xl_engine_close(engine);
    free(schema);
    return failed;
}
