// SPDX-License-Identifier: Apache-2.0
// Man pages in the man(7) macros, which man-db and mandoc both read.
#include "manual.h"
#include "xinglin/xinglin.h"

#include <ctype.h>
#include <string.h>

// The date stands for the version, so that a build of the same sources is the same page.
static const char PAGE_DATE[] = "2026-11-23";

// Text as roff shows it literally.
static void put(FILE *out, const char *text) {
    if (*text == '.' || *text == '\'') fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
}

static void head(FILE *out, const char *name, int section, const char *brief) {
    fprintf(out, ".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made from the option tables.\n");
    fprintf(out, ".TH ");
    for (const char *c = name; *c; c++)
        if (*c == '-')
            fputs("\\-", out);
        else
            fputc(toupper((unsigned char)*c), out);
    fprintf(out, " %d \"%s\" \"Xinglin %s\" \"Xinglin Manual\"\n.SH NAME\n", section, PAGE_DATE,
            xl_version());
    put(out, name);
    fprintf(out, " \\- ");
    put(out, brief);
    fprintf(out, "\n");
}

static void write_option(FILE *out, const struct manual_option *option) {
    fprintf(out, ".TP\n");
    if (option->short_name) fprintf(out, "\\fB\\-%c\\fR, ", option->short_name);
    fprintf(out, "\\fB\\-\\-");
    put(out, option->name);
    fprintf(out, "\\fR");
    if (option->argument) {
        fprintf(out, " \\fI");
        put(out, option->argument);
        fprintf(out, "\\fR");
    }
    fprintf(out, "\n");
    put(out, option->help);
    if (option->fallback && *option->fallback) {
        fprintf(out, " (");
        put(out, option->fallback);
        fprintf(out, ")");
    }
    fprintf(out, "\n");
}

static void write_options(FILE *out, const struct manual_command *command) {
    fprintf(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < command->n_options; i++)
        if (command->options[i].name)
            write_option(out, &command->options[i]);
        else {
            fprintf(out, ".SS ");
            put(out, command->options[i].help);
            fprintf(out, "\n");
        }
}

