// SPDX-License-Identifier: Apache-2.0
// Every command's options, from the tables that the commands parse with.
#include "manual.h"
#include "server/config.h"
#include "tools/commands.h"
#include "tools/option_table.h"
#include "xinglin/xinglin.h"

#include <stdlib.h>
#include <string.h>

struct manual_command manual_commands[] = {
    {.name = "convert", .alias = "llm-convert", .brief = "a model to a quantized GGUF file"},
    {.name = "run", .alias = "llm-cli", .brief = "continue a prompt"},
    {.name = "chat", .alias = "llm-chat", .brief = "a conversation in the terminal"},
    {.name = "serve", .brief = "a model for many users, over HTTP"},
#if defined(XINGLIN_HAS_SERVER)
    {.name = "clinic", .brief = "a clinic's records: users, import, audit, backup, drafts"},
#endif
    {.name = "inspect", .brief = "what is in a model, what this machine offers"},
    {.name = "eval", .brief = "perplexity, and divergence from a reference model"},
    {.name = "bench", .brief = "prefill and decode speed by input length"},
};

const size_t n_manual_commands = sizeof manual_commands / sizeof *manual_commands;

static struct manual_command *current;
static const char *subcommand;
static bool has_failed;

static char *copy(const char *text) {
    char *made = text ? strdup(text) : NULL;
    if (text && !made) has_failed = true;
    return made;
}

static struct manual_option *add(void) {
    static struct manual_option spare;
    if (current->n_options < MANUAL_OPTIONS_MAX) return &current->options[current->n_options++];
    has_failed = true;
    return &spare;
}

static void take_rows(const struct command_line *line) {
    for (size_t i = 0; i < line->n_rows; i++) {
        const struct option_row *row = &line->rows[i];
        *add() = (struct manual_option){.short_name = row->short_name,
                                        .name = row->kind == OPTION_SECTION ? NULL
                                                                            : copy(row->long_name),
                                        .argument = copy(row->argument),
                                        .help = copy(row->help)};
    }
}

static void take_table(const struct command_line *line) {
    current->usage = copy(line->usage);
    current->summary = copy(line->summary);
    take_rows(line);
    *add() = (struct manual_option){
        .short_name = 'h', .name = copy("help"), .help = copy("the flags, and end")};
    *add() = (struct manual_option){.name = copy("version"), .help = copy("the version")};
}

// Of a subcommand with flags of its own: they stand in the command's page under its usage.
static void take_subcommand(const struct command_line *line) {
    char heading[160];
    snprintf(heading, sizeof heading, "%s %s", subcommand, line->usage);
    *add() = (struct manual_option){.help = copy(heading)};
    take_rows(line);
}

static void take_config(void) {
    struct server_settings defaults;
    char value[256];
    settings_default(&defaults);
    current->usage = copy("[flags] -m MODEL");
    current->summary = copy("Serves a model over HTTP as OpenAI's API: chat, completions, "
                            "embeddings, reranking, structured output; with keys, TLS, metrics "
                            "and a page at /. Many requests are computed together; each gets the "
                            "same text as if it were alone.");
    for (size_t i = 0; i < n_config_options; i++) {
        const struct config_option *option = &config_options[i];
        if (option->name) config_spell(option, &defaults, value, sizeof value);
        *add() = (struct manual_option){
            .short_name = option->short_name,
            .name = copy(option->name),
            .argument = copy(option->argument),
            .help = copy(option->help),
            .fallback = copy(option->name && option->kind != CONFIG_SWITCH ? value : ""),
            .is_configurable = option->name != NULL};
    }
    *add() = (struct manual_option){.help = copy("Other")};
    for (size_t i = 0; i < n_config_flags; i++)
        *add() =
            (struct manual_option){.short_name = strcmp(config_flags[i].name, "help") ? 0 : 'h',
                                   .name = copy(config_flags[i].name),
                                   .argument = copy(config_flags[i].argument),
                                   .help = copy(config_flags[i].help)};
}

#if defined(XINGLIN_HAS_SERVER)
static void collect_subcommand(const char *name, int (*run)(int argc, char **argv)) {
    char command[] = "manual", *argv[] = {command, NULL};
    subcommand = name;
    options_visit(take_subcommand);
    run(1, argv);
    options_visit(take_table);
}
#endif

bool manual_collect(void) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } tables[] = {
        {"convert", convert_command},
        {"run", run_command},
        {"chat", chat_command},
        {"inspect", inspect_command},
        {"eval", eval_command},
        {"bench", bench_command},
#if defined(XINGLIN_HAS_SERVER)
        {"clinic", clinic_command},
#endif
    };
    char name[] = "manual", *argv[] = {name, NULL};
    options_visit(take_table);
    for (size_t i = 0; i < n_manual_commands; i++) {
        current = &manual_commands[i];
        if (strcmp(current->name, "serve") == 0) take_config();
        for (size_t j = 0; j < sizeof tables / sizeof *tables; j++)
            if (strcmp(tables[j].name, current->name) == 0) tables[j].run(1, argv);
        if (current->n_options == 0) has_failed = true;
#if defined(XINGLIN_HAS_SERVER)
        if (strcmp(current->name, "clinic") == 0) collect_subcommand("draft", clinic_draft_command);
#endif
    }
    return !has_failed;
}

const char *manual_name(const struct manual_command *command, char separator, char *name,
                        size_t name_bytes) {
    if (command->alias) return command->alias;
    snprintf(name, name_bytes, "xinglin%c%s", separator, command->name);
    return name;
}

static const char *join(const char *const *names) {
    static char text[1024];
    size_t used = 0;
    text[0] = '\0';
    for (; *names && used < sizeof text; names++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? " " : "", *names);
    return text;
}

const char *manual_words(const struct manual_option *option) {
    static const struct {
        const char *name, *words;
    } known[] = {
        {"isa", "scalar avx2 avx512 avx512_vnni avx512_bf16 amx"},
        {"kv-type", "auto f32 f16 bf16 i8"},
        {"model-format", "auto pth safetensors gguf"},
        {"format", "table csv json"},
        {"host", "127.0.0.1 ::1 0.0.0.0 ::"},
        {"role", "doctor qc admin auditor"},
        {"state", "admitted discharged drafted filled open"},
    };
    static const char *const files[] = {"FILE",    "MODEL", "MODEL,..", "DIR",
                                        "OUT_DIR", "TMP",   "TOKENIZER"};
    if (!option->argument) return NULL;
    if (strcmp(option->name, "outtype") == 0) return join(xl_convert_types());
    if (strstr(option->name, "family")) return join(xl_families());
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, option->name) == 0) return known[i].words;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i], option->argument) == 0) return "";
    return NULL;
}
