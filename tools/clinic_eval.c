// SPDX-License-Identifier: Apache-2.0
// `xinglin eval --clinic`: drafts episodes that have a gold record and counts how good the drafts
// are, with a model or without. What is counted is in clinic/draft/draft_score.h. Nothing but the
// seconds differs from one run to the next.
#include "clinic/draft/draft_score.h"
#include "tools/clinic_model.h"
#include "tools/commands.h"
#include "tools/option_table.h"
#include "tools/terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDERS_MAX = 64, SETTLE_SECONDS = 600 };

struct eval_flags {
    struct clinic_model_flags model;
    const char *record, *templates;
    const char *folders[FOLDERS_MAX];
    int n_folders, is_clinic, no_model, json;
};

struct eval_row {
    const char *folder;
    struct draft_score score;
    double cold_s, warm_s, total_s; // NAN: not measured
};

struct eval_run {
    const char *command;
    const struct eval_flags *flags;
    struct template_set *templates;
    const struct record_template *record;
    struct clinic_model model;
    const struct text_writer *writer;      // NULL: none
    struct eval_row rows[FOLDERS_MAX + 1]; // the last one: all together
    int n_rows;
};

// ---- One episode -------------------------------------------------------------------------------

static double seconds_of(const json_t *draft, const char *member) {
    const json_t *value = json_object_get(draft, member);
    return json_is_integer(value) ? 1e-3 * (double)json_integer_value(value) : NAN;
}

static bool go_on(void *user, const json_t *event) {
    (void)user;
    (void)event;
    return true;
}

// The first text of the model is all that is waited for.
static bool stop_at_text(void *user, const json_t *event) {
    (void)user;
    const char *name = json_string_value(json_object_get(event, "event"));
    return !name || strcmp(name, "text") != 0;
}

// The second draft of a chart that the model has read in the background.
static bool measure_warm(struct eval_run *run, const struct draft_request *request,
                         struct eval_row *row, struct clinic_error *error) {
    const struct draft_events events = {.on_event = stop_at_text};
    json_t *draft;
    if (!run->writer) return true;
    if (!draft_warm(request, error)) return false;
    model_writer_settle(run->model.writer, SETTLE_SECONDS);
    if (!draft_compose(request, &events, &draft, error)) return false;
    row->warm_s = seconds_of(draft, "first_token_ms");
    json_decref(draft);
    return true;
}

static bool measure(struct eval_run *run, struct draft_ground *ground, const json_t *gold,
                    struct eval_row *row, struct clinic_error *error) {
    const struct draft_events events = {.on_event = go_on};
    const struct draft_request request = {
        .ground = ground, .record = run->record, .writer = run->writer};
    json_t *draft;
    if (!draft_compose(&request, &events, &draft, error)) return false;
    const char *why = json_string_value(json_object_get(draft, "error"));
    bool is_done = !why || clinic_fail(error, CLINIC_STORAGE, "%.200s", why);
    row->cold_s = seconds_of(draft, "first_token_ms");
    row->total_s = seconds_of(draft, "total_ms");
    is_done = is_done && draft_score_add(ground, draft, gold, &row->score, error) &&
              measure_warm(run, &request, row, error);
    json_decref(draft);
    return is_done;
}

static int evaluate(struct eval_run *run, const char *folder) {
    struct eval_row *row = &run->rows[run->n_rows];
    struct clinic_error error = {CLINIC_OK, ""};
    int status = 0;
    json_t *root = clinic_file_read(folder, "episode.json", run->command, &status);
    json_t *gold = root ? clinic_file_read(folder, "gold.json", run->command, &status) : NULL;
    struct episode *episode = gold ? episode_read(root, &error) : NULL;
    struct draft_ground *ground = episode ? draft_ground_open(episode, &error) : NULL;
    bool is_done = false;
    *row = (struct eval_row){.folder = folder, .cold_s = NAN, .warm_s = NAN, .total_s = NAN};
    if (ground) is_done = measure(run, ground, gold, row, &error);
    draft_ground_close(ground);
    episode_free(episode);
    json_decref(gold);
    json_decref(root);
    if (is_done) {
        run->n_rows++;
        return 0;
    }
    if (!gold) return status;
    return terminal_fail_text(run->command, error.failure == CLINIC_NO_MEMORY ? 4 : 3, "%s: %s",
                              folder, error.message);
}

