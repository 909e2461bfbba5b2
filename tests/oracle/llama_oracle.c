// SPDX-License-Identifier: Apache-2.0
// The outside oracle: asks libllama, through its public C API only, for the numbers and token ids
// that our own engine must reproduce. Built at test time against fetched headers and libraries
// (build-oracle); the product never links it.
//
// Perplexity is counted as the llama-perplexity program counts it: the text is tokenized once with
// special tokens added, cut into chunks of n_ctx ids, the first id of each chunk is replaced by BOS
// where the vocabulary wants one, and positions n_ctx/2 .. n_ctx-2 are scored. We rely on that
// count being a fact about a published figure, not on that program's code.
#include "ggml-backend.h"
#include "llama.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
    const char *backends; // folder of the ggml CPU libraries, or one such library
    int n_threads;
    int n_ctx;           // perplexity: ids per chunk; greedy: context length, 0 = as needed
    bool kv_float32;     // keep keys and values in float32 instead of float16
    bool no_special;     // tokenize: add no BOS/EOS
    bool parse_special;  // tokenize, greedy: recognise the text of special tokens
    bool pure;           // quantize: every matrix gets the same type
    const char *command; // first positional argument
    const char *args[4];
    int n_args;
};

struct text {
    char *bytes;
    size_t size_bytes;
};

struct tokens {
    llama_token *ids;
    int n;
};

static void print_warnings(enum ggml_log_level level, const char *message, void *user) {
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(message, stderr);
}

static int fail(const char *what, const char *name) {
    fprintf(stderr, "llama_oracle: %s: %s\n", what, name);
    return EXIT_FAILED;
}

static bool read_text(const char *path, struct text *out) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    size_t capacity = 1 << 16, size = 0, got = 0;
    char *bytes = malloc(capacity);

    if (!file || !bytes) goto bad;
    while ((got = fread(bytes + size, 1, capacity - size, file)) > 0) {
        size += got;
        if (size < capacity) continue;
        char *grown = realloc(bytes, capacity * 2);
        if (!grown) goto bad;
        bytes = grown;
        capacity *= 2;
    }
    if (file != stdin) fclose(file);
    *out = (struct text){bytes, size};
    return true;
bad:
    if (file && file != stdin) fclose(file);
    free(bytes);
    return false;
}

static bool tokenize(const struct llama_vocab *vocab, const struct text *text, bool add_special,
                     bool parse_special, struct tokens *out) {
    // Never more ids than bytes, plus BOS and EOS.
    int capacity = (int)text->size_bytes + 8;
    llama_token *ids = malloc((size_t)capacity * sizeof *ids);
    if (!ids) return false;
    int n = llama_tokenize(vocab, text->bytes, (int32_t)text->size_bytes, ids, capacity,
                           add_special, parse_special);
    if (n < 0) {
        free(ids);
        return false;
    }
    *out = (struct tokens){ids, n};
    return true;
}

static struct llama_model *open_model(const char *path, bool vocab_only) {
    struct llama_model_params params = llama_model_default_params();
    params.vocab_only = vocab_only;
    params.n_gpu_layers = 0;
    return llama_model_load_from_file(path, params);
}

static struct llama_context *open_context(struct llama_model *model, const struct options *options,
                                          int n_ctx) {
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)n_ctx;
    params.n_batch = (uint32_t)n_ctx;
    params.n_ubatch = n_ctx < 512 ? (uint32_t)n_ctx : 512;
    params.n_threads = options->n_threads;
    params.n_threads_batch = options->n_threads;
    if (options->kv_float32) {
        params.type_k = GGML_TYPE_F32;
        params.type_v = GGML_TYPE_F32;
    }
    return llama_init_from_model(model, params);
}

// Decodes ids at positions 0..n-1; logits are kept for positions >= first_scored.
static bool decode_all(struct llama_context *context, const llama_token *ids, int n,
                       int first_scored) {
    struct llama_batch batch = llama_batch_init(n, 0, 1);
    for (int i = 0; i < n; i++) {
        batch.token[i] = ids[i];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = i >= first_scored;
    }
    batch.n_tokens = n;
    llama_memory_clear(llama_get_memory(context), true);
    int result = llama_decode(context, batch);
    llama_batch_free(batch);
    return result == 0;
}

