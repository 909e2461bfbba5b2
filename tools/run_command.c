// SPDX-License-Identifier: Apache-2.0
// `llm-cli` (`xinglin run`): one prompt in, the continuation on stdout as it is written.
#include "tools/commands.h"
#include "tools/generation_flags.h"
#include "tools/grammar_flags.h"
#include "tools/terminal.h"

#include "xinglin/xinglin.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { PROMPT_BYTES_MAX = 64 << 20, EXIT_INTERRUPTED = 130 };

struct run {
    const char *command;
    struct generation_flags flags;
    const char *prompt_text, *prompt_file, *system;
    int chat, as_json, no_special;
    char *prompt; // malloc
    char *answer; // collected for --json
    size_t answer_bytes;
    int write_error; // errno; 0: none
    xl_engine *engine;
    xl_session *session;
    xl_grammar *grammar;
    xl_error error;
};

static int parse(struct run *run, int argc, char **argv) {
    struct option_row rows[GENERATION_ROWS_MAX + 8] = {
        {'p', "prompt", OPTION_TEXT, &run->prompt_text, "PROMPT", "the text to continue", 0, 0},
        {'f', "file", OPTION_TEXT, &run->prompt_file, "FILE",
         "read the prompt from a file; -: standard input", 0, 0},
        {0, "chat", OPTION_FLAG, &run->chat, NULL,
         "the prompt is a message: put it into the model's chat template", 0, 0},
        {0, "system", OPTION_TEXT, &run->system, "TEXT", "system message (with --chat)", 0, 0},
        {0, "no-special", OPTION_FLAG, &run->no_special, NULL,
         "take text like <|im_end|> in the prompt as plain text", 0, 0},
        {0, "json", OPTION_FLAG, &run->as_json, NULL, "text and timings as one JSON object", 0, 0},
    };
    size_t n_rows = generation_flags_rows(&run->flags, rows, 6);
    struct command_line line = {.usage = "[flags] -m MODEL -p PROMPT",
                                .summary = "Continues a prompt; the text goes to stdout. Ctrl-C "
                                           "ends it (exit status 130), at the next chunk "
                                           "of a long prompt; twice: at once.",
                                .rows = rows,
                                .n_rows = n_rows};
    int go_on = options_parse(&line, argc, argv);
    if (go_on != OPTIONS_GO_ON) return go_on;
    if (!run->prompt_text == !run->prompt_file)
        return terminal_fail_text(run->command, 2,
                                  "needs a prompt: -p PROMPT, or -f FILE (- reads "
                                  "standard input)");
    if (run->system && !run->chat)
        return terminal_fail_text(run->command, 2, "--system needs --chat");
    return generation_flags_check(&run->flags, run->command);
}

// Reads the whole stream; NULL with errno if it fails or is too long.
static char *read_all(FILE *file, size_t *size_bytes) {
    char *text = NULL;
    size_t size = 0, capacity = 1 << 12;
    for (;;) {
        char *grown = realloc(text, capacity + 1);
        if (!grown) break;
        text = grown;
        size_t n = fread(text + size, 1, capacity - size, file);
        size += n;
        if (n == 0 && ferror(file)) break;
        if (n == 0) {
            text[size] = '\0';
            *size_bytes = size;
            return text;
        }
        if (size > PROMPT_BYTES_MAX) {
            errno = EFBIG;
            break;
        }
        if (size == capacity) capacity *= 2;
    }
    free(text);
    return NULL;
}

static int read_prompt(struct run *run) {
    size_t size = 0;
    if (run->prompt_text) {
        run->prompt = strdup(run->prompt_text);
        return run->prompt ? OPTIONS_GO_ON
                           : terminal_fail_text(run->command, 4, "out of memory for the prompt");
    }
    int from_stdin = strcmp(run->prompt_file, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(run->prompt_file, "rb");
    if (file) run->prompt = read_all(file, &size);
    int code = errno;
    if (file && !from_stdin) fclose(file);
    if (!run->prompt)
        return terminal_fail_text(run->command, 3, "%s: cannot read the prompt: %s",
                                  run->prompt_file, strerror(code));
    if (strlen(run->prompt) != size)
        return terminal_fail_text(run->command, 3, "%s: the prompt has a NUL byte at offset %zu",
                                  run->prompt_file, strlen(run->prompt));
    return OPTIONS_GO_ON;
}

// Replaces the prompt by the model's template around it.
static xl_status apply_template(struct run *run) {
    xl_message messages[2];
    size_t n = 0;
    if (run->system) messages[n++] = (xl_message){"system", run->system};
    messages[n++] = (xl_message){"user", run->prompt};
    char *text;
    xl_status status =
        xl_chat_format(run->engine, NULL, messages, n, true, &text, NULL, &run->error);
    if (status != XL_OK) return status;
    free(run->prompt);
    run->prompt = strdup(text);
    xl_free(text);
    if (run->prompt) return XL_OK;
    snprintf(run->error.message, sizeof run->error.message, "out of memory for the prompt");
    return run->error.status = XL_NO_MEMORY;
}

static int show_text(void *user, const char *text, size_t size) {
    struct run *run = user;
    if (!run->as_json) {
        if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0)
            run->write_error = errno ? errno : EIO;
        return run->write_error;
    }
    char *grown = realloc(run->answer, run->answer_bytes + size);
    if (!grown) return 1;
    run->answer = grown;
    memcpy(run->answer + run->answer_bytes, text, size);
    run->answer_bytes += size;
    return 0;
}

