// SPDX-License-Identifier: Apache-2.0
// The program `xinglin`: finds the command by its name, or by the program's own name when it is
// called as llm-convert, llm-cli or llm-chat.
#include "tools/commands.h"

#include "xinglin/xinglin.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct command {
    const char *name;
    const char *alias; // installed name of its own; NULL: none
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"convert", "llm-convert", convert_command, "a model to a quantized GGUF file"},
    {"run", "llm-cli", run_command, "continue a prompt"},
    {"chat", "llm-chat", chat_command, "a conversation in the terminal"},
#if defined(XINGLIN_HAS_SERVER)
    {"serve", NULL, serve_command, "an HTTP server with OpenAI's routes"},
    {"clinic", NULL, clinic_command, "a clinic's records: users, import, audit, backup"},
#endif
    {"inspect", NULL, inspect_command, "what is in a model, what this machine offers"},
    {"eval", NULL, eval_command, "perplexity, and divergence from a reference model"},
    {"bench", NULL, bench_command, "prefill and decode speed by input length"},
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0], EXIT_USAGE = 2 };

static void print_help(FILE *out) {
    fprintf(out, "usage: xinglin COMMAND [flags]\n\nCommands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-10s%s%s%s%s\n", commands[i].name, commands[i].summary,
                commands[i].alias ? " (also: " : "", commands[i].alias ? commands[i].alias : "",
                commands[i].alias ? ")" : "");
    fprintf(out, "\nxinglin COMMAND --help tells the flags of each.\n");
}

static int run_by_name(int argc, char **argv) {
    char name[64];
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[0], commands[i].name) == 0) {
            snprintf(name, sizeof name, "xinglin %s", commands[i].name);
            argv[0] = name;
            return commands[i].run(argc, argv);
        }
    fprintf(stderr, "xinglin: unknown command \"%.60s\"; see xinglin --help\n", argv[0]);
    return EXIT_USAGE;
}

// The next file opened would become a closed standard stream, and messages would end up in it.
// Each gets something in its place whose use fails, as it would have.
static void occupy_standard_streams(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0) {
            int opened = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
            if (opened >= 0 && opened != fd) close(opened);
        }
}

int main(int argc, char **argv) {
    occupy_standard_streams();
    signal(SIGPIPE, SIG_IGN); // a closed pipe is a failed write, which the commands report
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *own_name = slash ? slash + 1 : argc > 0 ? argv[0] : "";
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (commands[i].alias && strcmp(own_name, commands[i].alias) == 0) {
            argv[0] = (char *)commands[i].alias;
            return commands[i].run(argc, argv);
        }
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("xinglin %s\n", xl_version());
        return 0;
    }
    return run_by_name(argc - 1, argv + 1);
}
