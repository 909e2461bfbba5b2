// SPDX-License-Identifier: Apache-2.0
// `xinglin clinic user add|disable|list`. Passwords come from the terminal without echo, or from a
// file; never from the command line, which every user of the machine can read.
#include "tools/clinic_command.h"
#include "tools/terminal.h"

#include "clinic/store/store_audit.h"
#include "clinic/store/store_users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSWORD_LINE_BYTES = 1100, INTERRUPT = 3 };

// The first line of a stream, without its end. False: nothing, or it is too long.
static bool read_line(FILE *file, char line[PASSWORD_LINE_BYTES]) {
    if (!fgets(line, PASSWORD_LINE_BYTES, file)) return false;
    size_t length = strlen(line);
    bool is_whole = length < PASSWORD_LINE_BYTES - 1 || line[length - 1] == '\n';
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        line[--length] = '\0';
    return is_whole && length > 0;
}

static bool ask(const char *prompt, char line[PASSWORD_LINE_BYTES]) {
    struct termios shown, hidden;
    if (tcgetattr(STDIN_FILENO, &shown) != 0) return false;
    hidden = shown;
    // An interrupt would leave the terminal without echo: it becomes a letter of the line.
    hidden.c_lflag &= (tcflag_t) ~(ECHO | ISIG);
    fprintf(stderr, "%s: ", prompt);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0) return false;
    bool is_read = read_line(stdin, line);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fprintf(stderr, "\n");
    return is_read && !strchr(line, INTERRUPT);
}

static bool ask_twice(char line[PASSWORD_LINE_BYTES]) {
    char again[PASSWORD_LINE_BYTES];
    bool is_same =
        ask("password", line) && ask("the same again", again) && strcmp(line, again) == 0;
    memset(again, 0, sizeof again);
    return is_same;
}

static int read_password(const struct clinic_options *options, char line[PASSWORD_LINE_BYTES]) {
    const char *path = options->password_file;
    if (!path) {
        if (!isatty(STDIN_FILENO))
            return terminal_fail_text(options->command, CLINIC_EXIT_USAGE,
                                      "no terminal to ask for a password; use --password-file");
        if (ask_twice(line)) return 0;
        return terminal_fail_text(options->command, CLINIC_EXIT_USAGE,
                                  "the two passwords are not the same, or there is none");
    }
    bool is_input = strcmp(path, "-") == 0;
    FILE *file = is_input ? stdin : fopen(path, "r");
    if (!file)
        return terminal_fail_text(options->command, CLINIC_EXIT_INPUT, "%s: %s", path,
                                  strerror(errno));
    bool is_read = read_line(file, line);
    if (!is_input) fclose(file);
    if (is_read) return 0;
    return terminal_fail_text(options->command, CLINIC_EXIT_INPUT,
                              "%s: the first line is no password", path);
}

static bool has_user(struct store *store, const char *name) {
    json_t *users, *user;
    bool is_there = false;
    size_t i;
    if (!store_list_users(store, &users, NULL)) return false;
    json_array_foreach(users, i, user) {
        const char *found = json_string_value(json_object_get(user, "name"));
        if (found && strcmp(found, name) == 0) is_there = true;
    }
    json_decref(users);
    return is_there;
}

// A new user gets a password; an old one only if a file gives one.
static int add(const struct clinic_options *options, struct store *store, const char *name) {
    char password[PASSWORD_LINE_BYTES] = "";
    struct clinic_error error = {0};
    struct actor actor = clinic_shell_actor();
    bool is_new = !has_user(store, name);
    int n = options->departments.n_items;
    struct user_data user = {.name = name,
                             .display = options->display,
                             .role = options->role,
                             .departments = options->departments.items,
                             .n_departments = n > 0 ? n : -1,
                             .is_disabled = 0};
    if (is_new && !options->role)
        return terminal_fail_text(options->command, CLINIC_EXIT_USAGE,
                                  "a new user needs --role (and --department, to see patients)");
    if (options->role && !store_role_check(options->role, &error))
        return clinic_fail_command(options, NULL, &error);
    if (is_new || options->password_file) {
        int status = read_password(options, password);
        if (status != 0) return status;
        user.password = password;
    }
    bool is_good = store_put_user(store, &actor, &user, &error);
    memset(password, 0, sizeof password);
    return is_good ? 0 : clinic_fail_command(options, NULL, &error);
}

static int disable(const struct clinic_options *options, struct store *store, const char *name) {
    struct clinic_error error = {0};
    struct actor actor = clinic_shell_actor();
    struct user_data user = {.name = name, .n_departments = -1, .is_disabled = 1};
    if (!has_user(store, name))
        return terminal_fail_text(options->command, 1, "there is no user of that name");
    if (store_put_user(store, &actor, &user, &error)) return 0;
    return clinic_fail_command(options, NULL, &error);
}

static int list(const struct clinic_options *options, struct store *store) {
    struct clinic_error error = {0};
    struct actor actor = clinic_shell_actor();
    json_t *users, *user, *department;
    size_t i, j;
    if (!store_audit(store, &actor, "read", NULL, "users", NULL, NULL, &error) ||
        !store_list_users(store, &users, &error))
        return clinic_fail_command(options, NULL, &error);
    json_array_foreach(users, i, user) {
        printf("%s\t%s\t", json_string_value(json_object_get(user, "name")),
               json_string_value(json_object_get(user, "role")));
        clinic_print_text(json_string_value(json_object_get(user, "display")));
        printf("\t%s\t", json_is_true(json_object_get(user, "disabled")) ? "disabled" : "active");
        json_array_foreach(json_object_get(user, "departments"), j, department) {
            if (j) putchar(',');
            clinic_print_text(json_string_value(department));
        }
        putchar('\n');
    }
    json_decref(users);
    return 0;
}

int clinic_user(const struct clinic_options *options) {
    const char *what = options->arguments[0];
    bool is_list = strcmp(what, "list") == 0;
    bool is_add = strcmp(what, "add") == 0, is_disable = strcmp(what, "disable") == 0;
    if ((!is_list && !is_add && !is_disable) || options->n_arguments != (is_list ? 2 : 3))
        return terminal_fail_text(options->command, CLINIC_EXIT_USAGE,
                                  "usage: %s user add|disable STORE NAME, user list STORE",
                                  options->command);
    struct clinic_options shifted = *options;
    shifted.arguments++;
    struct store *store;
    int status = clinic_open(&shifted, &store);
    if (status != 0) return status;
    status = is_list  ? list(options, store)
             : is_add ? add(options, store, options->arguments[2])
                      : disable(options, store, options->arguments[2]);
    store_close(store);
    return terminal_finish(options->command, status);
}
