// SPDX-License-Identifier: Apache-2.0
// `llm-chat`: a conversation in the terminal. The model's own template turns the messages into
// text; of that, only what the session does not hold yet is computed, so every turn costs its own
// length. Nothing is written to disk unless --history asks for it.
#include "tools/chat_input.h"
#include "tools/commands.h"
#include "tools/conversation.h"
#include "tools/generation_flags.h"
#include "tools/grammar_flags.h"
#include "tools/terminal.h"

#include "xinglin/xinglin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chat {
    const char *command;
    struct generation_flags flags;
    xl_grammar *grammar; // of every answer; NULL: none
    const char *system, *history;
    struct chat_input input;
    struct conversation conversation;
    xl_generate_result last;
    int turns;
    int write_error; // errno; 0: none
};

static int parse(struct chat *chat, int argc, char **argv) {
    struct option_row rows[GENERATION_ROWS_MAX + 4] = {
        {0, "system", OPTION_TEXT, &chat->system, "TEXT", "system message", 0, 0},
        {0, "history", OPTION_TEXT, &chat->history, "FILE",
         "keep typed lines in a file (off: they may hold patient data)", 0, 0},
    };
    size_t n_rows = generation_flags_rows(&chat->flags, rows, 2);
    struct command_line line = {.usage = "[flags] -m MODEL",
                                .summary = "A conversation with a model. Ctrl-C ends an answer; "
                                           "/help lists what can be typed.",
                                .rows = rows,
                                .n_rows = n_rows};
    int go_on = options_parse(&line, argc, argv);
    if (go_on != OPTIONS_GO_ON) return go_on;
    return generation_flags_check(&chat->flags, chat->command);
}

static int show_text(void *user, const char *text, size_t size) {
    struct chat *chat = user;
    if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0)
        chat->write_error = errno ? errno : EIO;
    return chat->write_error;
}

static void show_stats(const struct chat *chat) {
    const xl_generate_result *r = &chat->last;
    if (chat->turns == 0) {
        printf("no answer yet\n");
        return;
    }
    printf("last answer: %d new prompt tokens, first token %.0f ms, %d tokens at %.1f ms each\n",
           r->prompt_tokens, r->first_token_s * 1e3, r->generated_tokens,
           r->next_token_mean_s * 1e3);
    printf("context: %d of %d tokens used\n", conversation_tokens(&chat->conversation),
           conversation_context(&chat->conversation));
}

static void show_help(void) {
    printf("/system TEXT   set the system message and start again\n"
           "/reset         forget the conversation\n"
           "/stats         speed of the last answer, context used\n"
           "/exit          leave (also Ctrl-D)\n"
           "A line that ends with \\ goes on in the next one. Ctrl-C ends an answer.\n");
}

// One /command. Returns 1 when the program should end.
static int obey(struct chat *chat, const char *line) {
    if (strcmp(line, "/exit") == 0 || strcmp(line, "/quit") == 0) return 1;
    if (strcmp(line, "/help") == 0)
        show_help();
    else if (strcmp(line, "/stats") == 0)
        show_stats(chat);
    else if (strcmp(line, "/reset") == 0)
        conversation_reset(&chat->conversation);
    else if (strncmp(line, "/system ", 8) == 0) {
        if (!conversation_set_system(&chat->conversation, line + 8)) printf("out of memory\n");
    } else
        printf("unknown command; /help lists them\n");
    return 0;
}

// Answers one message. Errors are told and the message is taken back: the conversation goes on.
static void answer(struct chat *chat, const char *message) {
    xl_generate_options options;
    generation_flags_generate(&chat->flags, &options);
    options.grammar = chat->grammar;
    options.on_text = show_text;
    options.user = chat;
    xl_error error;
    interrupt_seen();
    interrupt_watch(chat->conversation.session);
    xl_status status =
        conversation_answer(&chat->conversation, message, &options, &chat->last, &error);
    interrupt_watch(NULL);
    if (chat->write_error) return; // nobody reads on
    if (status == XL_OK || status == XL_CANCELLED) {
        chat->turns++;
        printf(status == XL_CANCELLED ? " [stopped]\n\n" : "\n\n");
        if (chat->flags.verbose) show_stats(chat);
    } else {
        fflush(stdout);
        terminal_fail(chat->command, &error);
    }
    fflush(stdout);
}

static int talk(struct chat *chat) {
    char *line;
    while ((line = chat_input_read(&chat->input)) != NULL) {
        int stop = 0;
        if (line[0] == '/')
            stop = obey(chat, line);
        else if (line[0])
            answer(chat, line);
        free(line);
        if (ferror(stdout)) break;
        if (stop) break;
    }
    if (chat->write_error)
        return terminal_fail_text(chat->command, chat->write_error == ENOSPC ? 4 : 1,
                                  "cannot write the output: %s", strerror(chat->write_error));
    return terminal_finish(chat->command, 0);
}

int chat_command(int argc, char **argv) {
    struct chat chat = {.command = argv[0]};
    generation_flags_default(&chat.flags);
    chat.flags.n_predict = 512;
    int exit_status = parse(&chat, argc, argv);
    if (exit_status != OPTIONS_GO_ON) return exit_status;

    xl_engine_options options;
    generation_flags_engine(&chat.flags, &options);
    xl_error error;
    if (conversation_open(&chat.conversation, chat.flags.model, &options, chat.system, &error) !=
        XL_OK) {
        exit_status = terminal_fail(chat.command, &error);
    } else {
        exit_status =
            grammar_flags_open(&chat.flags, chat.command, chat.conversation.engine, &chat.grammar);
    }
    if (exit_status == OPTIONS_GO_ON) {
        chat_input_open(&chat.input, chat.history);
        if (chat.input.interactive) printf("%s. /help lists commands.\n\n", chat.flags.model);
        exit_status = talk(&chat);
        chat_input_close(&chat.input);
    }
    xl_grammar_close(chat.grammar);
    conversation_close(&chat.conversation);
    return exit_status;
}
