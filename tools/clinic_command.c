// SPDX-License-Identifier: Apache-2.0
// `xinglin clinic`: makes a clinic's store, brings episodes and users in, lists, proves the audit
// and copies. What people do with drafts and forms goes through the server.
#include "tools/clinic_command.h"
#include "tools/commands.h"
#include "tools/output_file.h"
#include "tools/terminal.h"

#include "clinic/store/store_audit.h"
#include "clinic/store/store_episodes.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 1024, LIST_LIMIT = 50, LIST_LIMIT_MAX = 1000 };

struct actor clinic_shell_actor(void) {
    static char name[80];
    const struct passwd *entry = getpwuid(geteuid());
    snprintf(name, sizeof name, "system:%.64s", entry ? entry->pw_name : "?");
    return (struct actor){.user = name, .role = "admin"};
}

int clinic_fail_command(const struct clinic_options *options, const char *where,
                        const struct clinic_error *error) {
    int status = error->failure == CLINIC_BAD_INPUT                                       ? 3
                 : error->failure == CLINIC_NO_MEMORY || error->failure == CLINIC_STORAGE ? 4
                                                                                          : 1;
    return terminal_fail_text(options->command, status, "%s%s%s", where ? where : "",
                              where ? ": " : "", error->message);
}

int clinic_open(const struct clinic_options *options, struct store **store) {
    struct clinic_error error = {0};
    *store = store_open(options->arguments[0], false, &error);
    return *store ? 0 : clinic_fail_command(options, options->arguments[0], &error);
}

void clinic_print_text(const char *text) {
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static int run_init(const struct clinic_options *options) {
    struct clinic_error error = {0};
    struct store *store = store_open(options->arguments[0], true, &error);
    if (!store) return clinic_fail_command(options, options->arguments[0], &error);
    store_close(store);
    printf("%s\n", options->arguments[0]);
    return terminal_finish(options->command, 0);
}

static const char *text_at(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void print_entry(const json_t *entry) {
    const json_t *patient = json_object_get(entry, "patient");
    const char *texts[] = {text_at(entry, "id"),        text_at(patient, "name"),
                           text_at(patient, "sex"),     text_at(entry, "department"),
                           text_at(entry, "bed"),       text_at(entry, "admit"),
                           text_at(entry, "discharge"), text_at(entry, "main_diagnosis")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (i) putchar('\t');
        clinic_print_text(texts[i]);
    }
    putchar('\n');
}

static void print_list(const json_t *list, bool as_json) {
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        if (!as_json) {
            print_entry(entry);
            continue;
        }
        json_dumpf(entry, stdout, JSON_COMPACT);
        putchar('\n');
    }
}

static int run_list(const struct clinic_options *options) {
    struct clinic_error error = {0};
    struct store *store;
    int opened = clinic_open(options, &store);
    if (opened != 0) return opened;
    struct actor actor = clinic_shell_actor();
    int n_departments = options->departments.n_items ? options->departments.n_items : -1;
    for (int i = 0; i < options->departments.n_items; i++)
        if (strcmp(options->departments.items[i], "*") == 0) n_departments = -1;
    struct episode_query query = {.departments = options->departments.items,
                                  .n_departments = n_departments,
                                  .text = options->text,
                                  .state = options->state,
                                  .limit = options->limit};
    json_t *list = NULL;
    int64_t total = 0;
    bool is_good = store_list_episodes(store, &query, &list, &total, &error) &&
                   store_audit(store, &actor, "read", NULL, "list", NULL, NULL, &error);
    if (is_good) {
        print_list(list, options->as_json);
        if ((size_t)total > json_array_size(list))
            fprintf(stderr, "%s: %zu of %lld shown; see --limit\n", options->command,
                    json_array_size(list), (long long)total);
    }
    int status = is_good ? 0 : clinic_fail_command(options, NULL, &error);
    json_decref(list);
    store_close(store);
    return terminal_finish(options->command, status);
}

static int run_verify(const struct clinic_options *options) {
    struct clinic_error error = {0};
    struct audit_report report;
    struct store *store;
    int opened = clinic_open(options, &store);
    if (opened != 0) return opened;
    bool is_done = store_verify_audit(store, options->expect, &report, &error);
    store_close(store);
    if (!is_done) return clinic_fail_command(options, NULL, &error);
    if (report.why[0]) {
        printf("broken at line %lld: %s\n", (long long)report.first_bad, report.why);
        return terminal_finish(options->command, CLINIC_EXIT_BROKEN);
    }
    printf("whole: %lld lines, %lld texts, head %s\n", (long long)report.n_lines,
           (long long)report.n_contents, report.head);
    if (!report.is_anchored && !options->expect && report.n_lines > 0)
        fprintf(stderr,
                "%s: there is no audit.head (a restored copy?): only --expect HASH can tell "
                "whether the tail was cut\n",
                options->command);
    return terminal_finish(options->command, 0);
}

static const char *const export_columns[] = {
    "seq",     "at",     "user",    "role",          "address",      "session",      "action",
    "episode", "object", "version", "before_digest", "after_digest", "state_digest", "hash"};
enum { EXPORT_COLUMNS = sizeof export_columns / sizeof *export_columns };

struct audit_export {
    struct output_file output;
    bool is_csv;
};

static void export_text(struct audit_export *export, const char *text) {
    output_file_write(&export->output, text, strlen(text));
}

// A cell that a spreadsheet would take for a formula begins with an apostrophe.
static void export_cell(struct audit_export *export, const json_t *value) {
    const char *text = json_string_value(value);
    char number[32];
    if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = number;
    }
    if (!text) return;
    export_text(export, "\"");
    if (*text && strchr("=+-@\t\r", *text)) export_text(export, "'");
    for (; *text; text++) {
        if (*text == '"') export_text(export, "\"");
        output_file_write(&export->output, text, 1);
    }
    export_text(export, "\"");
}

