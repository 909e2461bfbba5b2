// SPDX-License-Identifier: Apache-2.0
// `xinglin bench`: prefill speed by prompt length and decode speed by depth, for one or several
// models, with the machine's own limits measured in the same run. Tokens are random but the same in
// every run: speed does not depend on what they mean.
#include "tools/bench_report.h"
#include "tools/commands.h"
#include "tools/kv_type.h"
#include "tools/machine_speed.h"
#include "tools/option_table.h"
#include "tools/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPEATS_MAX = 1000, WARM_UP_TOKENS = 16 };

struct bench_options {
    struct option_texts models;
    struct option_ints prompts, depths;
    int n_generate, threads, threads_batch, n_repeats, chunk;
    const char *isa, *format, *family, *kv_type_name;
    xl_kv_type kv_type;
};

struct bench {
    const char *command;
    struct bench_options options;
    struct bench_report report;
    xl_engine *engine;
    xl_session *session;
    xl_engine_info info;
    int32_t *tokens; // [context]
    double *times_s; // [repeats * n_generate], or [repeats] for prefill
    int n_steps, n_steps_done;
    xl_error error;
};

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int parse_options(struct bench_options *options, int argc, char **argv) {
    const struct option_row rows[] = {
        {'m', "model", OPTION_TEXTS, &options->models, "MODEL,..", "models to measure", 0, 0},
        {'p', "prompt", OPTION_INTS, &options->prompts, "N,..", "prompt lengths (32,512)", 1,
         1 << 20},
        {'n', "generate", OPTION_INT, &options->n_generate, "N", "tokens to decode (64)", 0,
         1 << 20},
        {'d', "depth", OPTION_INTS, &options->depths, "N,..",
         "tokens already in the context when decoding (0)", 0, 1 << 20},
        {'r', "repeat", OPTION_INT, &options->n_repeats, "N", "runs of each; medians are shown (5)",
         1, REPEATS_MAX},
        {'t', "threads", OPTION_INT, &options->threads, "N", "threads; 0: automatic (0)", 0, 512},
        {0, "threads-batch", OPTION_INT, &options->threads_batch, "N",
         "threads while reading prompts; 0: as many (0)", 0, 512},
        {0, "chunk", OPTION_INT, &options->chunk, "N", "prompt tokens processed at once (512)", 1,
         4096},
        {0, "isa", OPTION_TEXT, &options->isa, "LEVEL", "scalar, avx2, ... (the best)", 0, 0},
        {0, "kv-type", OPTION_TEXT, &options->kv_type_name, "TYPE", KV_TYPE_HELP, 0, 0},
        {'x', "family", OPTION_TEXT, &options->family, "FAMILY", "model family (auto)", 0, 0},
        {0, "format", OPTION_TEXT, &options->format, "FORMAT", "table, csv or json (table)", 0, 0},
    };
    struct command_line line = {.usage = "[flags] -m MODEL[,MODEL..]",
                                .summary = "Prefill and decode speed by input length.",
                                .rows = rows,
                                .n_rows = sizeof rows / sizeof *rows};
    int status = options_parse(&line, argc, argv);
    if (status != OPTIONS_GO_ON) return status;
    if (options->models.n_items == 0)
        return terminal_fail_text(argv[0], 2, "needs a model (-m); see %s --help", argv[0]);
    if (!bench_report_format(options->format))
        return terminal_fail_text(argv[0], 2, "bad value \"%.20s\" for format; table, csv or json",
                                  options->format);
    return kv_type_parse(argv[0], options->kv_type_name, &options->kv_type);
}

static int context_needed(const struct bench_options *options) {
    int context = WARM_UP_TOKENS;
    for (int i = 0; i < options->prompts.n_items; i++)
        if (options->prompts.items[i] > context) context = options->prompts.items[i];
    for (int i = 0; i < options->depths.n_items; i++)
        if (options->depths.items[i] + options->n_generate > context)
            context = options->depths.items[i] + options->n_generate;
    return context;
}

static void fill_tokens(int32_t *tokens, int n, int n_vocab) {
    uint64_t state = 20260101;
    for (int i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        tokens[i] = (int32_t)((state >> 33) % (uint64_t)n_vocab);
    }
}

static xl_status open_model(struct bench *b, const char *path) {
    xl_engine_options options = xl_engine_options_default();
    options.context = context_needed(&b->options);
    options.threads = b->options.threads;
    options.threads_batch = b->options.threads_batch;
    options.isa = b->options.isa;
    options.family = b->options.family;
    options.kv_type = b->options.kv_type;
    options.chunk = b->options.chunk;
    xl_status status = xl_engine_open(path, &options, &b->engine, &b->error);
    if (status == XL_OK) status = xl_session_open(b->engine, &b->session, &b->error);
    if (status != XL_OK) return status;
    b->info.size = sizeof b->info;
    xl_engine_describe(b->engine, &b->info);
    fill_tokens(b->tokens, options.context, b->info.n_vocab);
    return xl_session_feed(b->session, b->tokens, WARM_UP_TOKENS, &b->error); // touches all weights
}

