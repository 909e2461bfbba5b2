// SPDX-License-Identifier: Apache-2.0
// `xinglin eval`: how well a model predicts a text. The text is tokenized whole, with BOS if the
// model wants it, and cut into chunks of `context` tokens; the first token of each chunk is
// replaced by that BOS; positions context/2 … context-2 are scored. With --reference, every scored
// position's distribution is compared with that of another model (usually the float original).
#include "tools/commands.h"
#include "tools/divergence.h"
#include "tools/kv_type.h"
#include "tools/option_table.h"
#include "tools/output_file.h"
#include "tools/terminal.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOGITS_MAX = 1 << 24, TEXT_BYTES_MAX = 1 << 30 };

struct eval_options {
    const char *model, *text, *reference, *family, *isa, *top1_path, *logits_path;
    int context, n_chunks, threads, json;
    const char *kv_type_name;
    xl_kv_type kv_type;
};

struct evaluation {
    const char *command;
    struct eval_options options;
    xl_engine *engine, *reference_engine; // reference: NULL if not wanted
    xl_session *session, *reference_session;
    int n_vocab, block;               // block: positions whose logits are held at once
    float *logits, *reference_logits; // [block][n_vocab]
    int32_t *tokens;                  // [n_tokens]
    size_t n_tokens;
    int32_t bos; // -1: the model adds none
    int n_chunks;
    struct divergence divergence;
    struct output_file top1, raw_logits;
    double seconds;
    xl_error error;
};

static int parse_options(struct eval_options *options, int argc, char **argv) {
    const struct option_row rows[] = {
        {'m', "model", OPTION_TEXT, &options->model, "MODEL", "GGUF file or model directory", 0, 0},
        {'f', "file", OPTION_TEXT, &options->text, "TEXT", "the text to predict", 0, 0},
        {'c', "context", OPTION_INT, &options->context, "N", "tokens per chunk (512)", 8, 1 << 20},
        {0, "chunks", OPTION_INT, &options->n_chunks, "N", "how many chunks; 0: all (0)", 0, 1e9},
        {0, "reference", OPTION_TEXT, &options->reference, "MODEL",
         "compare with this model's distributions: KL divergence, top-1 agreement", 0, 0},
        {'x', "family", OPTION_TEXT, &options->family, "FAMILY", "model family (auto)", 0, 0},
        {'t', "threads", OPTION_INT, &options->threads, "N", "threads; 0: automatic (0)", 0, 512},
        {0, "isa", OPTION_TEXT, &options->isa, "LEVEL", "scalar, avx2, ... (the best)", 0, 0},
        {0, "kv-type", OPTION_TEXT, &options->kv_type_name, "TYPE", KV_TYPE_HELP, 0, 0},
        {0, "top1-out", OPTION_TEXT, &options->top1_path, "FILE",
         "write the most likely id of every scored position, one a line", 0, 0},
        {0, "logits-out", OPTION_TEXT, &options->logits_path, "FILE",
         "write the logits of every scored position, float32", 0, 0},
        {0, "json", OPTION_FLAG, &options->json, NULL, "result as JSON", 0, 0},
    };
    struct command_line line = {.usage = "[flags] -m MODEL -f TEXT",
                                .summary = "Perplexity of a model on a text, counted as "
                                           "llama-perplexity counts it. With --clinic: "
                                           "drafts of episodes (--clinic --help).",
                                .rows = rows,
                                .n_rows = sizeof rows / sizeof *rows};
    int status = options_parse(&line, argc, argv);
    if (status != OPTIONS_GO_ON) return status;
    if (!options->model || !options->text)
        return terminal_fail_text(argv[0], 2, "needs a model (-m) and a text (-f); see %s --help",
                                  argv[0]);
    return kv_type_parse(argv[0], options->kv_type_name, &options->kv_type);
}

// The whole file; NULL with a message told.
static char *read_text(const struct evaluation *e, size_t *size_bytes, int *status) {
    FILE *file = fopen(e->options.text, "rb");
    char *text = NULL;
    size_t size = 0, capacity = 0;
    while (file && size < TEXT_BYTES_MAX) {
        if (size == capacity) {
            capacity = capacity ? capacity * 2 : 1 << 16;
            char *grown = realloc(text, capacity);
            if (!grown) break;
            text = grown;
        }
        size_t n = fread(text + size, 1, capacity - size, file);
        if (n == 0) break;
        size += n;
    }
    if (file && feof(file) && !ferror(file)) {
        fclose(file);
        *size_bytes = size;
        return text;
    }
    bool is_long = size >= TEXT_BYTES_MAX;
    *status = terminal_fail_text(e->command, 3, "%s: cannot read the text: %s", e->options.text,
                                 is_long ? "too long" : strerror(errno));
    if (file) fclose(file);
    free(text);
    return NULL;
}

static xl_status open_one(struct evaluation *e, const char *path, xl_engine **engine,
                          xl_session **session) {
    xl_engine_options options = xl_engine_options_default();
    options.context = e->options.context;
    options.family = e->options.family;
    options.isa = e->options.isa;
    options.threads = e->options.threads;
    options.kv_type = e->options.kv_type;
    xl_status status = xl_engine_open(path, &options, engine, &e->error);
    if (status == XL_OK) status = xl_session_open(*engine, session, &e->error);
    return status;
}

