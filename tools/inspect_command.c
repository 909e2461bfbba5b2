// SPDX-License-Identifier: Apache-2.0
// `xinglin inspect`: what is in a model file or directory, and what this machine offers.
#include "tools/commands.h"
#include "tools/option_table.h"
#include "tools/terminal.h"

#include "xinglin/xinglin.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Texts come from a file that nobody vouches for: they must not steer the terminal.
static const char *printable(char *line, size_t line_size, const char *text, size_t length) {
    if (length >= line_size) length = line_size - 1;
    for (size_t i = 0; i < length; i++)
        line[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    line[length] = '\0';
    return line;
}

// A value on one line; long ones are cut, as a person looks at them.
static void print_value(const char *key, json_t *value) {
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    const char *shown = json_is_string(value) ? json_string_value(value) : text ? text : "";
    size_t length = strcspn(shown, "\n");
    int cut = length > 72 || shown[length] == '\n';
    if (length > 72) length = 72;
    while (length > 0 && ((unsigned char)shown[length] & 0xc0) == 0x80)
        length--;
    char name[256], line[80];
    printf("  %-40s %s%s\n", printable(name, sizeof name, key, strlen(key)),
           printable(line, sizeof line, shown, length), cut ? "..." : "");
    free(text);
}

static void print_object(const char *title, json_t *object) {
    if (!json_is_object(object) || json_object_size(object) == 0) return;
    printf("%s:\n", title);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) print_value(key, value);
}

static void print_shape(json_t *shape) {
    size_t i;
    json_t *size;
    json_array_foreach(shape, i, size)
        printf("%s%" JSON_INTEGER_FORMAT, i ? " x " : "", json_integer_value(size));
}

static void print_tensors(json_t *tensors) {
    size_t i;
    json_t *tensor;
    printf("tensors:\n");
    json_array_foreach(tensors, i, tensor) {
        json_t *name = json_object_get(tensor, "name"), *type = json_object_get(tensor, "type");
        const char *text = json_string_value(name);
        char line[256];
        printf("  %-48s %-6s ",
               printable(line, sizeof line, text ? text : "", text ? strlen(text) : 0),
               json_string_value(type));
        print_shape(json_object_get(tensor, "shape"));
        putchar('\n');
    }
}

// Plain items on one line; kernel levels one a line, with the reason why one is missing.
static void print_list(const char *title, json_t *items) {
    size_t i;
    json_t *item;
    if (!json_is_object(json_array_get(items, 0))) {
        printf("  %-40s", title);
        json_array_foreach(items, i, item) printf(" %s", json_string_value(item));
        putchar('\n');
        return;
    }
    printf("%s:\n", title);
    json_array_foreach(items, i, item) {
        const char *reason = json_string_value(json_object_get(item, "reason"));
        printf("  %-40s %s%s\n", json_string_value(json_object_get(item, "name")),
               json_is_true(json_object_get(item, "available")) ? "available" : "not available: ",
               reason ? reason : "");
    }
}

static void print_machine(json_t *machine) {
    const char *key;
    json_t *value;
    json_object_foreach(machine, key, value) {
        if (json_is_object(value))
            print_object(key, value);
        else if (json_is_array(value))
            print_list(key, value);
        else
            print_value(key, value);
    }
}

static void print_model(json_t *model, int with_tensors) {
    const char *key;
    json_t *value;
    json_object_foreach(model, key, value) {
        if (strcmp(key, "tensors") == 0)
            printf("  %-40s %zu\n", "tensors", json_array_size(value));
        else if (!json_is_object(value))
            print_value(key, value);
    }
    json_object_foreach(model, key, value) if (json_is_object(value)) print_object(key, value);
    if (with_tensors) print_tensors(json_object_get(model, "tensors"));
}

static int show(const char *command, const char *text, int as_json, int cpu, int with_tensors) {
    json_t *root = json_loads(text, 0, NULL);
    if (as_json || !root)
        printf("%s\n", text);
    else if (cpu)
        print_machine(root);
    else
        print_model(root, with_tensors);
    json_decref(root);
    return terminal_finish(command, 0);
}

int inspect_command(int argc, char **argv) {
    int cpu = 0, tensors = 0, as_json = 0;
    const char *path = NULL;
    const struct option_row rows[] = {
        {0, "cpu", OPTION_FLAG, &cpu, NULL, "this machine instead of a model", 0, 0},
        {0, "tensors", OPTION_FLAG, &tensors, NULL, "list every tensor", 0, 0},
        {0, "json", OPTION_FLAG, &as_json, NULL, "everything as JSON", 0, 0},
    };
    struct command_line line = {.usage = "[flags] MODEL | --cpu",
                                .summary = "Shows what is in a model, or what this machine offers.",
                                .rows = rows,
                                .n_rows = sizeof rows / sizeof *rows,
                                .positionals = &path,
                                .n_positionals_max = 1};
    int go_on = options_parse(&line, argc, argv);
    if (go_on != OPTIONS_GO_ON) return go_on;
    if (!cpu == !path)
        return terminal_fail_text(argv[0], 2, "needs a model or --cpu; see %s --help", argv[0]);
    char *json = NULL;
    xl_error error;
    xl_status status = cpu ? xl_machine_describe(&json, &error) : xl_inspect(path, &json, &error);
    if (status != XL_OK) return terminal_fail(argv[0], &error);
    int exit_status = show(argv[0], json, as_json, cpu, tensors);
    xl_free(json);
    return exit_status;
}
