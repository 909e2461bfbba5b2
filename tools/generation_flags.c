// SPDX-License-Identifier: Apache-2.0
#include "tools/generation_flags.h"

#include "tools/kv_type.h"
#include "tools/terminal.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static xl_session *volatile watched_session;
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    // A long prompt looks for the request only between its chunks: who asks twice ends the program.
    if (interrupted) {
        signal(signal_number, SIG_DFL);
        raise(signal_number); // delivered when this handler returns
        return;
    }
    interrupted = 1;
    xl_session *session = watched_session;
    if (session) xl_session_cancel(session); // stores one atomic flag
}

void interrupt_watch(xl_session *session) {
    watched_session = session;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    if (session)
        action.sa_handler = on_interrupt;
    else
        action.sa_handler = SIG_DFL;
    sigaction(SIGINT, &action, NULL);
}

int interrupt_seen(void) {
    int seen = interrupted;
    interrupted = 0;
    return seen;
}

void generation_flags_default(struct generation_flags *flags) {
    xl_generate_options defaults = xl_generate_options_default();
    memset(flags, 0, sizeof *flags);
    flags->n_predict = defaults.max_tokens;
    flags->temperature = defaults.temperature;
    flags->top_k = defaults.top_k;
    flags->top_p = defaults.top_p;
    flags->min_p = defaults.min_p;
    flags->repetition_penalty = defaults.repetition_penalty;
    flags->presence_penalty = defaults.presence_penalty;
    flags->frequency_penalty = defaults.frequency_penalty;
    flags->penalty_window = defaults.penalty_window;
    flags->seed = defaults.seed;
    flags->draft_max = defaults.draft_max;
}

static size_t model_rows(struct generation_flags *f, struct option_row *rows, size_t n) {
    const struct option_row mine[] = {
        {'m', "model", OPTION_TEXT, &f->model, "MODEL", "GGUF file or model directory", 0, 0},
        {'x', "model-family", OPTION_TEXT, &f->family, "FAMILY",
         "model family; must agree with the file (auto)", 0, 0},
        {0, "model_family", OPTION_TEXT, &f->family, "FAMILY", "the same", 0, 0},
        {'t', "threads", OPTION_INT, &f->threads, "N",
         "threads; 0: what affinity and quota allow (0)", 0, 512},
        {0, "threads-batch", OPTION_INT, &f->threads_batch, "N",
         "threads while reading prompts; 0: as many (0)", 0, 512},
        {'c', "context", OPTION_INT, &f->context, "N",
         "tokens that prompt and answer may have; 0: up to 4096 (0)", 0, 1 << 22},
        {0, "isa", OPTION_TEXT, &f->isa, "LEVEL", "kernels: scalar, avx2, ... (the best)", 0, 0},
        {0, "kv-type", OPTION_TEXT, &f->kv_type_name, "TYPE", KV_TYPE_HELP, 0, 0},
        {0, "no-cache", OPTION_FLAG, &f->no_cache, NULL,
         "pack the weights anew, keep no file of them", 0, 0},
        {'v', "verbose", OPTION_FLAG, &f->verbose, NULL, "timings on stderr", 0, 0},
    };
    memcpy(rows + n, mine, sizeof mine);
    return n + sizeof mine / sizeof *mine;
}

