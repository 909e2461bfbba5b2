// SPDX-License-Identifier: Apache-2.0
// `xinglin clinic draft`: the draft of one episode on the terminal, as a doctor would see it:
// fields from data at once, the model's text as it comes, then what was checked, where it stands in
// the record, what was left out and what contradicts itself.
#include "clinic/draft/draft.h"
#include "tools/clinic_model.h"
#include "tools/clinic_page.h"
#include "tools/commands.h"
#include "tools/option_table.h"
#include "tools/terminal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { SETTLE_SECONDS = 3600 };

struct draft_flags {
    struct clinic_model_flags model;
    const char *record, *templates, *episode;
    int json, warm;
};

struct draft_view { // what is on the terminal
    struct clinic_page page;
    const struct record_template *record;
    char field[48];      // that is being written; "": none
    size_t shown_bytes;  // of its text
    char shown[1 << 16]; // its text as it stands on the terminal
    // Fields are shown in the template's order; those that are ready earlier wait.
    json_t *held[TEMPLATE_FIELDS_MAX];
    int next;
    bool is_json, has_stop;
};

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal_number) {
    (void)signal_number;
    is_interrupted = 1;
}

static bool is_stopped(void *user) {
    (void)user;
    return is_interrupted != 0;
}

static const char *text_of(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static void write_text(struct clinic_page *page, const char *text) {
    clinic_page_write(page, text, strlen(text));
}

// ---- Fields as they come -----------------------------------------------------------------------

static void begin_field(struct draft_view *view, const char *id) {
    const struct template_field *field = record_template_field(view->record, id);
    snprintf(view->field, sizeof view->field, "%s", id);
    view->shown_bytes = 0;
    clinic_page_name(&view->page, field ? field->name : id, "1");
    fflush(stdout);
}

static void write_shown(struct draft_view *view, const char *text, size_t bytes) {
    if (bytes > sizeof view->shown - view->shown_bytes)
        bytes = sizeof view->shown - view->shown_bytes;
    memcpy(view->shown + view->shown_bytes, text, bytes);
    view->shown_bytes += bytes;
    clinic_page_write(&view->page, text, bytes);
}

static const char full_stop[] = "。";

// A full stop at the end waits for what comes next: it may yet become a semicolon.
static void show(struct draft_view *view, const char *text, size_t bytes) {
    size_t n = strlen(full_stop);
    if (view->has_stop && bytes) write_shown(view, full_stop, n);
    if (bytes) view->has_stop = bytes >= n && memcmp(text + bytes - n, full_stop, n) == 0;
    write_shown(view, text, bytes && view->has_stop ? bytes - n : bytes);
}

// What is on the terminal cannot be taken back: a mark says that the sentence is written anew.
static void show_checked(struct draft_view *view, const char *text) {
    size_t n = strlen(text), same = 0;
    while (same < n && same < view->shown_bytes && text[same] == view->shown[same])
        same++;
    while (same > 0 && ((unsigned char)text[same] & 0xc0) == 0x80)
        same--;
    if (same < view->shown_bytes) {
        clinic_page_write(&view->page, "", 0);
        clinic_page_colour(&view->page, "2");
        write_text(&view->page, " ⟲ ");
        clinic_page_colour(&view->page, NULL);
        clinic_page_break(&view->page);
        view->shown_bytes = same;
    }
    view->has_stop = false; // the text has it, or has something else there
    show(view, text + same, n - same);
}

static const char *first_label(const json_t *sentence) {
    return text_of(json_array_get(json_object_get(sentence, "sources"), 0), "label");
}

static void show_claims(struct draft_view *view, const json_t *sentence) {
    size_t i;
    json_t *claim;
    json_array_foreach(json_object_get(sentence, "claims"), i, claim) {
        if (json_is_true(json_object_get(claim, "ok"))) continue;
        clinic_page_name(&view->page, "", NULL);
        clinic_page_colour(&view->page, "1;31");
        write_text(&view->page, "✗ ");
        write_text(&view->page, text_of(claim, "text"));
        write_text(&view->page, "：");
        write_text(&view->page, text_of(claim, "why"));
        clinic_page_colour(&view->page, NULL);
        clinic_page_end(&view->page);
    }
    const char *suggestion = text_of(sentence, "suggestion");
    if (!*suggestion) return;
    clinic_page_name(&view->page, "", NULL);
    write_text(&view->page, "建议：");
    write_text(&view->page, suggestion);
    clinic_page_end(&view->page);
}

static void show_sources(struct draft_view *view, const json_t *field) {
    size_t i;
    json_t *sentence;
    json_array_foreach(json_object_get(field, "sentences"), i, sentence) {
        const json_t *source = json_array_get(json_object_get(sentence, "sources"), 0);
        char number[32];
        if (!source) continue;
        snprintf(number, sizeof number, "  来源%zu", i + 1);
        clinic_page_name(&view->page, number, "2");
        clinic_page_colour(&view->page, "2");
        write_text(&view->page, first_label(sentence));
        write_text(&view->page, " “");
        write_text(&view->page, text_of(source, "quote"));
        write_text(&view->page, "”");
        clinic_page_colour(&view->page, NULL);
        clinic_page_end(&view->page);
    }
}

static void end_field(struct draft_view *view, const json_t *field, bool with_sources) {
    const json_t *verified = json_object_get(field, "verified");
    json_int_t ok = json_integer_value(json_object_get(verified, "ok"));
    json_int_t all = json_integer_value(json_object_get(verified, "all"));
    if (view->has_stop) write_shown(view, full_stop, strlen(full_stop));
    view->has_stop = false;
    clinic_page_end(&view->page);
    if (with_sources) show_sources(view, field);
    size_t i;
    json_t *sentence;
    json_array_foreach(json_object_get(field, "sentences"), i, sentence) {
        if (strcmp(text_of(sentence, "verdict"), "unsupported") != 0) continue;
        clinic_page_name(&view->page, "  未证实", "1;31");
        write_text(&view->page, text_of(sentence, "text"));
        clinic_page_end(&view->page);
        show_claims(view, sentence);
    }
    if (all == 0) return;
    char line[64];
    snprintf(line, sizeof line, "%lld/%lld", (long long)ok, (long long)all);
    clinic_page_name(&view->page, "  核对", ok == all ? "32" : "1;31");
    write_text(&view->page, line);
    write_text(&view->page, json_is_true(json_object_get(field, "blocked"))
                                ? "，有未证实内容，须处理后才能回填"
                                : " 与病历一致");
    clinic_page_end(&view->page);
}

static void show_field(struct draft_view *view, const json_t *field) {
    const char *id = text_of(field, "id"), *state = text_of(field, "state");
    bool is_writing = strcmp(state, "writing") == 0;
    if (strcmp(view->field, id) != 0) begin_field(view, id);
    show_checked(view, text_of(field, "text"));
    if (is_writing) return;
    if (strcmp(state, "failed") == 0) write_text(&view->page, text_of(field, "error"));
    end_field(view, field, strcmp(text_of(field, "from"), "model") == 0);
    view->field[0] = '\0';
}

static int index_of(const struct draft_view *view, const char *id) {
    for (int i = 0; i < view->record->n_fields; i++)
        if (strcmp(view->record->fields[i].id, id) == 0) return i;
    return 0;
}

static bool is_done(const json_t *field) {
    return strcmp(text_of(field, "state"), "writing") != 0;
}

static void show_in_order(struct draft_view *view, json_t *field) {
    int at = index_of(view, text_of(field, "id"));
    if (at != view->next) {
        json_decref(view->held[at]);
        view->held[at] = json_incref(field);
        return;
    }
    show_field(view, field);
    if (!is_done(field)) return;
    while (++view->next < view->record->n_fields && view->held[view->next]) {
        show_field(view, view->held[view->next]);
        json_decref(view->held[view->next]);
        view->held[view->next] = NULL;
    }
}

static bool on_event(void *user, const json_t *event) {
    struct draft_view *view = user;
    const char *name = text_of(event, "event");
    const json_t *data = json_object_get(event, "data");
    if (view->is_json) return true;
    if (strcmp(name, "field") == 0)
        begin_field(view, text_of(data, "field"));
    else if (strcmp(name, "text") == 0)
        show(view, text_of(data, "append"), strlen(text_of(data, "append")));
    else if (strcmp(name, "checked") == 0)
        show_in_order(view, json_object_get(data, "field"));
    return true;
}

// ---- Around the fields -------------------------------------------------------------------------

static void show_header(struct draft_view *view, const struct episode *episode) {
    const struct encounter *encounter = &episode->encounter;
    clinic_page_rule("═");
    clinic_page_centre(&view->page, encounter->hospital ? encounter->hospital : "");
    clinic_page_centre(&view->page, view->record->name);
    clinic_page_rule("─");
    printf("姓名 %s   性别 %s   年龄 %d岁   科室 %s   床号 %s   住院号 %s\n", episode->patient.name,
           episode->patient.sex, episode_age_years(episode), encounter->department,
           encounter->bed ? encounter->bed : "", episode->patient.id);
    clinic_page_rule("─");
}

static void show_list(struct draft_view *view, const json_t *list, const char *title,
                      const char *member, const char *code) {
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        if (strcmp(text_of(item, "need"), "may") == 0) continue;
        clinic_page_name(&view->page, title, code);
        write_text(&view->page, text_of(item, member));
        const char *label = text_of(json_array_get(json_object_get(item, "sources"), 0), "label");
        if (*label) {
            clinic_page_colour(&view->page, "2");
            write_text(&view->page, "（");
            write_text(&view->page, label);
            write_text(&view->page, "）");
            clinic_page_colour(&view->page, NULL);
        }
        clinic_page_end(&view->page);
        title = "";
    }
}