static double peak_memory_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void print_timings(const struct run *run, const xl_generate_result *result) {
    xl_engine_info info = {.size = sizeof info};
    xl_engine_describe(run->engine, &info);
    int later = result->generated_tokens > 1 ? result->generated_tokens - 1 : 0;
    double prefill_s = result->first_token_s;
    fprintf(stderr, "\n");
    fprintf(stderr, "model        %s, %s, %s, %.1f MB read per token\n", info.name, info.family,
            info.weight_type, (double)info.weight_bytes / 1e6);
    fprintf(stderr, "kernels      %s, %d threads, keys and values in %s\n", info.isa, info.threads,
            info.kv_type);
    fprintf(stderr, "load         %8.1f ms   (weights %s)\n", info.load_s * 1e3, info.weights_from);
    fprintf(stderr, "tokenize     %8.1f ms\n", result->tokenize_s * 1e3);
    fprintf(stderr, "first token  %8.1f ms   (%d prompt tokens, %.1f tokens/s)\n", prefill_s * 1e3,
            result->prompt_tokens, prefill_s > 0 ? result->prompt_tokens / prefill_s : 0);
    if (later > 0)
        fprintf(stderr, "next token   %8.2f ms   (p50 %.2f, p99 %.2f; %d tokens, %.1f tokens/s)\n",
                result->next_token_mean_s * 1e3, result->next_token_p50_s * 1e3,
                result->next_token_p99_s * 1e3, later,
                result->decode_s > 0 ? later / result->decode_s : 0);
    if (result->drafted_tokens > 0)
        fprintf(stderr, "guessed      %8d tokens from earlier text, %d of them right\n",
                result->drafted_tokens, result->accepted_tokens);
    fprintf(stderr, "memory       %8.1f MB at the peak\n", peak_memory_mb());
}

static bool print_json(const struct run *run, const xl_generate_result *result) {
    static const char *const finishes[] = {"none", "end", "stop", "length", "context", "cancelled"};
    xl_engine_info info = {.size = sizeof info};
    xl_engine_describe(run->engine, &info);
    json_t *root = json_pack(
        "{s:o, s:s, s:i, s:i, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:i, s:s, "
        "s:I, s:I}",
        "text", json_stringn(run->answer ? run->answer : "", run->answer_bytes), "finish",
        finishes[result->finish], "prompt_tokens", result->prompt_tokens, "generated_tokens",
        result->generated_tokens, "isa", info.isa, "threads", info.threads, "load_ms",
        info.load_s * 1e3, "tokenize_ms", result->tokenize_s * 1e3, "first_token_ms",
        result->first_token_s * 1e3, "next_token_ms_mean", result->next_token_mean_s * 1e3,
        "next_token_ms_p50", result->next_token_p50_s * 1e3, "next_token_ms_p99",
        result->next_token_p99_s * 1e3, "decode_s", result->decode_s, "peak_memory_mb",
        peak_memory_mb(), "drafted_tokens", result->drafted_tokens, "accepted_tokens",
        result->accepted_tokens, "weights_from", info.weights_from, "weight_bytes",
        (json_int_t)info.weight_bytes, "kv_bytes", (json_int_t)info.kv_bytes);
    if (!root) return false;
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    return true;
}

static int generate(struct run *run) {
    xl_engine_options engine_options;
    generation_flags_engine(&run->flags, &engine_options);
    xl_status status = xl_engine_open(run->flags.model, &engine_options, &run->engine, &run->error);
    if (status != XL_OK) return terminal_fail(run->command, &run->error);
    int exit_status = grammar_flags_open(&run->flags, run->command, run->engine, &run->grammar);
    if (exit_status != OPTIONS_GO_ON) return exit_status;
    if (run->chat) status = apply_template(run);
    if (status == XL_OK) status = xl_session_open(run->engine, &run->session, &run->error);
    if (status != XL_OK) return terminal_fail(run->command, &run->error);

    xl_generate_options options;
    generation_flags_generate(&run->flags, &options);
    // A template writes the begin token itself.
    options.add_special = !run->chat;
    options.grammar = run->grammar;
    options.parse_special = !run->no_special;
    options.on_text = show_text;
    options.user = run;
    xl_generate_result result = {.size = sizeof result};
    interrupt_watch(run->session);
    status = xl_session_generate(run->session, run->prompt, &options, &result, &run->error);
    interrupt_watch(NULL);
    if (run->write_error)
        return terminal_fail_text(run->command, run->write_error == ENOSPC ? 4 : 1,
                                  "cannot write the output: %s", strerror(run->write_error));
    if (status != XL_OK && status != XL_CANCELLED) return terminal_fail(run->command, &run->error);
    if (!run->as_json)
        putchar('\n');
    else if (!print_json(run, &result))
        return terminal_fail_text(run->command, 1, "the generated text does not fit into JSON");
    exit_status = terminal_finish(run->command, status == XL_CANCELLED ? EXIT_INTERRUPTED : 0);
    if (run->flags.verbose) print_timings(run, &result);
    return exit_status;
}

int run_command(int argc, char **argv) {
    struct run run = {.command = argv[0]};
    generation_flags_default(&run.flags);
    int exit_status = parse(&run, argc, argv);
    if (exit_status == OPTIONS_GO_ON) exit_status = read_prompt(&run);
    if (exit_status == OPTIONS_GO_ON) exit_status = generate(&run);
    xl_session_close(run.session);
    xl_grammar_close(run.grammar);
    xl_engine_close(run.engine);
    free(run.prompt);
    free(run.answer);
    return exit_status;
}