// The id that the model puts before a text, if it does.
static xl_status find_bos(struct evaluation *e) {
    int32_t *tokens;
    size_t n_tokens;
    xl_status status = xl_tokenize(e->engine, "", 0, true, false, &tokens, &n_tokens, &e->error);
    if (status != XL_OK) return status;
    // A model that only puts something behind the text would end here too.
    e->bos = n_tokens > 0 && !xl_token_is_end(e->engine, tokens[0]) ? tokens[0] : -1;
    xl_free(tokens);
    return XL_OK;
}

static int open_models(struct evaluation *e) {
    xl_engine_info info = {.size = sizeof info}, reference = {.size = sizeof reference};
    xl_status status = open_one(e, e->options.model, &e->engine, &e->session);
    if (status == XL_OK && e->options.reference)
        status = open_one(e, e->options.reference, &e->reference_engine, &e->reference_session);
    if (status == XL_OK) status = find_bos(e);
    if (status != XL_OK) return terminal_fail(e->command, &e->error);
    xl_engine_describe(e->engine, &info);
    e->n_vocab = info.n_vocab;
    if (e->reference_engine) {
        xl_engine_describe(e->reference_engine, &reference);
        if (reference.n_vocab != info.n_vocab)
            return terminal_fail_text(e->command, 2,
                                      "%s has %d tokens in its vocabulary, the reference %d",
                                      e->options.model, info.n_vocab, reference.n_vocab);
    }
    return OPTIONS_GO_ON;
}

static int tokenize_text(struct evaluation *e) {
    size_t size_bytes = 0;
    int exit_status = 0;
    char *text = read_text(e, &size_bytes, &exit_status);
    if (!text) return exit_status;
    xl_status status =
        xl_tokenize(e->engine, text, size_bytes, true, false, &e->tokens, &e->n_tokens, &e->error);
    free(text);
    if (status != XL_OK) return terminal_fail(e->command, &e->error);
    size_t n_chunks = e->n_tokens / (size_t)e->options.context;
    if (n_chunks == 0)
        return terminal_fail_text(e->command, 2,
                                  "%s has %zu tokens, less than one chunk of %d; lower -c",
                                  e->options.text, e->n_tokens, e->options.context);
    if (e->options.n_chunks > 0 && (size_t)e->options.n_chunks < n_chunks)
        n_chunks = (size_t)e->options.n_chunks;
    e->n_chunks = (int)n_chunks;
    return OPTIONS_GO_ON;
}

static int prepare(struct evaluation *e) {
    int status = open_models(e);
    if (status == OPTIONS_GO_ON) status = tokenize_text(e);
    if (status != OPTIONS_GO_ON) return status;
    e->block = LOGITS_MAX / e->n_vocab;
    e->block = e->block < 8 ? 8 : e->block > 256 ? 256 : e->block;
    size_t n_logits = (size_t)e->block * (size_t)e->n_vocab;
    e->logits = malloc(n_logits * sizeof *e->logits);
    e->reference_logits = e->reference_engine ? malloc(n_logits * sizeof *e->logits) : NULL;
    size_t n_positions = (size_t)e->n_chunks * (size_t)(e->options.context / 2);
    if (!e->logits || (e->reference_engine && !e->reference_logits) ||
        !divergence_init(&e->divergence, n_positions, e->reference_engine != NULL))
        return terminal_fail_text(e->command, 4, "no memory for %d positions of logits", e->block);
    if (!output_file_open(&e->top1, e->options.top1_path))
        return terminal_fail_text(e->command, 1, "%s: %s", e->options.top1_path, strerror(errno));
    if (!output_file_open(&e->raw_logits, e->options.logits_path))
        return terminal_fail_text(e->command, 1, "%s: %s", e->options.logits_path, strerror(errno));
    return OPTIONS_GO_ON;
}

static void score_block(struct evaluation *e, const int32_t *chunk, int first, int n) {
    for (int i = 0; i < n; i++) {
        const float *logits = e->logits + (size_t)i * (size_t)e->n_vocab;
        const float *reference =
            e->reference_logits ? e->reference_logits + (size_t)i * (size_t)e->n_vocab : NULL;
        int32_t best =
            divergence_add(&e->divergence, logits, reference, e->n_vocab, chunk[first + i + 1]);
        char line[16];
        int length = snprintf(line, sizeof line, "%d\n", best);
        output_file_write(&e->top1, line, (size_t)length);
        output_file_write(&e->raw_logits, logits, (size_t)e->n_vocab * sizeof *logits);
    }
}

static xl_status feed_block(struct evaluation *e, const int32_t *chunk, int first, int n) {
    xl_status status =
        xl_session_feed_all(e->session, chunk + first, (size_t)n, e->logits, &e->error);
    if (status == XL_OK && e->reference_session)
        status = xl_session_feed_all(e->reference_session, chunk + first, (size_t)n,
                                     e->reference_logits, &e->error);
    return status;
}