static void show_footer(struct draft_view *view, const json_t *draft) {
    const json_t *verified = json_object_get(draft, "verified");
    const json_t *first = json_object_get(draft, "first_token_ms");
    char line[160];
    clinic_page_rule("─");
    show_list(view, json_object_get(draft, "omissions"), "遗漏", "sentence", "33");
    show_list(view, json_object_get(draft, "conflicts"), "矛盾", "text", "1;31");
    snprintf(line, sizeof line, "%lld/%lld",
             (long long)json_integer_value(json_object_get(verified, "ok")),
             (long long)json_integer_value(json_object_get(verified, "all")));
    clinic_page_name(&view->page, "核对", "1");
    write_text(&view->page, line);
    write_text(&view->page, " 项与病历一致");
    clinic_page_end(&view->page);
    clinic_page_colour(&view->page, "1;33");
    printf("【%s】", DRAFT_LABEL);
    clinic_page_colour(&view->page, NULL);
    printf("\n");
    clinic_page_rule("═");
    if (json_is_integer(first))
        printf("%s：首字 %.2f 秒，全文 %.1f 秒\n", text_of(draft, "model"),
               1e-3 * (double)json_integer_value(first),
               1e-3 * (double)json_integer_value(json_object_get(draft, "total_ms")));
    else
        printf("无模型：%.2f 秒\n",
               1e-3 * (double)json_integer_value(json_object_get(draft, "total_ms")));
}