static int best_token(const float *logits, int n_vocab) {
    int best = 0;
    for (int i = 1; i < n_vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

static double negative_log_likelihood(const float *logits, int n_vocab, int target) {
    float max = logits[best_token(logits, n_vocab)];
    double sum = 0;
    for (int i = 0; i < n_vocab; i++)
        sum += exp((double)(logits[i] - max));
    return log(sum) - (double)(logits[target] - max);
}

struct score {
    double nll, nll_squared;
    int n;
};

// Scores one chunk and writes the best id of every scored position, one a line.
static bool score_chunk(struct llama_context *context, const struct llama_vocab *vocab,
                        llama_token *ids, int n_ctx, struct score *score, FILE *top1) {
    int n_vocab = llama_vocab_n_tokens(vocab), first = n_ctx / 2;
    llama_token original = ids[0];

    if (llama_vocab_get_add_bos(vocab)) ids[0] = llama_vocab_bos(vocab);
    bool decoded = decode_all(context, ids, n_ctx, first);
    ids[0] = original;
    if (!decoded) return false;
    for (int i = first; i < n_ctx - 1; i++) {
        const float *logits = llama_get_logits_ith(context, i);
        if (!logits) return false;
        double nll = negative_log_likelihood(logits, n_vocab, ids[i + 1]);
        score->nll += nll;
        score->nll_squared += nll * nll;
        score->n++;
        if (top1) fprintf(top1, "%d\n", best_token(logits, n_vocab));
    }
    return true;
}

static void print_score(const struct score *score, int n_chunks, int n_ctx) {
    double mean = score->nll / score->n;
    double spread = score->nll_squared / score->n - mean * mean;
    double error = spread > 0 ? sqrt(spread / (score->n - 1)) * exp(mean) : 0;
    printf("{\"perplexity\": %.8g, \"standard_error\": %.4g, \"nll\": %.10g, \"positions\": %d, "
           "\"chunks\": %d, \"context\": %d}\n",
           exp(mean), error, mean, score->n, n_chunks, n_ctx);
}

// perplexity MODEL TEXT CHUNKS [TOP1_FILE]; CHUNKS 0 = all.
static int run_perplexity(const struct options *options) {
    int n_ctx = options->n_ctx ? options->n_ctx : 512;
    struct llama_model *model = open_model(options->args[0], false);
    if (!model) return fail("cannot open the model", options->args[0]);
    const struct llama_vocab *vocab = llama_model_get_vocab(model);
    struct llama_context *context = open_context(model, options, n_ctx);
    struct text text = {0};
    struct tokens tokens = {0};
    FILE *top1 = options->n_args > 3 ? fopen(options->args[3], "w") : NULL;
    struct score score = {0};
    int status = EXIT_FAILED;

    if (!context || (options->n_args > 3 && !top1)) goto done;
    if (!read_text(options->args[1], &text)) goto done;
    if (!tokenize(vocab, &text, true, false, &tokens)) goto done;
    int n_chunks = tokens.n / n_ctx, wanted = (int)strtol(options->args[2], NULL, 10);
    if (wanted > 0 && wanted < n_chunks) n_chunks = wanted;
    if (n_chunks == 0) goto done;
    for (int i = 0; i < n_chunks; i++)
        if (!score_chunk(context, vocab, tokens.ids + i * n_ctx, n_ctx, &score, top1)) goto done;
    print_score(&score, n_chunks, n_ctx);
    status = 0;
done:
    if (status) fail("perplexity failed", options->args[0]);
    if (top1 && fclose(top1) != 0) status = fail("cannot write", options->args[3]);
    free(tokens.ids);
    free(text.bytes);
    llama_free(context);
    llama_model_free(model);
    return status;
}

// tokenize MODEL TEXT: the ids on one line.
static int run_tokenize(const struct options *options) {
    struct llama_model *model = open_model(options->args[0], true);
    struct text text = {0};
    struct tokens tokens = {0};
    int status = EXIT_FAILED;

    if (!model) return fail("cannot open the model", options->args[0]);
    if (read_text(options->args[1], &text) &&
        tokenize(llama_model_get_vocab(model), &text, !options->no_special, options->parse_special,
                 &tokens)) {
        for (int i = 0; i < tokens.n; i++)
            printf("%s%d", i ? " " : "", tokens.ids[i]);
        printf("\n");
        status = 0;
    } else {
        fail("cannot tokenize", options->args[1]);
    }
    free(tokens.ids);
    free(text.bytes);
    llama_model_free(model);
    return status;
}

static bool parse_ids(const struct text *text, struct tokens *out) {
    llama_token *ids = malloc((text->size_bytes / 2 + 1) * sizeof *ids);
    char *copy = malloc(text->size_bytes + 1);
    int n = 0;

    if (!ids || !copy) {
        free(ids);
        free(copy);
        return false;
    }
    memcpy(copy, text->bytes, text->size_bytes);
    copy[text->size_bytes] = '\0';
    for (char *at = copy, *end = NULL;; at = end) {
        long id = strtol(at, &end, 10);
        if (end == at) break;
        ids[n++] = (llama_token)id;
    }
    free(copy);
    *out = (struct tokens){ids, n};
    return n > 0;
}

// logits MODEL IDS OUT: float32 [n_ids][n_vocab], native byte order, for ids given as decimals.
static int run_logits(const struct options *options) {
    struct llama_model *model = open_model(options->args[0], false);
    struct llama_context *context = NULL;
    struct text text = {0};
    struct tokens tokens = {0};
    FILE *out = NULL;
    int status = EXIT_FAILED;

    if (!model) return fail("cannot open the model", options->args[0]);
    int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    if (!read_text(options->args[1], &text) || !parse_ids(&text, &tokens)) goto done;
    context = open_context(model, options, tokens.n);
    out = fopen(options->args[2], "wb");
    if (!context || !out || !decode_all(context, tokens.ids, tokens.n, 0)) goto done;
    for (int i = 0; i < tokens.n; i++) {
        const float *logits = llama_get_logits_ith(context, i);
        if (!logits || fwrite(logits, sizeof *logits, (size_t)n_vocab, out) != (size_t)n_vocab)
            goto done;
    }
    printf("{\"positions\": %d, \"vocabulary\": %d}\n", tokens.n, n_vocab);
    status = 0;
done:
    if (status) fail("logits failed", options->args[0]);
    if (out && fclose(out) != 0) status = fail("cannot write", options->args[2]);
    free(tokens.ids);
    free(text.bytes);
    llama_free(context);
    llama_model_free(model);
    return status;
}

static bool print_piece(const struct llama_vocab *vocab, llama_token id) {
    char piece[256];
    int n = llama_token_to_piece(vocab, id, piece, sizeof piece, 0, false);
    if (n > 0) fwrite(piece, 1, (size_t)n, stdout);
    fflush(stdout);
    return n >= 0;
}

// greedy MODEL PROMPT N: continues the text of the file PROMPT by at most N tokens.
static int run_greedy(const struct options *options) {
    int n_predict = (int)strtol(options->args[2], NULL, 10), status = EXIT_FAILED;
    struct llama_model *model = open_model(options->args[0], false);
    struct llama_context *context = NULL;
    struct text text = {0};
    struct tokens tokens = {0};

    if (!model) return fail("cannot open the model", options->args[0]);
    const struct llama_vocab *vocab = llama_model_get_vocab(model);
    if (!read_text(options->args[1], &text)) goto done;
    if (!tokenize(vocab, &text, !options->no_special, options->parse_special, &tokens)) goto done;
    context = open_context(model, options, tokens.n + n_predict);
    if (!context || !decode_all(context, tokens.ids, tokens.n, tokens.n - 1)) goto done;
    for (int i = 0; i < n_predict; i++) {
        const float *logits = llama_get_logits_ith(context, -1);
        if (!logits) goto done;
        llama_token id = best_token(logits, llama_vocab_n_tokens(vocab));
        if (llama_vocab_is_eog(vocab, id)) break;
        if (!print_piece(vocab, id)) goto done;
        if (llama_decode(context, llama_batch_get_one(&id, 1)) != 0) goto done;
    }
    printf("\n");
    status = 0;
done:
    if (status) fail("greedy failed", options->args[0]);
    free(tokens.ids);
    free(text.bytes);
    llama_free(context);
    llama_model_free(model);
    return status;
}

static const struct {
    const char *name;
    enum llama_ftype type;
} file_types[] = {
    {"f32", LLAMA_FTYPE_ALL_F32},          {"f16", LLAMA_FTYPE_MOSTLY_F16},
    {"bf16", LLAMA_FTYPE_MOSTLY_BF16},     {"q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},
    {"q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},     {"q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},
    {"q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},     {"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
    {"q2_k", LLAMA_FTYPE_MOSTLY_Q2_K},     {"q3_k_m", LLAMA_FTYPE_MOSTLY_Q3_K_M},
    {"q4_k_s", LLAMA_FTYPE_MOSTLY_Q4_K_S}, {"q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    {"q5_k_s", LLAMA_FTYPE_MOSTLY_Q5_K_S}, {"q5_k_m", LLAMA_FTYPE_MOSTLY_Q5_K_M},
    {"q6_k", LLAMA_FTYPE_MOSTLY_Q6_K},     {"iq4_nl", LLAMA_FTYPE_MOSTLY_IQ4_NL},
    {"iq4_xs", LLAMA_FTYPE_MOSTLY_IQ4_XS},
};

// quantize SOURCE DESTINATION TYPE
static int run_quantize(const struct options *options) {
    struct llama_model_quantize_params params = llama_model_quantize_default_params();
    params.nthread = options->n_threads;
    params.allow_requantize = true;
    params.pure = options->pure;
    for (size_t i = 0; i < sizeof file_types / sizeof *file_types; i++) {
        if (strcmp(file_types[i].name, options->args[2]) != 0) continue;
        params.ftype = file_types[i].type;
        if (llama_model_quantize(options->args[0], options->args[1], &params) != 0)
            return fail("cannot quantize", options->args[0]);
        return 0;
    }
    fail("no such type", options->args[2]);
    return EXIT_USAGE;
}

// info: which libraries answer. The CPU library is chosen by libggml from what the CPU offers.
static int run_info(const struct options *options) {
    (void)options;
    char line[1024], library[1024] = "none";
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        char *name = strstr(line, "libggml-cpu-");
        if (!name) continue;
        name[strcspn(name, "\n")] = '\0';
        snprintf(library, sizeof library, "%s", name);
    }
    if (maps) fclose(maps);
    printf("{\"libllama\": \"%s\", \"cpu_library\": \"%s\"}\n", llama_version(), library);
    return 0;
}

static const struct {
    const char *name;
    int min_args, max_args;
    int (*run)(const struct options *);
} commands[] = {
    {"perplexity", 3, 4, run_perplexity}, {"tokenize", 2, 2, run_tokenize},
    {"logits", 3, 3, run_logits},         {"greedy", 3, 3, run_greedy},
    {"quantize", 3, 3, run_quantize},     {"info", 0, 0, run_info},
};

static const char usage[] =
    "usage: llama_oracle --backends DIR [--threads N] [--ctx N] [--kv-f32] COMMAND\n"
    "  perplexity MODEL TEXT CHUNKS [TOP1_FILE]\n"
    "  tokenize [--no-special] [--parse-special] MODEL TEXT\n"
    "  logits MODEL IDS OUT\n"
    "  greedy [--no-special] [--parse-special] MODEL PROMPT N\n"
    "  quantize [--pure] SOURCE DESTINATION TYPE\n"
    "  info\n";

static bool parse_options(int argc, char **argv, struct options *options) {
    *options = (struct options){.backends = getenv("LLAMA_ORACLE_BACKENDS"), .n_threads = 2};
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(arg, "--kv-f32") == 0)
            options->kv_float32 = true;
        else if (strcmp(arg, "--no-special") == 0)
            options->no_special = true;
        else if (strcmp(arg, "--parse-special") == 0)
            options->parse_special = true;
        else if (strcmp(arg, "--pure") == 0)
            options->pure = true;
        else if (strcmp(arg, "--backends") == 0 && value)
            options->backends = argv[++i];
        else if (strcmp(arg, "--threads") == 0 && value)
            options->n_threads = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(arg, "--ctx") == 0 && value)
            options->n_ctx = (int)strtol(argv[++i], NULL, 10);
        else if (strncmp(arg, "--", 2) == 0)
            return false;
        else if (!options->command)
            options->command = arg;
        else if (options->n_args < 4)
            options->args[options->n_args++] = arg;
        else
            return false;
    }
    return options->command && options->backends && options->n_threads > 0 && options->n_ctx >= 0;
}

int main(int argc, char **argv) {
    struct options options;
    if (!parse_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    llama_log_set(print_warnings, NULL);
    if (strstr(options.backends, ".so"))
        ggml_backend_load(options.backends);
    else
        ggml_backend_load_all_from_path(options.backends);
    llama_backend_init();
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, options.command) != 0) continue;
        if (options.n_args < commands[i].min_args || options.n_args > commands[i].max_args) break;
        int status = commands[i].run(&options);
        llama_backend_free();
        return status;
    }
    fputs(usage, stderr);
    return EXIT_USAGE;
}
