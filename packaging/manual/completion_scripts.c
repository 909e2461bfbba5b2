// SPDX-License-Identifier: Apache-2.0
// Completions for bash, zsh and fish: commands, flags, and the words that a flag takes.
#include "manual.h"

#include <string.h>

// ---- bash --------------------------------------------------------------------------------------

static void bash_values(FILE *out, const struct manual_command *command) {
    fprintf(out, "        case $flag in\n");
    for (size_t i = 0; i < command->n_options; i++) {
        const struct manual_option *option = &command->options[i];
        if (!option->name || !option->argument) continue;
        const char *words = manual_words(option);
        fprintf(out, "        ");
        if (option->short_name) fprintf(out, "-%c | ", option->short_name);
        fprintf(out, "--%s) ", option->name);
        if (!words)
            fprintf(out, "return ;;\n");
        else if (*words)
            fprintf(out, "COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n", words);
        else
            fprintf(out, "COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n");
    }
    fprintf(out, "        esac\n");
}

static void bash_flags(FILE *out, const struct manual_command *command) {
    fprintf(out, "        flags='");
    for (size_t i = 0; i < command->n_options; i++)
        if (command->options[i].name)
            fprintf(out, "%s--%s", i ? " " : "", command->options[i].name);
    fprintf(out, "'\n        ;;\n");
}

void completion_write_bash(FILE *out) {
    fprintf(out, "# SPDX-License-Identifier: Apache-2.0\n"
                 "# bash completion of xinglin and its commands; made from the option tables.\n"
                 "_xinglin() {\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]} flags\n"
                 "    local command=${COMP_WORDS[0]##*/}\n"
                 "    COMPREPLY=()\n"
                 "    if [[ $command == xinglin ]]; then\n"
                 "        if ((COMP_CWORD == 1)); then\n"
                 "            COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < n_manual_commands; i++)
        fprintf(out, "%s ", manual_commands[i].name);
    fprintf(out, "--help --version' -- \"$word\"))\n"
                 "            return\n"
                 "        fi\n"
                 "        command=${COMP_WORDS[1]}\n"
                 "    fi\n"
                 "    case $command in\n");
    for (size_t i = 0; i < n_manual_commands; i++) {
        const struct manual_command *command = &manual_commands[i];
        fprintf(out, "    %s%s%s)\n", command->name, command->alias ? " | " : "",
                command->alias ? command->alias : "");
        bash_values(out, command);
        bash_flags(out, command);
    }
    fprintf(out, "    *) return ;;\n"
                 "    esac\n"
                 "    if [[ $word == -* ]]; then\n"
                 "        COMPREPLY=($(compgen -W \"$flags\" -- \"$word\"))\n"
                 "    else\n"
                 "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
                 "    fi\n"
                 "}\n"
                 "complete -o filenames -F _xinglin xinglin");
    for (size_t i = 0; i < n_manual_commands; i++)
        if (manual_commands[i].alias) fprintf(out, " %s", manual_commands[i].alias);
    fprintf(out, "\n");
}

// ---- zsh ---------------------------------------------------------------------------------------

// Inside single quotes and square brackets.
static void zsh_text(FILE *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void zsh_action(FILE *out, const struct manual_option *option) {
    const char *words = manual_words(option);
    if (!option->argument) return;
    fputc(':', out);
    zsh_text(out, option->argument);
    if (!words)
        fprintf(out, ": ");
    else if (*words)
        fprintf(out, ":(%s)", words);
    else
        fprintf(out, ":_files");
}

static void zsh_option(FILE *out, const struct manual_option *option) {
    const char *equals = option->argument ? "=" : "";
    for (int form = option->short_name ? 0 : 1; form < 2; form++) {
        fprintf(out, "        '*");
        if (form == 0) fprintf(out, "-%c%s", option->short_name, option->argument ? "+" : "");
        if (form == 1) fprintf(out, "--%s%s", option->name, equals);
        fputc('[', out);
        zsh_text(out, option->help);
        fputc(']', out);
        zsh_action(out, option);
        fprintf(out, "' \\\n");
    }
}

void completion_write_zsh(FILE *out) {
    fprintf(out, "#compdef xinglin");
    for (size_t i = 0; i < n_manual_commands; i++)
        if (manual_commands[i].alias) fprintf(out, " %s", manual_commands[i].alias);
    fprintf(out, "\n# SPDX-License-Identifier: Apache-2.0\n"
                 "# zsh completion of xinglin and its commands; made from the option tables.\n\n");
    for (size_t i = 0; i < n_manual_commands; i++) {
        const struct manual_command *command = &manual_commands[i];
        fprintf(out, "_xinglin_%s() {\n    _arguments -s \\\n", command->name);
        for (size_t j = 0; j < command->n_options; j++)
            if (command->options[j].name) zsh_option(out, &command->options[j]);
        fprintf(out, "        '*:file:_files'\n}\n\n");
    }
    fprintf(out, "_xinglin() {\n    local -a commands\n    commands=(\n");
    for (size_t i = 0; i < n_manual_commands; i++) {
        fprintf(out, "        '%s:", manual_commands[i].name);
        zsh_text(out, manual_commands[i].brief);
        fprintf(out, "'\n");
    }
    fprintf(out, "    )\n    local name=${words[1]:t}\n    case $name in\n");
    for (size_t i = 0; i < n_manual_commands; i++)
        if (manual_commands[i].alias)
            fprintf(out, "    %s) _xinglin_%s; return ;;\n", manual_commands[i].alias,
                    manual_commands[i].name);
    fprintf(out, "    esac\n"
                 "    if ((CURRENT == 2)); then\n"
                 "        _describe command commands\n"
                 "        return\n"
                 "    fi\n"
                 "    name=${words[2]}\n"
                 "    shift words\n"
                 "    ((CURRENT--))\n"
                 "    (($+functions[_xinglin_$name])) && _xinglin_$name\n"
                 "}\n\n"
                 "_xinglin \"$@\"\n");
}

// ---- fish --------------------------------------------------------------------------------------

static void fish_text(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') fputc('\\', out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

static void fish_option(FILE *out, const char *target, const struct manual_option *option) {
    const char *words = manual_words(option);
    fprintf(out, "complete %s -l %s", target, option->name);
    if (option->short_name) fprintf(out, " -s %c", option->short_name);
    if (option->argument && !words) fprintf(out, " -x");
    if (words && !*words) fprintf(out, " -r");
    if (words && *words) {
        fprintf(out, " -x -a ");
        fish_text(out, words);
    }
    fprintf(out, " -d ");
    fish_text(out, option->help);
    fprintf(out, "\n");
}

void completion_write_fish(FILE *out) {
    fprintf(out, "# SPDX-License-Identifier: Apache-2.0\n"
                 "# fish completion of xinglin and its commands; made from the option tables.\n");
    for (size_t i = 0; i < n_manual_commands; i++) {
        const struct manual_command *command = &manual_commands[i];
        char target[160];
        fprintf(out, "\ncomplete -c xinglin -n __fish_use_subcommand -a %s -d ", command->name);
        fish_text(out, command->brief);
        fprintf(out, "\n");
        snprintf(target, sizeof target, "-c xinglin -n '__fish_seen_subcommand_from %s'",
                 command->name);
        for (size_t j = 0; j < command->n_options; j++)
            if (command->options[j].name) fish_option(out, target, &command->options[j]);
        if (command->alias)
            fprintf(out, "complete -c %s -w 'xinglin %s'\n", command->alias, command->name);
    }
}