// ---- All together ------------------------------------------------------------------------------

static void add_rates(struct score_rate *to, const struct score_rate *from, size_t n) {
    for (size_t i = 0; i < n; i++) {
        to[i].n_ok += from[i].n_ok;
        to[i].n_all += from[i].n_all;
    }
}

static void add_score(struct draft_score *to, const struct draft_score *from) {
    add_rates(to->recall, from->recall, FACT_CLASSES);
    add_rates(&to->recall_must, &from->recall_must, 1);
    add_rates(&to->recall_all, &from->recall_all, 1);
    add_rates(&to->unsupported, &from->unsupported, 1);
    add_rates(&to->unsupported_model, &from->unsupported_model, 1);
    add_rates(to->in_record, from->in_record, SCORE_KINDS);
    add_rates(to->in_gold, from->in_gold, SCORE_KINDS);
    add_rates(to->of_gold, from->of_gold, SCORE_KINDS);
    add_rates(&to->citations, &from->citations, 1);
    add_rates(&to->sections, &from->sections, 1);
    to->n_omissions += from->n_omissions;
    to->n_conflicts += from->n_conflicts;
    to->n_characters += from->n_characters;
}

static int compare_seconds(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Of those that were measured; NAN: none was.
static double median(const struct eval_row *rows, int n_rows, size_t offset) {
    double seconds[FOLDERS_MAX];
    size_t n = 0;
    for (int i = 0; i < n_rows; i++) {
        double s = *(const double *)((const char *)&rows[i] + offset);
        if (!isnan(s)) seconds[n++] = s;
    }
    if (n == 0) return NAN;
    qsort(seconds, n, sizeof *seconds, compare_seconds);
    return n % 2 ? seconds[n / 2] : (seconds[n / 2 - 1] + seconds[n / 2]) / 2;
}

static const struct eval_row *sum_up(struct eval_run *run) {
    struct eval_row *all = &run->rows[run->n_rows];
    *all = (struct eval_row){.folder = "all"};
    for (int i = 0; i < run->n_rows; i++)
        add_score(&all->score, &run->rows[i].score);
    all->cold_s = median(run->rows, run->n_rows, offsetof(struct eval_row, cold_s));
    all->warm_s = median(run->rows, run->n_rows, offsetof(struct eval_row, warm_s));
    all->total_s = median(run->rows, run->n_rows, offsetof(struct eval_row, total_s));
    return all;
}

// ---- JSON --------------------------------------------------------------------------------------

static json_t *rate_json(const struct score_rate *rate) {
    json_t *value = rate->n_all ? json_real((double)rate->n_ok / rate->n_all) : json_null();
    return json_pack("{s:i,s:i,s:o}", "n", rate->n_ok, "of", rate->n_all, "rate", value);
}

static json_t *kinds_json(const struct score_rate *rates) {
    json_t *object = json_object();
    for (int i = 0; i < SCORE_KINDS; i++)
        json_object_set_new(object, score_kind_name((enum score_kind)i), rate_json(&rates[i]));
    return object;
}

static json_t *recall_json(const struct draft_score *score) {
    json_t *object = json_object();
    for (int i = 0; i < FACT_CLASSES; i++)
        if (score->recall[i].n_all)
            json_object_set_new(object, fact_class_name((enum fact_class)i),
                                rate_json(&score->recall[i]));
    json_object_set_new(object, "must", rate_json(&score->recall_must));
    json_object_set_new(object, "all", rate_json(&score->recall_all));
    return object;
}

static json_t *seconds_json(double seconds) {
    return isnan(seconds) ? json_null() : json_real(seconds);
}

static json_t *row_json(const struct eval_row *row) {
    const struct draft_score *score = &row->score;
    return json_pack(
        "{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:i,s:i,s:i,s:o,s:o,s:o}", "episode", row->folder,
        "fact_recall", recall_json(score), "unsupported_sentences", rate_json(&score->unsupported),
        "unsupported_model_sentences", rate_json(&score->unsupported_model), "precision_record",
        kinds_json(score->in_record), "precision_gold", kinds_json(score->in_gold), "recall_gold",
        kinds_json(score->of_gold), "citation_precision", rate_json(&score->citations),
        "section_completeness", rate_json(&score->sections), "omissions", score->n_omissions,
        "conflicts", score->n_conflicts, "characters", score->n_characters, "first_token_cold_s",
        seconds_json(row->cold_s), "first_token_warm_s", seconds_json(row->warm_s), "total_s",
        seconds_json(row->total_s));
}

static void print_json(struct eval_run *run) {
    json_t *rows = json_array();
    for (int i = 0; i < run->n_rows; i++)
        json_array_append_new(rows, row_json(&run->rows[i]));
    json_t *report =
        json_pack("{s:s?,s:s,s:o,s:o}", "model", run->writer ? run->writer->name : NULL, "template",
                  run->record->id, "episodes", rows, "all", row_json(sum_up(run)));
    json_dumpf(report, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(4));
    putchar('\n');
    json_decref(report);
}

// ---- Table -------------------------------------------------------------------------------------

static void print_rate(const char *name, const struct score_rate *rate) {
    if (rate->n_all)
        printf("  %-34s %6.1f %%  %5d of %d\n", name, 100.0 * rate->n_ok / rate->n_all, rate->n_ok,
               rate->n_all);
}

static void print_kinds(const char *name, const struct score_rate *rates) {
    char line[64];
    for (int i = 0; i < SCORE_KINDS; i++) {
        snprintf(line, sizeof line, "%s: %s", name, score_kind_name((enum score_kind)i));
        print_rate(line, &rates[i]);
    }
}

static void print_all(const struct eval_row *all) {
    const struct draft_score *score = &all->score;
    char line[64];
    printf("\nAll episodes\n");
    for (int i = 0; i < FACT_CLASSES; i++) {
        snprintf(line, sizeof line, "fact recall: %s", fact_class_name((enum fact_class)i));
        print_rate(line, &score->recall[i]);
    }
    print_rate("fact recall: must", &score->recall_must);
    print_rate("fact recall: all", &score->recall_all);
    print_rate("unsupported sentences", &score->unsupported);
    print_rate("unsupported, model's fields", &score->unsupported_model);
    print_kinds("precision against record", score->in_record);
    print_kinds("precision against gold", score->in_gold);
    print_kinds("recall against gold", score->of_gold);
    print_rate("citation precision", &score->citations);
    print_rate("section completeness", &score->sections);
    if (!isnan(all->cold_s))
        printf("  %-34s %6.2f s cold, %.2f s warm (medians)\n", "first token", all->cold_s,
               all->warm_s);
}

static double percent(const struct score_rate *rate) {
    return rate->n_all ? 100.0 * rate->n_ok / rate->n_all : 0;
}

static void print_table(struct eval_run *run) {
    printf("%s, %s\n\n", run->writer ? run->writer->name : "no model", run->record->id);
    printf("%-28s %6s %6s %7s %7s %7s %7s %7s\n", "episode", "must%", "all%", "unsup.", "cited%",
           "cold s", "warm s", "total s");
    for (int i = 0; i < run->n_rows; i++) {
        const struct eval_row *row = &run->rows[i];
        const char *slash = strrchr(row->folder, '/');
        printf("%-28s %6.1f %6.1f %3d/%-3d %7.1f %7.2f %7.2f %7.2f\n",
               slash && slash[1] ? slash + 1 : row->folder, percent(&row->score.recall_must),
               percent(&row->score.recall_all), row->score.unsupported.n_ok,
               row->score.unsupported.n_all, percent(&row->score.citations), row->cold_s,
               row->warm_s, row->total_s);
    }
    print_all(sum_up(run));
}

// ---- The command -------------------------------------------------------------------------------

static int parse_flags(struct eval_flags *flags, int argc, char **argv) {
    const struct option_row rows[] = {
        {0, "clinic", OPTION_FLAG, &flags->is_clinic, NULL,
         "drafts of the episodes in FOLDER ..., each with episode.json and gold.json", 0, 0},
        {'m', "model", OPTION_TEXT, &flags->model.model, "MODEL", "chat model that writes", 0, 0},
        {0, "no-model", OPTION_FLAG, &flags->no_model, NULL, "rules alone", 0, 0},
        {0, "template", OPTION_TEXT, &flags->record, "ID", "which record (discharge-record)", 0, 0},
        {0, "clinic-templates", OPTION_TEXT, &flags->templates, "DIR", "templates of your own", 0,
         0},
        {'t', "threads", OPTION_INT, &flags->model.threads, "N", "threads; 0: automatic (0)", 0,
         512},
        {'c', "context", OPTION_INT, &flags->model.context, "N",
         "tokens that a prompt and its answer may have (4096)", 256, 1 << 20},
        {0, "json", OPTION_FLAG, &flags->json, NULL, "result as JSON", 0, 0},
    };
    struct command_line line = {.usage = "--clinic [flags] FOLDER ...",
                                .summary = "How good drafts of bundled episodes are.",
                                .rows = rows,
                                .n_rows = sizeof rows / sizeof *rows,
                                .positionals = flags->folders,
                                .n_positionals_min = 1,
                                .n_positionals_max = FOLDERS_MAX};
    int status = options_parse(&line, argc, argv);
    flags->n_folders = line.n_positionals;
    if (status == OPTIONS_GO_ON && !flags->model.model && !flags->no_model)
        return terminal_fail_text(argv[0], 2, "say which model writes (-m MODEL), or --no-model");
    return status;
}

static int run_all(struct eval_run *run) {
    const struct eval_flags *flags = run->flags;
    int status = 0;
    if (!flags->no_model) {
        status = clinic_model_open(&run->model, &flags->model, run->command);
        if (status == 0) run->writer = model_writer_interface(run->model.writer);
    }
    for (int i = 0; status == 0 && i < flags->n_folders; i++) {
        terminal_progress((double)i / flags->n_folders, flags->folders[i]);
        status = evaluate(run, flags->folders[i]);
    }
    terminal_progress_end();
    if (status == 0 && flags->json)
        print_json(run);
    else if (status == 0)
        print_table(run);
    clinic_model_close(&run->model);
    return terminal_finish(run->command, status);
}

int clinic_eval_command(int argc, char **argv) {
    struct eval_flags flags = {.record = "discharge-record"};
    struct clinic_error error;
    int status = parse_flags(&flags, argc, argv);
    if (status != OPTIONS_GO_ON) return status;
    struct eval_run *run = calloc(1, sizeof *run);
    if (!run) return terminal_fail_text(argv[0], 4, "out of memory");
    run->command = argv[0];
    run->flags = &flags;
    run->templates = template_set_open(flags.templates, &error);
    if (!run->templates)
        status = clinic_tell(argv[0], &error);
    else if (!(run->record = template_set_find(run->templates, flags.record)))
        status = terminal_fail_text(argv[0], 2, "there is no template \"%.60s\"", flags.record);
    else
        status = run_all(run);
    template_set_close(run->templates);
    free(run);
    return status;
}
