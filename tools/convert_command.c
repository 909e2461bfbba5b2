// SPDX-License-Identifier: Apache-2.0
// `llm-convert`: any checkpoint to a quantized GGUF file. Prints the file's path.
#include "tools/commands.h"
#include "tools/option_table.h"
#include "tools/terminal.h"

#include "xinglin/xinglin.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct convert_flags {
    const char *family, *format, *type, *out_dir, *temporary, *tokenizer;
    struct option_texts keep;
    int threads, json;
};

enum { EXIT_SIGNAL = 128 }; // + the signal, as shells count

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    interrupted = number;
}

static int show_progress(void *user, double done, const char *tensor) {
    (void)user;
    terminal_progress(done, tensor ? tensor : "");
    return interrupted != 0;
}

static const char *type_list(void) {
    static char text[512];
    size_t used = 0;
    for (const char *const *type = xl_convert_types(); *type && used < sizeof text; type++) {
        int n = snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", *type);
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

static int parse(struct convert_flags *flags, const char **model, int argc, char **argv) {
    char type_help[640];
    snprintf(type_help, sizeof type_help, "%s (sym_int4)", type_list());
    const struct option_row rows[] = {
        {'x', "model-family", OPTION_TEXT, &flags->family, "FAMILY",
         "must agree with the model (auto)", 0, 0},
        {'f', "model-format", OPTION_TEXT, &flags->format, "FORMAT",
         "auto, pth, safetensors, gguf (auto)", 0, 0},
        {'t', "outtype", OPTION_TEXT, &flags->type, "TYPE", type_help, 0, 0},
        {'o', "outfile", OPTION_TEXT, &flags->out_dir, "OUT_DIR",
         "directory for the result; made if absent (.)", 0, 0},
        {'p', "tmp-path", OPTION_TEXT, &flags->temporary, "TMP",
         "accepted for compatibility: no intermediate file is needed", 0, 0},
        {'k', "tokenizer-path", OPTION_TEXT, &flags->tokenizer, "TOKENIZER",
         "take the tokenizer from this directory (the model's)", 0, 0},
        {0, "keep", OPTION_TEXTS, &flags->keep, "NAMES",
         "modules whose matrices keep their type: lm_head,q_proj,blk.0", 0, 0},
        {0, "threads", OPTION_INT, &flags->threads, "N", "threads; 0: automatic (0)", 0, 512},
        {0, "json", OPTION_FLAG, &flags->json, NULL, "print {\"path\", \"bytes\"}", 0, 0},
    };
    struct command_line line = {
        .usage = "[flags] MODEL",
        .summary =
            "Converts a model (Hugging Face or PyTorch directory, .gguf, .safetensors, .bin, "
            ".pth) to OUT_DIR/<name>-<type>.gguf and prints that path.",
        .rows = rows,
        .n_rows = sizeof rows / sizeof *rows,
        .positionals = model,
        .n_positionals_min = 1,
        .n_positionals_max = 1};
    return options_parse(&line, argc, argv);
}

static void print_result(const char *path, int as_json) {
    if (!as_json) {
        printf("%s\n", path);
        return;
    }
    struct stat info;
    json_int_t bytes = stat(path, &info) == 0 ? (json_int_t)info.st_size : 0;
    json_t *result = json_pack("{s:s, s:I}", "path", path, "bytes", bytes);
    if (result) {
        json_dumpf(result, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(result);
}

int convert_command(int argc, char **argv) {
    struct convert_flags flags = {.type = "sym_int4", .out_dir = "."};
    const char *model = NULL;
    int go_on = parse(&flags, &model, argc, argv);
    if (go_on != OPTIONS_GO_ON) return go_on;

    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    xl_convert_options options = xl_convert_options_default();
    options.family = flags.family;
    options.format = flags.format;
    options.type = flags.type;
    options.out_dir = flags.out_dir;
    options.tokenizer = flags.tokenizer;
    options.threads = flags.threads;
    options.keep = flags.keep.items;
    options.n_keep = (size_t)flags.keep.n_items;
    options.on_progress = show_progress;
    char *path = NULL;
    xl_error error;
    int made = mkdir(flags.out_dir, 0777) == 0;
    xl_status status = xl_convert(model, &options, &path, &error);
    terminal_progress_end();
    if (status != XL_OK) {
        if (made) rmdir(flags.out_dir); // leaves one that somebody else put a file into
        int exit_status = terminal_fail(argv[0], &error);
        return status == XL_CANCELLED ? EXIT_SIGNAL + (int)interrupted : exit_status;
    }
    print_result(path, flags.json);
    xl_free(path);
    return terminal_finish(argv[0], 0);
}