static void close_model(struct bench *b) {
    xl_session_close(b->session);
    xl_engine_close(b->engine);
    b->session = NULL;
    b->engine = NULL;
}

static void show_progress(struct bench *b, const char *what, int n_tokens) {
    char text[80];
    snprintf(text, sizeof text, "%s %d, %.20s", what, n_tokens, b->info.weight_type);
    terminal_progress((double)b->n_steps_done++ / b->n_steps, text);
}

static xl_status measure_prefill(struct bench *b, int n_tokens) {
    xl_status status = XL_OK;
    for (int i = 0; status == XL_OK && i < b->options.n_repeats; i++) {
        show_progress(b, "prefill", n_tokens);
        status = xl_session_rewind(b->session, 0, &b->error);
        double start = now_s();
        if (status == XL_OK)
            status = xl_session_feed(b->session, b->tokens, (size_t)n_tokens, &b->error);
        b->times_s[i] = now_s() - start;
    }
    if (status == XL_OK)
        bench_report_add(&b->report, &b->info, BENCH_PREFILL, 0, n_tokens, b->times_s,
                         b->options.n_repeats);
    return status;
}

static xl_status measure_decode(struct bench *b, int depth) {
    int n = b->options.n_generate;
    xl_status status = xl_session_rewind(b->session, 0, &b->error);
    if (status == XL_OK && depth > 0)
        status = xl_session_feed(b->session, b->tokens, (size_t)depth, &b->error);
    for (int i = 0; status == XL_OK && i < b->options.n_repeats; i++) {
        show_progress(b, "decode at", depth);
        status = xl_session_rewind(b->session, depth, &b->error);
        for (int t = 0; status == XL_OK && t < n; t++) {
            double start = now_s();
            status = xl_session_feed(b->session, b->tokens + depth + t, 1, &b->error);
            b->times_s[(size_t)i * (size_t)n + (size_t)t] = now_s() - start;
        }
    }
    if (status == XL_OK)
        bench_report_add(&b->report, &b->info, BENCH_DECODE, depth, n, b->times_s,
                         b->options.n_repeats);
    return status;
}

static xl_status measure_model(struct bench *b, const char *path) {
    xl_status status = open_model(b, path);
    if (status == XL_OK && b->report.n_rows == 0) {
        bench_report_machine(&b->report);
        if (!machine_speed_measure(&b->report.speed, b->info.threads))
            terminal_fail_text(b->command, 0, "the machine's own speed could not be measured");
    }
    for (int i = 0; status == XL_OK && i < b->options.prompts.n_items; i++)
        status = measure_prefill(b, b->options.prompts.items[i]);
    for (int i = 0; status == XL_OK && b->options.n_generate > 0 && i < b->options.depths.n_items;
         i++)
        status = measure_decode(b, b->options.depths.items[i]);
    close_model(b);
    return status;
}

static int measure_all(struct bench *b) {
    const struct bench_options *o = &b->options;
    b->n_steps = o->models.n_items * o->n_repeats * (o->prompts.n_items + o->depths.n_items);
    size_t n_times = (size_t)o->n_repeats * (size_t)(o->n_generate > 0 ? o->n_generate : 1);
    b->times_s = malloc(n_times * sizeof *b->times_s);
    b->tokens = malloc((size_t)context_needed(o) * sizeof *b->tokens);
    int n_rows = o->models.n_items * (o->prompts.n_items + o->depths.n_items);
    if (!b->times_s || !b->tokens || !bench_report_init(&b->report, n_rows, o->format))
        return terminal_fail_text(b->command, 4, "no memory for the measurements");
    for (int i = 0; i < o->models.n_items; i++)
        if (measure_model(b, o->models.items[i]) != XL_OK)
            return terminal_fail(b->command, &b->error);
    terminal_progress_end();
    bench_report_print(&b->report);
    return terminal_finish(b->command, 0);
}

int bench_command(int argc, char **argv) {
    struct bench b = {.command = argv[0],
                      .options = {.prompts = {{32, 512}, 2},
                                  .depths = {{0}, 1},
                                  .n_generate = 64,
                                  .n_repeats = 5,
                                  .format = "table"}};
    int status = parse_options(&b.options, argc, argv);
    if (status != OPTIONS_GO_ON) return status;
    status = measure_all(&b);
    bench_report_deinit(&b.report);
    free(b.times_s);
    free(b.tokens);
    return status;
}