static bool export_line(void *user, const json_t *line) {
    struct audit_export *export = user;
    if (export->is_csv) {
        for (int i = 0; i < EXPORT_COLUMNS; i++) {
            if (i) export_text(export, ",");
            export_cell(export, json_object_get(line, export_columns[i]));
        }
    } else if (json_dumpf(line, export->output.file, JSON_COMPACT) != 0)
        return false;
    export_text(export, "\n");
    return true;
}

static void export_head(struct audit_export *export) {
    for (int i = 0; export->is_csv && i < EXPORT_COLUMNS; i++) {
        if (i) export_text(export, ",");
        export_text(export, export_columns[i]);
    }
    if (export->is_csv) export_text(export, "\n");
}

static int run_export(const struct clinic_options *options) {
    struct clinic_error error = {0};
    struct audit_export export = {.is_csv = strcmp(options->format, "csv") == 0};
    if (!export.is_csv && strcmp(options->format, "json") != 0)
        return terminal_fail_text(options->command, CLINIC_EXIT_USAGE,
                                  "--format is csv or json (a JSON object a line)");
    struct store *store;
    int opened = clinic_open(options, &store);
    if (opened != 0) return opened;
    struct actor actor = clinic_shell_actor();
    if (!output_file_open(&export.output, options->output ? options->output : "/dev/stdout")) {
        store_close(store);
        return terminal_fail_text(options->command, 1, "%s: %s", options->output, strerror(errno));
    }
    export_head(&export);
    bool is_good = store_audit(store, &actor, "export", NULL, "audit", NULL, NULL, &error) &&
                   store_walk_audit(store, export_line, &export, &error);
    store_close(store);
    if (!is_good) {
        output_file_abort(&export.output);
        return clinic_fail_command(options, NULL, &error);
    }
    if (!output_file_commit(&export.output))
        return terminal_fail_text(options->command, 4, "the audit could not be written: %s",
                                  strerror(errno));
    return 0;
}

static int run_backup(const struct clinic_options *options) {
    struct clinic_error error = {0};
    struct store *store;
    int opened = clinic_open(options, &store);
    if (opened != 0) return opened;
    struct actor actor = clinic_shell_actor();
    const char *path = options->arguments[1];
    bool is_good = store_audit(store, &actor, "export", NULL, "backup", NULL, NULL, &error) &&
                   store_backup(store, path, &error);
    store_close(store);
    return is_good ? 0 : clinic_fail_command(options, path, &error);
}

static const struct subcommand {
    const char *name, *usage;
    int n_min, n_max;
    int (*run)(const struct clinic_options *options);
} subcommands[] = {
    {"init", "STORE", 1, 1, run_init},
    {"import", "STORE FILE|FOLDER...", 2, ARGUMENTS_MAX, clinic_import},
    {"list", "STORE", 1, 1, run_list},
    {"user", "add|disable|list STORE [NAME]", 2, 3, clinic_user},
    {"verify-audit", "STORE", 1, 1, run_verify},
    {"export-audit", "STORE", 1, 1, run_export},
    {"backup", "STORE FILE", 2, 2, run_backup},
};