static void write_exit_status(FILE *out) {
    static const char *const meanings[] = {"done",
                                           "failed while running",
                                           "usage",
                                           "a bad input file",
                                           "out of memory or disk",
                                           "a verification failed"};
    fprintf(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        fprintf(out, ".TP\n\\fB%zu\\fR\n%s\n", i, meanings[i]);
    fprintf(out, ".TP\n\\fB128+\\fIn\\fR\nended by signal \\fIn\\fR\n");
}

static void write_environment(FILE *out, bool is_server) {
    fprintf(out, ".SH ENVIRONMENT\n"
                 ".TP\n\\fBXINGLIN_ISA\\fR\nthe kernels to use, as \\fB\\-\\-isa\\fR\n"
                 ".TP\n\\fBXINGLIN_CACHE\\fR\nwhere packed weights are kept; \\fBoff\\fR: nowhere "
                 "(\\fI$XDG_CACHE_HOME/xinglin/packed\\fR or \\fI~/.cache/xinglin/packed\\fR)\n");
    if (is_server)
        fprintf(out, ".TP\n\\fBXINGLIN_CONFIG\\fR\nthe configuration file, as "
                     "\\fB\\-\\-config\\fR\n.TP\n\\fBXINGLIN_\\fINAME\\fR\nany option: "
                     "\\fBXINGLIN_KV_MEMORY_MIB\\fR is \\fB\\-\\-kv\\-memory\\-mib\\fR. Empty is "
                     "unset.\n");
}

static void write_see_also(FILE *out, const char *self) {
    char name[64];
    fprintf(out, ".SH SEE ALSO\n");
    for (size_t i = 0; i < n_manual_commands; i++) {
        const char *other = manual_name(&manual_commands[i], '-', name, sizeof name);
        if (strcmp(other, self) == 0) continue;
        fprintf(out, ".BR ");
        put(out, other);
        fprintf(out, " (1),\n");
    }
    if (strcmp(self, "xinglin-server.conf") != 0) fprintf(out, ".BR xinglin\\-server.conf (5),\n");
    if (strcmp(self, "xinglin") != 0) fprintf(out, ".BR xinglin (1),\n");
    fprintf(out, ".BR xinglin (7)\n");
}

// Lines that begin with blanks are a table: they stay as they are.
static void write_summary(FILE *out, const char *summary) {
    const char *table = strstr(summary, "\n  ");
    char text[1024];
    snprintf(text, sizeof text, "%.*s", table ? (int)(table - summary) : (int)strlen(summary),
             summary);
    put(out, text);
    fprintf(out, "\n");
    if (!table) return;
    fprintf(out, ".PP\n.nf\n");
    put(out, table + 1);
    fprintf(out, "\n.fi\n");
}

void page_write_command(FILE *out, const struct manual_command *command, const char *more) {
    char name[64];
    const char *page = manual_name(command, '-', name, sizeof name);
    head(out, page, 1, command->brief);
    fprintf(out, ".SH SYNOPSIS\n");
    if (command->alias) {
        fprintf(out, ".B ");
        put(out, command->alias);
        fprintf(out, "\n");
        put(out, command->usage);
        fprintf(out, "\n.br\n");
    }
    fprintf(out, ".B xinglin %s\n", command->name);
    put(out, command->usage);
    fprintf(out, "\n.SH DESCRIPTION\n");
    write_summary(out, command->summary);
    write_options(out, command);
    write_exit_status(out);
    write_environment(out, strcmp(command->name, "serve") == 0);
    if (more) fputs(more, out);
    write_see_also(out, page);
}

void page_write_config(FILE *out, const struct manual_command *serve, const char *more) {
    head(out, "xinglin-server.conf", 5, "configuration of xinglin serve");
    if (more) fputs(more, out);
    fprintf(out, ".SH NAMES\n");
    for (size_t i = 0; i < serve->n_options; i++) {
        const struct manual_option *option = &serve->options[i];
        if (!option->is_configurable) continue;
        fprintf(out, ".TP\n\\fB");
        put(out, option->name);
        fprintf(out, "\\fR = \\fI");
        put(out, option->argument ? option->argument : "yes|no");
        fprintf(out, "\\fR\n");
        put(out, option->help);
        if (option->fallback && *option->fallback) {
            fprintf(out, " (");
            put(out, option->fallback);
            fprintf(out, ")");
        }
        fprintf(out, "\n");
    }
    write_see_also(out, "xinglin-server.conf");
}

void page_write_frame(FILE *out, const char *name, int section, const char *brief,
                      const char *more) {
    head(out, name, section, brief);
    if (section == 1) {
        fprintf(out, ".SH SYNOPSIS\n.B xinglin\n\\fICOMMAND\\fR [flags]\n.SH COMMANDS\n");
        for (size_t i = 0; i < n_manual_commands; i++) {
            fprintf(out, ".TP\n\\fB%s\\fR", manual_commands[i].name);
            if (manual_commands[i].alias) {
                fprintf(out, " (also \\fB");
                put(out, manual_commands[i].alias);
                fprintf(out, "\\fR)");
            }
            fprintf(out, "\n");
            put(out, manual_commands[i].brief);
            fprintf(out, "\n");
        }
        write_exit_status(out);
    }
    if (more) fputs(more, out);
    write_see_also(out, section == 1 ? "xinglin" : "");
}

// The options of the server as the table of docs/SERVER.md.
void table_write_options(FILE *out, const struct manual_command *serve) {
    fprintf(out, "| Name | Value | Default | What it is |\n|---|---|---|---|\n");
    for (size_t i = 0; i < serve->n_options; i++) {
        const struct manual_option *option = &serve->options[i];
        if (!option->name && strcmp(option->help, "Other") == 0) break;
        if (!option->name)
            fprintf(out, "| **%s** | | | |\n", option->help);
        else
            fprintf(out, "| `%s` | %s | %s | %s |\n", option->name,
                    option->argument ? option->argument : "yes, no",
                    option->argument ? option->fallback : "no", option->help);
    }
}