size_t generation_flags_rows(struct generation_flags *f, struct option_row *rows, size_t n) {
    n = model_rows(f, rows, n);
    const struct option_row mine[] = {
        {0, NULL, OPTION_SECTION, NULL, NULL, "Choosing tokens", 0, 0},
        {'n', "n-predict", OPTION_INT, &f->n_predict, "N",
         "tokens to write at most; -1: until the end (128)", -1, 1 << 24},
        {0, "n_predict", OPTION_INT, &f->n_predict, "N", "the same", -1, 1 << 24},
        {0, "temp", OPTION_NUMBER, &f->temperature, "T", "temperature; 0: the likeliest (0)", 0,
         100},
        {0, "top-k", OPTION_INT, &f->top_k, "K", "only the K likeliest; 0: off (0)", 0, 1 << 24},
        {0, "top-p", OPTION_NUMBER, &f->top_p, "P", "only this much probability; 1: off (1)", 0, 1},
        {0, "min-p", OPTION_NUMBER, &f->min_p, "P",
         "only this share of the likeliest's probability; 0: off (0)", 0, 1},
        {0, "repeat-penalty", OPTION_NUMBER, &f->repetition_penalty, "R",
         "divide the logits of recent tokens; 1: off (1)", 0.01, 100},
        {0, "presence-penalty", OPTION_NUMBER, &f->presence_penalty, "A",
         "subtract from tokens seen; 0: off (0)", -100, 100},
        {0, "frequency-penalty", OPTION_NUMBER, &f->frequency_penalty, "A",
         "subtract for every time seen; 0: off (0)", -100, 100},
        {0, "repeat-last-n", OPTION_INT, &f->penalty_window, "N",
         "tokens that the penalties see; -1: all (64)", -1, 1 << 24},
        {'s', "seed", OPTION_U64, &f->seed, "N", "of the random numbers (0)", 0, 0},
        {'r', "stop", OPTION_REPEAT, &f->stops, "TEXT", "end before this text; may be repeated", 0,
         0},
        {0, "logit-bias", OPTION_REPEAT, &f->bias_texts, "ID+B",
         "add B to a token's logit: 15043+2, 15043-1.5, 15043-inf", 0, 0},
        {0, "draft-max", OPTION_INT, &f->draft_max, "N",
         "tokens guessed from earlier text and verified at once, which changes the speed only; 0: "
         "off, -1: as many as pay (-1)",
         -1, 15},
        {0, "ignore-eos", OPTION_FLAG, &f->ignore_end, NULL, "go on after an end token", 0, 0},
        {0, "json-schema", OPTION_TEXT, &f->json_schema, "FILE|TEXT",
         "write JSON that satisfies this schema (docs/SCHEMA.md)", 0, 0},
        {0, "grammar", OPTION_TEXT, &f->grammar_file, "FILE", "write what this GBNF derives", 0, 0},
        {0, "grammar-begin", OPTION_TEXT, &f->grammar_begin, "TEXT",
         "the schema or grammar binds only after this text, say </think>", 0, 0},
    };
    memcpy(rows + n, mine, sizeof mine);
    return n + sizeof mine / sizeof *mine;
}

// "ID+B" or "ID-B".
static int parse_bias(const char *text, xl_logit_bias *bias) {
    char *end;
    long token = strtol(text, &end, 10);
    if (end == text || (*end != '+' && *end != '-') || token < 0 || token > INT32_MAX) return 0;
    const char *number = end;
    float value = strtof(number, &end);
    if (end == number || *end || isnan(value)) return 0;
    bias->token = (int32_t)token;
    bias->bias = value;
    return 1;
}

int generation_flags_check(struct generation_flags *flags, const char *command) {
    if (!flags->model)
        return terminal_fail_text(command, 2, "needs a model (-m); see %s --help", command);
    for (int i = 0; i < flags->bias_texts.n_items; i++)
        if (!parse_bias(flags->bias_texts.items[i], &flags->biases[i]))
            return terminal_fail_text(command, 2, "--logit-bias wants ID+B or ID-B, not \"%.40s\"",
                                      flags->bias_texts.items[i]);
    if (flags->json_schema && flags->grammar_file)
        return terminal_fail_text(command, 2, "--json-schema and --grammar exclude each other");
    if (flags->grammar_begin && !flags->json_schema && !flags->grammar_file)
        return terminal_fail_text(command, 2, "--grammar-begin needs --json-schema or --grammar");
    return kv_type_parse(command, flags->kv_type_name, &flags->kv_type);
}

void generation_flags_engine(const struct generation_flags *flags, xl_engine_options *options) {
    *options = xl_engine_options_default();
    options->family = flags->family;
    options->isa = flags->isa;
    options->threads = flags->threads;
    options->threads_batch = flags->threads_batch;
    options->context = flags->context;
    if (flags->no_cache) setenv("XINGLIN_CACHE", "off", 1);
    options->kv_type = flags->kv_type;
}

void generation_flags_generate(const struct generation_flags *flags, xl_generate_options *options) {
    *options = xl_generate_options_default();
    options->max_tokens = flags->n_predict;
    options->ignore_end = flags->ignore_end;
    options->temperature = flags->temperature;
    options->top_k = flags->top_k;
    options->top_p = flags->top_p;
    options->min_p = flags->min_p;
    options->repetition_penalty = flags->repetition_penalty;
    options->presence_penalty = flags->presence_penalty;
    options->frequency_penalty = flags->frequency_penalty;
    options->penalty_window = flags->penalty_window;
    options->seed = flags->seed;
    options->draft_max = flags->draft_max;
    options->grammar_begin = flags->grammar_begin;
    options->stops = (const char *const *)flags->stops.items;
    options->n_stops = (size_t)flags->stops.n_items;
    options->biases = flags->biases;
    options->n_biases = (size_t)flags->bias_texts.n_items;
}