static int dispatch(struct clinic_options *options, const char *name) {
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
        const struct subcommand *found = &subcommands[i];
        if (strcmp(found->name, name) != 0) continue;
        if (options->n_arguments >= found->n_min && options->n_arguments <= found->n_max)
            return found->run(options);
        return terminal_fail_text(options->command, CLINIC_EXIT_USAGE, "usage: %s %s %s",
                                  options->command, name, found->usage);
    }
    return terminal_fail_text(options->command, CLINIC_EXIT_USAGE,
                              "unknown subcommand \"%.40s\"; see %s --help", name,
                              options->command);
}

static const char usage[] = "SUBCOMMAND STORE [arguments] [flags]";
static const char summary[] =
    "A clinic's store of episodes, drafts, forms, users and the audit: a folder of its own.\n"
    "  init STORE                   make it (mode 0700)\n"
    "  import STORE FILE|FOLDER...  episodes: canonical JSON or FHIR R4 Bundles\n"
    "  list STORE                   the episodes\n"
    "  user add STORE NAME          make or change a user; also user disable, user list\n"
    "  verify-audit STORE           prove the audit chain and everything that hangs on it\n"
    "  export-audit STORE           the audit's lines, without texts of patients\n"
    "  backup STORE FILE            a copy of the database while the server runs\n"
    "  draft EPISODE.json           a draft on the terminal, without a store (draft --help)";

static int run_line(int argc, char **argv) {
    static const char *positionals[ARGUMENTS_MAX + 1];
    struct clinic_options options = {.command = argv[0], .limit = LIST_LIMIT, .format = "json"};
    const struct option_row rows[] = {
        {0, NULL, OPTION_SECTION, NULL, NULL, "Users", 0, 0},
        {0, "display", OPTION_TEXT, &options.display, "TEXT", "the name that pages show", 0, 0},
        {0, "role", OPTION_TEXT, &options.role, "ROLE", "doctor, qc, admin or auditor", 0, 0},
        {0, "department", OPTION_REPEAT, &options.departments, "NAME",
         "a department that the user sees, or that is listed; several times; \"*\": all", 0, 0},
        {0, "password-file", OPTION_TEXT, &options.password_file, "FILE",
         "take the password from its first line (-: standard input)", 0, 0},
        {0, NULL, OPTION_SECTION, NULL, NULL, "Lists", 0, 0},
        {0, "text", OPTION_TEXT, &options.text, "WORDS", "only what has these words", 0, 0},
        {0, "state", OPTION_TEXT, &options.state, "STATE",
         "only admitted, discharged, drafted, filled or open ones", 0, 0},
        {0, "limit", OPTION_INT, &options.limit, "N", "at most so many (50)", 1, LIST_LIMIT_MAX},
        {0, "json", OPTION_FLAG, &options.as_json, NULL, "a JSON object a line", 0, 0},
        {0, NULL, OPTION_SECTION, NULL, NULL, "Audit", 0, 0},
        {0, "expect", OPTION_TEXT, &options.expect, "HASH",
         "a head that was printed earlier and must be in the chain", 0, 0},
        {0, "format", OPTION_TEXT, &options.format, "FORMAT", "json or csv (json)", 0, 0},
        {'o', "output", OPTION_TEXT, &options.output, "FILE", "instead of standard output", 0, 0},
    };
    struct command_line line = {.usage = usage,
                                .summary = summary,
                                .rows = rows,
                                .n_rows = sizeof rows / sizeof *rows,
                                .positionals = positionals,
                                .n_positionals_min = 1,
                                .n_positionals_max = ARGUMENTS_MAX + 1};
    int go_on = options_parse(&line, argc, argv);
    if (go_on != OPTIONS_GO_ON) return go_on;
    options.arguments = positionals + 1;
    options.n_arguments = line.n_positionals - 1;
    return dispatch(&options, positionals[0]);
}

int clinic_command(int argc, char **argv) {
    static char name[] = "xinglin clinic draft";
    if (argc > 1 && strcmp(argv[1], "draft") == 0) { // has flags of its own
        argv[1] = name;
        return clinic_draft_command(argc - 1, argv + 1);
    }
    return run_line(argc, argv);
}