// ---- The command -------------------------------------------------------------------------------

static int parse_flags(struct draft_flags *flags, int argc, char **argv) {
    const struct option_row rows[] = {
        {'m', "model", OPTION_TEXT, &flags->model.model, "MODEL",
         "chat model that writes prose; without it rules do", 0, 0},
        {0, "template", OPTION_TEXT, &flags->record, "ID",
         "which record (discharge-record); also discharge-summary, stage-summary", 0, 0},
        {0, "clinic-templates", OPTION_TEXT, &flags->templates, "DIR", "templates of your own", 0,
         0},
        {'t', "threads", OPTION_INT, &flags->model.threads, "N", "threads; 0: automatic (0)", 0,
         512},
        {'c', "context", OPTION_INT, &flags->model.context, "N",
         "tokens that a prompt and its answer may have (4096)", 256, 1 << 20},
        {0, "warm", OPTION_FLAG, &flags->warm, NULL,
         "read the chart first, as a server does when documents arrive", 0, 0},
        {0, "prefix-dir", OPTION_TEXT, &flags->model.prefix_dir, "DIR",
         "keep what was read of a chart there, encrypted", 0, 0},
        {0, "prefix-key", OPTION_TEXT, &flags->model.prefix_key, "FILE",
         "key of --prefix-dir: 32 random bytes", 0, 0},
        {0, "json", OPTION_FLAG, &flags->json, NULL, "the draft as JSON", 0, 0},
    };
    struct command_line line = {.usage = "[flags] EPISODE.json",
                                .summary = "Drafts a record of an episode, checked against it.",
                                .rows = rows,
                                .n_rows = sizeof rows / sizeof *rows,
                                .positionals = &flags->episode,
                                .n_positionals_min = 1,
                                .n_positionals_max = 1};
    return options_parse(&line, argc, argv);
}