static xl_status score_chunk(struct evaluation *e, int32_t *chunk) {
    int context = e->options.context, half = context / 2;
    if (e->bos >= 0) chunk[0] = e->bos;
    xl_status status = xl_session_rewind(e->session, 0, &e->error);
    if (status == XL_OK) status = xl_session_feed(e->session, chunk, (size_t)half, &e->error);
    if (status == XL_OK && e->reference_session) {
        status = xl_session_rewind(e->reference_session, 0, &e->error);
        if (status == XL_OK)
            status = xl_session_feed(e->reference_session, chunk, (size_t)half, &e->error);
    }
    for (int first = half; status == XL_OK && first < context - 1; first += e->block) {
        int n = context - 1 - first < e->block ? context - 1 - first : e->block;
        status = feed_block(e, chunk, first, n);
        if (status == XL_OK) score_block(e, chunk, first, n);
    }
    return status;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int score_all(struct evaluation *e) {
    double start = now_s();
    for (int i = 0; i < e->n_chunks; i++) {
        char what[80];
        snprintf(what, sizeof what, "chunk %d of %d, perplexity %.4f", i + 1, e->n_chunks,
                 divergence_perplexity(&e->divergence));
        terminal_progress((double)i / e->n_chunks, what);
        xl_status status = score_chunk(e, e->tokens + (size_t)i * (size_t)e->options.context);
        if (status != XL_OK) return terminal_fail(e->command, &e->error);
    }
    terminal_progress_end();
    e->seconds = now_s() - start;
    if (!output_file_commit(&e->top1))
        return terminal_fail_text(e->command, errno == ENOSPC ? 4 : 1, "%s: %s",
                                  e->options.top1_path, strerror(errno));
    if (!output_file_commit(&e->raw_logits))
        return terminal_fail_text(e->command, errno == ENOSPC ? 4 : 1, "%s: %s",
                                  e->options.logits_path, strerror(errno));
    return OPTIONS_GO_ON;
}

static void print_json(const struct evaluation *e, const struct divergence_summary *s) {
    json_t *root = json_pack(
        "{s:s, s:s, s:f, s:f, s:f, s:I, s:i, s:i, s:I, s:f}", "model", e->options.model, "text",
        e->options.text, "perplexity", s->perplexity, "standard_error", s->perplexity_error, "nll",
        s->nll, "positions", (json_int_t)s->n_positions, "chunks", e->n_chunks, "context",
        e->options.context, "text_tokens", (json_int_t)e->n_tokens, "seconds", e->seconds);
    if (e->reference_engine)
        json_object_set_new(root, "reference",
                            json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "model",
                                      e->options.reference, "perplexity", s->reference_perplexity,
                                      "kl_mean", s->kl_mean, "kl_standard_error", s->kl_error,
                                      "kl_median", s->kl_median, "kl_p99", s->kl_p99, "kl_max",
                                      s->kl_max, "top1_agreement", s->top1_agreement));
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) : NULL;
    if (text) printf("%s\n", text);
    free(text);
    json_decref(root);
}

static void print_text(const struct evaluation *e, const struct divergence_summary *s) {
    printf("perplexity %.4f +/- %.5f (%d chunks of %d tokens, %zu positions, %.1f s)\n",
           s->perplexity, s->perplexity_error, e->n_chunks, e->options.context, s->n_positions,
           e->seconds);
    if (!e->reference_engine) return;
    printf("reference  %.4f (%s), ratio %.5f\n", s->reference_perplexity, e->options.reference,
           s->perplexity / s->reference_perplexity);
    printf("KL         mean %.6f +/- %.6f, median %.6f, 99 %% %.6f, max %.6f\n", s->kl_mean,
           s->kl_error, s->kl_median, s->kl_p99, s->kl_max);
    printf("same top-1 %.3f %%\n", 100 * s->top1_agreement);
}

#if defined(XINGLIN_HAS_SERVER)
static int is_clinic(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--clinic") == 0) return 1;
    return 0;
}
#endif

int eval_command(int argc, char **argv) {
#if defined(XINGLIN_HAS_SERVER)
    if (is_clinic(argc, argv)) return clinic_eval_command(argc, argv); // has flags of its own
#endif
    struct evaluation e = {.command = argv[0], .options = {.context = 512}};
    int status = parse_options(&e.options, argc, argv);
    if (status != OPTIONS_GO_ON) return status;
    status = prepare(&e);
    if (status == OPTIONS_GO_ON) status = score_all(&e);
    if (status == OPTIONS_GO_ON) {
        struct divergence_summary summary;
        divergence_summarise(&e.divergence, &summary);
        if (e.options.json) print_json(&e, &summary);
        if (!e.options.json) print_text(&e, &summary);
        status = terminal_finish(e.command, 0);
    }
    output_file_abort(&e.top1);
    output_file_abort(&e.raw_logits);
    divergence_deinit(&e.divergence);
    free(e.logits);
    free(e.reference_logits);
    xl_free(e.tokens);
    xl_session_close(e.session);
    xl_session_close(e.reference_session);
    xl_engine_close(e.engine);
    xl_engine_close(e.reference_engine);
    return status;
}