static void watch_interrupts(void) {
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
}

// What a server does in the background, waited for.
static bool warm_up(const struct draft_flags *flags, const struct draft_request *request,
                    struct clinic_model *model, struct clinic_error *error) {
    if (!flags->warm || !request->writer) return true;
    return draft_warm(request, error) &&
           (model_writer_settle(model->writer, SETTLE_SECONDS) ||
            clinic_fail(error, CLINIC_BUSY, "the chart was not read within %d seconds",
                        SETTLE_SECONDS));
}

static int draft(const struct draft_flags *flags, const struct episode *episode,
                 const struct record_template *record, struct clinic_model *model,
                 const char *command) {
    static struct draft_view view; // its text is too large for a stack
    struct clinic_error error;
    struct draft_ground *ground = draft_ground_open(episode, &error);
    json_t *made;
    if (!ground) return clinic_tell(command, &error);
    const struct draft_request request = {.ground = ground,
                                          .record = record,
                                          .writer =
                                              model ? model_writer_interface(model->writer) : NULL};
    const struct draft_events events = {&view, on_event, is_stopped};
    view.record = record;
    view.is_json = flags->json;
    clinic_page_init(&view.page);
    if (!flags->json) show_header(&view, episode);
    watch_interrupts();
    bool is_composed =
        warm_up(flags, &request, model, &error) && draft_compose(&request, &events, &made, &error);
    draft_ground_close(ground);
    if (!is_composed) return clinic_tell(command, &error);
    if (flags->json) {
        json_dumpf(made, stdout, JSON_INDENT(1));
        putchar('\n');
    } else {
        show_footer(&view, made);
    }
    int status = strcmp(text_of(made, "state"), "done") == 0 ? 0 : is_interrupted ? 130 : 1;
    json_decref(made);
    return terminal_finish(command, status);
}

static int draft_with_model(const struct draft_flags *flags, const struct episode *episode,
                            const struct record_template *record, const char *command) {
    static struct clinic_model model;
    if (!flags->model.model) return draft(flags, episode, record, NULL, command);
    int status = clinic_model_open(&model, &flags->model, command);
    if (status == 0) status = draft(flags, episode, record, &model, command);
    clinic_model_close(&model);
    return status;
}

int clinic_draft_command(int argc, char **argv) {
    struct draft_flags flags = {.record = "discharge-record"};
    struct clinic_error error;
    int status = parse_flags(&flags, argc, argv);
    if (status != OPTIONS_GO_ON) return status;
    struct template_set *set = template_set_open(flags.templates, &error);
    if (!set) return clinic_tell(argv[0], &error);
    const struct record_template *record = template_set_find(set, flags.record);
    json_t *root = NULL;
    struct episode *episode = NULL;
    if (!record)
        status = terminal_fail_text(argv[0], 2, "there is no template \"%.60s\"", flags.record);
    else
        root = clinic_file_read(flags.episode, "episode.json", argv[0], &status);
    if (root && !(episode = episode_read(root, &error))) status = clinic_tell(argv[0], &error);
    json_decref(root);
    if (episode) status = draft_with_model(&flags, episode, record, argv[0]);
    episode_free(episode);
    template_set_close(set);
    return status;
}
